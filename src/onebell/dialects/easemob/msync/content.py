"""``MessageBody.Content`` and the stored body that REST sends write (sheet easemob-msync §6; easemob §1.7)."""

import math
from collections.abc import Mapping
from typing import Any, Final

from onebell.dialects.easemob.msync.keyvalues import from_pairs, to_pairs
from onebell.dialects.easemob.msync.msync_pb2 import MessageBody

Content = MessageBody.Content
INT_32 = 2**31 - 1

_FILE: Final = (("filename", "display_name"), ("url", "remote_path"), ("secret", "secret_key"))
_THUMB: Final = (
    ("thumb", "thumbnail_remote_path"),
    ("thumb_secret", "thumbnail_secret_key"),
    ("thumb_filename", "thumbnail_display_name"),
)
_COMBINE: Final = (("msg", "text"), ("title", "title"), ("summary", "summary"))

TYPES: Final[Mapping[str, Content.Type]] = {
    "txt": Content.TEXT,
    "img": Content.IMAGE,
    "video": Content.VIDEO,
    "loc": Content.LOCATION,
    "audio": Content.VOICE,
    "file": Content.FILE,
    "cmd": Content.COMMAND,
    "custom": Content.CUSTOM,
    # The SDK itself sends a text with the sub-type 0, so that older clients show its text.
    "combine": Content.TEXT,
}
KINDS: Final = {number: kind for kind, number in TYPES.items() if kind != "combine"} | {Content.COMBINE: "combine"}

# By type: (name in the stored body, name in Content).
TEXTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "txt": (("msg", "text"),),
    "img": (*_FILE, *_THUMB),
    "video": (*_FILE, *_THUMB),
    "loc": (("addr", "address"), ("buildingName", "building_name")),
    "audio": _FILE,
    "file": _FILE,
    "cmd": (("action", "action"),),
    "custom": (("customEvent", "custom_event"),),
    "combine": (*_COMBINE, *_FILE),
}
COUNTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "img": (("file_length", "file_length"),),
    "video": (("length", "duration"), ("file_length", "file_length")),
    "audio": (("length", "duration"), ("file_length", "file_length")),
    "file": (("file_length", "file_length"),),
    "combine": (("combineLevel", "combine_level"), ("file_length", "file_length")),
}
# What the canonical body holds even where a client left it out.
ALWAYS: Final = frozenset({"msg", "filename", "url", "secret", "file_length", "length", "addr", "action"})
SIZED: Final = frozenset({"img", "video"})
GIF: Final = 1


def to_content(body: Mapping[str, Any]) -> Content:
    """A stored body as clients get it."""
    kind = str(body.get("type", "txt"))
    content = Content(type=TYPES.get(kind, Content.TEXT))
    for name, field in TEXTS.get(kind, TEXTS["txt"]):
        if value := body.get(name):
            setattr(content, field, str(value))
    for name, field in COUNTS.get(kind, ()):
        if value := body.get(name):
            setattr(content, field, min(int(value), INT_32))
    _fill(content, kind, body)
    return content


def _fill(content: Content, kind: str, body: Mapping[str, Any]) -> None:
    match kind:
        case "loc":
            content.latitude, content.longitude = float(body["lat"]), float(body["lng"])
        case "cmd" if body.get("param"):
            content.params.extend(to_pairs(body["param"]))
        case "custom":
            content.custom_exts.extend(to_pairs(body.get("v2:customExts", {})))
        case "combine":
            content.sub_type = 0
        case "img" if body.get("gif"):
            # Never on anything else: the sub-type 0 alone would make a text "combined" (sheet §6).
            content.sub_type = GIF
    if kind in SIZED and (size := body.get("size")):
        content.size.width, content.size.height = float(size["width"]), float(size["height"])


def to_body(content: Content) -> dict[str, Any]:
    """What a client wrote, as it is stored.

    Raises:
        ValueError: a type that this server does not know.
    """
    kind = _kind(content)
    body: dict[str, Any] = {}
    for name, field in TEXTS[kind]:
        if (value := getattr(content, field)) or name in ALWAYS:
            body[name] = value
    for name, field in COUNTS.get(kind, ()):
        if (number := getattr(content, field)) or name in ALWAYS:
            body[name] = max(number, 0)
    return {**body, **_more(content, kind), "type": kind}


def _kind(content: Content) -> str:
    if content.type == Content.TEXT and content.HasField("sub_type") and content.sub_type == 0:
        return "combine"
    if content.type not in KINDS:
        raise ValueError(f"content of type {content.type}")
    return KINDS[content.type]


def _more(content: Content, kind: str) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if kind in SIZED and content.HasField("size"):
        more["size"] = {"height": _finite(content.size.height), "width": _finite(content.size.width)}
    match kind:
        case "loc":
            more |= {"lat": _finite(content.latitude), "lng": _finite(content.longitude)}
        case "cmd" if content.params:
            more["param"] = from_pairs(content.params)
        case "custom":
            exts = from_pairs(content.custom_exts)
            more |= {
                "customEvent": content.custom_event,
                "customExts": [{key: value} for key, value in exts.items()],
                "v2:customExts": exts,
            }
        case "img" if content.sub_type == GIF:
            more["gif"] = True
    return more


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
