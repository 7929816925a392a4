"""UMS: the rules of every msg_ kind (sheet jpush-ums §1.4)."""

import copy
from typing import Any

import pytest

from onebell.dialects.ums import answer
from onebell.dialects.ums.answer import Rejected
from onebell.dialects.ums.messages import CHECKS, clean

TEMPLATE_DATA = {"first": {"value": "恭喜", "color": "#173177"}, "n": {"value": 1}}
VALID: dict[str, dict[str, Any]] = {
    "app": {"platform": "all", "notification": {"alert": "hi"}},
    "wechatoa": {
        "type": 0,
        "template_id": "T",
        "url": "http://x",
        "miniprogram": {"appid": "a", "pagepath": "p"},
        "data": TEMPLATE_DATA,
    },
    "wechatmp": {"template_id": "T", "page": "i", "miniprogram_state": "trial", "lang": "en_US", "data": TEMPLATE_DATA},
    "sms": {"sign_id": "1", "temp_id": 1, "temp_para": {"code": "1234"}},
    "email": {"subject": "s", "text": "t", "files": ["https://x/a.pdf"]},
    "alipay_life": {
        "template_id": "T",
        "context": {
            "head_color": "#85be53",
            "url": "http://x",
            "action_name": "查看详情",
            "keyword1": {"color": "#85be53", "value": "v"},
            "first": {"value": "v"},
        },
    },
    "dingtalk_cc": {"msg": {"msgtype": "text", "text": {"content": "test"}}},
}
ARTICLE = {"title": "t", "url": "http://x"}
MP_ARTICLE = {"thumb_media_id": "M", "title": "t", "content": "c"}
WECOM: dict[str, dict[str, Any]] = {
    "text": {"msgtype": "text", "text": {"content": "x"}, "safe": 0},
    "image": {"msgtype": "image", "image": {"media_id": "M"}},
    "file": {"msgtype": "file", "file": {"media_id": "M"}},
    "news": {"msgtype": "news", "news": {"articles": [ARTICLE]}},
    "mpnews": {"msgtype": "mpnews", "mpnews": {"articles": [MP_ARTICLE]}, "safe": 2},
    "miniprogram_notice": {
        "msgtype": "miniprogram_notice",
        "miniprogram_notice": {
            "appid": "wx",
            "title": "会议室预订成功通知",
            "description": "4月27日 16:16",
            "emphasis_first_item": True,
            "content_item": [{"key": "会议室", "value": "402"}],
        },
    },
}


def code_of(kind: str, element: dict[str, Any]) -> int:
    """The code that an element gets; 0 = it is taken."""
    try:
        CHECKS[kind](element, f"msg_{kind}[0]")
    except Rejected as refused:
        return refused.code
    return 0


def changed(base: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one value replaced, or removed where it is ``...``."""
    element = copy.deepcopy(base)
    *outer, last = path.split(".")
    inner: Any = element
    for name in outer:
        inner = inner[int(name) if name.isdigit() else name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return element


@pytest.mark.parametrize("kind", VALID)
def test_valid_element_is_taken(kind: str) -> None:
    """The seed's own examples, shortened."""
    assert code_of(kind, VALID[kind]) == 0


@pytest.mark.parametrize("kind", WECOM)
def test_valid_wecom_element_is_taken(kind: str) -> None:
    """All six types of msg_wechatwk."""
    assert code_of("wechatwk", WECOM[kind]) == 0


@pytest.mark.parametrize("kind", [*VALID, "wechatwk"])
def test_unknown_fields_pass(kind: str) -> None:
    """What the provider knows and we do not is passed through."""
    base = VALID.get(kind) or WECOM["text"]
    assert code_of(kind, {**base, "whatever": {"x": [1]}}) == 0


@pytest.mark.parametrize(
    ("platform", "code"),
    [
        (..., answer.PLATFORM_MISSING), (None, answer.PLATFORM_MISSING), (["symbian"], answer.PLATFORM_WRONG),
        ("symbian", answer.PLATFORM_WRONG), ([], answer.PLATFORM_WRONG), ([1], answer.PLATFORM_WRONG),
        (7, answer.PLATFORM_WRONG), ({}, answer.PLATFORM_WRONG), ("android", 0), (["android", "ios"], 0), ("all", 0),
        (["quickapp", "hmos", "winphone"], 0), (["all"], answer.PLATFORM_WRONG),
    ],
)  # fmt: skip
def test_case_18_platform(platform: object, code: int) -> None:
    """Missing and wrong platforms have codes of their own."""
    assert code == code_of("app", changed(VALID["app"], "platform", platform))


@pytest.mark.parametrize("given", [{}, {"notification": None}, {"notification": "x"}, {"message": []}, {"options": {}}])
def test_app_needs_a_content(given: dict[str, Any]) -> None:
    """One of notification, message, live_activity, notification_3rd, each an object."""
    assert code_of("app", {"platform": "all", **given}) == answer.INVALID


def test_case_19_removed_keys() -> None:
    """callback, audience and VOIP never reach JPush; receivers are ours."""
    element = {
        "platform": "all",
        "audience": "all",
        "callback": {},
        "voip": {},
        "notification": {"alert": "x", "voip": {}},
        "cid": "c",
    }
    assert clean("app", element) == {"platform": "all", "notification": {"alert": "x"}, "cid": "c"}


def test_recipients_are_dropped() -> None:
    """A caller cannot smuggle a receiver into a message."""
    smuggled = dict.fromkeys(
        ("touser", "toparty", "totag", "toall", "to_user_id", "mobile", "userid_list", "agentid", "agent_id"), "x"
    )
    assert clean("sms", {"content": "c", "audience": 1, **smuggled}) == {"content": "c", "audience": 1}


WRONG: list[tuple[str, str, object]] = [
    ("wechatoa", "type", 2), ("wechatoa", "type", "0"), ("wechatoa", "type", ...), ("wechatoa", "type", True),
    ("wechatoa", "template_id", ...), ("wechatoa", "template_id", ""), ("wechatoa", "data", ...),
    ("wechatoa", "data", "x"), ("wechatoa", "data.first", "x"), ("wechatoa", "data.first", {"color": "x"}),
    ("wechatoa", "miniprogram", "x"), ("wechatoa", "miniprogram.appid", ...), ("wechatoa", "url", 1),
    ("wechatmp", "template_id", ...), ("wechatmp", "data", ...), ("wechatmp", "miniprogram_state", "beta"),
    ("wechatmp", "lang", "de"), ("wechatmp", "lang", 1), ("wechatmp", "page", 1),
    ("sms", "temp_para", "x"), ("sms", "sign_id", "x"), ("sms", "sign_id", []),
    ("email", "subject", ...), ("email", "subject", ""), ("email", "subject", 1), ("email", "text", ...),
    ("email", "text", ""), ("email", "files", "x"), ("email", "files", [1]), ("email", "files", ["填写url1"]),
    ("email", "files", ["ftp://x/a"]), ("email", "files", [""]),
    ("alipay_life", "template_id", ...), ("alipay_life", "template_id", "x" * 129), ("alipay_life", "context", ...),
    ("alipay_life", "context.head_color", ...), ("alipay_life", "context.head_color", "x" * 11),
    ("alipay_life", "context.url", ...), ("alipay_life", "context.url", "x" * 257),
    ("alipay_life", "context.action_name", ...), ("alipay_life", "context.action_name", "查" * 9),
    ("alipay_life", "context.action_name", "x" * 17), ("alipay_life", "context.keyword1", "x"),
    ("alipay_life", "context.keyword1.value", "x" * 129), ("alipay_life", "context.first.value", 1),
    ("dingtalk_cc", "msg", ...), ("dingtalk_cc", "msg.msgtype", "markdown"), ("dingtalk_cc", "msg.text", "string"),
    ("dingtalk_cc", "msg.text.content", ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value"), WRONG)
def test_broken_rule_is_4004(kind: str, path: str, value: object) -> None:
    """Required fields, types and hard limits."""
    assert code_of(kind, changed(VALID[kind], path, value)) == answer.INVALID


RIGHT: list[tuple[str, str, object]] = [
    ("wechatoa", "miniprogram", None), ("wechatoa", "url", ...), ("wechatmp", "lang", ...), ("wechatmp", "lang", None),
    ("sms", "sign_id", 7), ("sms", "sign_id", ...), ("sms", "sign_id", ""), ("sms", "temp_para", ...),
    ("email", "files", ...), ("email", "files", []), ("email", "files", ["HTTP://x/a"]),
    ("alipay_life", "context.action_name", "查" * 8), ("alipay_life", "context.action_name", "x" * 16),
    ("alipay_life", "context.keyword1.value", "x" * 128), ("dingtalk_cc", "msg.text.content", "x" * 5000),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value"), RIGHT)
def test_limit_itself_is_allowed(kind: str, path: str, value: object) -> None:
    """Optional fields, limits reached exactly, and limits that the seed only suggests."""
    assert code_of(kind, changed(VALID[kind], path, value)) == 0


@pytest.mark.parametrize("template", ["abc", "1", 0, -1, 1.5, None, True])
def test_case_21_sms_template(template: object) -> None:
    """A template id that is no positive integer has a code of its own."""
    assert code_of("sms", changed(VALID["sms"], "temp_id", template)) == answer.SMS_TEMPLATE_WRONG


def test_case_21_sms_without_template_and_content() -> None:
    """Neither shape."""
    assert code_of("sms", {"sign_id": 1}) == answer.INVALID
    assert code_of("sms", {"content": ""}) == answer.INVALID
    assert code_of("sms", {"content": "您登录系统的动态码为:111"}) == 0


WECOM_WRONG: list[tuple[str, str, object]] = [
    ("text", "msgtype", "voice"), ("text", "msgtype", ...), ("text", "msgtype", 1), ("text", "text", ...),
    ("text", "text.content", ""), ("text", "text.content", "x" * 2049), ("text", "text.content", "中" * 683),
    ("text", "safe", 2), ("text", "safe", "0"), ("text", "safe", True), ("text", "enable_duplicate_check", 2),
    ("text", "duplicate_check_interval", 14_401), ("text", "duplicate_check_interval", "x"),
    ("text", "duplicate_check_interval", -1), ("text", "duplicate_check_interval", "14401"),
    ("image", "image.media_id", ""), ("file", "file.media_id", ...),
    ("news", "news.articles", []), ("news", "news.articles", ARTICLE), ("news", "news.articles", [ARTICLE] * 9),
    ("news", "news.articles", ["x"]), ("news", "news.articles.0.title", ...),
    ("news", "news.articles.0.title", "x" * 129), ("news", "news.articles.0.description", "x" * 513),
    ("news", "news.articles.0.url", "x" * 2049), ("news", "news.articles.0.url", ...),
    ("news", "news.articles.0.appid", "a"), ("news", "news.articles.0.pagepath", "p"),
    ("mpnews", "mpnews.articles.0.thumb_media_id", ...), ("mpnews", "mpnews.articles.0.content", ""),
    ("mpnews", "mpnews.articles.0.content", "x" * (666 * 1024 + 1)), ("mpnews", "mpnews.articles.0.digest", "x" * 513),
    ("mpnews", "mpnews.articles.0.author", "x" * 65), ("mpnews", "safe", 3),
    ("miniprogram_notice", "miniprogram_notice.appid", ...),
    ("miniprogram_notice", "miniprogram_notice.title", "会" * 13),
    ("miniprogram_notice", "miniprogram_notice.description", "会" * 13),
    ("miniprogram_notice", "miniprogram_notice.emphasis_first_item", 1),
    ("miniprogram_notice", "miniprogram_notice.content_item", [{"key": "k", "value": "v"}] * 11),
    ("miniprogram_notice", "miniprogram_notice.content_item.0.key", "k" * 11),
    ("miniprogram_notice", "miniprogram_notice.content_item.0.value", "v" * 31),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value"), WECOM_WRONG)
def test_broken_wecom_rule_is_4004(kind: str, path: str, value: object) -> None:
    """Bytes of UTF-8 where the seed says bytes, characters where it says Chinese characters."""
    assert code_of("wechatwk", changed(WECOM[kind], path, value)) == answer.INVALID


WECOM_RIGHT: list[tuple[str, str, object]] = [
    ("text", "text.content", "x" * 2048), ("text", "duplicate_check_interval", "1800"),
    ("text", "duplicate_check_interval", 14_400), ("news", "news.articles", [ARTICLE] * 8),
    ("news", "news.articles", [{"title": "t", "appid": "a", "pagepath": "p"}]),
    ("mpnews", "mpnews.articles.0.content", "x" * (666 * 1024)),
    ("miniprogram_notice", "miniprogram_notice.title", "会"),
    ("miniprogram_notice", "miniprogram_notice.emphasis_first_item", "true"),
    ("miniprogram_notice", "miniprogram_notice.content_item", ...), ("miniprogram_notice", "safe", 2),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value"), WECOM_RIGHT)
def test_wecom_limit_itself_is_allowed(kind: str, path: str, value: object) -> None:
    """Limits reached exactly; two tables of the seed type the interval String; lower bounds are display limits."""
    assert code_of("wechatwk", changed(WECOM[kind], path, value)) == 0
