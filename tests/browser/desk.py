"""What a test has in its hands: pages that somebody is signed in at, and the five APIs to write to him."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect
from tests.running import ALICE, RunningServer

SOON_MS = 20_000
"""How long a page may take on a busy machine; how long it took is printed where it matters."""
PUSHPLUS_TOKEN = {"alice": "0123456789abcdef0123456789abcdef", "bob": "00000000000000000000000000000b0b"}
WECOM_KEY = "633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa"
WECOM_ROOM = "wrkSFfCgAAtMQKg4xqDatM5C9IDHFpTw"
PUSHGO = {"channel_id": "06J0FZG1Y8XGG14VTQ4Y3G10MR", "password": "channel-password"}
UMS = {"Authorization": aiohttp.encode_basic_auth("7d431e42dfa6a6d693ac2d04", "5e987ac6d2e04d95a9d8f0d1")}
EASEMOB = {
    "grant_type": "client_credentials",
    "client_id": "YXA6-demo-client-id",
    "client_secret": "YXA6-demo-client-secret",
}
# What the service worker does has tests of its own; without one a page is there sooner.
DESKTOP = {
    "locale": "en-US",
    "color_scheme": "light",
    "viewport": {"width": 1360, "height": 850},
    "service_workers": "block",
}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


class Inbox:
    """An open inbox page, by what a person sees of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.rows = page.locator("li.item")
        self.reader = page.locator("article")
        self.frame = page.frame_locator("article iframe")
        self.link = page.locator("[data-link]")

    def row(self, text: str) -> Locator:
        """The row that shows this."""
        return self.rows.filter(has_text=text)

    def seq(self, seq: int) -> Locator:
        """The row of an entry."""
        return self.page.locator(f'li.item [data-seq="{seq}"]')

    async def open(self, text: str) -> None:
        """Open the message whose row shows this."""
        await self.row(text).first.click()
        await expect(self.reader).to_be_visible(timeout=SOON_MS)

    async def is_live(self) -> None:
        """Wait until the page follows the stream."""
        await expect(self.link).to_have_attribute("data-link", "live", timeout=SOON_MS)


@dataclass
class Desk:
    """Pages and callers."""

    browser: Browser
    server: RunningServer

    def __post_init__(self) -> None:
        self._contexts: list[BrowserContext] = []
        self._tokens: dict[str, str] = {}

    async def token(self, person: tuple[str, str]) -> str:
        """A session of the person, signed in once: the password's hash is dear on purpose."""
        if person[0] not in self._tokens:
            self._tokens[person[0]] = await self.server.sign_in(*person)
        return self._tokens[person[0]]

    async def bearer(self, person: tuple[str, str]) -> dict[str, str]:
        """The same as a header."""
        return {"Authorization": f"Bearer {await self.token(person)}"}

    async def context(self, **options: Any) -> BrowserContext:
        """A browser profile of its own; English and light unless the test says otherwise."""
        wanted = {**DESKTOP, **options}
        context = await self.browser.new_context(base_url=self.server.url, **wanted)
        self._contexts.append(context)
        return context

    async def close(self) -> None:
        """Close what was opened."""
        for context in self._contexts:
            await context.close()

    async def inbox(
        self, person: tuple[str, str] = ALICE, context: BrowserContext | None = None, **options: Any
    ) -> Inbox:
        """A page that the person has signed in at, following the stream; a second one in the same context is too."""
        context = context or await self.context(**options)
        if not await context.cookies():
            cookie = {"name": "onebell_session", "value": await self.token(person), "url": self.server.url}
            await context.add_cookies([cookie])  # type: ignore[list-item]
            await context.add_init_script("try { localStorage['onebell.signedIn'] = 'yes' } catch {}")
        page = await context.new_page()
        await page.goto("/")
        inbox = Inbox(page)
        await inbox.is_live()
        return inbox

    # ------------------------------------------------------------ writing to somebody

    async def post(self, path: str, body: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """A JSON call that must be answered with 200."""
        async with self.server.session.post(f"{self.server.url}{path}", json=body, **options) as answer:
            assert answer.status in (200, 201), (answer.status, await answer.text())
            return dict(await answer.json(content_type=None))

    async def pushplus(self, who: str = "alice", **fields: Any) -> str:
        """A PushPlus message to oneself → its shortCode."""
        answer = await self.post("/send", {"token": PUSHPLUS_TOKEN[who], **fields})
        assert answer["code"] == 200, answer
        return str(answer["data"])

    async def wecom(self, msgtype: str, **fields: Any) -> None:
        """A message of the bot to its first group."""
        body = {"msgtype": msgtype, "chatid": WECOM_ROOM, msgtype: fields}
        answer = await self.post(f"/cgi-bin/webhook/send?key={WECOM_KEY}", body)
        assert answer["errcode"] == 0, answer

    async def pushgo(self, **fields: Any) -> None:
        """A message to the channel."""
        await self.post("/message", {**PUSHGO, **fields})

    async def ums(self, who: str, alert: str) -> None:
        """An app notification."""
        body = {"aud_userid": [who], "msg_app": [{"platform": "all", "notification": {"alert": alert}}]}
        answer = await self.post("/v1/sent", body, headers=UMS)
        assert answer["code"] == 0, answer

    async def easemob_token(self) -> str:
        """An app token."""
        return str((await self.post("/acme/demo/token", EASEMOB))["access_token"])

    async def easemob(self, token: str, to: str, text: str, sender: str = "carol") -> None:
        """A text between two accounts."""
        body = {"from": sender, "to": [to], "type": "txt", "body": {"msg": text}}
        await self.post("/acme/demo/messages/users", body, headers={"Authorization": f"Bearer {token}"})

    async def native(self, title: str, body: str, sender: tuple[str, str] = ALICE, **fields: Any) -> None:
        """A native message."""
        await self.post("/api/v1/messages", {"title": title, "body": body, **fields}, headers=await self.bearer(sender))
