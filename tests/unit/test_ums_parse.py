"""UMS: what a body must hold (sheet jpush-ums §1.2 to §1.5). Numbers in names are the sheet's acceptance cases."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.dialects.ums import answer
from onebell.dialects.ums.answer import Rejected
from onebell.dialects.ums.parse import Call, document, parse_broadcast, parse_sent

EMAIL = {"subject": "s", "text": "t"}
APP = {"platform": "all", "notification": {"alert": "hi"}}


def sent(**fields: Any) -> Call:
    """A body of /v1/sent, parsed; fields set to ... are left out."""
    body = {"aud_userid": ["user1"], "msg_email": [EMAIL], **fields}
    return parse_sent(document(json.dumps({k: v for k, v in body.items() if v is not ...}).encode()))


def refusal(**fields: Any) -> int:
    """The code that a body gets."""
    with pytest.raises(Rejected) as caught:
        sent(**fields)
    return caught.value.code


# ---------------------------------------------------------------- the body


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"x"', b"1", b'{"a":1}x', b'{"a":1,}', b"\xff", b'{"a":"\xff"}', b"\xef\xbb\xbf{}",
        b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b"[" * 100_000, b'{"a":' + b"[" * 65 + b"]" * 65 + b"}",
    ],
)  # fmt: skip
def test_body_that_is_no_object_is_4004(body: bytes) -> None:
    """Strict JSON, one object, bounded depth: all else is a parse error (§1.1, case 50)."""
    with pytest.raises(Rejected) as caught:
        document(body)
    assert caught.value.code == answer.INVALID


def test_unknown_top_level_keys_are_ignored() -> None:
    """A key that the service does not know is not an error (§1.1)."""
    assert sent(aud_nothing=1, msg_nothing="x", whatever={}).userids == ("user1",)


@pytest.mark.parametrize("empty", [None, []])
def test_empty_kind_counts_as_absent(empty: object) -> None:
    """``null`` and ``[]`` for an aud_ or msg_ key mean that it is not given (§1.1)."""
    call = sent(aud_tag=empty, aud_sms=empty, msg_sms=empty)
    assert ((), (), {"email"}) == (call.tags, call.custom, call.kinds)


def test_what_has_no_limit_of_its_own_has_room_in_a_row() -> None:
    """Texts that the seed does not bound, and a callback's params, end at 16 KiB; the text of a mail is a file."""
    long = "x" * 16_385
    for fields in (
        {"option": {"owner": long}},
        {"callback": {"url": long}},
        {"callback": {"params": {"a": long}}},
        {"msg_email": [{"subject": long, "text": "t"}]},
        {"msg_sms": [{"content": long}]},
    ):
        assert refusal(**fields) == answer.INVALID, fields.keys()
    assert sent(msg_email=[{"subject": "s", "text": long}], callback={"params": {"a": long[:16_000]}}).kinds == {
        "email"
    }


# ---------------------------------------------------------------- targets


def test_case_16_no_target() -> None:
    """A message to nobody is refused."""
    assert refusal(aud_userid=...) == answer.INVALID
    assert refusal(aud_userid=[]) == answer.INVALID


def test_case_6_userids() -> None:
    """A thousand userids are taken, one more has a code of its own."""
    assert len(sent(aud_userid=[f"u{n}" for n in range(1000)]).userids) == 1000
    assert refusal(aud_userid=["u"] * 1001) == answer.TOO_MANY_USERIDS


def test_1015004_comes_before_other_target_errors() -> None:
    """Too many userids are reported even where custom ids forbid userids altogether (§1.6)."""
    assert refusal(aud_userid=["u"] * 1001, aud_email=[{"data": ["a@b.c"]}]) == answer.TOO_MANY_USERIDS


@pytest.mark.parametrize("userid", ["a.b@c.com", "a" * 64, "a1_@!#$&*+=.|￥", "¥"])
def test_case_7_valid_userids(userid: str) -> None:
    """Letters, digits, underline and the special characters; both yen signs."""
    assert (userid,) == sent(aud_userid=[userid]).userids


@pytest.mark.parametrize("userid", ["user-1", "a" * 65, "", "用户", "a b", "a\n", 1, None])
def test_case_7_invalid_userids(userid: object) -> None:
    """A hyphen is not in the set: a UUID with hyphens is no userid."""
    assert refusal(aud_userid=[userid]) == answer.INVALID


def test_case_8_tags() -> None:
    """Twenty tags at most."""
    assert len(sent(aud_tag=[f"t{n}" for n in range(20)]).tags) == 20
    assert refusal(aud_tag=[f"t{n}" for n in range(21)]) == answer.INVALID


@pytest.mark.parametrize(("tag", "holds"), [("中" * 13, True), ("中" * 14, False), ("a b", False), ("", False),
                                            ("北京_1@!#$&*+=.|￥", True), ("a" * 40, True), ("a" * 41, False),
                                            ("a\n", False)])  # fmt: skip
def test_case_9_tag_bytes(tag: str, holds: bool) -> None:
    """Forty bytes of UTF-8, not forty characters."""
    if holds:
        assert (tag,) == sent(aud_tag=[tag]).tags
    else:
        assert refusal(aud_tag=[tag]) == answer.INVALID


def test_case_10_segments() -> None:
    """An array of exactly one."""
    assert sent(aud_segment=["1000"]).segment == "1000"
    assert refusal(aud_segment=["1000", "1001"]) == answer.INVALID
    assert refusal(aud_segment=[""]) == answer.INVALID
    assert refusal(aud_segment="1000") == answer.INVALID


def test_several_user_kinds_may_be_combined() -> None:
    """Tags, userids and a segment in one message (§1.3.6)."""
    call = sent(aud_tag=["t"], aud_segment=["1"])
    assert (call.userids, call.tags, call.segment) == (("user1",), ("t",), "1")


def test_case_11_custom_ids_and_users_exclude_each_other() -> None:
    """Custom registration ids and user targets are not allowed in one message."""
    assert refusal(aud_sms=[{"data": ["1"]}], msg_sms=[{"content": "x"}]) == answer.INVALID


@pytest.mark.parametrize(
    ("entries", "holds"), [([1000], True), ([1001], False), ([501, 501], False), ([500, 500], True)]
)
def test_case_12_thousand_ids_per_carrier(entries: list[int], holds: bool) -> None:
    """A thousand ids per carrier, summed over its entries."""
    fields = {
        "aud_userid": ...,
        "aud_email": [{"data": [f"{part}-{n}@x.cn" for n in range(size)]} for part, size in enumerate(entries)],
    }
    if holds:
        assert len(sent(**fields).custom[0][1]) == 1000
    else:
        assert refusal(**fields) == answer.INVALID


def test_limits_count_the_raw_list_and_duplicates_go_afterwards() -> None:
    """A thousand and one times the same id is too many; a thousand times it is one (§1.3.9)."""
    fields = {"aud_userid": ..., "aud_email": [{"data": ["a@x.cn"] * 1000}]}
    assert sent(**fields).custom == (("email", ("a@x.cn",)),)
    assert refusal(aud_userid=..., aud_email=[{"data": ["a@x.cn"] * 1001}]) == answer.INVALID


@pytest.mark.parametrize("value", ["x", {"data": ["a"]}, [{}], [{"data": []}], [{"data": [""]}], [{"data": [1]}],
                                   [{"data": "a"}], ["a"], [{"data": ["a\x00"]}], [{"data": ["a" * 513]}]])  # fmt: skip
def test_custom_ids_are_objects_with_data(value: object) -> None:
    """``data`` is a non-empty array of non-empty strings; ``instance`` is ignored whatever it holds."""
    assert refusal(aud_userid=..., aud_email=value) == answer.INVALID


def test_instance_is_ignored() -> None:
    """The field is reserved."""
    call = sent(aud_userid=..., aud_email=[{"instance": ["?"], "data": ["a@x.cn"]}])
    assert call.custom == (("email", ("a@x.cn",)),)


@pytest.mark.parametrize("kinds", [("sms",), ("sms", "email")])
def test_case_13_custom_ids_and_messages_correspond(kinds: tuple[str, ...]) -> None:
    """The carriers of aud_ and msg_ are the same set."""
    messages = {"msg_sms": [{"content": "x"}], "msg_email": [EMAIL]}
    fields = {f"msg_{kind}": messages[f"msg_{kind}"] for kind in kinds}
    assert refusal(aud_userid=..., aud_dingtalk_cc=[{"data": ["1"]}], **{"msg_email": ..., **fields}) == answer.INVALID


@pytest.mark.parametrize("aud", [{"aud_wechatwk_linkedcorp": [{"data": ["C1/z3"]}]},
                                 {"aud_wechatwk": [{"data": ["z"]}],
                                  "aud_wechatwk_linkedcorp": [{"data": ["C1/z3"]}]}])  # fmt: skip
def test_cases_14_15_linked_corps_share_the_wecom_message(aud: dict[str, Any]) -> None:
    """``msg_wechatwk`` goes with aud_wechatwk, aud_wechatwk_linkedcorp, or both."""
    message = {"msgtype": "text", "text": {"content": "x"}}
    call = sent(aud_userid=..., msg_email=..., msg_wechatwk=[message], **aud)
    assert {"wechatwk"} == call.kinds


@pytest.mark.parametrize("value", ["C1", "/z3", "C1/", "C1/z/3"])
def test_linked_ids_have_one_slash(value: str) -> None:
    """The form is CorpId/userid."""
    message = {"msgtype": "text", "text": {"content": "x"}}
    aud = {"aud_wechatwk_linkedcorp": [{"data": [value]}]}
    assert refusal(aud_userid=..., msg_email=..., msg_wechatwk=[message], **aud) == answer.INVALID


def test_case_37_broadcast_ignores_targets() -> None:
    """``aud_`` keys of a broadcast are not even read."""
    call = parse_broadcast(document(json.dumps({"aud_userid": "nonsense", "msg_email": [EMAIL]}).encode()))
    assert (call.broadcast, call.userids) == (True, ())


# ---------------------------------------------------------------- option, callback, rule


def test_case_17_no_message() -> None:
    """At least one carrier."""
    assert refusal(msg_email=...) == answer.INVALID
    assert refusal(msg_email=..., msg_sms=[]) == answer.INVALID


def test_case_22_black_and_white_exclude_each_other() -> None:
    """Both lists at once have a code of their own; 0 counts as absent."""
    assert refusal(option={"black_id": 1, "white_id": 2}) == answer.BLACK_AND_WHITE
    assert sent(option={"black_id": 0, "white_id": 2}).white_id == 2


def test_message_errors_come_before_black_and_white() -> None:
    """1015084 and its kin are checked before 1015097 (§1.6)."""
    both = {"black_id": 1, "white_id": 2}
    assert refusal(option=both, msg_app=[{"notification": {}}]) == answer.PLATFORM_MISSING


@pytest.mark.parametrize("priority", [0, 4, "1", True, 1.0, -1])
def test_case_24_priority(priority: object) -> None:
    """1 high, 2 medium, 3 low, nothing else."""
    assert refusal(option={"priority": priority}) == answer.INVALID


def test_case_24_priorities_taken() -> None:
    """The three of the seed; 2 where none is given."""
    assert [sent(option={} if number is None else {"priority": number}).priority for number in (1, 2, 3, None)] == [
        1,
        2,
        3,
        2,
    ]


@pytest.mark.parametrize("fields", [
    {"rule_id": "1001"}, {"rule_id": -1}, {"rule_id": 1.5}, {"rule_id": True}, {"rule_id": 2**63},
    {"option": []}, {"option": "x"}, {"option": {"sendno": 1}}, {"option": {"sendno": "x" * 257}},
    {"option": {"owner": 1}}, {"option": {"black_id": "1"}},
    {"callback": "x"}, {"callback": {"url": 1}}, {"callback": {"params": []}}, {"callback": {"params": "x"}},
])  # fmt: skip
def test_wrong_types_are_4004(fields: dict[str, Any]) -> None:
    """A wrong JSON type is a parameter error."""
    assert refusal(**fields) == answer.INVALID


def test_settings_as_the_seed_shows_them() -> None:
    """rule_id, option and callback of the seed's example."""
    call = sent(
        rule_id=1001,
        option={"sendno": "test", "owner": "admin", "black_id": 1234, "priority": 2},
        callback={"url": "https://www.jiguang.cn/ums-portal", "params": {"name": "joe", "age": 26}},
    )
    assert (call.rule_id, call.sendno, call.owner, call.black_id) == (1001, "test", "admin", 1234)
    assert (
        call.callback_params,
        call.callback_url,
    ) == ({"name": "joe", "age": 26}, "https://www.jiguang.cn/ums-portal")


@pytest.mark.parametrize("absent", [None, ...])
def test_absent_options_are_absent(absent: object) -> None:
    """No sendno is not an empty sendno."""
    assert sent(option=absent, callback=absent, rule_id=absent).sendno is None
    assert sent(option={"sendno": ""}).sendno == ""


# ---------------------------------------------------------------- fuzz

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "aud_userid", "aud_tag", "aud_segment", "aud_email", "aud_wechatwk_linkedcorp", "msg_app", "msg_wechatoa",
        "msg_wechatmp", "msg_sms", "msg_email", "msg_alipay_life", "msg_dingtalk_cc", "msg_wechatwk", "rule_id",
        "option", "callback",
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "platform", "notification", "message", "type", "template_id", "data", "value", "miniprogram", "appid",
        "temp_id", "content", "subject", "text", "files", "context", "action_name", "msg", "msgtype", "news",
        "mpnews", "articles", "title", "url", "safe", "content_item", "sendno", "priority", "black_id", "params",
    ]
)  # fmt: skip
VALUES = st.recursive(
    JSON | st.sampled_from(["all", "text", "news", "mpnews", "miniprogram_notice", "image", 0, 1, "http://x/"]),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=15,
)


def outcome_of(body: bytes) -> set[int]:
    """The codes that both parsers give for a body; 0 = a call."""
    codes = set()
    for parse in (parse_sent, parse_broadcast):
        try:
            parse(document(body))
            codes.add(0)
        except Rejected as refused:
            codes.add(refused.code)
    return codes


@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_parser_never_raises_anything_but_a_refusal(body: dict[str, Any]) -> None:
    """Whatever JSON comes in: a call or a refusal with a known code, never an uncaught error (RELIABILITY S1)."""
    assert outcome_of(json.dumps(body).encode()) <= {0, *answer.TEXTS}


@given(st.binary(max_size=200))
def test_random_bytes_are_4004(body: bytes) -> None:
    """Random bytes are no call."""
    assert outcome_of(body) == {answer.INVALID}
