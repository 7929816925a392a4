"""Easemob: whatever comes in is a message or a refusal (RELIABILITY S1)."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from onebell.dialects.easemob.answer import Rejected
from onebell.dialects.easemob.bodies import TYPES
from onebell.dialects.easemob.parse import Message, Rules, check_rest, parse_legacy, parse_message

Parse = Callable[[bytes, Rules], Message]
STRICT = Rules(message_bytes=3072, lenient=False)
LENIENT = Rules(message_bytes=3072, lenient=True)

NAMES = st.sampled_from(
    ["msg", "filename", "url", "size", "width", "height", "length", "Length", "file_length", "lat", "lng", "addr",
     "action", "param", "customEvent", "customExts", "secret", "thumb"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5),
    max_leaves=12,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "from": JSON,
        "to": st.lists(st.text(max_size=5), max_size=3) | JSON,
        "target": st.lists(st.text(max_size=5), max_size=3) | JSON,
        "target_type": st.just("users") | JSON,
        "type": st.sampled_from(sorted(TYPES)) | JSON,
        "body": st.dictionaries(NAMES, JSON, max_size=6) | JSON,
        "msg": st.dictionaries(NAMES | st.just("type"), st.sampled_from(sorted(TYPES)) | JSON, max_size=6) | JSON,
        "ext": JSON,
        "sync_device": JSON,
        "env": JSON,
    },
)


def outcome_of(parse: Parse, body: bytes, rules: Rules) -> tuple[int, Message | None]:
    """The status of a body, and the message when it is one."""
    try:
        message = parse(body, rules)
        check_rest(message, rules)
    except Rejected as refusal:
        return refusal.status, None
    return 200, message


@given(BODIES)
def test_parser_never_raises_anything_but_a_refusal(body: dict[str, Any]) -> None:
    """Whatever JSON comes in: a message or a refusal below 500, never an uncaught error (RELIABILITY S1)."""
    for parse in (parse_message, parse_legacy):
        for rules in (STRICT, LENIENT):
            status, message = outcome_of(parse, json.dumps(body).encode(), rules)
            assert 200 <= status < 500
            assert msgspec.json.encode(message)


@given(st.binary(max_size=200))
def test_bytes_are_refused(body: bytes) -> None:
    """Random bytes are no message."""
    assert outcome_of(parse_message, body, STRICT)[0] in (400, 413)
