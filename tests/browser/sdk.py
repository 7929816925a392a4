"""Pages that run Easemob's official web SDK, unmodified, against the server."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import BrowserContext, Page
from tests.browser.desk import SOON_MS, Desk

CLIENTS = Path(__file__).parents[1] / "clients" / "node_modules"
SDKS = {
    "easemob": CLIENTS / "easemob-websdk" / "Easemob-chat.js",
    "agora": CLIENTS / "agora-chat" / "Agora-chat.js",
}
_PAGE = """<!doctype html><meta charset=utf-8><script src="sdk.js"></script><script>
const library = window.websdk && (websdk.default || websdk);
window.got = [];
window.connect = (options) => {
    window.conn = new library.connection({isHttpDNS: false, heartBeatWait: 30000, ...options});
    const names = ['onConnected', 'onDisconnected', 'onOfflineMessageSyncStart', 'onOfflineMessageSyncFinish',
        'onTextMessage', 'onImageMessage', 'onVideoMessage', 'onLocationMessage', 'onAudioMessage', 'onFileMessage',
        'onCmdMessage', 'onCustomMessage', 'onCombineMessage', 'onDeliveredMessage', 'onReadMessage',
        'onChannelMessage', 'onRecallMessage', 'onModifiedMessage', 'onError', 'onContactInvited', 'onContactAgreed',
        'onContactAdded', 'onContactRefuse', 'onContactDeleted'];
    const heard = name => event => window.got.push({name, event: JSON.parse(JSON.stringify(event ?? null))});
    conn.addEventHandler('test', Object.fromEntries(names.map(name => [name, heard(name)])));
};
window.send = async (message) => {
    const done = await conn.send(library.message.create({chatType: 'singleChat', ...message}));
    return done.serverMsgId;
};
window.refused = (call) => call.then(() => null, error => ({type: error.type, message: error.message}));
</script>"""


@asynccontextmanager
async def site(library: str = "easemob") -> AsyncIterator[str]:
    """An app's own site, which is not the server's, as always: every REST call is cross-origin."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def sdk(_: web.Request) -> web.FileResponse:
        return web.FileResponse(SDKS[library], headers={"Content-Type": "text/javascript"})

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/sdk.js", sdk)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", 0)
        await listener.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@dataclass
class Sdk:
    """One page with one connection."""

    page: Page

    @classmethod
    async def page_of(cls, desk: Desk, address: str, context: BrowserContext | None = None) -> "Sdk":
        """A page of the app's site, in a browser profile of its own unless one is given."""
        context = context or await desk.context()
        page = await context.new_page()
        await page.goto(address)
        return cls(page)

    async def open(self, url: str, user: str, **secret: Any) -> None:
        """Sign in (``pwd`` or ``accessToken``) and wait until what waited is there."""
        more = secret.pop("options", {})
        options = {"appKey": "acme#demo", "url": f"{url.replace('http', 'ws', 1)}/ws", "apiUrl": url, **more}
        await self.page.evaluate("options => connect(options)", options)
        said = await self.page.evaluate("asked => refused(conn.open(asked))", {"user": user, **secret})
        assert said is None, said
        await self.heard("onConnected")

    async def heard(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Events of a name, when there are so many."""
        wanted = json.dumps(name)
        await self.page.wait_for_function(
            f"got.filter(one => one.name === {wanted}).length >= {count}", timeout=6 * SOON_MS
        )
        return await self.events(name)

    async def events(self, name: str) -> list[dict[str, Any]]:
        """Events of a name until now."""
        found: list[dict[str, Any]] = await self.page.evaluate(
            "name => got.filter(one => one.name === name).map(one => one.event)", name
        )
        return found

    async def send(self, message: Mapping[str, Any]) -> str:
        """Send what ``message.create`` makes of this; the id on the server."""
        return str(await self.page.evaluate("message => send(message)", dict(message)))

    async def call(self, name: str, *arguments: Any) -> Any:
        """One of the connection's own calls; what it resolves to."""
        return await self.page.evaluate("([name, ...rest]) => conn[name](...rest)", [name, *arguments])

    async def kicks(self, count: int) -> list[int]:
        """The types of its errors, when there are so many and the connection is over each time."""
        errors = await self.heard("onError", count)
        await self.heard("onDisconnected", count)
        return [error["type"] for error in errors]

    async def text(self, to: str, text: str, **more: Any) -> str:
        """Send a text."""
        return await self.send({"type": "txt", "to": to, "msg": text, **more})
