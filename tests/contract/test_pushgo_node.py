"""What a PushGo message becomes and when it is a repeat (sheet pushgo §1.2–§1.6, §2.8), on both engines."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.dialect_node import DialectNode, Got, Said, dialect_node

from onebell.core.model import Format, Severity
from onebell.dialects.pushgo.check import TTL_CAP_MS
from onebell.dialects.pushgo.directory import Section, wanted
from onebell.ids import HEX32
from onebell.store.engine import Database

CH, OTHER = "06J0FZG1Y8XGG14VTQ4Y3G10MR", "248H248H248H248H248H248H24"
PW = "channel-password"
PEOPLE = {"alice": {"name": "Alice"}}
JSON = {"Content-Type": "application/json"}


def channels(*ids: str, password: str = PW) -> list[dict[str, Any]]:
    return [{"channel_id": one, "name": "NAS", "password": password, "subscribers": ["alice"]} for one in ids]


async def apply(node: DialectNode, name: str = "main", **section: Any) -> None:
    await node.apply(name, wanted(msgspec.convert(section, Section)), PEOPLE)
    node.clock.move(1)  # what apply changes is seen within a second


@pytest.fixture
async def node(database: Database, tmp_path: Path) -> AsyncIterator[DialectNode]:
    async with dialect_node(database, tmp_path) as opened:
        await apply(opened, channels=channels(CH, OTHER))
        yield opened


async def send(node: DialectNode, headers: dict[str, str] | None = None, **fields: Any) -> Said:
    body = {"channel_id": CH, "password": PW, "title": "t"} | fields
    return await node.call("POST", "/message", json.dumps(body).encode(), JSON | (headers or {}))


async def sent(node: DialectNode, **fields: Any) -> Got:
    """Send it; what alice got."""
    said = await send(node, **fields)
    assert said.status == 200, said.body
    got = (await node.inbox("alice"))[-1]
    assert got.public_id == said.json["data"]["message_id"]
    return got


async def test_cases_1_and_2_a_message_is_read(node: DialectNode) -> None:
    """Title, body and severity arrive in the channel; ids are 32 hex digits."""
    got = await sent(
        node, title=" 备份完成 ", body="NAS 每日备份已经完成。", severity="normal", url=" https://example.test "
    )
    assert HEX32.fullmatch(got.public_id)
    assert HEX32.fullmatch(got.content.data["op_id"])
    assert (got.feed, got.feed_kind, got.severity) == (CH, "channel", Severity.NORMAL)
    assert (got.content.title, got.content.body) == ("备份完成", "NAS 每日备份已经完成。")
    assert (got.content.format, got.content.url) == (Format.MARKDOWN, "https://example.test")


async def test_cases_4_and_5_a_repeat_gets_the_first_ones_answer(node: DialectNode) -> None:
    """The same op_id in any case and with any payload is one message; op_id is echoed as sent."""
    first = await send(node, op_id="op-20260422-001")
    again = await send(node, op_id=" op-20260422-001 ", title="another")
    upper = await send(node, op_id="OP-20260422-001")
    assert [one.status for one in (first, again, upper)] == [200] * 3
    assert first.body == again.body
    assert upper.json["data"] == first.json["data"] | {"op_id": "OP-20260422-001"}
    (got,) = await node.inbox("alice")
    assert got.content.title == "t"


async def test_case_6_op_ids_have_a_scope(node: DialectNode) -> None:
    """Another channel and another thing are independent of each other."""
    thing = {"thing_id": "x", "occurred_at": 1}
    said = [
        await send(node, op_id="op"),
        await send(node, op_id="op", channel_id=OTHER),
        await send(node, op_id="op", **thing),
        await send(node, op_id="op", **(thing | {"thing_id": "y"})),
    ]
    assert len({one.json["data"]["message_id"] for one in said}) == 4
    assert len(await node.inbox("alice")) == 4


async def test_an_op_id_is_remembered_for_seven_days(node: DialectNode) -> None:
    """After the window the same op_id is a new message."""
    first = await send(node, op_id="op")
    node.clock.move(7 * 86_400 - 2)
    assert (await send(node, op_id="op")).body == first.body
    node.clock.move(10)
    assert (await send(node, op_id="op")).json["data"]["message_id"] != first.json["data"]["message_id"]


async def test_a_storm_of_one_op_id_is_one_message(node: DialectNode) -> None:
    """Duplicates wait for the first one's commit: all answers are equal, one message is stored (R13)."""
    said = await asyncio.gather(*(send(node, op_id="storm") for _ in range(50)))
    assert {one.status for one in said} == {200}
    assert len({one.body for one in said}) == 1
    assert await node.messages() == 1


async def test_a_burst_of_the_right_password_is_no_attack(node: DialectNode) -> None:
    """Many right passwords before the first one is remembered are all taken."""
    said = await asyncio.gather(*(send(node) for _ in range(50)))
    assert {one.status for one in said} == {200}


async def test_guessing_is_slowed_down_and_the_owner_is_not_locked_out(node: DialectNode) -> None:
    """Wrong passwords end in server_busy; who knows the right one goes on sending."""
    assert (await send(node)).status == 200
    codes = [(await send(node, password=f"wrong-pass-{number}")).json["error_code"] for number in range(40)]
    assert codes[0] == "channel_not_found"
    assert codes[-1] == "server_busy"
    assert (await send(node)).status == 200


async def test_case_21_channels_are_echoed_in_canonical_form(node: DialectNode) -> None:
    """However the id is written, one channel is meant."""
    said = await send(node, channel_id="06j0-fzg1-y8xg-g14v-tq4y-3g1o-mr")
    assert said.json["data"]["channel_id"] == CH


async def test_case_23_things(node: DialectNode) -> None:
    """The thing and its instant are kept for devices."""
    got = await sent(node, thing_id="8a1f", occurred_at=1713750000)
    assert got.content.data["thing_id"] == "8a1f"
    assert got.content.data["occurred_at"] == 1713750000000


async def test_it_occurred_now(node: DialectNode) -> None:
    """Without occurred_at it is now."""
    assert (await sent(node)).content.data["occurred_at"] == node.clock.now_ms()


@pytest.mark.parametrize(("word", "severity"), [(" CRITICAL ", Severity.CRITICAL), ("urgent", Severity.NORMAL)])
async def test_case_27_severities(node: DialectNode, word: str, severity: Severity) -> None:
    """Known words map to the scale, others are normal."""
    assert (await sent(node, severity=word)).severity == severity


async def test_cases_29_and_32_lists_and_metadata(node: DialectNode) -> None:
    """Tags lose their doubles, metadata is sorted and keeps its scalars."""
    got = await sent(node, tags=[" nas ", "nas", "disk"], images=["a"], metadata={"b": 1, "a": True, " c ": "x"})
    assert (got.content.tags, got.content.images) == (("nas", "disk"), ("a",))
    assert msgspec.json.encode(got.content.data["metadata"]) == b'{"a":true,"b":1,"c":"x"}'


async def test_cases_36_and_37_ttl(node: DialectNode) -> None:
    """A past ttl is accepted and expired; a far one is capped to 28 days."""
    assert (await sent(node, ttl=3600)).content.data["ttl"] == 3_600_000
    far = node.clock.now_ms() + 60 * 86_400_000
    capped = node.clock.now_ms() + TTL_CAP_MS
    got = await sent(node, ttl=far)
    assert (got.content.data["ttl"], got.expires_at) == (capped, capped)


async def test_case_41_a_channel_without_subscribers(node: DialectNode) -> None:
    """Nobody to tell is no error: the message is stored."""
    await apply(node, channels=[{"channel_id": CH, "name": "NAS", "password": PW}])
    assert (await send(node)).json["data"]["accepted"] is True
    assert await node.messages() == 1


async def test_case_44_ciphertext(node: DialectNode) -> None:
    """It is kept as sent; who has no key sees a placeholder, and a body of the sender stays."""
    got = await sent(node, ciphertext=" bTrBXzQl ")
    assert got.content.data["ciphertext"] == "bTrBXzQl"
    assert got.content.body
    assert got.content.data["body_is_placeholder"] is True
    got = await sent(node, ciphertext="bTrBXzQl", body="clear")
    assert got.content.body == "clear"
    assert "body_is_placeholder" not in got.content.data


async def test_get_is_the_same_message(node: DialectNode) -> None:
    """GET stores what POST would."""
    said = await node.call(
        "GET", f"/message?channel_id={CH}&password={PW}&title=a+b&tags=x,,y&metadata=%7B%22k%22:1%7D"
    )
    assert said.status == 200
    (got,) = await node.inbox("alice")
    assert (got.content.title, got.content.tags, got.content.data["metadata"]) == ("a b", ("x", "y"), {"k": 1})


async def test_cases_53_to_55_compat(node: DialectNode) -> None:
    """The compat entries store title, body, severity and metadata."""
    key = f"{CH}:{PW}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    calls = [
        await node.call("POST", f"/ntfy/{key}", "正文".encode(), {"Title": "T", "Priority": "5"}),
        await node.call("POST", f"/serverchan/{key}", b"title=S&desp=D&url=https://example.test", form),
        await node.call("GET", f"/bark/{key}/hello?sound=x"),
    ]
    assert [one.status for one in calls] == [200] * 3
    ntfy, serverchan, bark = await node.inbox("alice")
    assert (ntfy.content.title, ntfy.content.body, ntfy.severity) == ("T", "正文", Severity.CRITICAL)
    assert (serverchan.content.title, serverchan.content.body) == ("S", "D")
    assert serverchan.content.data["metadata"] == {"compat.serverchan.url": "https://example.test"}
    assert (bark.content.title, bark.content.body) == ("Notification", "hello")
    assert bark.content.data["metadata"] == {"compat.bark.sound": "x"}


async def test_nothing_is_stored_for_what_is_refused(node: DialectNode) -> None:
    """Refused requests leave no message, whenever they were refused."""
    for fields in (
        {"foo": 1},
        {"password": "wrong-pass"},
        {"tags": [""]},
        {"thing_id": "x"},
        {"channel_id": OTHER[:-1]},
    ):
        assert (await send(node, **fields)).status >= 400
    assert await node.messages() == 0


class TestGatewayToken:
    """The token of sheet §1.6."""

    @pytest.fixture(autouse=True)
    async def guarded(self, node: DialectNode) -> None:
        await apply(node, gateway_token="tok", channels=channels(CH))

    async def test_case_38_the_token_is_needed(self, node: DialectNode) -> None:
        """No token and a wrong one are refused before anything else is looked at; the scheme has no case."""
        for authorization in ("", "Bearer no", "Basic tok", "Bearer", "Bearer tok tok", "tok", "Bearer " + "t" * 4097):
            said = await node.call("POST", "/message", b"{", {"Authorization": authorization} if authorization else {})
            assert (said.status, said.json["error_code"]) == (401, "authentication_failed")
            assert "www-authenticate" not in said.headers
        for authorization in ("Bearer tok", "bearer tok", " BEARER   tok "):
            assert (await send(node, {"Authorization": authorization})).status == 200

    async def test_case_39_unknown_paths_need_none(self, node: DialectNode) -> None:
        """An unknown path is 404 without a token."""
        for path in ("/nope", "/thing/create", "/ntfy"):
            said = await node.call("GET", path)
            assert (said.status, said.json["error_code"]) == (404, "route_not_found")
            assert HEX32.fullmatch(said.headers["x-request-id"])

    async def test_case_40_another_method_needs_it(self, node: DialectNode) -> None:
        """Without the token 401, with it 405 and Allow."""
        assert (await node.call("PUT", "/message")).status == 401
        said = await node.call("PUT", "/message", headers={"Authorization": "Bearer tok"})
        assert (said.status, said.body) == (405, b"")
        assert {"GET", "POST"} <= set(said.headers["allow"].split(", "))

    async def test_compat_keys_need_it(self, node: DialectNode) -> None:
        """PushGo's compat keys are guarded, other keys are refused as before; no token is taken from the query."""
        for asked in ("token=tok", "thing_id=x", "ttl=soon"):
            assert (await node.call("POST", f"/ntfy/{CH}:{PW}?{asked}", b"x")).status == 401
        assert (await node.call("POST", f"/ntfy/{CH}:{PW}", b"x", {"Authorization": "Bearer tok"})).status == 200
        assert (await node.call("POST", "/ntfy/nokey", b"x")).status == 400

    async def test_the_token_selects_the_space(self, node: DialectNode) -> None:
        """With a second space that goes without a token, each caller sends to his own."""
        await apply(node, "second", channels=channels(CH, password="another-password"))
        open_space = await send(node, password="another-password")
        guarded = await send(node, {"Authorization": "Bearer tok"})
        assert (open_space.status, guarded.status) == (200, 200)
        assert (await send(node)).status == 404
        assert len({got.public_id for got in await node.inbox("alice")}) == 2


async def test_a_server_without_channels(database: Database, tmp_path: Path) -> None:
    """Nothing is open by default, and nothing fails: every channel is unknown, or the gateway is closed."""
    async with dialect_node(database, tmp_path) as empty:
        assert (await send(empty)).status in (401, 404)
        await apply(empty)
        assert (await send(empty)).json["error_code"] == "channel_not_found"
