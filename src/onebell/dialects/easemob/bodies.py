"""A message's ``body`` by type: checked, and in the form it is stored and delivered in (sheet easemob §1.3, §1.7)."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from onebell.dialects.easemob.answer import is_empty, is_illegal

Body: TypeAlias = Mapping[str, Any]

CUSTOM_EVENT = re.compile(r"[a-zA-Z0-9\-_/.]{1,32}")
CUSTOM_EXTS = 16
NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?")


@dataclass(frozen=True)
class Reader:
    """Reads fields of one body. ``lenient``: fields that only the seed requires may be missing (D1)."""

    body: Body
    lenient: bool

    def need(self, name: str) -> str:
        """A text that must be there."""
        if not (value := self.text(name)):
            raise is_empty(f"body.{name}")
        return value

    def seed_text(self, name: str) -> str:
        """A text that the seed requires and newer clients leave out."""
        return self.text(name) if self.lenient else self.need(name)

    def text(self, name: str) -> str:
        """A text, empty when absent."""
        value = self.body.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise is_illegal(f"body.{name}")
        return value

    def seed_count(self, *names: str) -> int:
        """A whole number under the first name that is there; the seed requires it."""
        value = next((self.body[name] for name in names if self.body.get(name) is not None), None)
        if value is None and not self.lenient:
            raise is_empty(f"body.{names[0]}")
        return _count(value, names[0])

    def count(self, name: str) -> int:
        """A whole number, 0 when absent."""
        return _count(self.body.get(name), name)

    def number(self, name: str) -> float:
        """A number that must be there, as a number or as text."""
        value = self.body.get(name)
        if value is None or value == "":
            raise is_empty(f"body.{name}")
        if isinstance(value, str) and NUMBER.fullmatch(value):
            value = float(value)
        if not _is_number(value):
            raise is_illegal(f"body.{name}")
        return value

    def size(self) -> dict[str, float]:
        """``{"height","width"}``, both or the whole missing."""
        value = self.body.get("size")
        if not isinstance(value, dict):
            raise is_illegal("body.size")
        sides = {side: value.get(side) for side in ("height", "width")}
        if not all(_is_number(side) for side in sides.values()):
            raise is_illegal("body.size")
        return sides  # type: ignore[return-value]  # checked just above


def _is_number(value: object) -> bool:
    """Whether clients get it as a double: JSON's integers have no end."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _count(value: object, name: str) -> int:
    if value is None:
        return 0
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not 0 <= value < 2**63:  # type: ignore[operator]
        raise is_illegal(f"body.{name}")
    return int(value)  # type: ignore[call-overload,no-any-return]


def _txt(reader: Reader) -> dict[str, Any]:
    return {"msg": reader.need("msg")}


def _img(reader: Reader) -> dict[str, Any]:
    body: dict[str, Any] = {
        "filename": reader.seed_text("filename"),
        "url": reader.need("url"),
        "secret": reader.text("secret"),
        "file_length": reader.count("file_length"),
    }
    if reader.body.get("size") is not None:
        body["size"] = reader.size()
    elif not reader.lenient:
        raise is_empty("body.size")
    return body


def _audio(reader: Reader) -> dict[str, Any]:
    return {
        "filename": reader.seed_text("filename"),
        "url": reader.need("url"),
        # The seed's table says Length, its example and every client say length (sheet §1.3).
        "length": reader.seed_count("length", "Length"),
        "secret": reader.text("secret"),
        "file_length": reader.count("file_length"),
    }


def _video(reader: Reader) -> dict[str, Any]:
    body: dict[str, Any] = {
        "filename": reader.text("filename"),
        "url": reader.need("url"),
        "length": reader.seed_count("length"),
        "file_length": reader.seed_count("file_length"),
        "secret": reader.text("secret"),
        "thumb": reader.text("thumb"),
        "thumb_secret": reader.text("thumb_secret"),
    }
    if reader.body.get("size") is not None:
        body["size"] = reader.size()
    return body


def _file(reader: Reader) -> dict[str, Any]:
    return {
        "filename": reader.seed_text("filename"),
        "url": reader.need("url"),
        "secret": reader.text("secret"),
        "file_length": reader.count("file_length"),
    }


def _loc(reader: Reader) -> dict[str, Any]:
    return {"lat": reader.number("lat"), "lng": reader.number("lng"), "addr": reader.need("addr")}


def _cmd(reader: Reader) -> dict[str, Any]:
    body: dict[str, Any] = {"action": reader.need("action")}
    if (param := reader.body.get("param")) is not None:
        if not isinstance(param, dict):
            raise is_illegal("body.param")
        body["param"] = param
    return body


def _custom(reader: Reader) -> dict[str, Any]:
    event = reader.body.get("customEvent")
    if event is not None and not (isinstance(event, str) and CUSTOM_EVENT.fullmatch(event)):
        raise is_illegal("body.customEvent")
    exts = _custom_exts(reader.body.get("customExts"))
    return {
        "customEvent": event or "",
        "customExts": [{key: value} for key, value in exts.items()],  # the old form
        "v2:customExts": exts,
    }


def _custom_exts(exts: object) -> dict[str, str]:
    if exts is None:
        return {}
    if not isinstance(exts, dict) or len(exts) > CUSTOM_EXTS:
        raise is_illegal("body.customExts")
    return {key: _scalar(value) for key, value in exts.items()}


def _scalar(value: object) -> str:
    """Non-string scalars become strings (D2: the Java SDK sends booleans and integers)."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise is_illegal("body.customExts")


TYPES: dict[str, Callable[[Reader], dict[str, Any]]] = {
    "txt": _txt,
    "img": _img,
    "audio": _audio,
    "video": _video,
    "file": _file,
    "loc": _loc,
    "cmd": _cmd,
    "custom": _custom,
}

# The text of a message that is not text, in the inbox and in pushes (sheet §6).
LABELS = {
    "img": "[图片]",
    "audio": "[语音]",
    "video": "[视频]",
    "file": "[文件]",
    "loc": "[位置]",
    "custom": "[自定义消息]",
    "combine": "[聊天记录]",
}


def stored_body(kind: str, body: Body, *, lenient: bool) -> dict[str, Any]:
    """The canonical stored body of a type in ``TYPES``.

    Raises:
        Rejected: a field is missing or holds what it must not.
    """
    return {**TYPES[kind](Reader(body, lenient)), "type": kind}


def text_of(kind: str, body: Body) -> str:
    """What a person reads of a stored body; empty for commands, which nobody is shown."""
    if kind == "txt" or (kind == "combine" and body["msg"]):
        return str(body["msg"])
    if kind == "loc":
        return f"{LABELS[kind]} {body['addr']}"
    return LABELS.get(kind, "")


def documented(body: Body) -> dict[str, Any]:
    """A stored body as servers and lists of conversations are shown it.

    What only clients send is a sub-type there: of a text, or of a picture (document "callback_message_send";
    easemob-websdk 4.21.1 reads lists of conversations so).
    """
    if body.get("type") == "combine":
        return {**body, "type": "txt", "subType": "sub_combine"}
    if body.get("gif"):
        return {**{name: value for name, value in body.items() if name != "gif"}, "subType": "sub_gif"}
    return dict(body)
