"""uvicorn's WebSocket protocol, with a short way out for texts that need not wait."""

from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

_TEXT = 0x81  # FIN and opcode 1 (RFC 6455 §5.2); a server's frames are not masked
_SHORT = 125
_MEDIUM = 0xFFFF

WriteTexts = Callable[[Iterable[str]], bool]


class SocketProtocol(WebSocketsSansIOProtocol):
    """Accepts, pings and closes as uvicorn does; only text frames to a peer that keeps up go straight out."""

    def write_texts(self, texts: Iterable[str]) -> bool:
        """Send texts now, a frame each; False when they must wait or cannot go any more, and ASGI's way tells why.

        Events, frame objects and the protocol's own buffer cost a third of a frame at 1,000 readers.
        """
        if self.conn.state is not State.OPEN or self.close_sent or self.disconnected or not self.writable.is_set():
            return False
        self.transport.write(b"".join([_head(len(payload)) + payload for payload in map(str.encode, texts)]))
        return True


def _head(size: int) -> bytes:
    if size <= _SHORT:
        return bytes((_TEXT, size))
    if size <= _MEDIUM:
        return bytes((_TEXT, 126, size >> 8, size & 0xFF))
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big")


def text_writer(send: Send) -> WriteTexts:
    """The short way of a socket's ``send``; where it has none (another server's), everything must wait."""
    protocol: Any = getattr(send, "__self__", None)
    return protocol.write_texts if isinstance(protocol, SocketProtocol) else _wait


def _wait(_texts: Iterable[str]) -> bool:
    return False
