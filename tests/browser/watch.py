"""Sees whether foreign content ran, called out or led away: RELIABILITY S4."""

from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, Dialog, Frame, Page, Route, WebSocketRoute

_HOOK = """
for (const name of ['alert', 'confirm', 'prompt', 'print', 'open'])
    window[name] = (...given) => window.onebellTestRan(`${name}(${given}) in ${location.href}`);
document.addEventListener('securitypolicyviolation', event => {
    if (event.effectiveDirective.startsWith('script')) window.onebellTestRan(`tried ${event.blockedURI}`);
});
"""


@dataclass
class Watch:
    """What must stay empty while strangers' messages are on the screen."""

    own: str
    ran: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    popups: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @classmethod
    async def over(cls, context: BrowserContext, own: str) -> "Watch":
        """Watch every page of a context from now on."""
        watch = cls(own)
        await context.expose_binding("onebellTestRan", lambda _source, what: watch.ran.append(what))
        await context.add_init_script(_HOOK)
        await context.route(lambda url: not url.startswith((own, "data:", "blob:")), watch._refuse)
        await context.route_web_socket(
            lambda url: not url.startswith(own.replace("http", "ws", 1)), watch._refuse_socket
        )
        return watch

    def page(self, page: Page) -> None:
        """Watch what a page shows; the pages it opens by itself are popups."""
        page.on("dialog", self._dialog)
        page.on("popup", lambda popup: self.popups.append(popup.url))
        page.on("framenavigated", lambda frame: self._navigated(page, frame))

    @property
    def seen(self) -> dict[str, list[str]]:
        """Everything that happened and must not."""
        all_of = {
            "ran": self.ran,
            "foreign": self.foreign,
            "dialogs": self.dialogs,
            "popups": self.popups,
            "left": self.left,
        }
        return {name: found for name, found in all_of.items() if found}

    async def _refuse(self, route: Route) -> None:
        self.foreign.append(route.request.url)
        await route.abort()

    async def _refuse_socket(self, socket: WebSocketRoute) -> None:
        self.foreign.append(socket.url)
        await socket.close()

    async def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()

    def _navigated(self, page: Page, frame: Frame) -> None:
        at_home = frame.url.startswith(self.own) if frame == page.main_frame else frame.url.startswith("about:")
        if not at_home:
            self.left.append(frame.url)
