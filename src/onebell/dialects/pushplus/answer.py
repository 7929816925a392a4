"""Every code and text that this service can give, and the answers made of them (sheet pushplus §1.4, §1.5).

The HTTP status is 200 for every business outcome; the verdict is ``code`` in the body.
"""

from enum import Enum
from typing import Any

import msgspec

from onebell.errors import ScriptFault
from onebell.http.exchange import Answer

CORS = {
    b"access-control-allow-origin": b"*",
    b"access-control-allow-methods": b"GET,POST,PUT,DELETE,OPTIONS",
    b"access-control-allow-headers": b"content-type, access-key",
    b"access-control-max-age": b"86400",
}
"""Browsers call this API directly (sheet §1.1)."""

_HEADERS = ((b"content-type", b"application/json;charset=UTF-8"), *CORS.items())
_encode = msgspec.json.Encoder().encode


class Fault(Enum):
    """What ``/send`` and ``/batchSend`` refuse, in the order in which it is checked (§1.5): row, code, text."""

    NOT_JSON = ("E15", 999, "请求内容不是合法的JSON格式")
    ADDRESS_BANNED = ("E19", 403, "IP被禁止访问")
    TOKEN_ABSENT = ("E1", 999, "token不能为空")
    TOKEN_UNKNOWN = ("E2", 903, "无效的用户令牌")
    NOT_VERIFIED = ("E3", 905, "账户未进行实名认证")
    QUOTA = ("E4", 900, "请求次数过多,减少请求后2天恢复正常")
    SENDING_OFF = ("E5", 999, "发送消息功能已关闭")
    CONTENT_ABSENT = ("E6", 999, "发送内容不能为空")
    TITLE_TOO_LONG = ("E7", 999, "消息标题不能超过{}个字")
    CONTENT_TOO_LONG = ("E8", 999, "消息内容不能超过{}个字")
    FORM_WITHOUT_ID = ("E16a", 999, "template为{}时，pushId不能为空")
    FORM_NOT_BUILT = ("E16b", 999, "push模板暂不支持")
    CHANNEL_UNKNOWN = ("E9", 999, "发送渠道不存在")
    CODE_ABSENT = ("E10a", 999, "渠道编码不能为空")
    CODE_UNKNOWN = ("E10b", 999, "渠道编码不存在")
    TOPIC_UNKNOWN = ("E11", 999, "群组不存在")
    TIMESTAMP_MALFORMED = ("E13", 999, "timestamp格式不正确")
    TIMESTAMP_PAST = ("E12", 999, "消息已超过有效时间,不再发送")
    PRE_UNKNOWN = ("E14", 999, "预处理编码不存在")
    TOO_FAST = ("E17", 999, "请求过于频繁,请稍后再试")
    REPEATED_CONTENT = ("E18", 999, "请勿频繁推送相同内容")
    POINTS_SHORT = ("points", 888, "积分不足，需要充值")
    TOO_MANY_CHANNELS = ("batch", 999, "发送渠道不能超过5个")
    UNEXPECTED = ("E20", 500, "系统异常，请稍后再试")

    @property
    def row(self) -> str:
        """The row of the sheet's table."""
        return self.value[0]

    @property
    def code(self) -> int:
        """``code`` of the answer."""
        return self.value[1]

    @property
    def text(self) -> str:
        """``msg`` of the answer, with ``{}`` where a limit or a name is inserted."""
        return self.value[2]


class Rejected(Exception):
    """A request is refused with this service's own words."""

    def __init__(self, fault: Fault, insert: object = "") -> None:
        self.fault = fault
        self.code = fault.code
        self.text = fault.text.format(insert)
        super().__init__(self.text)


_INVALID = "服务端验证错误"


class OpenFault(Enum):
    """What the open API refuses: code, ``msg``, ``data`` (§2); ``{}`` in data is where a name is inserted."""

    UNAUTHORIZED = (401, "请求未授权", None)
    ADDRESS_NOT_ALLOWED = (403, "请求IP未授权", None)
    TOKEN_UNKNOWN = (903, "无效的用户令牌", None)
    NOT_YOURS = (805, "无权查看", None)
    NOT_BUILT = (999, _INVALID, "暂不支持")
    NOT_JSON = (999, _INVALID, "请求内容不是合法的JSON格式")
    ABSENT = (999, _INVALID, "{}不能为空")
    MALFORMED = (999, _INVALID, "{}格式不正确")
    TOO_LONG = (999, _INVALID, "{}过长")
    BODY_TOO_LONG = (999, _INVALID, "请求内容过长")
    CODE_TAKEN = (999, _INVALID, "编码已存在")
    GONE = (999, _INVALID, "数据不存在")
    NO_MESSAGE = (999, _INVALID, "消息不存在")
    NO_TOKEN = (999, _INVALID, "消息token不存在")
    NO_DEFAULT = (999, _INVALID, "默认配置不存在")
    DEFAULT_TAKEN = (999, _INVALID, "该token已有默认配置")
    NO_CHANNEL = (999, _INVALID, "发送渠道不存在")
    CODE_ABSENT = (999, _INVALID, "渠道编码不能为空")
    NO_CODE = (999, _INVALID, "渠道编码不存在")
    NO_PRE = (999, _INVALID, "预处理编码不存在")
    NO_TOPIC = (999, _INVALID, "群组不存在")
    NO_MEMBER = (999, _INVALID, "群组用户不存在")
    NO_FRIEND = (999, _INVALID, "好友不存在")
    NOT_JOINED = (999, _INVALID, "未加入该群组")
    NOT_LISTED = (999, _INVALID, "黑名单记录不存在")
    LISTS_ONESELF = (999, _INVALID, "不能将自己加入黑名单")
    TOO_MANY_TOPICS = (999, _INVALID, "群组数量不能超过{}个")
    REMARK_TOO_LONG = (999, _INVALID, "备注不能超过{}个字")
    SCRIPT = (999, _INVALID, "{}")
    NO_CONFIG = (999, _INVALID, "渠道配置不存在")
    TOO_MANY = (999, _INVALID, "数量已达上限")
    NO_IMAGE = (999, _INVALID, "图片不存在")
    NO_PICTURE = (999, _INVALID, "file不是图片")
    PICTURE_TOO_LARGE = (999, _INVALID, "图片过大")
    FORBIDDEN_URL = (999, _INVALID, "{}不是允许访问的地址")

    @property
    def answer(self) -> Answer:
        """HTTP 200 with the three keys, nothing inserted."""
        return _answer(*self.value)


class OpenRefused(Exception):
    """A call of the open API is refused with this service's own words."""

    def __init__(self, fault: OpenFault, insert: object = "") -> None:
        self.code, self.msg, reason = fault.value
        self.data = reason.format(insert) if reason else None
        super().__init__(self.data or self.msg)

    @property
    def answer(self) -> Answer:
        """HTTP 200 with the three keys."""
        return _answer(self.code, self.msg, self.data)


class UploadFault(Enum):
    """What the upload host refuses (§2): ``errno``, which is the HTTP status too, as the real one's is, and ``msg``."""

    BAD_TOKEN = (401, "bad token")
    NO_PICTURE = (400, "file is not an image")
    TOO_LARGE = (413, "file is too large")
    TOO_MANY = (429, "too many images")

    @property
    def answer(self) -> Answer:
        """Both of its clients' ways to see a refusal: the status, and an ``errno`` that is not 0."""
        errno, msg = self.value
        return _json(errno, {"errno": errno, "msg": msg})


SCRIPT_FAULTS = {
    ScriptFault.ERROR: "脚本执行出错",
    ScriptFault.TIME: "脚本执行超时",
    ScriptFault.MEMORY: "脚本占用内存过多",
    ScriptFault.RESULT: "脚本返回内容过长",
    ScriptFault.CRASHED: "脚本异常终止",
    ScriptFault.OVERLOADED: "脚本执行繁忙，请稍后再试",
}
"""What ``pre/test`` says of a script that gave no content and no error of its own (§2)."""

NO_RECIPIENT = "无用户接收消息"
"""Why a message that reached nobody failed (§1.6)."""

EDITED = "修改成功"
DELETED = "删除成功"
DEFAULT_DELETED = "默认配置删除成功"
"""``data`` of changes that answer with words."""

_ACCEPTED = "请求成功"
_DONE = "执行成功"
_LOOK_IT_UP = "请求成功，请用流水号查询最终发送结果"
_WRONG_METHOD = "请求方式不支持"
_NO_ROUTE = "接口不存在"


class _Body(msgspec.Struct):
    code: int
    msg: str
    data: Any


class BatchItem(msgspec.Struct):
    """One element of ``/batchSend``'s answer."""

    shortCode: str | None  # noqa: N815 - the wire's word
    message: str
    code: int
    channel: str


def _answer(code: int, msg: str, data: object, status: int = 200) -> Answer:
    return _json(status, _Body(code, msg, data))


def _json(status: int, value: object) -> Answer:
    return Answer(status, _encode(value), [*_HEADERS])


def accepted(short_code: str) -> Answer:
    """A message is stored: exactly three keys, never ``count`` (the official MCP server rejects a null one)."""
    return _answer(200, _ACCEPTED, short_code)


def rejected(why: Rejected) -> Answer:
    """``/send`` and ``/batchSend`` put the reason into ``msg`` (§1.5)."""
    return _answer(why.code, why.text, None)


def batch(items: list[BatchItem]) -> Answer:
    """``/batchSend``: the top level is 200 whatever the elements say."""
    return _answer(200, _DONE, items)


def batch_accepted(short_code: str, channel: str) -> BatchItem:
    """One channel took the message."""
    return BatchItem(short_code, _LOOK_IT_UP, 200, channel)


def batch_rejected(why: Rejected, channel: str) -> BatchItem:
    """One channel refused it."""
    return BatchItem(None, why.text, why.code, channel)


def found(data: object) -> Answer:
    """The open API's success."""
    return _answer(200, _ACCEPTED, data)


def done(data: object = None) -> Answer:
    """The open API's success where the sheet's table has a †."""
    return _answer(200, _DONE, data)


def uploaded(image: object) -> Answer:
    """The upload host's success, which has a shape of its own."""
    return _json(200, image)


def unexpected() -> Answer:
    """Anything we did not foresee: still HTTP 200 (row E20)."""
    return rejected(Rejected(Fault.UNEXPECTED))


def options() -> Answer:
    """The answer to a preflight."""
    return Answer(200, b"", list(CORS.items()))


def wrong_method(allowed: tuple[str, ...]) -> Answer:
    """HTTP 405 (§1.1), in the shape clients read."""
    answer = _answer(999, _WRONG_METHOD, None, 405)
    answer.headers.append((b"allow", ",".join(allowed).encode()))
    return answer


def no_route() -> Answer:
    """A path of this area that is nobody's."""
    return _answer(999, _NO_ROUTE, None, 404)
