"""What a stored body says to people: the neutral form that the inbox shows of all types (sheet easemob §1.3)."""

from collections.abc import Mapping
from mimetypes import guess_type
from typing import Any, Final

from onebell.core.context import Context, StoredFile
from onebell.core.model import Attachment, Custom, Kind, Location, Talk
from onebell.dialects.easemob.file_access import find_named, opens

KINDS: Final[Mapping[str, Kind]] = {
    "txt": Kind.TEXT,
    "img": Kind.IMAGE,
    "audio": Kind.VOICE,
    "video": Kind.VIDEO,
    "file": Kind.FILE,
    "loc": Kind.LOCATION,
    "cmd": Kind.COMMAND,
    "custom": Kind.CUSTOM,
    "combine": Kind.MESSAGE,
}
WITH_FILE: Final = frozenset({Kind.IMAGE, Kind.VOICE, Kind.VIDEO, Kind.FILE})
Body = Mapping[str, Any]


async def talk_of(context: Context, space: int, body: Body) -> Talk:
    """A body's neutral form. A file of ours is named by its row, so that it lives as long as the message."""
    kind = KINDS[body["type"]]
    if kind in WITH_FILE:
        file = await _file(context, space, body)
        return Talk(kind=kind, file=file, duration_s=int(body.get("length") or 0))
    match kind:
        case Kind.LOCATION:
            place = Location(lat=float(body["lat"]), lng=float(body["lng"]), address=str(body["addr"]))
            return Talk(kind=kind, location=place)
        case Kind.CUSTOM:
            exts = {str(key): str(value) for key, value in body.get("v2:customExts", {}).items()}
            return Talk(kind=kind, custom=Custom(event=str(body.get("customEvent", "")), exts=exts))
    return Talk(kind=kind)


async def _file(context: Context, space: int, body: Body) -> Attachment:
    url, name = str(body["url"]), str(body.get("filename", ""))
    size = int(body.get("file_length") or 0)
    ours = await find_named(context, space, url) if url else None
    # Who names a file without its secret must not be given a way to it.
    if ours is not None and opens(context.vault, ours, str(body.get("secret", ""))):
        return Attachment(name=name or ours.name, type=_type(ours, name), file=ours.id, size=ours.size)
    web = url if url.lower().startswith(("http://", "https://")) else ""
    return Attachment(name=name, type=guess_type(name)[0] or "", url=web, size=size)


def _type(file: StoredFile, name: str) -> str:
    return file.type or guess_type(name or file.name)[0] or ""
