"""Every code and text that UMS can give (sheet jpush-ums §1.1, §1.6)."""

import msgspec

from onebell.http.exchange import Answer, json_answer

INVALID = 4004
UNAUTHORIZED = 4005
BROKEN = 5000
TOO_MANY_USERIDS = 1015004
GROUP_CLOSED = 1015005
OWNER_REQUIRED = 1015023
GROUP_EXPIRED = 1015025
RULE_GONE = 1015026
BROADCASTS_USED_UP = 1015029
TOO_FAST = 1015030
SENSITIVE_WORDS = 1015034
DO_NOT_DISTURB = 1015038
UNKNOWN_BLACK_LIST = 1015046
BLACK_LISTS_OFF = 1015074
WHITE_LISTS_OFF = 1015075
PLATFORM_MISSING = 1015084
PLATFORM_WRONG = 1015085
SMS_TEMPLATE_WRONG = 1015095
BLACK_AND_WHITE = 1015097

TEXTS: dict[int, str] = {
    INVALID: "参数非法",
    UNAUTHORIZED: "auth验证失败",
    BROKEN: "服务器发生错误",
    TOO_MANY_USERIDS: "一次消息发送最多传 1000 个 userid",
    GROUP_CLOSED: "渠道已关闭",
    1015006: "当前渠道的APP通道未授权/未开启/无效",
    1015007: "当前渠道的SMS通道未授权/未开启/无效",
    1015008: "当前渠道的微信公众号通道未授权/未开启/无效",
    1015009: "当前渠道的微信小程序通道未授权/未开启/无效",
    1015010: "当前渠道的email通道未授权/未开启/无效",
    1015011: "当前渠道的支付宝生活号通道未授权/未开启/无效",
    1015012: "当前渠道的钉钉通道未授权/未开启/无效",
    OWNER_REQUIRED: "该渠道开启了api审核，请正确填写owner",
    GROUP_EXPIRED: "当前渠道已失效",
    RULE_GONE: "发送策略已失效",
    BROADCASTS_USED_UP: "今日广播消息额度已用完",
    TOO_FAST: "api请求超出频率限制",
    SENSITIVE_WORDS: "消息内容中含有敏感词，请修改后重试",
    DO_NOT_DISTURB: "触发免打扰时间管控",
    UNKNOWN_BLACK_LIST: "黑名单id不存在",
    BLACK_LISTS_OFF: "用户黑名单为VIP功能，需升级服务后使用",
    WHITE_LISTS_OFF: "用户白名单为VIP功能，需升级服务后使用",
    PLATFORM_MISSING: "缺少 App 的 platform 信息",
    PLATFORM_WRONG: "App 的 platform 信息错误",
    SMS_TEMPLATE_WRONG: "短信模板ID非法",
    BLACK_AND_WHITE: "黑名单ID和白名单ID不允许同时存在",
}

# Every other failure is a 400 (sheet §1.1).
STATUSES: dict[int, int] = {UNAUTHORIZED: 401, BROKEN: 500, TOO_FAST: 429}


class Rejected(Exception):
    """UMS refuses the call with this code; ``detail`` (``<field> <reason>``) is appended to the code's text."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def invalid(field: str, reason: str) -> Rejected:
    """A parameter error that has no code of its own."""
    return Rejected(INVALID, f"{field} {reason}")


class Rate(msgspec.Struct, frozen=True):
    """What the rate headers say (sheet §1.1)."""

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[bytes, bytes]:
        """``X-Rate-Limit-*``."""
        return {
            b"x-rate-limit-limit": b"%d" % self.limit,
            b"x-rate-limit-remaining": b"%d" % self.remaining,
            b"x-rate-limit-reset": b"%d" % self.reset_s,
        }


class _Accepted(msgspec.Struct, omit_defaults=True):
    # The order of keys is the seed's; ``sendno`` only when the caller gave one.
    code: int
    sendno: str | msgspec.UnsetType = msgspec.UNSET
    msgid: str = ""


class _Failed(msgspec.Struct):
    code: int
    message: str


def accepted(msgid: str, sendno: str | None, rate: Rate | None) -> Answer:
    """The answer to a stored message."""
    body = _Accepted(0, msgspec.UNSET if sendno is None else sendno, msgid)
    return json_answer(200, body, rate.headers() if rate else None)


def failed(refusal: Rejected, rate: Rate | None, status: int = 0) -> Answer:
    """A refusal; ``status`` overrides the code's own (404, 405, 413)."""
    text = TEXTS[refusal.code]
    message = f"{text}: {refusal.detail}" if refusal.detail else text
    headers = rate.headers() if rate else None
    return json_answer(status or STATUSES.get(refusal.code, 400), _Failed(refusal.code, message), headers)
