"""The main listener's table of routes (DESIGN §7): which area a raw path belongs to. First match wins."""

import msgspec


class Area(msgspec.Struct, frozen=True):
    """A group of paths that one handler answers, with its own 404 and 405."""

    name: str
    patterns: tuple[str, ...]
    """``/x`` exactly; ``/x*`` that and all that begins so; ``/x/*`` all below ``/x/``."""


OWN = Area(
    "own",
    (
        "/", "/app/*", "/console/*", "/assets/*", "/sw.js", "/manifest.webmanifest", "/j/*", "/f/*", "/r/*",
        "/api/v1/*", "/api/docs", "/healthz", "/readyz", "/metrics",
    ),
)  # fmt: skip
PUSHPLUS = Area("pushplus", ("/send*", "/batchSend*", "/api/open/*", "/api/common/*", "/shortMessage/*", "/t/*"))
WECOM = Area("wecom", ("/cgi-bin/webhook/*",))
UMS = Area(
    "ums",
    (
        "/v1/sent",
        "/v1/broadcast",
        "/v1/template/*",
        "/v1/retract/*",
        "/v1/user/*",
        "/v1/material",
        "/v1/token",
    ),
)
PUSHGO = Area(
    "pushgo",
    (
        "/message", "/event/*", "/thing/*", "/channel/*", "/device/*", "/messages/*", "/v2/messages/*", "/gateway/*",
        "/private/*", "/mcp", "/oauth/*", "/.well-known/*",
    ),
)  # fmt: skip
PREFIXES = Area(
    "prefixes",
    ("/ntfy", "/ntfy/*", "/gotify", "/gotify/*", "/bark", "/bark/*", "/serverchan", "/serverchan/*"),
)
EASEMOB = Area("easemob", ("/ws", "/ws/*", "/websocket", "/easemob/server.json"))
"""Beside these: every path of three or more segments that no other area takes, ``/{org}/{app}/…``."""

TABLE = (OWN, PUSHPLUS, WECOM, UMS, PUSHGO, PREFIXES, EASEMOB)
EASEMOB_MIN_SEGMENTS = 3


def _matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def area_of(path: str) -> str:
    """The name of the area a raw path belongs to; ``rest`` when none.

    ``path`` has its leading slashes collapsed already.
    """
    for area in TABLE:
        if any(_matches(pattern, path) for pattern in area.patterns):
            return area.name
    if len([segment for segment in path.split("/") if segment]) >= EASEMOB_MIN_SEGMENTS:
        return EASEMOB.name
    return "rest"


def reserved_first_segments() -> frozenset[str]:
    """First segments that an Easemob org must not have (DESIGN §7): other areas' own."""
    taken = {pattern.strip("/*").split("/")[0] for area in TABLE for pattern in area.patterns}
    return frozenset(taken - {""})
