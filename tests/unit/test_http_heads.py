"""Heads that were parsed before are known by their bytes, and by nothing less."""

import pytest

from onebell.http.heads import KEPT, MOST_BYTES, Head, Heads

RAW = b"POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
HEAD = Head({"method": "POST", "raw_path": b"/send"}, {b"host": b"x", b"content-length": b"3"}, 3)


def test_a_head_is_known_by_its_bytes() -> None:
    """Another body of the same size has the same head; a byte less or more of either is for the parser."""
    heads = Heads()
    heads.learn(RAW + b"one", HEAD)

    assert heads.find(RAW + b"two") == (HEAD, b"two")
    for other in (RAW + b"on", RAW + b"one ", RAW + b"one" + RAW + b"two", RAW[1:] + b"one", RAW, b"one", b""):
        assert heads.find(other) is None


@pytest.mark.parametrize(
    "data",
    [
        RAW + RAW + b"one",  # somebody else's head before it
        RAW + b"one" + RAW,
        b"GET / HTTP/1.1\nHost: x\n\n" + RAW + b"one",  # the parser takes bare line ends
        RAW.replace(b"Host: x", b"Host: " + b"x" * MOST_BYTES) + b"one",
    ],
)
def test_only_what_was_one_request_is_learned(data: bytes) -> None:
    """When the parser saw more in the packet than the request that has just ended, nothing is remembered of it."""
    heads = Heads()
    heads.learn(data, HEAD)

    assert heads.find(data) is None


def test_only_so_many_are_kept() -> None:
    """The oldest go first: whoever sends a new head each time fills no memory."""
    heads = Heads()
    requests = [RAW.replace(b"/send", b"/%d" % number) + b"one" for number in range(KEPT + 1)]
    for one in requests:
        heads.learn(one, HEAD)

    assert [heads.find(one) is not None for one in (requests[0], requests[1], requests[-1])] == [False, True, True]
