"""Identifiers: one format per dialect, each with its pattern, and the internal 63-bit ids.

No position is ever read out of an id: what a reader resumes from is counted per mailbox (DESIGN §4).
"""

import re
import secrets
import threading
import uuid
from collections import deque

from onebell.clock import Clock

HEX32 = re.compile(r"^[0-9a-f]{32}$")
"""PushPlus shortCode and token (sheet pushplus §1.1); PushGo message_id, op_id, delivery_id (sheet pushgo §0)."""
WECOM_ID = re.compile(r"^(wr|wo|bp|wb)[A-Za-z0-9_-]{30}$")
"""WeCom group, single chat, post and blackboard ids (sheet wecom §1)."""
EASEMOB_ID = re.compile(r"^\d{15,20}$")
"""Easemob message id: a decimal string below 2^63 (sheet easemob §1.3)."""
UID = re.compile(r"^[A-Za-z0-9_.@!#$&*+=|¥￥-]{1,64}$")
"""A person's uid, unique without case in his space (DESIGN §1)."""

_TIME_MASK = (1 << 48) - 1
_EPOCH_MS = 1_577_836_800_000  # 2020-01-01: leaves 63-bit ids until 2089
_NODE_BITS = 10
_SEQUENCE_BITS = 12
NODES = 1 << _NODE_BITS
"""How many nodes may write to one store."""
BLOCK = 1 << _SEQUENCE_BITS
"""How many ids one millisecond of one node holds; they are consecutive."""
_WECOM_DIGITS = 4 * b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


class IdMint:
    """Mints internal ids: 41 bits of milliseconds, 10 of node, 12 of sequence; unique, below 2^63.

    Runs ahead of the clock when a millisecond's 4096 ids are used up, and never goes back with it.
    """

    def __init__(self, clock: Clock, node: int) -> None:
        if not 0 <= node < 1 << _NODE_BITS:
            raise ValueError(f"node must be below {1 << _NODE_BITS}, got {node}")
        self._clock = clock
        self._node = node
        self._next = 0
        self._lock = threading.Lock()

    @property
    def node(self) -> int:
        """The number of this node among all that write to the same store."""
        return self._node

    def mint(self) -> int:
        """One new id."""
        with self._lock:
            tick = max(self._next, (self._clock.now_ms() - _EPOCH_MS) << _SEQUENCE_BITS)
            self._next = tick + 1
        return self._at(tick)

    def block(self) -> int:
        """The first of ``BLOCK`` consecutive new ids, for rows that the database numbers by itself."""
        with self._lock:
            now = (self._clock.now_ms() - _EPOCH_MS) << _SEQUENCE_BITS
            tick = (max(self._next, now) + BLOCK - 1) & ~(BLOCK - 1)
            self._next = tick + BLOCK
        return self._at(tick)

    def witness(self, other: int) -> None:
        """Every id minted from now on is above ``other``, which another node may have minted by a faster clock."""
        with self._lock:
            self._next = max(self._next, ((other >> (_NODE_BITS + _SEQUENCE_BITS)) + 1) << _SEQUENCE_BITS)

    @staticmethod
    def first_at(at_ms: int) -> int:
        """The lowest id that any node can have minted at an instant: what is older has a lower id."""
        return max(0, at_ms - _EPOCH_MS) << (_NODE_BITS + _SEQUENCE_BITS)

    def _at(self, tick: int) -> int:
        high = (tick >> _SEQUENCE_BITS) << (_NODE_BITS + _SEQUENCE_BITS)
        return high | (self._node << _SEQUENCE_BITS) | (tick & (BLOCK - 1))


_PIECES = 512
_random: deque[str] = deque()
"""The system's random bytes as hex of 128 bits, fetched many at once: a call for every id gives the interpreter lock
away each time."""


def hex32() -> str:
    """128 random bits as 32 lower-case hex digits; from any thread."""
    try:
        return _random.popleft()
    except IndexError:
        first, *others = secrets.token_bytes(16 * _PIECES).hex(" ", 16).split()
        _random.extend(others)
        return first


def public_hex32(now_ms: int) -> str:
    """A message's public id as 32 hex digits: 48 bits of time, 80 random ones.

    Ids of one moment stand together in the index of public ids. Wholly random ones dirty a page each, which cost more
    than the rest of a stored message (measured on SQLite: 17 + 21 us of user and system time per message, so 10 + 8).
    Nobody can guess 80 bits; what must stay secret as well (tokens) is :func:`hex32`.
    """
    return f"{now_ms & _TIME_MASK:012x}{hex32()[:20]}"


def ums_msgid(now_ms: int, node: int, number: int) -> str:
    """A UMS msgid (sheet jpush-ums §1.1)."""
    return f"v:1t:{now_ms // 1000}p:{node}n:{number}"


def wecom_id(prefix: str) -> str:
    """A WeCom id: two letters and 30 of ``[A-Za-z0-9_-]`` (sheet wecom §1)."""
    return prefix + bytes.fromhex(hex32() + hex32()[:28]).translate(_WECOM_DIGITS).decode()


def uuid4() -> str:
    """A lower-case UUIDv4, the form of WeCom keys (sheet wecom §1)."""
    return str(uuid.uuid4())


def native_id() -> str:
    """The native API's public message id: 22 characters of URL-safe base64 (128 random bits)."""
    return secrets.token_urlsafe(16)
