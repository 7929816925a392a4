"""Text frames that go straight out, read back by the library that clients use."""

import pytest
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side, State

from onebell.http.socket_protocol import SocketProtocol, text_writer


class _Peer:
    """A connection as far as sending needs one; what was written is kept."""

    state = State.OPEN
    close_sent = False
    disconnected = False

    def __init__(self) -> None:
        self.conn = self.writable = self.transport = self
        self.written = b""
        self.has_room = True

    def is_set(self) -> bool:
        return self.has_room

    def write(self, data: bytes) -> None:
        self.written += data


def _read(data: bytes) -> list[tuple[Opcode, bytes]]:
    client = Protocol(Side.CLIENT)
    client.receive_data(data)
    return [(frame.opcode, bytes(frame.data)) for frame in client.events_received()]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_frame_of_any_length_is_read_back(size: int) -> None:
    """Each of the three forms of a frame's length is what the protocol says (RFC 6455 §5.2)."""
    peer = _Peer()

    assert SocketProtocol.write_texts(peer, ["x" * size, "y"])
    assert _read(peer.written) == [(Opcode.TEXT, b"x" * size), (Opcode.TEXT, b"y")]


def test_text_goes_out_as_utf8() -> None:
    """The length counts bytes, not characters."""
    peer = _Peer()
    SocketProtocol.write_texts(peer, ["消息" * 50])

    assert _read(peer.written) == [(Opcode.TEXT, ("消息" * 50).encode())]


@pytest.mark.parametrize(
    ("field", "value"),
    [("has_room", False), ("close_sent", True), ("disconnected", True), ("state", State.CLOSING)],
)
def test_what_must_wait_is_not_written(field: str, value: object) -> None:
    """A full, closing or lost connection is left to ASGI's own way."""
    peer = _Peer()
    setattr(peer, field, value)

    assert not SocketProtocol.write_texts(peer, ["x"])
    assert peer.written == b""


def test_another_servers_socket_has_no_short_way() -> None:
    """Under any other ASGI server everything goes by the ASGI message."""

    async def send(_message: object) -> None: ...

    assert not text_writer(send)(["x"])
