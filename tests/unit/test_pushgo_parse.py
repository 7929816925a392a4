"""How PushGo reads a message: syntax, shape, query (sheet pushgo §1.1 steps 3–5, §1.2, §2.1)."""

import json
from typing import Any

import pytest

from onebell.dialects.pushgo.answer import PlainRejected, Rejected
from onebell.dialects.pushgo.parse import Intent, from_json, from_query, is_json, metadata_text

CHANNEL = "06J0FZG1Y8XGG14VTQ4Y3G10MR"
LEAST = {"channel_id": CHANNEL, "password": "channel-password", "title": "t"}


def read(**fields: Any) -> Intent:
    return from_json(json.dumps(LEAST | fields).encode())


def code_of(body: bytes) -> str | None:
    with pytest.raises(Rejected) as caught:
        from_json(body)
    assert caught.value.failure.status == 400
    return caught.value.failure.code


def refused(**fields: Any) -> str:
    assert code_of(json.dumps(LEAST | fields).encode()) == "invalid_json_data"
    with pytest.raises(Rejected) as caught:
        read(**fields)
    return caught.value.failure.error


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json; charset=utf-8",
        b"application/vnd.x+json; charset=utf-8",
        b" application/json",
    ],
)
def test_json_content_types(content_type: bytes) -> None:
    """``application/json`` and ``application/*+json`` are taken, parameters and case aside (case 14)."""
    assert is_json(content_type)


@pytest.mark.parametrize(
    "content_type", [None, b"", b"text/plain", b"text/json", b"application/x-www-form-urlencoded", b"application/jsonx"]
)
def test_other_content_types(content_type: bytes | None) -> None:
    """Everything else is refused, also no header at all (case 13)."""
    assert not is_json(content_type)


def test_the_least_message() -> None:
    """Three fields are enough; all others are absent."""
    assert read() == Intent(**LEAST)


@pytest.mark.parametrize(
    "body",
    [
        b"{bad",
        b"",
        b'{"channel_id":"a"} x',
        b"[1,",
        b"\xef\xbb\xbf{}",
        b'{"title":"\xff"}',
        b'{"title":"\\ud800"}',
        b'{"title":"a\nb"}',
        b'{"ttl":NaN}',
        b'{"ttl":01}',
        b"[" * 20_000,
        b'{"metadata":' + b"[" * 20_000,
        '{"title":"中"}'.encode("utf-16"),
    ],
)
def test_what_is_no_json(body: bytes) -> None:
    """Bad JSON, an empty body and trailing bytes are syntax errors, also when the shape is wrong as well (case 15)."""
    assert code_of(body) == "invalid_json_syntax"


@pytest.mark.parametrize("nesting", [("[", "", "]"), ('{"a":', "1", "}")])
def test_no_depth_is_too_much(nesting: tuple[str, str, str]) -> None:
    """Whatever the depth, also where one of two readers just takes it, the answer is a refusal."""
    begin, middle, end = nesting
    for depth in range(850, 1010):
        deep = '{"a":' + begin * depth + middle + end * depth + "}"
        body = '{"channel_id":"a","password":"b","title":"\\"","metadata":' + deep + "}"
        assert code_of(body.encode()) in ("invalid_json_syntax", "invalid_json_data")
        with pytest.raises(Rejected):
            metadata_text(deep)


def test_syntax_is_judged_before_shape() -> None:
    """An unknown field in a body that breaks off later is a syntax error: step 5 says syntax, then shape."""
    assert code_of(b'{"foo":1,"title":') == "invalid_json_syntax"


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"1", b"{}", b'{"channel_id":"a","password":"b"}'])
def test_json_of_another_shape(body: bytes) -> None:
    """Anything but an object with the three required fields is a data error (case 10)."""
    assert code_of(body) == "invalid_json_data"


@pytest.mark.parametrize("name", ["foo", "message_id", "level", "event_id", "Title"])
def test_unknown_fields_are_refused(name: str) -> None:
    """Fields that are not declared are refused, also those of other endpoints (case 12)."""
    refused(**{name: "x"})


@pytest.mark.parametrize(
    "fields",
    [
        {"title": 1},
        {"title": None},
        {"channel_id": None},
        {"password": 12345678},
        {"body": 1},
        {"op_id": 1},
        {"thing_id": 1},
        {"severity": 1},
        {"url": []},
        {"images": None},
        {"images": "a"},
        {"images": [1]},
        {"tags": None},
        {"tags": {"a": 1}},
        {"ciphertext": False},
        {"occurred_at": True},
        {"occurred_at": 1.5},
        {"occurred_at": 1e3},
        {"occurred_at": "1.5"},
        {"occurred_at": "soon"},
        {"occurred_at": "١٢٣"},
        {"occurred_at": 2**63},
        {"occurred_at": str(2**63)},
        {"ttl": []},
        {"ttl": "1 2"},
    ],
)
def test_wrong_types_are_refused(fields: dict[str, Any]) -> None:
    """Every field has one type; images and tags may not be null, instants are whole numbers (cases 26, 35)."""
    refused(**fields)


def test_null_is_absent_where_it_may_stand() -> None:
    """Optional texts, instants and metadata may be null and are then absent (case 34)."""
    optional = ("body", "op_id", "thing_id", "occurred_at", "severity", "ttl", "url", "ciphertext", "metadata")
    assert read(**dict.fromkeys(optional)) == read()


@pytest.mark.parametrize(
    "body",
    [
        b'{"channel_id":"a","password":"b","title":"t","title":"u"}',
        b'{"channel_id":"a","password":"b","title":"t","title":null}',
        b'{"channel_id":"a","password":"b","title":"t","ttl":1,"ttl":2}',
        b'{"channel_id":"a","password":"b","title":"t","tags":["x"],"tags":["y"]}',
        b'{"channel_id":"a","password":"b","title":"say \\"hi\\"","\\u0074itle":"u"}',
        b'{"channel_id":"a","password":"b","title":"t","metadata":{"k":1,"k":2}}',
        b'{"channel_id":"a","password":"b","title":"t","metadata":{"k":"x","\\u006b":"y"}}',
        b'{"channel_id":"\\\\","password":"b","title":"t","body":"\\"","title":"t"}',
    ],
)
def test_repeated_keys_are_refused(body: bytes) -> None:
    """A key may stand once in its object, however it is written (sheet §1.2)."""
    assert code_of(body) == "invalid_json_data"


@pytest.mark.parametrize(
    "text", ['say "title":"t"', "\\", '\\"', '"', '","title":"x', "\\\\", "{}[],:", "a\\nb", "中\u2028"]
)
def test_no_text_looks_like_a_repeated_key(text: str) -> None:
    """Quotes and backslashes in texts are not taken for keys, in plain strings, lists and metadata alike."""
    fields = {"title": text, "body": text, "tags": [text, text], "metadata": {text: text, "b": 1, "c": True}}
    got = read(**fields)
    assert (got.title, got.body, got.tags) == (text, text, [text, text])
    assert list(got.metadata.values()) == [text, 1, True]


@pytest.mark.parametrize(
    ("written", "at_ms"),
    [
        (1713750000, 1713750000000),
        (1713750000123, 1713750000123),
        ("1713750000123", 1713750000123),
        (" 1713750000 ", 1713750000000),
        ("+5", 5000),
        (999_999_999_999, 999_999_999_999_000),
        (10**12, 10**12),
        (-(10**12), -(10**12)),
        (-1, -1000),
        (0, 0),
        ("", None),
        ("  ", None),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_instants_are_seconds_or_milliseconds(written: int | str, at_ms: int | None) -> None:
    """Below 10^12 a number is Unix seconds, else milliseconds; digits in a string count too (cases 23, 25)."""
    assert read(occurred_at=written).occurred_at == at_ms
    assert read(ttl=written).ttl == at_ms


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ([], "metadata must be a JSON object"),
        ("x", "metadata must be a JSON object"),
        (1, "metadata must be a JSON object"),
        (False, "metadata must be a JSON object"),
        ({"a": {}}, "metadata.a must be a scalar"),
        ({"a": []}, "metadata.a must be a scalar"),
        ({"a": None}, "metadata.a must be a scalar"),
        ({"a": ""}, "metadata.a must be a scalar"),
        ({"a": "  "}, "metadata.a must be a scalar"),
        ({" ": 1}, "metadata key must not be empty"),
        ({"a": 1, " a": 2}, "metadata key must be unique"),
    ],
)
def test_metadata_is_flat(metadata: Any, why: str) -> None:
    """Metadata is one object of non-blank keys and scalars, each key once after trimming (case 31)."""
    assert refused(metadata=metadata).endswith(f": {why}")


def test_metadata_keeps_its_scalars() -> None:
    """Keys are trimmed; strings, numbers and booleans stay what they are (case 32)."""
    got = read(metadata={"b": 1, "a": True, " c ": "x", "d": 1.5, "e": -(2**63), "f": 2**64 - 1}).metadata
    assert got == {"b": 1, "a": True, "c": "x", "d": 1.5, "e": -(2**63), "f": 2**64 - 1}


def test_numbers_beyond_64_bits_become_floats() -> None:
    """A whole number that no 64 bits hold is kept as a float, one that no float holds is refused."""
    assert read(metadata={"a": 2**64}).metadata == {"a": float(2**64)}
    assert code_of(b'{"channel_id":"a","password":"b","title":"t","metadata":{"a":1' + b"0" * 400 + b"}}") in (
        "invalid_json_data",
        "invalid_json_syntax",
    )


def pairs(**fields: str) -> list[tuple[str, str]]:
    return list((LEAST | fields).items())


def test_a_query_says_the_same() -> None:
    """GET takes the same fields: lists with commas, metadata as JSON (sheet §2.1)."""
    got = from_query(
        pairs(images="a, b,,", tags=" x ,y", metadata='{"k":1}', occurred_at="1713750000", ttl="", thing_id=" ")
    )
    assert got == Intent(**LEAST, images=["a", "b"], tags=["x", "y"], metadata={"k": 1}, occurred_at=1713750000000)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ([*pairs(), ("foo", "1")], "unknown field `foo`"),
        ([*pairs(), ("title", "u")], "duplicate field `title`"),
        ([("channel_id", "a"), ("password", "b")], "missing field `title`"),
        (pairs(ttl="soon"), "ttl: invalid digit found in string"),
    ],
)
def test_a_query_of_another_shape_is_refused_in_plain_text(query: list[tuple[str, str]], why: str) -> None:
    """Unknown, repeated and missing parameters get upstream's plain text."""
    with pytest.raises(PlainRejected) as caught:
        from_query(query)
    assert caught.value.status == 400
    assert caught.value.text == f"Failed to deserialize query string: {why}"


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("{bad", "metadata_object_required", "metadata must be a JSON object"),
        ("[1]", "metadata_object_required", "metadata must be a JSON object"),
        ("[" * 9000, "metadata_object_required", "metadata must be a JSON object"),
        ('{"a":{}}', None, "metadata.a must be a scalar"),
        ('{"a":1,"\\u0061":2}', None, "metadata key must be unique"),
        ('{"a":1,"a ":2}', None, "metadata key must be unique"),
        ('{"a":' + "[" * 900 + "]" * 900 + "}", None, "metadata.a must be a scalar"),
    ],
)
def test_metadata_in_a_query(text: str, code: str | None, why: str) -> None:
    """Metadata that is no JSON object has its code; what is nested in it has none (sheet §2.1)."""
    with pytest.raises(Rejected) as caught:
        metadata_text(text)
    assert (caught.value.failure.code, caught.value.failure.error) == (code, why)


@pytest.mark.parametrize("text", ["", "  ", "{}", "null"])
def test_no_metadata_in_a_query(text: str) -> None:
    """Blank metadata is none."""
    assert metadata_text(text) == {}
