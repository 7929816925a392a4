"""The carriers hiflow and jijyun against a recording service: one request, two tests of success (sheet wecom §6.11)."""

from typing import Any

import pytest
from tests.fakes.carrier_account import batch, opened, rendered
from tests.fakes.http_service import Received, answer, drop, http_service

from onebell.core.model import Format
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Throttled

OK = answer(200, {"Code": 200, "Message": "success"})
KINDS = ["hiflow", "jijyun"]


async def sent(kind: str, part: Any, script: Any = OK) -> tuple[Received, Outcome]:
    """The request for a part, and what came of it."""
    async with http_service(script) as service, opened(kind, url=f"{service.base}/accept?apikey=k") as carrier:
        outcome = (await carrier.send(batch(part)))[0]
        return service.received[0], outcome


async def outcome(kind: str, script: Any) -> Outcome:
    return (await sent(kind, rendered(), script))[1]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_neutral_form(kind: str) -> None:
    """Title, plain text, link and time as JSON to the pasted address."""
    got, said = await sent(kind, rendered("标题", "<p>a <b>b</b></p>", Format.HTML, url="https://a.test"))

    assert isinstance(said, Sent)
    assert (got.method, got.target) == ("POST", "/accept?apikey=k")
    assert got.headers["content-type"] == "application/json"
    assert got.json == {
        "title": "标题", "content": "a b", "url": "https://a.test", "time": "2023-11-14T22:13:20.123Z",
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_without_a_link_the_messages_page_is_opened(kind: str) -> None:
    """A flow always has something to open."""
    got, _ = await sent(kind, rendered())

    assert got.json["url"] == "http://bell.test/app/m/1"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_native_payload_is_sent_as_it_is(kind: str) -> None:
    """What PushPlus prints for types 7 and 9 goes out byte for byte."""
    payload = {"title": "T", "content": "<b>你</b>", "icon": "http://h/i", "url": "http://h/1", "shortCode": "c"}
    got, _ = await sent(kind, rendered(native=payload))

    assert got.body == (
        '{"title":"T","content":"<b>你</b>","icon":"http://h/i","url":"http://h/1","shortCode":"c"}'.encode()
    )


@pytest.mark.parametrize("script", [answer(200), answer(204), answer(200, b"<html>"), answer(200, {"Code": 500})])
async def test_hiflow_takes_any_2xx(script: Any) -> None:
    """The platform says nothing that could be read."""
    assert isinstance(await outcome("hiflow", script), Sent)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"Code": 200}, Sent(detail="")),
        ({"Code": 404}, Permanent(why="404", code=404)),
        ({"Code": 429}, Throttled(why="429", wait_s=60)),
        ({"Code": 500}, Temporary(why="500")),
        ({"Code": 0}, Temporary(why="0")),
        ({"code": 200}, Temporary(why="the answer is not the service's JSON")),
        ({"Code": "200"}, Temporary(why="the answer is not the service's JSON")),
        (b"<html>", Temporary(why="the answer is not the service's JSON")),
    ],
)
async def test_jijyun_reads_its_code(said: object, expected: Outcome) -> None:
    """HTTP 200 is not success, ``Code`` 200 is: a capital C, a number."""
    assert await outcome("jijyun", answer(200, said)) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer(410), Permanent(why="HTTP 410", drop_target=True, code=410)),
        (answer(404), Permanent(why="HTTP 404", code=404)),
        (answer(302, location="/x"), Permanent(why="HTTP 302", code=302)),
        (answer(502), Temporary(why="HTTP 502")),
        (answer(429, retry_after="9"), Throttled(why="HTTP 429", wait_s=9)),
        (answer(503, retry_after="9"), Throttled(why="HTTP 503", wait_s=9)),
    ],
)
async def test_statuses(kind: str, script: Any, expected: Outcome) -> None:
    """What is not 2xx is read alike for both."""
    assert await outcome(kind, script) == expected


@pytest.mark.parametrize("kind", KINDS)
async def test_no_answer_is_tried_again(kind: str) -> None:
    """A lost connection is no verdict."""
    assert isinstance(await outcome(kind, drop()), Temporary)
