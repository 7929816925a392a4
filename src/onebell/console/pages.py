"""The built web app: ``web/`` beside this file, as the front end's build leaves it."""

import re
from collections.abc import Mapping
from pathlib import Path

from onebell.api.errors import ApiError
from onebell.api.operations import Route
from onebell.http.exchange import Answer, Request

WEB = Path(__file__).parent / "web"
TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".mjs": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".json": b"application/json",
    ".webmanifest": b"application/manifest+json",
    ".svg": b"image/svg+xml",
    ".png": b"image/png",
    ".ico": b"image/x-icon",
    ".webp": b"image/webp",
    ".woff2": b"font/woff2",
    ".txt": b"text/plain; charset=utf-8",
}
"""Types of the build's files; a file of another kind is not served."""
# Message bodies are sanitised and shown in a sandboxed frame, which inherits this policy: no script of theirs runs,
# and pictures come over https (RELIABILITY §2.2, HTML).
CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https:; "
    b"font-src 'self' data:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    b"media-src 'self' blob: https:; frame-src 'self' blob: data:; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
SECURITY: Mapping[bytes, bytes] = {
    b"content-security-policy": CSP,
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=(self)",
}
_FOREVER = b"public, max-age=31536000, immutable"
_HOUR = b"public, max-age=3600"
_ASSET = re.compile(r"assets/[A-Za-z0-9_.-]{1,200}")
_HASHED = re.compile(r"-[A-Za-z0-9_-]{8}\.[a-z0-9]+$")
"""Names that the build gives: another content has another name."""
_NOT_BUILT = (
    "<!doctype html><meta charset=utf-8><title>onebell</title><h1>onebell runs</h1>"
    "<p>The web app is not built. Run <code>make web</code> in the source tree and start again; "
    'the API works without it: see <a href="/api/docs">/api/docs</a>.</p>'
)


class Pages:
    """Serves the files of one build, read at their first use."""

    def __init__(self, web: Path = WEB) -> None:
        self._web = web.resolve()
        self._read: dict[str, bytes | None] = {}

    def routes(self) -> list[Route]:
        """Their paths; open to everybody: they hold no data."""
        app = ("/", "/app/{*}", "/console/{*}")
        return [
            *(Route(("GET",), path, self.app) for path in app),
            Route(("GET",), "/assets/{*}", self.asset),
            Route(("GET",), "/sw.js", self.worker),
            Route(("GET",), "/manifest.webmanifest", self.manifest),
        ]

    def _bytes(self, name: str) -> bytes | None:
        if name not in self._read:
            path = (self._web / name).resolve()
            inside = path.is_relative_to(self._web) and path.is_file()
            self._read[name] = path.read_bytes() if inside else None
        return self._read[name]

    def _answer(self, name: str, caching: bytes) -> Answer:
        kind = TYPES.get(Path(name).suffix)
        body = self._bytes(name) if kind is not None else None
        if body is None or kind is None:
            return ApiError("not_found", "there is no such file").answer()
        return Answer(200, body, [(b"content-type", kind), (b"cache-control", caching), *SECURITY.items()])

    async def app(self, _: Request, __: tuple[str, ...]) -> Answer:
        """The app's one page, whatever the path: it routes by itself."""
        if self._bytes("index.html") is None:
            headers = [(b"content-type", TYPES[".html"]), (b"cache-control", b"no-store"), *SECURITY.items()]
            return Answer(200, _NOT_BUILT.encode(), headers)
        return self._answer("index.html", b"no-cache")

    async def asset(self, _: Request, path: tuple[str, ...]) -> Answer:
        """A file whose name holds its hash; unknown names are not remembered."""
        name = f"assets/{path[0]}"
        if name not in self._read and not self._is_asset(name):
            return ApiError("not_found", "there is no such file").answer()
        return self._answer(name, _FOREVER if _HASHED.search(name) else _HOUR)

    def _is_asset(self, name: str) -> bool:
        # The file system has limits of its own, and words for them; and what is remembered by its name has one name.
        if not _ASSET.fullmatch(name):
            return False
        path = (self._web / name).resolve()
        return path.is_relative_to(self._web / "assets") and path.is_file()

    async def worker(self, _: Request, __: tuple[str, ...]) -> Answer:
        """The service worker, which browsers must be able to replace."""
        return self._answer("sw.js", b"no-cache")

    async def manifest(self, _: Request, __: tuple[str, ...]) -> Answer:
        """The installable app's description."""
        return self._answer("manifest.webmanifest", b"no-cache")
