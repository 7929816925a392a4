"""UMS over real HTTP: what its readers see, and that nothing a caller sends is a 500."""

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from tests.running import ALICE, BOB, RunningServer
from tests.wire.mutations import mutated
from tests.wire.ums.test_ums_golden import PAIRS

from onebell.dialects.ums.answer import TEXTS

HEADERS = {"Authorization": "Basic " + b64encode(PAIRS["@K"].encode()).decode(), "Content-Type": "application/json"}
SEEDS = Path(__file__).parents[1] / "seeds" / "ums"
APP = {"platform": "all", "notification": {"android": {"alert": "消息", "title": "标题"}}}


async def sent(server: RunningServer, path: str = "/v1/sent", **body: Any) -> dict[str, Any]:
    """The answer to a call."""
    async with server.session.post(server.url + path, json=body, headers=HEADERS) as got:
        answer: dict[str, Any] = await got.json()
        return answer


async def entries(server: RunningServer, person: tuple[str, str]) -> list[dict[str, Any]]:
    """What somebody's inbox holds."""
    return [item for item in await server.inbox(person) if item["kind"] == "entry"]


async def eventually(server: RunningServer, person: tuple[str, str], msgid: str) -> dict[str, Any]:
    """The entry of a message, once it is there."""
    async with asyncio.timeout(20):
        while True:
            for entry in await entries(server, person):
                if entry["message_id"] == msgid:
                    return entry
            await asyncio.sleep(0.05)


async def test_app_message_is_in_the_inbox_at_once(server: RunningServer) -> None:
    """Accepted is stored: who asks after the answer sees it, with the msgid that the caller has."""
    answer = await sent(server, aud_userid=["ALICE"], msg_app=[APP], rule_id=1001)
    (entry,) = await entries(server, ALICE)
    assert (entry["title"], entry["body"], entry["dialect"]) == ("标题", "消息", "ums")
    assert entry["message_id"] == answer["msgid"]
    assert not await entries(server, BOB)


async def test_every_element_is_read_in_the_inbox(server: RunningServer) -> None:
    """Two elements are two messages (§1.4): the one entry of the call shows the words of both."""
    second = {"platform": "all", "notification": {"android": {"alert": "第二条", "title": "又一标题"}}}
    answer = await sent(server, aud_userid=["alice"], msg_app=[APP, second])
    entry = await eventually(server, ALICE, answer["msgid"])
    assert (entry["title"], entry["body"]) == ("标题", "消息\n\n又一标题\n第二条")


async def test_bound_tag_hides_the_global_one(server: RunningServer) -> None:
    """``beta`` is alice's under this ChannelKey; ``ops`` is global: alice and bob."""
    both = (await sent(server, aud_tag=["ops"], msg_app=[APP]))["msgid"]
    one = (await sent(server, aud_tag=["beta"], msg_app=[APP]))["msgid"]
    await eventually(server, ALICE, one)
    await eventually(server, ALICE, both)
    await eventually(server, BOB, both)
    assert one not in {entry["message_id"] for entry in await entries(server, BOB)}


async def test_segment_and_tag_are_cut(server: RunningServer) -> None:
    """The segment's people are alice and bob, the tag's is alice: only she is both."""
    msgid = (await sent(server, aud_segment=["1000"], aud_tag=["vip"], msg_app=[APP]))["msgid"]
    later = (await sent(server, aud_segment=["1000"], msg_app=[APP]))["msgid"]
    await eventually(server, ALICE, msgid)
    await eventually(server, BOB, later)
    assert msgid not in {entry["message_id"] for entry in await entries(server, BOB)}


async def test_broadcast_reaches_everybody_but_the_listed(server: RunningServer) -> None:
    """Black list 1234 is carol."""
    carol = ("carol", "carol-password")
    answer = await sent(server, "/v1/broadcast", msg_app=[APP], option={"black_id": 1234})
    everybody = await sent(server, "/v1/broadcast", msg_app=[APP])
    await eventually(server, BOB, answer["msgid"])
    await eventually(server, carol, everybody["msgid"])
    assert answer["msgid"] not in {entry["message_id"] for entry in await entries(server, carol)}


async def test_mail_is_no_inbox_message(server: RunningServer) -> None:
    """A msg_email goes to the mailer only."""
    answer = await sent(server, aud_userid=["alice"], msg_email=[{"subject": "s", "text": "t"}])
    assert answer["code"] == 0
    assert not await entries(server, ALICE)


def printed() -> list[Any]:
    """The seed's samples as whole requests, and broadcasts of them."""
    bodies = [json.loads(path.read_bytes()) for path in sorted(SEEDS.glob("0[2-5]*.json"))]
    for path in sorted(SEEDS.glob("*msg_*.json")):
        try:
            message = json.loads("{" + path.read_text() + "}")
        except ValueError:  # the block that is printed with missing commas
            continue
        bodies += [{**aud, **message} for aud in bodies[:2]]
    return [
        *bodies,
        {"aud_userid": ["user1"], "msg_app": [APP], "rule_id": 1001, "option": {"sendno": "x", "priority": 2}},
    ]


@pytest.mark.parametrize("path", ["/v1/sent", "/v1/broadcast"])
async def test_nothing_is_a_500(server: RunningServer, path: str) -> None:
    """Almost right requests get an answer of the code table, always JSON, never a 500 (RELIABILITY S1)."""
    for raw in mutated(printed(), 250, seed=7):
        async with server.session.post(server.url + path, data=raw, headers=HEADERS) as got:
            answer = json.loads(await got.read())
        assert got.status in (200, 400, 429), (raw, answer)
        assert answer["code"] == 0 or answer["code"] in TEXTS
