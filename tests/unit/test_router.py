"""The main listener's table of routes and how a path finds its handler (DESIGN §7)."""

from typing import NamedTuple

import pytest

from onebell.http.areas import TABLE, area_of, reserved_first_segments
from onebell.http.exchange import Answer, Request, text_answer
from onebell.http.router import PathTable

# The table as the design prints it, written down a second time so that a change of one is seen.
PRINTED = {
    "own": "/ /app/* /console/* /assets/* /sw.js /manifest.webmanifest /j/* /f/* /r/* /api/v1/* /api/docs "
    "/healthz /readyz /metrics",
    "pushplus": "/send* /batchSend* /api/open/* /api/common/* /shortMessage/* /t/*",
    "wecom": "/cgi-bin/webhook/*",
    "ums": "/v1/sent /v1/broadcast /v1/template/* /v1/retract/* /v1/user/* /v1/material /v1/token",
    "pushgo": "/message /event/* /thing/* /channel/* /device/* /messages/* /v2/messages/* /gateway/* /private/* "
    "/mcp /oauth/* /.well-known/*",
    "prefixes": "/ntfy /ntfy/* /gotify /gotify/* /bark /bark/* /serverchan /serverchan/*",
    "easemob": "/ws /ws/* /websocket /easemob/server.json",
}


class Route(NamedTuple):
    methods: tuple[str, ...]
    pattern: str
    handler: object


async def answer(request: Request, values: tuple[str, ...]) -> Answer:
    return text_answer(200, "")


def test_the_table_is_the_printed_one() -> None:
    """Areas stand in the printed order with the printed paths: first match wins."""
    assert {area.name: " ".join(area.patterns) for area in TABLE} == PRINTED
    assert [area.name for area in TABLE] == list(PRINTED)


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("/", "own"),
        ("/send/", "pushplus"),
        ("/send/token", "pushplus"),
        ("/batchSend", "pushplus"),
        ("/api/open/user/token", "pushplus"),
        ("/api/v1/inbox", "own"),
        ("/v1/sent", "ums"),
        ("/v1/users", "rest"),
        ("/v1/health", "rest"),
        ("/message", "pushgo"),
        ("/message/", "rest"),
        ("/messages/pull", "pushgo"),
        ("/ntfy/c:p", "prefixes"),
        ("/cgi-bin/webhook/send", "wecom"),
        ("/acme/demo/messages/users", "easemob"),
        ("/acme/demo/token", "easemob"),
        ("/acme/demo", "rest"),
        ("/easemob/server.json", "easemob"),
        ("/nope", "rest"),
        ("/api/v2/x", "easemob"),
    ],
)
def test_a_path_belongs_to_one_area(path: str, area: str) -> None:
    """The first matching row takes a raw path; three segments of nobody's are Easemob's; the rest is PushGo's 404."""
    assert area_of(path) == area


def test_first_segments_of_other_areas_are_reserved() -> None:
    """No Easemob org may be called like another area's first segment."""
    assert {"api", "v1", "cgi-bin", "send", "message", "ws", "ntfy", "r", "f"} <= reserved_first_segments()


def test_exact_paths_win_over_patterns() -> None:
    """A path that is listed is never taken by a pattern."""
    table = PathTable([Route(("GET",), "/send/{}", answer), Route(("POST",), "/send/", answer)])  # type: ignore[list-item]

    assert table.find("/send/") == ({"POST": answer}, ())
    assert table.find("/send/abc") == ({"GET": answer}, ("abc",))


def test_places_hold_raw_values() -> None:
    """A ``{}`` takes exactly one non-empty segment as it was written; ``{*}`` takes the rest with its slashes."""
    table = PathTable(
        [Route(("GET",), "/bark/{}/{}", answer), Route(("GET",), "/f/{*}", answer)],  # type: ignore[list-item]
    )

    assert table.find("/bark/k/a%2Fb") == ({"GET": answer}, ("k", "a%2Fb"))
    assert table.find("/bark//x") is None
    assert table.find("/bark/k/a/b") is None
    assert table.find("/f/a/b.png") == ({"GET": answer}, ("a/b.png",))


def test_methods_of_one_path_add_up() -> None:
    """Two routes of one pattern answer their own methods."""
    table = PathTable([Route(("GET",), "/x", answer), Route(("POST", "PUT"), "/x", answer)])  # type: ignore[list-item]
    found = table.find("/x")

    assert found is not None
    assert set(found[0]) == {"GET", "POST", "PUT"}
