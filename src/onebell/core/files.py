"""Which stored files a submission names, so that they live as long as its message."""

from collections.abc import Iterator
from typing import Any

from onebell.core.model import Submission

FILE = "$file"
"""``{"$file": id}`` in a native payload or a dialect's memory stands for a stored file (sheet wecom §2.4).

A provider gets it in base64; as its text where ``"as": "text"`` stands beside it.
"""
_FILE = FILE.encode()
_SIGN = b'file":'  # in each of the packed forms: "file", "body_file" and "$file"
_NONE: frozenset[int] = frozenset()


def files_named(submission: Submission, parts: bytes, extra: bytes) -> frozenset[int]:
    """Ids of the files in attachments, conversations, long bodies, native payloads and the dialect's memory.

    ``parts`` and ``extra`` are the submission's, packed: what holds no reference is not walked through.
    """
    if _SIGN not in parts and _FILE not in extra:
        return _NONE
    found = {part.content.body_file for part in submission.parts}
    for part in submission.parts:
        found.update(attachment.file for attachment in part.content.attachments)
        if part.content.talk is not None and part.content.talk.file is not None:
            found.add(part.content.talk.file.file)
    if _FILE in parts:
        for part in submission.parts:
            found.update(_referred(part.native))
    if _FILE in extra:
        found.update(_referred(submission.extra))
    return frozenset(found - {0})


def _referred(value: Any) -> Iterator[int]:
    match value:
        case {"$file": int(number)}:
            yield number
        case dict():
            for inner in value.values():
                yield from _referred(inner)
        case list() | tuple():
            for inner in value:
                yield from _referred(inner)
