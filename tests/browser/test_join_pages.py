"""Join links on a phone: who is signed in presses once; who is new makes an account and is in."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from tests.browser.desk import PHONE, PUSHPLUS_TOKEN, SOON_MS, Desk, Inbox
from tests.browser.payloads import NAMES
from tests.browser.watch import Watch
from tests.running import BOB

PAYLOADS = [name for name in NAMES if name.startswith(("<script", '">', "</title", "{{"))]

SECRET = "alice-secret-key"


class Links:
    """Links that alice gives out."""

    def __init__(self, desk: Desk, key: str) -> None:
        self._desk = desk
        self._headers = {"access-key": key}

    async def _open(self, method: str, path: str, body: object = None) -> dict:
        url = f"{self._desk.server.url}/api/open/{path}"
        async with self._desk.server.session.request(method, url, json=body, headers=self._headers) as answer:
            said = await answer.json(content_type=None)
        assert said["code"] == 200, said
        return dict(said)

    async def topic(self, **other: str) -> str:
        """The path of a link into a new topic."""
        new = {
            "topicCode": "night", "topicName": "Night shift", "contact": "ops@example.test",
            "introduction": "What breaks after ten.\nAnd who repairs it.", "receiptMessage": "Welcome aboard!", **other,
        }  # fmt: skip
        number = (await self._open("POST", "topic/add", new))["data"]
        return self._path((await self._open("GET", f"topic/qrCode?topicId={number}"))["data"])

    async def friend(self) -> str:
        """The path of a link to be alice's friend."""
        return self._path((await self._open("GET", "friend/getQrCode"))["data"])

    async def pictured(self) -> str:
        """The path of a QR code's picture."""
        return urlsplit((await self._open("GET", "friend/getQrCode"))["data"]["qrCodeImgUrl"]).path

    @staticmethod
    def _path(data: dict) -> str:
        return urlsplit(data["qrCodeImgUrl"]).path.removesuffix("/qr.png")


@pytest_asyncio.fixture(loop_scope="session")
async def links(desk: Desk) -> AsyncIterator[Links]:
    """What alice gives out."""
    said = await desk.post("/api/common/openApi/getAccessKey", {"token": PUSHPLUS_TOKEN["alice"], "secretKey": SECRET})
    yield Links(desk, said["data"]["accessKey"])


FITS = """() => {
    const shown = [...document.querySelectorAll('button, .button, input')].filter(one => one.offsetHeight);
    return document.documentElement.scrollWidth <= innerWidth && shown.every(one => one.offsetHeight >= 40);
}"""


async def fits(page: Page) -> bool:
    """Whether nothing stands out at the side, and what is pressed is large enough for a finger."""
    return bool(await page.evaluate(FITS))


async def test_who_is_signed_in_presses_once(desk: Desk, links: Links) -> None:
    """The page names who and what; one press joins, greets, and leads to the inbox where the topic's messages come."""
    inbox = await desk.inbox(BOB, **PHONE)
    page = inbox.page
    await page.goto(await links.topic())
    for text in ("Alice invites you to the topic", "What breaks after ten.", "Signed in as Bob"):
        await expect(page.get_by_text(text)).to_be_visible(timeout=SOON_MS)
    await expect(page.get_by_role("heading", name="Night shift")).to_be_visible()
    assert await fits(page)

    await page.get_by_role("button", name="Join", exact=True).click()

    await expect(page.get_by_role("status")).to_have_text("You have joined.", timeout=SOON_MS)
    await expect(page.get_by_text("Welcome aboard!")).to_be_visible()
    await page.get_by_role("link", name="Open the inbox").click()
    inbox = Inbox(page)
    await inbox.is_live()
    await desk.pushplus(title="Lift is stuck", content="c", topic="night")
    await expect(inbox.row("Lift is stuck")).to_be_visible(timeout=SOON_MS)


@pytest.mark.parametrize(("locale", "words"), [("en-US", "You are friends now."), ("zh-CN", "添加成功")])
async def test_somebody_new_is_in_with_one_form(desk: Desk, links: Links, locale: str, words: str) -> None:
    """A phone that knows nobody here: account and friendship are made, and the inbox opens without a sign-in."""
    context = await desk.context(**PHONE, locale=locale)
    page = await context.new_page()
    await page.goto(await links.friend())
    await page.locator("summary").click()
    form = page.locator("details form")
    for name, value in (("uid", "nina"), ("name", "Nina"), ("password", "nina-password"), ("again", "nina-pass")):
        await form.locator(f"input[name={name}]").fill(value)
    assert await fits(page)
    await form.get_by_role("button").click()
    await expect(page.get_by_role("alert")).to_be_visible(timeout=SOON_MS)
    assert await form.locator("input[name=uid]").input_value() == "nina"

    for name in ("password", "again"):
        await form.locator(f"input[name={name}]").fill("nina-password")
    await form.get_by_role("button").click()

    await expect(page.get_by_role("status")).to_have_text(words, timeout=SOON_MS)
    await page.locator("a.button").click()
    await Inbox(page).is_live()


async def test_who_has_an_account_signs_in_and_comes_back(desk: Desk, links: Links) -> None:
    """The link's own page takes the password and asks for the one press afterwards."""
    page = await (await desk.context(**PHONE)).new_page()
    await page.goto(await links.friend())
    form = page.get_by_role("form", name="Sign in")
    await form.get_by_label("User").fill(BOB[0])
    await form.get_by_label("Password").fill(BOB[1])
    await form.get_by_role("button").click()

    await expect(page.get_by_text("Signed in as Bob")).to_be_visible(timeout=SOON_MS)
    await page.get_by_role("button", name="Become friends").click()
    await expect(page.get_by_role("status")).to_have_text("You are friends now.", timeout=SOON_MS)


async def test_a_qr_code_is_shown(desk: Desk, links: Links) -> None:
    """The picture is a picture to a browser that is signed in nowhere."""
    page = await (await desk.context(**PHONE)).new_page()
    await page.goto(await links.pictured())

    assert await page.evaluate("document.images[0].naturalWidth") >= 250


async def test_nothing_that_others_wrote_runs(desk: Desk, links: Links) -> None:
    """S4: a topic's texts and what a form held are text on every page, before and after joining."""
    context = await desk.context(**PHONE)
    watch = await Watch.over(context, desk.server.url)
    inbox = await desk.inbox(BOB, context)
    watch.page(inbox.page)
    for no, payload in enumerate(PAYLOADS):
        texts = dict.fromkeys(("topicName", "contact", "introduction", "receiptMessage"), payload)
        link = await links.topic(topicCode=f"p{no}", **texts)
        await inbox.page.goto(f"{link}?other")
        form = inbox.page.locator("details form")
        await inbox.page.locator("summary").click()
        for name in ("uid", "name"):
            await form.locator(f"input[name={name}]").fill(payload[:60])
        for name in ("password", "again"):
            await form.locator(f"input[name={name}]").fill("some-password")
        await form.get_by_role("button").click()
        await expect(inbox.page.get_by_role("alert")).to_be_visible(timeout=SOON_MS)
        await inbox.page.goto(link)
        await inbox.page.locator("button").click()
        await expect(inbox.page.get_by_role("status")).to_have_text("You have joined.", timeout=SOON_MS)

    assert watch.seen == {}
