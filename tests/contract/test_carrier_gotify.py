"""The carrier gotify against a server that answers like Gotify (sheet wecom §6.7)."""

from typing import Any

import msgspec
import pytest
from tests.fakes.carrier_account import batch, exchange, rendered
from tests.fakes.http_service import answer

from onebell.carriers.base import Rendered
from onebell.core.model import Format, Severity
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Unauthorized

TOKEN = "AWDOuwj2WINGvAW"
OK = answer(200, {"id": 25, "appid": 5, "message": "b", "title": "t", "priority": 2, "date": "2018-02-27T19:36:10Z"})
UNAUTHORIZED = {
    "error": "Unauthorized",
    "errorCode": 401,
    "errorDescription": "you need to provide a valid access token or user credentials to access this api",
}


async def body(part: Rendered, *, severity: Severity = Severity.NORMAL, base_url: str = "{at}") -> bytes:
    """The body that goes out for a part."""
    sent = batch(part, severity=severity)
    outcome, (got,) = await exchange(OK, "gotify", sent, base_url=base_url, token=TOKEN)
    assert outcome == Sent(provider_ref="25")
    assert (got.method, got.target) == ("POST", base_url.removeprefix("{at}").rstrip("/") + "/message")
    assert (got.headers["x-gotify-key"], got.headers["content-type"]) == (TOKEN, "application/json")
    return got.body


async def json(part: Rendered, severity: Severity = Severity.NORMAL) -> Any:
    return msgspec.json.decode(await body(part, severity=severity))


async def outcome(value: Any, status: int = 200) -> Outcome:
    return (await exchange(answer(status, value), "gotify", base_url="{at}", token=TOKEN))[0]


SAMPLE = (
    '{"extras":{"home::appliances::lighting::on":{"brightness":15},"home::appliances::thermostat::change_temperature":'
    '{"temperature":23}},"message":"**Backup** was successfully finished.","priority":2,"title":"Backup"}'
)


async def test_an_official_sample_passes_unchanged() -> None:
    """A payload that a dialect brought goes out byte for byte."""
    assert await body(rendered("t", "b", native=msgspec.json.decode(SAMPLE))) == SAMPLE.encode()


@pytest.mark.parametrize("base_url", ["{at}", "{at}/", "{at}/gotify", "{at}/gotify/"])
async def test_a_server_may_stand_under_a_path(base_url: str) -> None:
    """With a slash at its end or without; the token stays out of the URL, which servers log."""
    await body(rendered(), base_url=base_url)


@pytest.mark.parametrize(
    ("severity", "priority"),
    [(Severity.MIN, 0), (Severity.LOW, 2), (Severity.NORMAL, 5), (Severity.HIGH, 8), (Severity.CRITICAL, 10)],
)
async def test_text(severity: Severity, priority: int) -> None:
    """Plain text, with the severity as its priority."""
    assert await json(rendered("标题", "a\nb"), severity) == {
        "title": "标题",
        "message": "a\nb",
        "priority": priority,
        "extras": {"client::display": {"contentType": "text/plain"}},
    }


async def test_html_is_reduced_to_text() -> None:
    """Gotify shows no HTML."""
    part = rendered("T", "<p>a <b>b</b></p><script>alert(1)</script>", Format.HTML)

    assert (await json(part))["message"] == "a b"


@pytest.mark.parametrize(
    ("written_in", "source", "shown"),
    [
        (Format.MARKDOWN, "# a\n**b**", "# a\n**b**"),
        (Format.WECOM_MARKDOWN, '<font color="info">ok</font>', "ok"),
    ],
)
async def test_markdown(written_in: Format, source: str, shown: str) -> None:
    """Markdown is shown as such."""
    told = await json(rendered("T", source, written_in))

    assert told["message"] == shown
    assert told["extras"] == {"client::display": {"contentType": "text/markdown"}}


async def test_a_link_and_an_image() -> None:
    """A touch opens the link; the notification shows the first image."""
    part = rendered("T", "b", url="https://x.test", images=("https://x.test/a.png", "https://x.test/b.png"))

    assert (await json(part))["extras"]["client::notification"] == {
        "click": {"url": "https://x.test"},
        "bigImageUrl": "https://x.test/a.png",
    }


@pytest.mark.parametrize(("title", "url", "message"), [("T", "", "T"), ("", "https://x.test", "https://x.test")])
async def test_a_message_is_never_empty(title: str, url: str, message: str) -> None:
    """Gotify requires one: the title stands for it, or the link."""
    assert (await json(rendered(title, "", url=url)))["message"] == message


@pytest.mark.parametrize(
    ("status", "value", "expected"),
    [
        (401, UNAUTHORIZED, Unauthorized(why=f"401 {UNAUTHORIZED['errorDescription']}")),
        (403, {"error": "Forbidden", "errorCode": 403, "errorDescription": "no"}, Unauthorized(why="403 no")),
        (401, b"<html>", Unauthorized(why="HTTP 401")),
        (400, b"Field 'message' is required", Permanent(why="HTTP 400: Field 'message' is required", code=400)),
        (404, b"", Permanent(why="HTTP 404", code=404)),
        (500, b"", Temporary(why="HTTP 500")),
        (200, {"ok": True}, Temporary(why="the answer is not the service's JSON")),
        (201, {"id": 1}, Temporary(why="the answer is not the service's JSON")),
    ],
)
async def test_answers(status: int, value: Any, expected: Outcome) -> None:
    """The README's table: a 200 without an id was answered by something else."""
    assert await outcome(value, status) == expected
