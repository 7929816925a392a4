"""The request line is read as leniently as the services' own clients need (sheet pushplus §1.1, §1.3)."""

import pytest

from onebell.http.pieces import Pieces, encode_high_bytes
from onebell.http.protocol import origin_form


def test_high_bytes_are_percent_encoded_and_nothing_else() -> None:
    """Raw UTF-8 in a request line counts as if percent-encoded; ASCII, also ``%`` and spaces, stays as it is."""
    line = "GET /send?content=消息%20a+b HTTP/1.1\r".encode()

    assert encode_high_bytes(line) == b"GET /send?content=%E6%B6%88%E6%81%AF%20a+b HTTP/1.1\r"


def test_invalid_utf8_survives_as_its_bytes() -> None:
    """Bytes that are not UTF-8 are encoded byte by byte: the dialect decides what they mean."""
    assert encode_high_bytes(b"GET /\xff") == b"GET /%FF"


@pytest.mark.parametrize(
    "offer", ["Upgrade: h2c", "upgrade:h2c", "UPGRADE : h2c, websocket", "Connection: a\r\nUpgrade: websocket2"]
)
def test_an_offer_of_another_protocol_is_left_out(offer: str) -> None:
    """The parser would take such a request's body for the other protocol's; the rest of the head stays as it is."""
    (piece,) = Pieces().cut(f"GET /upgrade HTTP/1.1\r\n{offer}\r\nX-A: upgrade: h2c\r\n\r\n".encode())

    kept = "Connection: a\r\n" if "Connection" in offer else ""
    assert piece.decode() == f"GET /upgrade HTTP/1.1\r\n{kept}X-A: upgrade: h2c\r\n\r\n"


@pytest.mark.parametrize("offer", ["Upgrade: websocket", "upgrade:WebSocket "])
def test_websockets_are_still_offered(offer: str) -> None:
    """That offer is one that is taken."""
    head = f"GET /ws HTTP/1.1\r\n{offer}\r\n\r\n".encode()

    assert list(Pieces().cut(head)) == [head]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/send?x=1", b"/send?x=1"),
        (b"//send?x=1", b"/send?x=1"),
        (b"///a//b", b"/a//b"),
        (b"http://www.pushplus.plus/send?token=t", b"/send?token=t"),
        (b"HTTP://h:80//send", b"/send"),
        (b"http://h", b"/"),
        (b"*", b"/*"),
        (b"/a?u=http://b//c", b"/a?u=http://b//c"),
    ],
)
def test_targets_become_origin_form(target: bytes, expected: bytes) -> None:
    """Absolute-form loses its origin, leading slashes are collapsed, the rest stays raw."""
    assert origin_form(target) == expected
