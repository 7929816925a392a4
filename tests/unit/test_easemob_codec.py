"""The frames of MSYNC, byte by byte (sheet easemob-msync §3 and §10)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.bodies import documented, stored_body
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.content import Content, to_body, to_content
from onebell.dialects.easemob.msync.keyvalues import from_pairs, to_pairs
from onebell.dialects.easemob.msync.msync_pb2 import (
    CommSyncUL,
    KeyValue,
    MessageBody,
    MSync,
    Provision,
    Status,
)

APP = App(org="onebell", app="demo", client_id="c")
U1, U3 = codec.user(APP, "u1"), codec.user(APP, "u3")
NOW = 1_700_000_000_000
FIRST = 1029457500870543736

PROVISIONED = (
    "080040034a30420208006a0b776562696d5f7765625f3192011c7b22657870697265735f696e223a313830303030303030303030307d"
)
REFUSED = (
    "080040034a38423608011232536f7272792c20746f6b656e206f722070617373776f726420646f6573206e6f74206d61746368206c6f67"
    "696e20696e666f"
)
UNREAD = "080040014a300a02080012230a1f0a0c6f6e6562656c6c2364656d6f120275331a0b656173656d6f622e636f6d10021880d095ffbc31"
NOTICE = "080040024a210a1f0a0c6f6e6562656c6c2364656d6f120275331a0b656173656d6f622e636f6d"
BODY = "08011204120275331a041202753122060800120268692a080a016b10073201762a070a016210011801"
BATCH = (
    "080040004ab9010a02080022800108f89280d6c8c4d7a40e121f0a0c6f6e6562656c6c2364656d6f120275331a0b656173656d6f622e63"
    "6f6d1a1f0a0c6f6e6562656c6c2364656d6f120275311a0b656173656d6f622e636f6d2080d095ffbc3128013229" + BODY + "28f89280"
    "d6c8c4d7a40e321f0a0c6f6e6562656c6c2364656d6f120275331a0b656173656d6f622e636f6d4080d095ffbc31"
)
END = "080040004a2e0a020800321f0a0c6f6e6562656c6c2364656d6f120275331a0b656173656d6f622e636f6d38014080d095ffbc31"
TAKEN = "080040004a1c0a0208001081e79ea3b70f18fa9280d6c8c4d7a40e4080d095ffbc31"
BLOCKED = "080040004a140a0b08011207626c6f636b65641081e79ea3b70f"
PULL = "080040004a211a1f0a0c6f6e6562656c6c2364656d6f120275331a0b656173656d6f622e636f6d"
ACK = "080040004a2b10f89280d6c8c4d7a40e1a1f0a0c6f6e6562656c6c2364656d6f120275331a0b656173656d6f622e636f6d"


def _hi() -> MessageBody:
    return codec.message_body(MessageBody.CHAT, "u3", "u1", {"type": "txt", "msg": "hi"}, {"k": "v", "b": True})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (codec.provisioned("webim_web_1", '{"expires_in":1800000000000}'), PROVISIONED),
        (codec.not_provisioned(Status.FAIL, "Sorry, token or password does not match login info"), REFUSED),
        (codec.unread([(U3, 2)], NOW), UNREAD),
        (codec.notice(U3), NOTICE),
        (_hi().SerializeToString(), BODY),
        (codec.batch(U3, [codec.meta(FIRST, U3, U1, NOW, _hi())], FIRST, NOW), BATCH),
        (codec.end_of(U3, NOW), END),
        (codec.taken(530233930625, FIRST + 2, NOW), TAKEN),
        (codec.refused(530233930625, Status.FAIL, "blocked"), BLOCKED),
        (codec.frame(MSync.SYNC, CommSyncUL(queue=U3)), PULL),
        (codec.frame(MSync.SYNC, CommSyncUL(queue=U3, key=FIRST)), ACK),
    ],
    ids=["provision", "refused", "unread", "notice", "body", "batch", "end", "taken", "blocked", "pull", "ack"],
)
def test_frames_are_the_protocols_to_the_byte(written: bytes, expected: str) -> None:
    """Every vector of the sheet is what we write."""
    assert expected == written.hex()


def test_a_frame_is_read_back() -> None:
    """The envelope and what it holds are two messages."""
    envelope = codec.read(MSync, bytes.fromhex(ACK))
    asked = codec.read(CommSyncUL, envelope.payload)

    assert (envelope.command, asked.key, asked.queue.name) == (MSync.SYNC, FIRST, "u3")


def test_repeated_enums_come_packed_or_not() -> None:
    """protobufjs writes them unpacked, other clients packed (sheet §3)."""
    unpacked = codec.read(Provision, bytes.fromhex("28002801"))
    packed = codec.read(Provision, bytes.fromhex("2a020001"))

    assert [0, 1] == list(unpacked.compress_type) == list(packed.compress_type)


def test_fields_of_the_future_are_ignored() -> None:
    """An unknown field and an unknown number of an enum are no error."""
    unknown = bytes.fromhex("4063" + "fa3e0178")

    assert codec.read(MSync, unknown).command == 99


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_undecodable(raw: bytes) -> None:
    """Nothing else comes out of the reader, and what comes out can be looked at."""
    try:
        envelope = codec.read(MSync, raw)
        str(codec.read(MessageBody, envelope.payload))
    except codec.Undecodable:
        return


KEYS = {
    "text": "v",
    "yes": True,
    "no": False,
    "small": -7,
    "large": 1657254052191,
    "part": 1.5,
    "list": [1, {"a": None}],
    "map": {"k": "v"},
    "none": None,
}


def test_an_object_comes_back_from_its_pairs() -> None:
    """Each kind of JSON value has its own type on the wire (sheet §3)."""
    pairs = to_pairs(KEYS)
    types = [KeyValue.STRING, *[KeyValue.BOOL] * 2, KeyValue.INT, KeyValue.LLINT, KeyValue.DOUBLE]

    assert [*types, *[KeyValue.JSON_STRING] * 3] == [pair.type for pair in pairs]
    assert from_pairs(pairs) == KEYS


@pytest.mark.parametrize("text", ["{", "[" * 70 + "]" * 70, "1e999"])
def test_what_is_no_json_of_ours_stays_text(text: str) -> None:
    """Broken, or nested so deeply that who reads it later might fail: it does not stop its message."""
    assert from_pairs([KeyValue(key="a", type=KeyValue.JSON_STRING, string_value=text)]) == {"a": text}


@pytest.mark.parametrize("number", [2**63, -(2**64), 10**400])
def test_integers_without_end_keep_their_digits(number: int) -> None:
    """REST takes any integer of JSON: no message is such that its receiver can never pull it."""
    (pair,) = to_pairs({"n": number})
    assert (pair.type, pair.string_value) == (KeyValue.JSON_STRING, str(number))
    assert from_pairs([pair]) == {"n": number}


BODIES = {
    "txt": {"msg": "你好"},
    "img": {"filename": "a.png", "url": "https://h/o/a/chatfiles/1", "secret": "s", "file_length": 5,
            "size": {"height": 3.0, "width": 4.0}},
    "audio": {"filename": "a.amr", "url": "https://h/1", "length": 10, "secret": "s", "file_length": 9},
    "video": {"filename": "v", "url": "https://h/1", "length": 3, "file_length": 7, "secret": "s",
              "thumb": "https://h/2", "thumb_secret": "t"},
    "file": {"filename": "f", "url": "https://h/1", "secret": "", "file_length": 1},
    "loc": {"lat": 39.9, "lng": 116.3, "addr": "a"},
    "cmd": {"action": "go", "param": {"k": 1}},
    "custom": {"customEvent": "e", "customExts": {"a": "b"}},
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_sent_over_rest_is_the_same_over_the_protocol(kind: str) -> None:
    """What REST stores goes out as content and would come in as the same stored body."""
    stored = stored_body(kind, BODIES[kind], lenient=False)

    assert stored == to_body(to_content(stored))


def test_only_a_combined_message_has_the_sub_type_zero() -> None:
    """A text with the sub-type 0 is a combined message to the SDK (sheet §6)."""
    combined = {"type": "combine", "msg": "see", "title": "t", "summary": "s", "url": "u", "filename": "f",
                "secret": "x", "file_length": 3, "combineLevel": 1}  # fmt: skip

    assert to_content(combined).HasField("sub_type")
    assert combined == to_body(to_content(combined))
    assert not to_content({"type": "txt", "msg": "a"}).HasField("sub_type")


def test_an_unknown_type_of_content_is_refused() -> None:
    """A type of tomorrow cannot be stored as what it is."""
    with pytest.raises(ValueError, match="type 42"):
        to_body(Content(type=42))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({"type": "combine", "msg": "see", "title": "t"},
         {"type": "txt", "subType": "sub_combine", "msg": "see", "title": "t"}),
        ({"type": "img", "url": "u", "gif": True}, {"type": "img", "subType": "sub_gif", "url": "u"}),
        ({"type": "txt", "msg": "hi"}, {"type": "txt", "msg": "hi"}),
        ({}, {}),
    ],
)  # fmt: skip
def test_what_only_clients_send_is_a_sub_type(stored: dict[str, Any], shown: dict[str, Any]) -> None:
    """Servers and lists know eight types; a combined message is a text to them, and a GIF a picture."""
    assert documented(stored) == shown
