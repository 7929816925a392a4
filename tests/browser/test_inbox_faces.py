"""The page's faces: signing in, phone and desktop, two languages, light and dark, installed and offline."""

import json

import pytest
from playwright.async_api import ConsoleMessage, Page, expect
from tests.browser.contrast import too_faint
from tests.browser.desk import PHONE, SOON_MS, Desk
from tests.running import ALICE

WORDS = {
    "en-US": {"user": "User", "password": "Password", "signIn": "Sign in", "all": "All messages", "out": "Sign out"},
    "zh-CN": {"user": "用户名", "password": "密码", "signIn": "登录", "all": "全部消息", "out": "退出登录"},
}


async def sign_in(page: Page, words: dict[str, str], password: str) -> None:
    await page.get_by_label(words["user"]).fill("alice")
    await page.get_by_label(words["password"], exact=True).fill(password)
    await page.get_by_role("button", name=words["signIn"]).click()


_FOCUSED = """() => {
    const node = document.activeElement, style = getComputedStyle(node);
    return [node.ariaLabel || node.textContent.trim(), `${style.outlineStyle} ${style.outlineWidth}`];
}"""


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_signing_in_and_out(desk: Desk, locale: str) -> None:
    """The page speaks the browser's language from the first visit, and the console stays quiet before a sign-in."""
    words = WORDS[locale]
    page = await (await desk.context(locale=locale, service_workers="allow")).new_page()
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        said.append(message.text)

    page.on("console", note)
    await page.goto("/")
    await expect(page.get_by_role("button", name=words["signIn"])).to_be_disabled()
    assert said == []

    await sign_in(page, words, ALICE[1])
    await expect(page.get_by_role("heading", name=words["all"])).to_be_visible(timeout=SOON_MS)
    assert await page.locator("html").get_attribute("lang") == locale.replace("en-US", "en")
    cookie = (await page.context.cookies())[0]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")

    await page.locator("button.me").click()
    await page.get_by_text(words["out"]).click()
    await expect(page.get_by_role("button", name=words["signIn"])).to_be_visible(timeout=SOON_MS)
    await page.reload()
    await expect(page.get_by_role("button", name=words["signIn"])).to_be_visible(timeout=SOON_MS)


@pytest.mark.parametrize(
    ("locale", "words"), [("en-US", "User or password is wrong."), ("zh-CN", "用户名或密码错误。")]
)
async def test_a_wrong_password_is_told(desk: Desk, locale: str, words: str) -> None:
    """The page says that it did not work, not which half was wrong, and lets one try again."""
    page = await (await desk.context(locale=locale)).new_page()
    await page.goto("/")

    await sign_in(page, WORDS[locale], "not the password")

    await expect(page.get_by_role("alert")).to_have_text(words, timeout=SOON_MS)
    await sign_in(page, WORDS[locale], ALICE[1])
    await expect(page.get_by_role("heading", name=WORDS[locale]["all"])).to_be_visible(timeout=SOON_MS)


async def test_the_keyboards_place_is_marked(desk: Desk) -> None:
    """Whatever button or link the tab key comes to bears a ring."""
    actions = [{"text": "Approve", "key": "deploy"}, {"text": "Runbook", "url": "https://example.com/"}]
    await desk.native("Deploy?", "v1.2", to="alice", actions=actions)
    inbox = await desk.inbox()
    await inbox.open("Deploy?")
    marked: dict[str, str] = {}

    # The open message has the focus: its tools are before it, its actions behind it.
    for key in ("Shift+Tab",) * 3 + ("Tab",) * 4:
        await inbox.page.keyboard.press(key)
        name, ring = await inbox.page.evaluate(_FOCUSED)
        marked[name] = ring

    assert marked == dict.fromkeys(("Delete", "Older", "Newer", "Approve", "Runbook"), "solid 2px")


async def test_an_inbox_without_any_message_says_how_to_begin(desk: Desk) -> None:
    """There is nothing to choose and nothing to catch up with; the first message makes it an ordinary inbox."""
    inbox = await desk.inbox()
    start = inbox.page.locator("main")
    await expect(start.get_by_text("Ready for your first message")).to_be_visible()
    await expect(start.get_by_role("link", name="API reference")).to_have_attribute("href", "/api/docs")
    await expect(start.get_by_text("Choose a message")).to_have_count(0)

    await desk.pushplus(title="first", content="x")
    await expect(start.get_by_text("1 unread message")).to_be_visible(timeout=SOON_MS)
    await expect(start.get_by_text("Choose a message to read it")).to_be_visible()


async def test_a_table_wider_than_a_phone_scrolls(desk: Desk) -> None:
    """Its words stay whole: the table is moved under the finger and not squeezed to letters, the page stays put. One
    that is only said to be wide, as letters are, fits."""
    cells = "".join(f"<th>Heading{number}</th>" for number in range(8))
    await desk.pushplus(
        title="Wide", content=f'<table><tr>{cells}</tr></table><table width="600"><tr><td>a letter</td></tr></table>'
    )
    inbox = await desk.inbox(**PHONE)
    await inbox.open("Wide")

    heading = inbox.frame.get_by_role("columnheader", name="Heading7")
    await expect(heading).to_have_count(1)
    assert await heading.evaluate("cell => cell.clientHeight < 40")
    assert await inbox.frame.locator(".wide").first.evaluate("box => box.scrollWidth > box.clientWidth")
    assert await inbox.frame.locator(".wide").last.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert await inbox.frame.locator("body").evaluate("body => body.scrollWidth <= window.innerWidth")


async def test_a_phone_shows_one_thing_at_a_time(desk: Desk) -> None:
    """On 390 px: list, then message, then back by the key or the phone; feeds are in a drawer; nothing is cut off."""
    await desk.pushplus(title="First", content="<p>" + "long_word_" * 40 + "</p>")
    await desk.pushgo(title="Second", body="words")
    inbox = await desk.inbox(**PHONE)
    page = inbox.page
    await expect(inbox.rows).to_have_count(2)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390

    await inbox.open("First")
    await expect(inbox.rows.first).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.get_by_role("button", name="Back").click()
    await expect(inbox.rows.first).to_be_visible()

    await inbox.open("Second")
    await page.go_back()
    await expect(inbox.rows.first).to_be_visible()

    await page.get_by_role("button", name="Open menu").click()
    await page.get_by_role("button", name="NAS", exact=True).click()
    await expect(page.get_by_role("heading", name="NAS")).to_be_visible()
    await expect(inbox.rows).to_have_count(1)
    await expect(page.locator(".n-drawer")).to_have_count(0, timeout=SOON_MS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_words_stand_out_from_their_ground(desk: Desk, scheme: str) -> None:
    """Every word of list, reader and menu has the contrast of 4.5 to 1 that WCAG 2.2 AA asks for."""
    await desk.pushplus(title="Read", content="words")
    await desk.pushgo(title="Disk full", body="97 %", severity="critical", tags=["nas"], url="https://nas.example.com/")
    inbox = await desk.inbox(color_scheme=scheme)
    await inbox.open("Read")
    await inbox.open("Disk full")
    assert await too_faint(inbox.page) == []
    await desk.native("Deploy?", "v1.2", to="alice", actions=[{"text": "Approve", "key": "deploy"}])
    await inbox.open("Deploy?")
    await inbox.reader.get_by_role("button", name="Approve").click()
    await expect(inbox.reader.get_by_role("button", name="Approve", pressed=True)).to_be_visible(timeout=SOON_MS)
    assert await too_faint(inbox.page) == []
    await inbox.page.locator("button.me").click()
    await expect(inbox.page.get_by_text("Sign out")).to_be_visible()
    assert await too_faint(inbox.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_follows_the_system(desk: Desk, scheme: str) -> None:
    """Light or dark by the system, in the frame as well; a message with colours of its own keeps its white paper."""
    await desk.pushplus(title="Markdown", content="words", template="markdown")
    await desk.pushplus(title="Coloured", content='<p style="color:#222222">words</p>')
    inbox = await desk.inbox(color_scheme=scheme)
    dark = scheme == "dark"

    assert await inbox.page.locator("html").get_attribute("data-theme") == scheme
    await inbox.open("Markdown")
    text = inbox.frame.locator("body")
    await expect(text).to_have_css("color", "rgb(231, 233, 236)" if dark else "rgb(28, 31, 35)")
    await inbox.open("Coloured")
    frame = inbox.reader.locator("iframe")
    await expect(frame).to_have_css("background-color", "rgb(255, 255, 255)" if dark else "rgba(0, 0, 0, 0)")
    await expect(text.locator("p")).to_have_css("color", "rgb(34, 34, 34)")


async def test_language_and_appearance_are_remembered(desk: Desk) -> None:
    """What the person chooses wins over the browser, at once and after a reload."""
    inbox = await desk.inbox()
    page = inbox.page
    for choice in ("简体中文", "深色"):
        await page.locator("button.me").click()
        await page.locator(".n-dropdown-option").filter(has_text=choice).click()

    await expect(page.get_by_role("heading", name="全部消息")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="全部消息")).to_be_visible(timeout=SOON_MS)
    assert await page.locator("html").get_attribute("data-theme") == "dark"


async def test_an_unreachable_server_is_told(desk: Desk) -> None:
    """The installed page opens without a network, shows no messages, says why, and goes on when it can."""
    await desk.pushplus(title="Not for the cache", content="x")
    inbox = await desk.inbox(service_workers="allow")
    page = inbox.page
    await page.evaluate("navigator.serviceWorker.ready")
    await page.reload()
    await inbox.is_live()

    await page.context.set_offline(True)
    await page.reload()
    await expect(page.get_by_text("The server cannot be reached.")).to_be_visible(timeout=SOON_MS)
    await page.context.set_offline(False)

    await expect(inbox.row("Not for the cache")).to_be_visible(timeout=SOON_MS)


async def test_the_worker_keeps_the_shell_and_no_message(desk: Desk) -> None:
    """What the browser keeps of this server is the page and its files, never an answer of the API."""
    await desk.pushplus(title="Not for the cache", content="x")
    inbox = await desk.inbox(service_workers="allow")
    await inbox.page.evaluate("navigator.serviceWorker.ready")
    await inbox.page.reload()
    await inbox.open("Not for the cache")

    kept = await inbox.page.evaluate(
        """async () => {
            const urls = [];
            for (const name of await caches.keys())
                for (const request of await (await caches.open(name)).keys()) urls.push(new URL(request.url).pathname);
            return urls;
        }"""
    )
    assert "/" in kept
    assert [path for path in kept if path != "/" and not path.startswith("/assets/")] == []


async def test_the_page_can_be_installed(desk: Desk) -> None:
    """The manifest and every icon it names are there, in the sizes it says."""
    page = await (await desk.context()).new_page()
    await page.goto("/")
    assert await page.locator("link[rel=manifest]").get_attribute("href") == "/manifest.webmanifest"
    manifest = json.loads(await (await page.request.get("/manifest.webmanifest")).text())

    assert (manifest["start_url"], manifest["display"]) == ("/", "standalone")
    sizes = await page.evaluate(
        """icons => Promise.all(icons.map(async ({src}) => {
            const image = new Image(); image.src = src; await image.decode();
            return `${image.naturalWidth}x${image.naturalHeight}`;
        }))""",
        manifest["icons"],
    )
    for icon, size in zip(manifest["icons"], sizes, strict=True):
        assert icon["sizes"] in (size, "any")


async def test_notifications_are_asked_for_by_a_click(desk: Desk) -> None:
    """A page in the background notifies once it may: nobody is asked before he wants it."""
    inbox = await desk.inbox(service_workers="allow")
    page = inbox.page
    await page.evaluate(
        """() => {
            window.asked = 0; window.shown = [];
            Notification.requestPermission = async () => { window.asked += 1; return 'granted'; };
            navigator.serviceWorker.getRegistration = async () => ({
                showNotification: async (title, options) => window.shown.push([title, options.body, options.data.seq]),
            });
            Object.defineProperty(document, 'visibilityState', {get: () => window.hides ? 'hidden' : 'visible'});
        }"""
    )
    assert await page.evaluate("window.asked") == 0
    await page.locator("button.me").click()
    await page.locator(".n-dropdown-option").filter(has_text="otifications").click()
    assert await page.evaluate("window.asked") == 1

    await desk.pushplus(title="Seen at once", content="x")
    await expect(inbox.row("Seen at once")).to_be_visible(timeout=SOON_MS)
    await page.evaluate("window.hides = true")
    await desk.pushplus(title="Doorbell", content="<b>ding</b>")

    await page.wait_for_function("window.shown.length > 0", timeout=SOON_MS)
    assert await page.evaluate("window.shown") == [["Doorbell", "ding", 2]]


async def test_controls_have_names(desk: Desk) -> None:
    """Every button, link and field on the page says to a screen reader what it is."""
    await desk.pushgo(title="Disk full", body="97 %", url="https://nas.example.com/")
    inbox = await desk.inbox()
    await inbox.open("Disk full")

    nameless = await inbox.page.evaluate(
        """() => [...document.querySelectorAll('button, a, input, iframe')].filter(one =>
            !(one.innerText || one.getAttribute('aria-label') || one.title || one.placeholder || '').trim()
        ).map(one => one.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
    await expect(inbox.reader.get_by_role("heading", level=1)).to_be_focused()
    await expect(inbox.page.locator("[aria-live=polite]")).to_have_count(1)
