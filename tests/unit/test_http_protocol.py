"""The request line is read as leniently as the services' own clients need (sheet pushplus §1.1, §1.3)."""

import pytest

from onebell.http.protocol import encode_high_bytes, origin_form


def test_high_bytes_are_percent_encoded_and_nothing_else() -> None:
    """Raw UTF-8 in a request line counts as if percent-encoded; ASCII, also ``%`` and spaces, stays as it is."""
    line = "GET /send?content=消息%20a+b HTTP/1.1\r".encode()

    assert encode_high_bytes(line) == b"GET /send?content=%E6%B6%88%E6%81%AF%20a+b HTTP/1.1\r"


def test_invalid_utf8_survives_as_its_bytes() -> None:
    """Bytes that are not UTF-8 are encoded byte by byte: the dialect decides what they mean."""
    assert encode_high_bytes(b"GET /\xff") == b"GET /%FF"


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
