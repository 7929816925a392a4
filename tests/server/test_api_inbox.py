"""The inbox over HTTP: changes, history, long poll, reading, deleting, feeds."""

import asyncio
import io
from typing import Any

import msgspec
import pytest
from tests.native_server import Native

from onebell.api.shapes import InboxPage
from onebell.core.recall import recall

INBOX = "/api/v1/inbox"
_strict = msgspec.json.Decoder(InboxPage)


@pytest.fixture
async def rita(native: Native) -> str:
    """Rita's session."""
    return await native.sign_in("rita")


async def page(native: Native, token: str, query: str = "") -> dict[str, Any]:
    status, body = await native.call("GET", f"{INBOX}{query}", token)
    assert status == 200, body
    return body


def titles(body: dict[str, Any]) -> list[str]:
    return [item["title"] for item in body["items"]]


async def test_a_message_is_an_item_with_every_field(native: Native, rita: str) -> None:
    """An item has exactly the fields that the reference names, and keeps what the sender wrote."""
    token = await native.token("send", "deploy bot")
    sent = {
        "to": "rita", "title": "Deployed", "body": "**v1.2** <script>x</script>", "format": "markdown",
        "severity": "high", "url": "https://example.test/", "images": ["https://example.test/a.png"],
        "tags": [], "actions": [{"text": "Open", "url": "https://example.test/"}], "carriers": ["inbox"],
    }  # fmt: skip
    _, accepted = await native.call("POST", "/api/v1/messages", token, sent)

    async with native.session.get(native.url + INBOX, headers={"Authorization": f"Bearer {rita}"}) as answer:
        raw = await answer.read()
        assert answer.headers["Cache-Control"] == "no-store"
    item = msgspec.json.decode(raw)["items"][0]

    assert item == msgspec.json.decode(msgspec.json.encode(_strict.decode(raw).items[0]))
    assert item["message_id"] == accepted["message_id"]
    assert (item["kind"], item["dialect"], item["direction"], item["severity"]) == ("entry", "native", "in", "high")
    assert item["sender"] == {"name": "deploy bot", "kind": "bot"}
    assert item["body"] == sent["body"]
    assert "<strong>v1.2</strong>" in item["html"]
    assert "script" not in item["html"]
    assert item["images"] == sent["images"]
    assert item["actions"][0]["text"] == "Open"
    assert item["created_at"].endswith("Z")


async def test_history_and_changes_meet(native: Native, rita: str) -> None:
    """History's ``next`` is where changes begin: a page loaded so misses nothing and sees nothing twice."""
    for number in range(5):
        await native.send("rita", f"m{number}")
    newest = await page(native, rita, "?before=0&limit=2")
    older = await page(native, rita, f"?before={newest['items'][-1]['seq']}&limit=10")
    await native.send("rita", "m5")
    fresh = await page(native, rita, f"?after={newest['next']}")

    assert titles(newest) == ["m4", "m3"]
    assert newest["more"]
    assert titles(older) == ["m2", "m1", "m0"]
    assert not older["more"]
    assert titles(fresh) == ["m5"]
    assert titles(await page(native, rita)) == ["m5", "m4", "m3", "m2", "m1", "m0"]


async def test_reading_deleting_and_recalling_are_changes(native: Native, rita: str) -> None:
    """Each comes once to a reader that walks by rev, in order."""
    sent = [await native.send("rita", f"m{number}") for number in range(4)]
    start = (await page(native, rita))["next"]

    assert (await native.call("POST", f"{INBOX}/1/read", rita)) == (200, {"rev": 5})
    assert (await native.call("POST", f"{INBOX}/1/read", rita)) == (200, {"rev": 0})
    assert (await native.call("DELETE", f"{INBOX}/2", rita)) == (200, {"rev": 6})
    assert (await native.call("POST", f"{INBOX}/read", rita, {"up_to": 3})) == (200, {"rev": 7})
    row = await native.context.store.timelines.find(native.space, sent[3], ["native"])
    assert await recall(native.context, native.space, row.id)

    items = (await page(native, rita, f"?after={start}"))["items"]
    assert [(item["kind"], item["rev"], item["seq"]) for item in items] == [
        ("entry", 5, 1), ("removed", 6, 2), ("read_up_to", 7, 3), ("entry", 8, 4),
    ]  # fmt: skip
    assert items[0]["read_at"]
    assert items[3]["recalled_at"]
    assert items[3]["title"] == items[3]["body"] == items[3]["html"] == ""
    assert (await native.call("GET", f"{INBOX}/2", rita))[0] == 404
    assert (await native.call("DELETE", f"{INBOX}/2", rita))[0] == 404
    one = (await native.call("GET", f"{INBOX}/3", rita))[1]["items"][0]
    assert (one["title"], one["read_at"] is not None) == ("m2", True)


async def test_a_long_poll_waits_for_the_first_change(native: Native, rita: str) -> None:
    """With ``wait`` the answer comes when something happens, and is empty when nothing does."""
    start = (await page(native, rita))["next"]
    waiting = asyncio.create_task(page(native, rita, f"?after={start}&wait=30"))
    async with asyncio.timeout(10):
        while native.api.hub.count == 0:
            await asyncio.sleep(0.005)
    await native.send("rita", "news")
    async with asyncio.timeout(10):
        found = await waiting

    assert titles(found) == ["news"]
    assert native.api.hub.count == 0
    assert (await page(native, rita, f"?after={found['next']}&wait=1")) == {
        "items": [], "next": found["next"], "gap": False, "more": False,
    }  # fmt: skip


async def test_a_gap_is_told(native: Native, rita: str) -> None:
    """A position from another history says so, and gives one to go on from."""
    await native.send("rita")

    assert await page(native, rita, "?after=900") == {"items": [], "next": 1, "gap": True, "more": False}


async def test_feeds_are_counted_and_can_be_asked_for(native: Native, rita: str) -> None:
    """Feeds come with unread counts; a filter by feed or words shows only what fits."""
    ops = await native.context.lookups.feed_by_code(native.space, "native", "topic", "ops")
    token = await native.token("send")
    for title in ("disk full", "disk fine"):
        await native.call("POST", "/api/v1/messages", token, {"feeds": [str(ops.id)], "title": title})
    await native.send("rita", "direct")
    await native.call("POST", f"{INBOX}/1/read", rita)

    _, feeds = await native.call("GET", f"{INBOX}/feeds", rita)
    shown = {feed["name"]: (feed["entries"], feed["unread"]) for feed in feeds["items"]}
    assert shown == {"Ops": (2, 1), "ci": (1, 1)}
    assert feeds["unread"] == 2
    assert titles(await page(native, rita, f"?feed={ops.id}")) == ["disk fine", "disk full"]
    assert titles(await page(native, rita, "?q=FULL")) == ["disk full"]
    assert titles(await page(native, rita, "?after=0&q=direct")) == ["direct"]
    assert titles(await page(native, rita, "?q=title")) == []


async def test_a_search_goes_on_past_pages_without_a_hit(native: Native, rita: str) -> None:
    """Hits that are far apart are found, and a full page stops at its limit."""
    for number in range(12):
        await native.send("rita", f"{'needle' if number in {0, 1, 11} else 'hay'} {number}")

    found = await page(native, rita, "?q=needle&limit=2")
    rest = await page(native, rita, f"?q=needle&limit=2&before={found['items'][-1]['seq']}")

    assert titles(found) == ["needle 11", "needle 1"]
    assert titles(rest) == ["needle 0"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("GET", "?after=-1", None, 422, "after"),
        ("GET", "?after=x", None, 422, "after"),
        ("GET", "?after=٣", None, 422, "after"),
        ("GET", "?limit=0", None, 422, "limit"),
        ("GET", "?limit=501", None, 422, "limit"),
        ("GET", "?after=0&wait=61", None, 422, "wait"),
        ("GET", "?before=99999999999999999999", None, 422, "before"),
        ("GET", "?feed=ops", None, 422, "feed"),
        ("GET", "/x", None, 404, None),
        ("GET", "/-1", None, 404, None),
        ("GET", "/0", None, 404, None),
        ("POST", "/read", {}, 422, None),
        ("POST", "/read", {"up_to": "1"}, 422, "up_to"),
        ("POST", "/read", {"up_to": -1}, 422, "up_to"),
        ("POST", "/read", {"up_to": 1, "more": 2}, 422, None),
        ("POST", "/read", [], 422, None),
        ("PUT", "/read", None, 405, None),
        ("POST", "", None, 405, None),
        ("GET", "/1/2/3", None, 404, None),
    ],
)
async def test_bad_requests_are_told(
    native: Native, rita: str, method: str, path: str, body: Any, status: int, field: str | None
) -> None:
    """What is wrong is named in the one error shape; nothing is a 500."""
    got, answer = await native.call(method, INBOX + path, rita, body)

    assert got == status
    assert set(answer["error"]) <= {"code", "message", "field"}
    assert answer["error"].get("field") == field


@pytest.mark.parametrize("data", [b"{", b'{"up_to":1}x', b"\xff\xfe", b'{"up_to":1e400}', b"[" * 100_000, b'"\\ud800"'])
async def test_a_broken_body_is_told(native: Native, rita: str, data: bytes) -> None:
    """A body that is not JSON is the caller's mistake, however it is broken."""
    status, answer = await native.call("POST", f"{INBOX}/read", rita, data=data)

    assert status in {400, 422}
    assert answer["error"]["code"] in {"bad_request", "invalid"}


async def test_a_large_body_is_refused(native: Native, rita: str) -> None:
    """More than 1 MiB is not read."""
    status, answer = await native.call("POST", f"{INBOX}/read", rita, data=io.BytesIO(b"x" * (1024 * 1024 + 1)))

    assert (status, answer["error"]["code"]) == (413, "too_large")


async def test_a_store_that_fails_is_told(native: Native, rita: str) -> None:
    """Without the store the answer is 503 with Retry-After, readiness says so, and all is well when it is back."""
    await native.database.close()
    native.clock.ahead_s = 2
    async with native.session.get(native.url + INBOX, headers={"Authorization": f"Bearer {rita}"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert (await answer.json())["error"]["code"] == "unavailable"
    assert (await native.call("GET", "/readyz"))[0] == 503
    assert (await native.call("GET", "/healthz"))[0] == 200
    await native.database.open()
    native.clock.ahead_s = 4

    assert (await native.call("GET", "/readyz"))[0] == 200
    assert (await native.call("GET", INBOX, rita))[0] == 200
