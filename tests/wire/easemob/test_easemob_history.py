"""History files over real HTTP (sheet easemob §1.7, acceptance case 61)."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.wire.easemob.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP_SETTINGS = {"open": "history_offset_min = 0"}
FULL = {"action", "application", "path", "uri", "timestamp", "duration", "organization", "applicationName"}
URL = "https://x.test/f"


def hour(at_ms: int, offset_h: int = 8) -> str:
    """The name of an instant's hour."""
    return (datetime.fromtimestamp(at_ms / 1000, UTC) + timedelta(hours=offset_h)).strftime("%Y%m%d%H")


async def fetched(desk: Desk, name: str, app: str = "demo") -> list[dict[str, Any]]:
    """The lines of an hour's file, got without a token."""
    body = await desk.ok("GET", f"/chatmessages/{name}", app=app)
    (one,) = body["data"]
    said = await desk.raw("GET", one["url"].removeprefix(desk.server.url))
    assert (said.status, said.headers["Content-Type"]) == (200, "application/gzip")
    return [json.loads(line) for line in gzip.decompress(said.body).splitlines()]


async def test_case_61_an_hour(desk: Desk) -> None:
    """A signed link to gzip of one JSON object per line: each receiver's message once, in the stored form."""
    desk.clock.begin_hour()
    now = desk.clock.now_ms()
    text = await desk.sent("u2", **{"from": "u1"}, ext={"k": "v"})
    both = (await desk.send(["u3", "Ghost"], body={"msg": "两"}, sync_device=True)).json["data"]
    image = await desk.sent(
        "u2", type="img", body={"filename": "a.jpg", "url": URL, "size": {"width": 480, "height": 720}}
    )
    lines = {one["msg_id"]: one for one in await fetched(desk, hour(now))}
    assert set(lines) == {text, *both.values(), image}
    assert lines[text] == {
        "msg_id": text,
        "timestamp": lines[text]["timestamp"],
        "direction": "outgoing",
        "to": "u2",
        "from": "u1",
        "chat_type": "chat",
        "payload": {"bodies": [{"msg": "hi", "type": "txt"}], "ext": {"k": "v"}, "from": "u1", "to": "u2"},
    }
    assert abs(lines[text]["timestamp"] - now) < 60_000
    assert {lines[both["u3"]]["to"], lines[both["Ghost"]]["to"]} == {"u3", "ghost"}
    assert lines[image]["payload"]["bodies"][0]["size"] == {"height": 720, "width": 480}


async def test_recalled_and_passing_messages_are_not_in_it(desk: Desk) -> None:
    """What was taken back, and what was only for who was online."""
    desk.clock.begin_hour()
    kept = await desk.sent("u2")
    gone = (await desk.send(["u2", "u3"])).json["data"]
    await desk.connect("u3", "phone")
    await desk.sent("u3", routetype="ROUTE_ONLINE")
    body = {"msg_id": gone["u2"], "to": "u2", "chat_type": "chat", "force": False}
    await desk.ok("POST", "/messages/msg_recall", body)
    lines = [one["msg_id"] for one in await fetched(desk, hour(desk.clock.now_ms()))]
    assert lines == [kept, gone["u3"]]


async def test_imports_are_in_the_hour_they_happened(desk: Desk) -> None:
    """Not in the one in which they were imported."""
    then = desk.clock.now_ms() - 40 * 3_600_000
    body = {"from": "u1", "target": "u2", "type": "txt", "body": {"msg": "old"}, "msg_timestamp": then}
    number = (await desk.ok("POST", "/messages/users/import", body))["data"]["msg_id"]
    (line,) = await fetched(desk, hour(then))
    assert (line["msg_id"], line["timestamp"]) == (number, then)


async def test_hours_of_the_apps_own_clock(desk: Desk) -> None:
    """Beijing's unless the app says otherwise; another app's messages are in no file of this one."""
    desk.clock.begin_hour()
    desk.tokens.clear()
    await desk.sent("u2")
    now = desk.clock.now_ms()
    message = {"from": "x", "to": ["y"], "type": "txt", "body": {"msg": "open"}}
    await desk.ok("POST", "/messages/users", message, app="open")
    assert [one["payload"]["bodies"][0]["msg"] for one in await fetched(desk, hour(now, 0), "open")] == ["open"]
    assert (await desk.call("GET", f"/chatmessages/{hour(now)}", app="open")).status == 404
    assert [one["to"] for one in await fetched(desk, hour(now))] == ["u2"]


async def test_hours_that_are_refused(desk: Desk) -> None:
    """Three days back at most; an hour in which nothing was sent has no file."""
    desk.clock.move(61)
    what = "illegal arguments: appkey: onebell#demo, time: "
    for name in ("2026112", "202611281x", "2026132500", "20261128255"):
        assert (await desk.call("GET", f"/chatmessages/{name}")).refusal == (400, "illegal_argument", what + name)
    old = hour(desk.clock.now_ms() - 74 * 3_600_000)
    text = f"{what}{old}, maybe chat message history is expired or unstored"
    assert (await desk.call("GET", f"/chatmessages/{old}")).refusal == (400, "illegal_argument", text)
    empty = hour(desk.clock.now_ms() + 3 * 3_600_000)
    text = f"Failed to find chat message history download url for appkey: onebell#demo, time: {empty}"
    assert (await desk.call("GET", f"/chatmessages/{empty}")).refusal == (404, "storage_object_not_found", text)
    mine = await desk.user_token("u1")
    assert (await desk.call("GET", f"/chatmessages/{empty}", token=mine)).status == 401


async def test_links_end(desk: Desk) -> None:
    """After half an hour, and with any other signature, there is nothing."""
    desk.clock.begin_hour()
    await desk.sent("u2")
    name = hour(desk.clock.now_ms())
    url = (await desk.ok("GET", f"/chatmessages/{name}"))["data"][0]["url"].removeprefix(desk.server.url)
    other = hour(desk.clock.now_ms() - 3_600_000)
    ends, _, signature = url.rpartition("/")[2].partition("-")
    assert (await desk.raw("GET", url)).status == 200
    for wrong in (url.replace(name, other), url.replace(ends, str(int(ends) + 1)), url.replace(signature, "0" * 64),
                  f"/onebell/demo/chatmessages/{name}/x"):  # fmt: skip
        assert (await desk.raw("GET", wrong)).status == 404
    desk.clock.move(1801)
    assert (await desk.raw("GET", url)).status == 404


async def test_ten_a_minute(desk: Desk) -> None:
    """The eleventh is too many."""
    desk.clock.move(61)
    desk.tokens.clear()
    said = [(await desk.call("GET", "/chatmessages/2026010100")).status for _ in range(11)]
    assert said == [400] * 10 + [429]
