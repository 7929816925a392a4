"""Heads of requests that were parsed before.

A client sends one head over and over, and so do all clients of its kind: to know it by its bytes costs a small part of
parsing it. What is remembered is what the parser itself made of the same bytes.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

KEPT = 512
MOST_BYTES = 2048
"""A longer head is parsed each time: all that is kept stays near 1 MiB."""

_END: Final = b"\r\n\r\n"


class Head(msgspec.Struct, frozen=True):
    """Of a request with a body of known size, after which the connection stays open."""

    told: dict[str, Any]  # of the scopes of its requests: method, raw path, query, headers
    headers: Mapping[bytes, bytes]  # the first value of each
    body_size: int  # bytes


class Heads:
    """Finds them by their bytes."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """Head and body, when ``data`` is one whole request whose head is known."""
        size = data.find(_END) + len(_END)
        head = self._known.get(data[:size])
        return (head, data[size:]) if head is not None and size + head.body_size == len(data) else None

    def learn(self, data: bytes, head: Head) -> None:
        """Remember the head of a request that has just ended where ``data`` ends, unless it did not begin there too."""
        size = data.find(_END) + len(_END)
        raw = data[:size]
        # A line may end without a carriage return: then what looks like one head may be two requests.
        is_one = size + head.body_size == len(data) and raw.count(b"\n") == raw.count(b"\r\n")
        if not is_one or size > MOST_BYTES:
            return
        if len(self._known) >= KEPT:
            del self._known[next(iter(self._known))]
        self._known[raw] = head
