"""The carrier types of UMS and what each is called where (sheet jpush-ums §0, §1.6, §5.3)."""

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """One carrier type."""

    sender: int  # its number in callbacks
    missing: int  # code for a channel group that may not use it
    label: str  # its name inside that code's text


# The vendor's code for WeCom is unknown: never invent one (sheet §1.6).
KINDS: dict[str, Kind] = {
    "app": Kind(1, 1015006, "APP"),
    "wechatoa": Kind(2, 1015008, "微信公众号"),
    "wechatmp": Kind(3, 1015009, "微信小程序"),
    "email": Kind(4, 1015010, "email"),
    "sms": Kind(5, 1015007, "SMS"),
    "dingtalk_cc": Kind(6, 1015012, "钉钉"),
    "alipay_life": Kind(7, 1015011, "支付宝生活号"),
    "wechatwk": Kind(10, 4004, "企业微信"),
}

LINKED = "wechatwk_linkedcorp"
"""An ``aud_`` kind of its own that shares ``msg_wechatwk``."""

AUDIENCES: dict[str, str] = {**{kind: kind for kind in KINDS}, LINKED: "wechatwk"}
"""``aud_<key>`` → the ``msg_`` kind that it goes with."""
