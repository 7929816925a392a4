"""One live reader of a mailbox: where it stands, and the frames that wait for it."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

PIECE = 32 * 1024
"""Bytes that go to a transport at once: what it holds is not counted any more."""
ROOM = 64 * 1024
"""A reader gets more of its past when less than this waits: catching up never cuts anybody."""


class Tail(msgspec.Struct, frozen=True):
    """A message as all its readers see it: encoded once."""

    text: str
    size: int  # bytes of UTF-8


class Server(Protocol):
    """Who serves a reader (``core/stream.py``)."""

    def now(self) -> float:
        """Seconds that never jump."""
        ...

    def fall_behind(self, reader: "Reader") -> None:
        """The reader has room for more of its past."""
        ...


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One item on its way to one reader."""

    rev: int
    text: str
    size: int


class Reader:
    """Somebody who reads a mailbox from this node, and what waits for him."""

    __slots__ = ("_hub", "_waiting", "catching", "current", "ended", "mailbox", "moved_at", "position", "space",
                 "unsent", "wake", "wanted")  # fmt: skip

    def __init__(self, hub: Server, space: int, mailbox: int, position: int, wake: Callable[[], None]) -> None:
        self._hub = hub
        self._waiting: deque[Frame] = deque()
        self.space = space
        self.mailbox = mailbox
        self.position = position
        """Every change up to this rev is sent or waits here."""
        self.wake = wake
        """Called when there is something to take, or the reader has ended. Must not raise."""
        self.current = False
        """Knows everything that this node has heard of; else it is behind, catching up, or full."""
        self.catching = False
        self.wanted = False
        """Something was heard while it was catching up."""
        self.unsent = 0
        self.moved_at = 0.0
        self.ended = ""
        """Why the hub has let go of it: ``slow``, or what :meth:`Hub.end` was told; empty while it is served."""

    def next(self) -> list[Frame]:
        """The frames to send now, in one piece of about ``PIECE`` bytes; call :meth:`sent` when they have left."""
        frames: list[Frame] = []
        size = 0
        while self._waiting and size < PIECE:
            frame = self._waiting.popleft()
            frames.append(frame)
            size += frame.size
        return frames

    def sent(self, frames: Iterable[Frame]) -> None:
        """The transport has taken these."""
        for frame in frames:
            self.unsent -= frame.size
        if self.unsent:
            self.moved_at = self._hub.now()
        if not self.current and not self.catching and self.unsent < ROOM:
            self._hub.fall_behind(self)

    def put(self, frame: Frame, now: float) -> None:
        """Let a frame wait; ``now`` in the hub's seconds."""
        if not self._waiting:
            self.moved_at = now
        self._waiting.append(frame)
        self.unsent += frame.size
        self.position = frame.rev

    @property
    def has_frames(self) -> bool:
        """Whether there is something to take."""
        return bool(self._waiting)
