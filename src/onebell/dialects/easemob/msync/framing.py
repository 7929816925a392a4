"""How frames sit in a WebSocket: bare, or wrapped by SockJS for SDK 3.x (sheet easemob-msync §2, §9)."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from starlette.types import Message

SOCKJS_PATH = re.compile(r"/ws/[^/.]+/[^/.]+/websocket")
"""``/ws/{server}/{session}/websocket``."""
_texts = msgspec.json.Decoder(list[str])


class NotAFrame(Exception):
    """A message of the socket that holds no frames."""


@dataclass(frozen=True)
class Framing:
    """One of the two ways."""

    greeting: str
    """What the server says first; empty = nothing."""
    wrap: Callable[[bytes], Message]
    """A frame as the socket takes it."""
    frames: Callable[[Message], Sequence[bytes]]
    """The frames of what the client sent. Raises ``NotAFrame``."""


def _wrap_bare(frame: bytes) -> Message:
    return {"type": "websocket.send", "bytes": frame}


def _bare_frames(message: Message) -> Sequence[bytes]:
    raw = message.get("bytes")
    if raw is None:
        raise NotAFrame
    return (raw,)


def _wrap_sockjs(frame: bytes) -> Message:
    return {"type": "websocket.send", "text": f'a["{base64.b64encode(frame).decode()}"]'}


def _sockjs_frames(message: Message) -> Sequence[bytes]:
    """A list of texts, or one alone."""
    text = message.get("text")
    if text is None:
        raise NotAFrame
    try:
        texts = _texts.decode(text if text.startswith("[") else f"[{text}]")
        return [base64.b64decode(one, validate=True) for one in texts]
    except (msgspec.DecodeError, binascii.Error, ValueError):
        raise NotAFrame from None


BARE = Framing("", _wrap_bare, _bare_frames)
"""One binary message per frame."""
SOCKJS = Framing("o", _wrap_sockjs, _sockjs_frames)
"""Text messages: ``a["<base64>"]`` down, ``["<base64>"]`` up."""


def framing_of(path: str) -> Framing:
    """What a socket's path asks for."""
    return SOCKJS if SOCKJS_PATH.fullmatch(path) else BARE
