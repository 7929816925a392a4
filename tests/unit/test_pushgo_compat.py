"""PushGo's compat entries: keys and fields of ntfy, ServerChan and Bark (sheet pushgo §2.8)."""

import pytest

from onebell.dialects.pushgo.answer import PlainRejected, Rejected
from onebell.dialects.pushgo.compat import (
    bark_intent,
    bark_push_intent,
    compat_key,
    ntfy_intent,
    read_bark_push,
    serverchan_intent,
)
from onebell.http.exchange import Request


def asked(body: bytes = b"", **headers: str) -> Request:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"method": "POST", "query_string": b"", "headers": pairs}, b"/ntfy/k", body)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("CH:pass", ("CH", "pass")), (" CH:pa:ss ", ("CH", "pa:ss")), ("CH: p ", ("CH", " p"))],
)
def test_a_key_splits_at_its_first_colon(text: str, parts: tuple[str, str]) -> None:
    """The password may hold colons; blanks around the parts are trimmed later."""
    assert compat_key(text) == parts


@pytest.mark.parametrize("text", ["", "nokey", "CH:", ":pass", " : ", "CH:  "])
def test_other_keys_are_refused(text: str) -> None:
    """Without two parts it is no key of PushGo (case 56)."""
    with pytest.raises(Rejected) as caught:
        compat_key(text)
    failure = caught.value.failure
    assert (failure.status, failure.code) == (400, "compat_key_invalid")
    assert failure.error == "compat key must be '<channel_id>:<password>'"


def test_ntfy_query_beats_header_beats_body() -> None:
    """title: query > header; message: query message > query body > header > raw body."""
    headers = {"title": "header title", "message": "header body"}
    full = ntfy_intent("c", "p", {"title": "q", "message": "m", "body": "b"}, asked(b"raw", **headers))
    assert (full.title, full.body) == ("q", "m")
    assert ntfy_intent("c", "p", {"body": "b"}, asked(b"raw", **headers)).body == "b"
    plain = ntfy_intent("c", "p", {}, asked(b"raw", **headers))
    assert (plain.title, plain.body) == ("header title", "header body")
    bare = ntfy_intent("c", "p", {}, asked("  正文\n".encode()))
    assert (bare.title, bare.body) == ("Notification", "正文")


@pytest.mark.parametrize(
    ("priority", "severity"),
    [
        ("1", "low"),
        ("2", "low"),
        ("3", "normal"),
        ("4", "high"),
        ("5", "critical"),
        ("urgent", "critical"),
        ("9", None),
    ],
)
def test_ntfy_priorities(priority: str, severity: str | None) -> None:
    """Priorities map to severities, from the query and from the header; severity beats priority."""
    assert ntfy_intent("c", "p", {"priority": priority}, asked()).severity == severity
    assert ntfy_intent("c", "p", {}, asked(priority=priority)).severity == severity
    assert ntfy_intent("c", "p", {"priority": priority, "severity": "low"}, asked()).severity == "low"


def test_ntfy_headers_of_scripts() -> None:
    """Tags and Click headers are read, unknown parameters are not looked at."""
    got = ntfy_intent("c", "p", {"unknown": "x"}, asked(tags="a, b", click="https://example.test"))
    assert (got.tags, got.url) == (["a", "b"], "https://example.test")


def test_ntfy_instants_must_be_numbers() -> None:
    """A ttl that is no number is refused in plain text, like any bad query."""
    with pytest.raises(PlainRejected):
        ntfy_intent("c", "p", {"ttl": "soon"}, asked())


def test_serverchan() -> None:
    """title or text, desp or body; the url is copied into the metadata."""
    got = serverchan_intent("c", "p", {"text": "t", "desp": "d", "url": " https://example.test "})
    assert (got.title, got.body) == ("t", "d")
    assert got.metadata == {"compat.serverchan.url": "https://example.test"}
    assert serverchan_intent("c", "p", {}).title == "Notification"


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("passive", "low"),
        ("active", "normal"),
        ("timeSensitive", "high"),
        ("time-sensitive", "high"),
        ("critical", "critical"),
        ("", None),
    ],
)
def test_bark_levels(level: str, severity: str | None) -> None:
    """Levels map to severities, by path and by JSON."""
    assert bark_intent("c", "p", ["b"], {"level": level}).severity == severity
    push = read_bark_push(f'{{"device_key":"c:p","level":"{level}"}}'.encode())
    assert bark_push_intent("c", "p", push).severity == severity


def test_bark_by_path() -> None:
    """One segment is the body, two are title and body; sound, icon and group go into the metadata."""
    one = bark_intent("c", "p", ["hello"], {"sound": "x", "metadata": '{"k":1}'})
    assert (one.title, one.body) == ("Notification", "hello")
    assert one.metadata == {"k": 1, "compat.bark.sound": "x"}
    two = bark_intent("c", "p", ["t", "b"], {"title": "ignored"})
    assert (two.title, two.body) == ("t", "b")
    assert bark_intent("c", "p", ["b"], {"title": "migrated"}).title == "migrated"


def test_bark_by_json() -> None:
    """The JSON form has the same fields; what it does not know is not looked at."""
    push = read_bark_push(
        b'{"device_key":"c:p","title":"t","body":"b","group":"g","tags":["a"],"metadata":{"k":true},"badge":1}'
    )
    got = bark_push_intent("c", "p", push)
    assert (got.title, got.body, got.tags) == ("t", "b", ["a"])
    assert got.metadata == {"k": True, "compat.bark.group": "g"}


def test_bark_by_json_of_another_shape() -> None:
    """A wrong type is PushGo's data error."""
    with pytest.raises(Rejected) as caught:
        read_bark_push(b'{"device_key":1}')
    assert caught.value.failure.code == "invalid_json_data"
