"""uvicorn's WebSocket protocol, with a short way out for text that need not wait."""

from collections.abc import Callable
from typing import Any

from starlette.types import Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

_TEXT = 0x81  # FIN and opcode 1 (RFC 6455 §5.2); a server's frames are not masked
_SHORT = 125
_MEDIUM = 0xFFFF

WriteText = Callable[[str], bool]


class SocketProtocol(WebSocketsSansIOProtocol):
    """Accepts, pings and closes as uvicorn does; only a text frame to a peer that keeps up goes straight out."""

    def write_text(self, text: str) -> bool:
        """Send a text now; False when it must wait or cannot go any more, and ASGI's way tells why.

        Events, frame objects and the protocol's own buffer cost a third of a frame at 1,000 readers.
        """
        if self.conn.state is not State.OPEN or self.close_sent or self.disconnected or not self.writable.is_set():
            return False
        payload = text.encode()
        self.transport.write(_head(len(payload)) + payload)
        return True


def _head(size: int) -> bytes:
    if size <= _SHORT:
        return bytes((_TEXT, size))
    if size <= _MEDIUM:
        return bytes((_TEXT, 126, size >> 8, size & 0xFF))
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big")


def text_writer(send: Send) -> WriteText:
    """The short way of a socket's ``send``; where it has none (another server's), everything must wait."""
    protocol: Any = getattr(send, "__self__", None)
    return protocol.write_text if isinstance(protocol, SocketProtocol) else _waits


def _waits(_text: str) -> bool:
    return False
