"""Easemob: what a message body must hold, in the order of the table of sheet §1.3. Numbers are acceptance cases."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from onebell.dialects.easemob.answer import Rejected
from onebell.dialects.easemob.bodies import text_of
from onebell.dialects.easemob.parse import Message, Rules, check_rest, parse_legacy, parse_message

Parse = Callable[[bytes, Rules], Message]
STRICT = Rules(message_bytes=3072, lenient=False)
LENIENT = Rules(message_bytes=3072, lenient=True)
INVALID_BODY = "Request body is invalid. Please check body is correct."
TXT = {"from": "user1", "to": ["user2"], "type": "txt", "body": {"msg": "testmessages"}}
FILE = "https://XXXX/XXXX/XXXX/chatfiles/55f12940-XXXX-XXXX-8a5b-ff2336f03252"


def encode(**fields: Any) -> bytes:
    """A txt message with fields changed; ``...`` removes one."""
    return json.dumps({k: v for k, v in {**TXT, **fields}.items() if v is not ...}).encode()


def parsed(rules: Rules = STRICT, **fields: Any) -> Message:
    """A message that is taken."""
    return checked(encode(**fields), rules)


def checked(body: bytes, rules: Rules = STRICT) -> Message:
    """A body that goes through everything; it names no file of ours."""
    message = parse_message(body, rules)
    check_rest(message, rules)
    return message


def refused(body: bytes, rules: Rules = STRICT) -> Rejected:
    """The refusal that a body gets."""
    with pytest.raises(Rejected) as caught:
        checked(body, rules)
    return caught.value


# ---------------------------------------------------------------- the top level


def test_case_8_seed_sample() -> None:
    """The seed's first text example."""
    message = parsed(ext={"em_ignore_notification": True})
    assert (
        message.sender, message.receivers, message.kind, message.body,
    ) == ("user1", ("user2",), "txt", {"msg": "testmessages", "type": "txt"})  # fmt: skip
    assert not message.online_only
    assert not message.sync_device


def test_case_9_online_only() -> None:
    """ROUTE_ONLINE and sync_device; any other route is none."""
    message = parsed(routetype="ROUTE_ONLINE", sync_device=True)
    assert (message.online_only, message.sync_device) == (True, True)
    assert not parsed(routetype="ROUTE_OFFLINE").online_only


@pytest.mark.parametrize(
    "body",
    [
        b"", b'{"from":', b"null", b"[]", b'"x"', b"\xff", b'{"to":["a"],"x":"\xff"}', b"[" * 3000,
        encode(to="user2"), encode(to=[1]), encode(to={}), encode(body="x"), encode(body=[]), encode(**{"from": 1}),
        encode(sync_device="true"), encode(sync_device=1), encode(type=1), encode(routetype=1),
        encode(roam_ignore_users="x"), encode(env=1),
        encode(body={"msg": "x", "deep": json.loads("[" * 70 + "]" * 70)}),
    ],
)  # fmt: skip
def test_cases_23_29_invalid_body(body: bytes) -> None:
    """Not JSON, not an object, too deep, or a field of the wrong JSON type."""
    refusal = refused(body)
    assert (refusal.status, refusal.error, refusal.text) == (400, "invalid_request_body", INVALID_BODY)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"from": ""}, "param from can't be empty"),
        ({"to": ...}, "param to can't be empty"),
        ({"to": None}, "param to can't be empty"),
        ({"to": []}, "param to can't be empty"),
        ({"to": ["a", ""]}, "param to can't be empty"),
        ({"to": [f"r{n}" for n in range(601)]}, "params to's size can't exceed limit 600"),
        ({"type": ...}, "param type can't be empty"),
        ({"type": ""}, "param type can't be empty"),
        ({"type": None}, "param type can't be empty"),
        ({"type": "gif"}, "param type is illegal"),
        ({"body": ...}, "param body can't be empty"),
        ({"body": None}, "param body can't be empty"),
        ({"body": {}}, "param body can't be empty"),
        ({"ext": None}, "param ext must be JSONObject"),
        ({"ext": "x"}, "param ext must be JSONObject"),
        ({"ext": []}, "param ext must be JSONObject"),
        ({"body": {"x": 1}}, "param body.msg can't be empty"),
        ({"body": {"msg": ""}}, "param body.msg can't be empty"),
        ({"body": {"msg": 1}}, "param body.msg is illegal"),
        ({"env": "123456789"}, "param env is illegal"),
        ({"env": ""}, "param env is illegal"),
        ({"env": "a-b"}, "param env is illegal"),
    ],
)
def test_cases_19_to_28_texts(fields: dict[str, Any], text: str) -> None:
    """Each broken rule in the service's own words."""
    refusal = refused(encode(**fields))
    assert (400, "message_send_error", text) == (refusal.status, refusal.error, refusal.text)


def test_first_broken_rule_answers() -> None:
    """A body that breaks them all is told of one after the other, in the order of the table."""
    broken: dict[str, Any] = {"from": "", "to": [], "type": "", "body": {}, "ext": None, "env": "?"}
    texts = []
    for field, good in (
        ("from", "a"),
        ("to", ["b"]),
        ("type", "txt"),
        ("body", {"msg": "x"}),
        ("ext", {}),
        ("env", "x"),
    ):
        texts.append(refused(encode(**broken)).text)
        broken[field] = good
    assert texts == [
        "param from can't be empty", "param to can't be empty", "param type can't be empty",
        "param body can't be empty", "param ext must be JSONObject", "param env is illegal",
    ]  # fmt: skip


def test_case_18_default_sender() -> None:
    """No ``from``, or null, is the administrator."""
    assert [parsed(**{"from": value}).sender for value in (..., None)] == ["admin", "admin"]


def test_null_scalars_are_absent() -> None:
    """``null`` of an optional scalar counts as absent."""
    message = parsed(routetype=None, sync_device=None, roam_ignore_users=None, env=None)
    assert (message.online_only, message.sync_device, message.roam_ignore, message.env) == (False, False, (), None)


def test_who_shall_not_look_back_is_named_in_any_case() -> None:
    """Ids are lower case (§3.2), however they are written."""
    assert parsed(roam_ignore_users=["U2"]).roam_ignore == ("u2",)


def test_unknown_keys_are_ignored() -> None:
    """The Java SDK may send chatroom_msg_level."""
    assert parsed(chatroom_msg_level="high").sender == "user1"


def test_case_36_duplicates() -> None:
    """One receiver named twice is one receiver."""
    assert parsed(to=["u2", "u2"]).receivers == ("u2",)


# ---------------------------------------------------------------- sizes


def test_case_21_receivers_do_not_count() -> None:
    """Six hundred names of any length fit: the 5 KB are measured without ``to`` (D6)."""
    names = [f"a-rather-long-name-{number:04}" for number in range(600)]
    assert len(parsed(to=names).receivers) == 600


def test_case_30_request_too_large() -> None:
    """More than 5120 bytes beside the receivers is 413, whatever else is wrong."""
    for body in (encode(body={"msg": "x" * 6000}), encode(**{"from": "", "type": "x" * 6000}), b"{" * 6000):
        refusal = refused(body)
        assert (refusal.status, refusal.error) == (413, "Request Entity Too Large")


@pytest.mark.parametrize(
    ("msg", "ext", "fits"),
    [
        ("x" * 3500, ..., False),
        ("中" * 1000, {"k": "x" * 200}, False),
        ("x" * (3072 - len('{"msg":""}')), ..., True),
        ("x" * (3073 - len('{"msg":""}')), ..., False),
        ("x" * 100, {"k": "x" * 2900}, True),
    ],
)
def test_cases_31_32_message_too_large(msg: str, ext: object, fits: bool) -> None:
    """3072 bytes of UTF-8 of body and ext together, as compact JSON; the one error with a number."""
    body = json.dumps(
        {**TXT, "body": {"msg": msg}, **({} if ext is ... else {"ext": ext})}, ensure_ascii=False
    ).encode()
    if fits:
        assert msg == checked(body).body["msg"]
    else:
        refusal = refused(body)
        assert (refusal.status, refusal.code, refusal.text) == (400, 14007, "message is too large")


def test_app_may_allow_more() -> None:
    """An app's own limit goes up to 5120 bytes."""
    more = msgspec.structs.replace(STRICT, message_bytes=5120)
    assert len(parsed(more, body={"msg": "x" * 4000}).body["msg"]) == 4000


# ---------------------------------------------------------------- the eight types

STORED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("txt", {"msg": "x", "other": 1}, {"msg": "x"}),
    (
        "img",
        {"filename": "testimg.jpg", "secret": "S", "url": FILE, "size": {"width": 480, "height": 720.5}},
        {
            "filename": "testimg.jpg",
            "secret": "S",
            "url": FILE,
            "size": {"width": 480, "height": 720.5},
            "file_length": 0,
        },
    ),
    (
        "audio",
        {"url": FILE, "filename": "a.amr", "length": 10, "secret": "S"},
        {"url": FILE, "filename": "a.amr", "length": 10, "secret": "S", "file_length": 0},
    ),
    (
        "audio",
        {"url": FILE, "filename": "a.amr", "Length": 10},
        {"url": FILE, "filename": "a.amr", "length": 10, "secret": "", "file_length": 0},
    ),
    (
        "audio",
        {"url": FILE, "filename": "a.amr", "Length": 10, "length": 7},
        {"url": FILE, "filename": "a.amr", "length": 7, "secret": "", "file_length": 0},
    ),
    (
        "video",
        {"url": FILE, "length": 0, "file_length": 58103, "thumb": FILE, "thumb_secret": "Z", "secret": "V"},
        {
            "url": FILE,
            "length": 0,
            "file_length": 58103,
            "thumb": FILE,
            "thumb_secret": "Z",
            "secret": "V",
            "filename": "",
        },
    ),
    (
        "file",
        {"filename": "t", "url": FILE, "secret": "1"},
        {"filename": "t", "url": FILE, "secret": "1", "file_length": 0},
    ),
    ("loc", {"lat": "39.966", "lng": "116.322", "addr": "北京"}, {"lat": 39.966, "lng": 116.322, "addr": "北京"}),
    ("loc", {"lat": 39.966, "lng": -116, "addr": "北京"}, {"lat": 39.966, "lng": -116, "addr": "北京"}),
    ("cmd", {"action": "a"}, {"action": "a"}),
    ("cmd", {"action": "a", "param": {"k": 1}}, {"action": "a", "param": {"k": 1}}),
    ("custom", {"customEvent": "a/b.c_d-1"}, {"customEvent": "a/b.c_d-1", "customExts": [], "v2:customExts": {}}),
    (
        "custom",
        {"customExts": {"a": "x", "b": 1, "c": True}},
        {
            "customEvent": "",
            "customExts": [{"a": "x"}, {"b": "1"}, {"c": "true"}],
            "v2:customExts": {"a": "x", "b": "1", "c": "true"},
        },
    ),
]


@pytest.mark.parametrize(("kind", "body", "stored"), STORED)
def test_cases_10_to_17_stored_bodies(kind: str, body: dict[str, Any], stored: dict[str, Any]) -> None:
    """The canonical stored body of §1.7: ``length`` wins over ``Length``, coordinates are numbers, exts are strings."""
    assert {**stored, "type": kind} == parsed(type=kind, body=body).body


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("img", {"url": FILE, "size": {"width": 1, "height": 1}}, "param body.filename can't be empty"),
    ("img", {"filename": "f", "size": {"width": 1, "height": 1}}, "param body.url can't be empty"),
    ("img", {"filename": "f", "url": FILE}, "param body.size can't be empty"),
    ("img", {"filename": "f", "url": FILE, "size": {"width": 1}}, "param body.size is illegal"),
    ("img", {"filename": "f", "url": FILE, "size": "1x1"}, "param body.size is illegal"),
    ("img", {"filename": "f", "url": FILE, "size": {"width": 10**400, "height": 1}}, "param body.size is illegal"),
    ("img", {"filename": "f", "url": 1, "size": {"width": 1, "height": 1}}, "param body.url is illegal"),
    ("audio", {"filename": "f", "url": FILE}, "param body.length can't be empty"),
    ("audio", {"filename": "f", "url": FILE, "length": "x"}, "param body.length is illegal"),
    ("audio", {"filename": "f", "url": FILE, "length": -1}, "param body.length is illegal"),
    ("audio", {"filename": "f", "url": FILE, "length": 1.5}, "param body.length is illegal"),
    ("audio", {"filename": "f", "url": FILE, "length": True}, "param body.length is illegal"),
    ("audio", {"url": FILE, "length": 1}, "param body.filename can't be empty"),
    ("video", {"url": FILE, "length": 0}, "param body.file_length can't be empty"),
    ("video", {"url": FILE, "file_length": 1}, "param body.length can't be empty"),
    ("file", {"url": FILE}, "param body.filename can't be empty"),
    ("loc", {"lat": "1", "lng": "2"}, "param body.addr can't be empty"),
    ("loc", {"lat": "x", "lng": "2", "addr": "a"}, "param body.lat is illegal"),
    ("loc", {"lat": "nan", "lng": "2", "addr": "a"}, "param body.lat is illegal"),
    ("loc", {"lat": "1e999", "lng": "2", "addr": "a"}, "param body.lat is illegal"),
    ("loc", {"lat": True, "lng": "2", "addr": "a"}, "param body.lat is illegal"),
    ("loc", {"lat": 10**400, "lng": "2", "addr": "a"}, "param body.lat is illegal"),
    ("loc", {"lng": "2", "addr": "a"}, "param body.lat can't be empty"),
    ("cmd", {"param": {}}, "param body.action can't be empty"),
    ("cmd", {"action": "a", "param": "x"}, "param body.param is illegal"),
    ("custom", {"customEvent": "x" * 33}, "param body.customEvent is illegal"),
    ("custom", {"customEvent": "a b"}, "param body.customEvent is illegal"),
    ("custom", {"customEvent": ""}, "param body.customEvent is illegal"),
    ("custom", {"customEvent": "a\n"}, "param body.customEvent is illegal"),
    ("custom", {"customExts": []}, "param body.customExts is illegal"),
    ("custom", {"customExts": {str(n): "x" for n in range(17)}}, "param body.customExts is illegal"),
    ("custom", {"customExts": {"a": {}}}, "param body.customExts is illegal"),
    ("custom", {"customExts": {"a": None}}, "param body.customExts is illegal"),
]


@pytest.mark.parametrize(("kind", "body", "text"), BROKEN)
def test_cases_33_34_broken_bodies(kind: str, body: dict[str, Any], text: str) -> None:
    """Required fields by the seed, and the rules of each type."""
    assert text == refused(encode(type=kind, body=body)).text


def test_case_34_sixteen_entries() -> None:
    """Sixteen custom entries fit."""
    assert len(parsed(type="custom", body={"customExts": {str(n): "x" for n in range(16)}}).body["customExts"]) == 16


@pytest.mark.parametrize(
    ("kind", "body"),
    [("img", {"url": FILE}), ("audio", {"url": FILE}), ("video", {"url": FILE}), ("file", {"url": FILE})],
)
def test_lenient_app(kind: str, body: dict[str, Any]) -> None:
    """With ``lenient_body`` only what newer clients send is required (D1)."""
    assert parsed(LENIENT, type=kind, body=body).body["url"] == FILE


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [("txt", {"msg": "hi"}, "hi"), ("img", {}, "[图片]"), ("audio", {}, "[语音]"), ("video", {}, "[视频]"),
     ("file", {}, "[文件]"), ("loc", {"addr": "北京"}, "[位置] 北京"), ("custom", {}, "[自定义消息]"), ("cmd", {}, "")],
)  # fmt: skip
def test_what_a_person_reads(kind: str, body: dict[str, Any], text: str) -> None:
    """Messages that are no text have a label; commands have nothing to read (§6)."""
    assert text == text_of(kind, body)


# ---------------------------------------------------------------- the legacy twin

OLD = {"target_type": "users", "target": ["u2"], "msg": {"type": "txt", "msg": "x"}, "from": "u1"}


def legacy(**fields: Any) -> bytes:
    """A body of /messages with fields changed."""
    return json.dumps({k: v for k, v in {**OLD, **fields}.items() if v is not ...}).encode()


def test_case_60_legacy_body() -> None:
    """The message sits in ``msg`` together with its type."""
    message = parse_legacy(legacy(ext={"k": 1}, routetype="ROUTE_ONLINE", sync_device=True), STRICT)
    assert (
        message.sender, message.receivers, message.body, message.ext, message.online_only, message.sync_device,
    ) == ("u1", ("u2",), {"msg": "x", "type": "txt"}, {"k": 1}, True, True)  # fmt: skip


def test_legacy_never_asks_for_what_only_the_seed_requires() -> None:
    """✱ fields are not enforced here, whatever the app says (§1.4)."""
    assert parse_legacy(legacy(msg={"type": "img", "url": FILE}), STRICT).body["url"] == FILE


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"from": ""}, "illegal_argument", "from can't be empty"),
        ({"target_type": "x"}, "illegal_argument", "target_type can only be 'users' or 'chatgroups' or 'chatrooms'"),
        ({"target_type": ...}, "illegal_argument", "target_type can only be 'users' or 'chatgroups' or 'chatrooms'"),
        ({"target_type": "chatgroups"}, "illegal_argument", "this is an invalid request."),
        ({"target": []}, "message_send_error", "param to can't be empty"),
        ({"msg": ...}, "message_send_error", "param type can't be empty"),
        ({"msg": {"type": 1}}, "invalid_request_body", INVALID_BODY),
        ({"msg": "x"}, "invalid_request_body", INVALID_BODY),
        ({"target": "u2"}, "invalid_request_body", INVALID_BODY),
    ],
)
def test_legacy_errors(fields: dict[str, Any], error: str, text: str) -> None:
    """Older texts for its own fields, the same ones for the message."""
    with pytest.raises(Rejected) as caught:
        parse_legacy(legacy(**fields), STRICT)
    assert (error, text) == (caught.value.error, caught.value.text)
