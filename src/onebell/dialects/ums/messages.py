"""What each ``msg_<carrier>`` element must hold (sheet jpush-ums §1.4), WeCom's apart.

Unknown fields are the provider's business and pass; recipients are ours and are dropped.
"""

import re
from collections.abc import Callable
from typing import Any
from unicodedata import east_asian_width

from onebell.dialects.ums.answer import (
    PLATFORM_MISSING,
    PLATFORM_WRONG,
    SMS_TEMPLATE_WRONG,
    Rejected,
    invalid,
)
from onebell.dialects.ums.fields import (
    Object,
    Text,
    an_object,
    check_texts,
    choice,
    is_integer,
    optional_object,
    text,
)
from onebell.dialects.ums.wecom import check_wecom

PLATFORMS = frozenset({"android", "ios", "quickapp", "hmos", "winphone"})
APP_CONTENTS = ("notification", "message", "live_activity", "notification_3rd")
# Names, and what JPush would take and UMS does not (seed: "Unsupported parameters are …").
APP_REMOVED = frozenset({"callback", "audience", "voip"})
RECIPIENTS = frozenset(
    {"touser", "toparty", "totag", "toall", "to_user_id", "mobile", "userid_list", "agentid", "agent_id"}
)
ALIPAY_VALUE_CHARS = 128
ALIPAY_ACTION_WIDTH = 16  # 8 Chinese or 16 Latin characters: half-widths
ALIPAY_VALUES = re.compile(r"^(?:keyword\d+|first|remark)$")


def clean(kind: str, element: dict[str, Any]) -> dict[str, Any]:
    """The element without the fields that name receivers, and without what JPush must not get."""
    dropped = RECIPIENTS | APP_REMOVED if kind == "app" else RECIPIENTS
    kept = {key: value for key, value in element.items() if key not in dropped}
    notification = kept.get("notification")
    if kind == "app" and isinstance(notification, dict) and "voip" in notification:
        kept["notification"] = {key: value for key, value in notification.items() if key != "voip"}
    return kept


def _platform(element: Object) -> None:
    platform = element.get("platform")
    if platform is None:
        raise Rejected(PLATFORM_MISSING)
    if platform == "all":
        return
    names = [platform] if isinstance(platform, str) else platform
    if not isinstance(names, list) or not names:
        raise Rejected(PLATFORM_WRONG)
    if not all(isinstance(name, str) and name in PLATFORMS for name in names):
        raise Rejected(PLATFORM_WRONG)


def _app(element: Object, where: str) -> None:
    _platform(element)
    given = [name for name in APP_CONTENTS if element.get(name) is not None]
    if not given:
        raise invalid(where, f"needs one of {', '.join(APP_CONTENTS)}")
    for name in given:
        an_object(element, name, where)


def _template_data(element: Object, where: str) -> None:
    for key, item in an_object(element, "data", where).items():
        if not isinstance(item, dict) or "value" not in item:
            raise invalid(f"{where}.data.{key}", "must be an object with a value")


def _wechat_oa(element: Object, where: str) -> None:
    kind = element.get("type")
    if not is_integer(kind) or kind not in (0, 1):
        raise invalid(f"{where}.type", "must be 0 or 1")
    check_texts(element, (Text(name="template_id", required=True),), where)
    _template_data(element, where)
    program = optional_object(element, "miniprogram", where)
    if program is not None:
        check_texts(program, (Text(name="appid", required=True), Text(name="pagepath")), f"{where}.miniprogram")
    links = ("url", "color") if kind == 0 else ("page",)
    check_texts(element, [Text(name=name) for name in links], where)


def _wechat_mp(element: Object, where: str) -> None:
    check_texts(element, (Text(name="template_id", required=True), Text(name="page")), where)
    _template_data(element, where)
    choice(element, "miniprogram_state", ("developer", "trial", "formal"), where)
    choice(element, "lang", ("zh_CN", "en_US", "zh_HK", "zh_TW"), where)


def sms_shape(element: Object) -> str:
    """``jsms`` (a template) or ``cmpp`` (a text): which of the two the element is written as."""
    return "cmpp" if "content" in element and "temp_id" not in element else "jsms"


def _sms(element: Object, where: str) -> None:
    if sms_shape(element) == "cmpp":
        check_texts(element, (Text(name="content", required=True),), where)
        return
    if "temp_id" not in element:
        raise invalid(where, "needs temp_id or content")
    template = element["temp_id"]
    if not is_integer(template) or template <= 0:
        raise Rejected(SMS_TEMPLATE_WRONG)
    optional_object(element, "temp_para", where)
    sign = element.get("sign_id")
    if sign is not None and not is_integer(sign) and not (isinstance(sign, str) and _is_number(sign)):
        raise invalid(f"{where}.sign_id", "must be an integer")


def _is_number(value: str) -> bool:
    return not value or (value.isascii() and value.isdigit())


def _email(element: Object, where: str) -> None:
    check_texts(element, (Text(name="subject", required=True), Text(name="text", required=True, max_bytes=0)), where)
    files = element.get("files")
    if files is None:
        return
    if not isinstance(files, list):
        raise invalid(f"{where}.files", "must be an array of URLs")
    for url in files:
        if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
            raise invalid(f"{where}.files", "must be http or https URLs")


def _alipay(element: Object, where: str) -> None:
    check_texts(element, (Text(name="template_id", required=True, max_chars=128),), where)
    context, inside = an_object(element, "context", where), f"{where}.context"
    check_texts(
        context,
        (
            Text(name="head_color", required=True, max_chars=10),
            Text(name="url", required=True, max_chars=256),
        ),
        inside,
    )
    action = text(context, Text(name="action_name", required=True), inside)
    if sum(2 if east_asian_width(char) in "WF" else 1 for char in action) > ALIPAY_ACTION_WIDTH:
        raise invalid(f"{inside}.action_name", "must not exceed 8 Chinese or 16 Latin characters")
    for key in filter(ALIPAY_VALUES.match, context):
        value = an_object(context, key, inside)
        check_texts(value, (Text(name="value", max_chars=ALIPAY_VALUE_CHARS),), f"{inside}.{key}")


def _dingtalk(element: Object, where: str) -> None:
    message = an_object(element, "msg", where)
    if message.get("msgtype") != "text":
        raise invalid(f"{where}.msg.msgtype", "must be text")
    body = an_object(message, "text", f"{where}.msg")
    check_texts(body, (Text(name="content", required=True),), f"{where}.msg.text")


CHECKS: dict[str, Callable[[Object, str], None]] = {
    "app": _app,
    "wechatoa": _wechat_oa,
    "wechatmp": _wechat_mp,
    "sms": _sms,
    "email": _email,
    "alipay_life": _alipay,
    "dingtalk_cc": _dingtalk,
    "wechatwk": check_wecom,
}
