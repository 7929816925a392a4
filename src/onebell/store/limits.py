"""Rates that all nodes share: each counts in memory, adds its own every 200 ms and decides on the sum (DESIGN §5).

A window is cut into buckets by the clock. A take is decided on what the store was last known to hold, what this node
has counted since, and nothing else: between two flushes other nodes' counts are not seen, so together they may go
over a limit by what they take in that time. Exact limits are guards, charged in the accepting transaction.
"""

import asyncio
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
import structlog

from onebell.clock import Clock
from onebell.errors import StoreUnavailable
from onebell.store.engine import Database
from onebell.store.schema import counter
from onebell.store.upserts import insert_or_add, pages

log = structlog.get_logger()

FLUSH_S = 0.2
RETRY_S = 1.0
"""How often a store that takes no writes is asked: at the usual pace a full disk would get ten lines a second."""
BUCKETS = 60
"""Parts of a window: what was taken counts for the window's length, less at most one part."""
WINDOWS = 100_000
"""Windows in memory; those that nobody used for longest are dropped, their counts stand in the store."""
SWEEP_MS = 60_000
"""How often counts that no window can hold any more are deleted."""
_FRESH_MS = 1_000
"""Other nodes' counts are read again when the last look was longer ago than this."""

Name = tuple[int, str, int]  # space, key, window in seconds


class _Window:
    """One sliding window: counts by bucket."""

    __slots__ = (
        "_settled",
        "_settled_first",
        "flying",
        "pending",
        "read_ms",
        "stored",
        "used_ms",
        "width_ms",
        "window_ms",
    )

    def __init__(self, window_s: int) -> None:
        self.window_ms = window_s * 1000
        self.width_ms = max(1, self.window_ms // BUCKETS)
        self.stored: dict[int, int] = {}  # as last read, own and others'
        self.flying: dict[int, int] = {}  # own, being written
        self.pending: dict[int, int] = {}  # own, not yet written
        self.read_ms = 0  # 0 = never
        self.used_ms = 0
        self._settled = 0  # the sum of all but what is pending, from bucket ``_settled_first`` on
        self._settled_first = -1

    def bucket(self, now_ms: int) -> int:
        """The bucket of an instant."""
        return now_ms // self.width_ms

    def first(self, now_ms: int) -> int:
        """The oldest bucket that begins inside the window that ends now."""
        return (now_ms - self.window_ms) // self.width_ms + 1

    def held(self, now_ms: int) -> int:
        """How much the window that ends now holds."""
        first = self.first(now_ms)
        if first != self._settled_first:
            self._settled = _since(first, self.stored) + _since(first, self.flying)
            self._settled_first = first
        return self._settled + _since(first, self.pending)

    def add(self, now_ms: int, amount: int) -> None:
        """Count ``amount`` now."""
        bucket = self.bucket(now_ms)
        self.pending[bucket] = self.pending.get(bucket, 0) + amount

    def take_off(self) -> dict[int, int]:
        """What is to be written; it stays counted as flying."""
        self.flying, self.pending = self.pending, {}
        self._settled_first = -1
        return self.flying

    def land(self, stored: Mapping[int, int], now_ms: int) -> None:
        """What flew is in ``stored``."""
        first = self.first(now_ms)
        self.stored = {bucket: count for bucket, count in stored.items() if bucket >= first}
        self.flying, self.read_ms = {}, now_ms
        self._settled_first = -1

    def come_back(self) -> None:
        """What flew was not written: it waits for the next flush."""
        for bucket, count in self.flying.items():
            self.pending[bucket] = self.pending.get(bucket, 0) + count
        self.flying = {}
        self._settled_first = -1

    @property
    def is_written(self) -> bool:
        """Whether nothing would be lost with it."""
        return not self.pending and not self.flying


def _since(first: int, counts: Mapping[int, int]) -> int:
    """What a window holds; not what stands a whole window ahead of it, from before the clock was set back."""
    total = 0
    for bucket, count in counts.items():
        if first <= bucket <= first + 2 * BUCKETS:
            total += count
    return total


class SharedLimits:
    """``core.context.Limits`` of one node."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # One process writes SQLite: nobody else's counts can have come since the first look.
        self._is_alone = database.kind == "sqlite"
        self._windows: dict[Name, _Window] = {}
        self._used: dict[Name, _Window] = {}  # since the last flush
        self._flushing = asyncio.Lock()
        self._swept_ms = 0
        self._is_shared = True  # whether the last flush got through

    async def take(self, space: int, key: str, limit: int, window_s: int, amount: int = 1) -> bool:
        now_ms = self._clock.now_ms()
        name = (space, key, window_s)
        window = self._known(name, now_ms) or await self._look(name, now_ms)
        if window.held(now_ms) + amount > limit:
            return False
        window.add(now_ms, amount)
        return True

    def count(self, space: int, key: str, window_s: int) -> None:
        now_ms = self._clock.now_ms()
        name = (space, key, window_s)
        self._use(name, self._windows.get(name) or self._new(name), now_ms).add(now_ms, 1)

    async def used(self, space: int, key: str, window_s: int) -> int:
        now_ms = self._clock.now_ms()
        name = (space, key, window_s)
        window = self._known(name, now_ms) or await self._look(name, now_ms)
        return window.held(now_ms)

    def _known(self, name: Name, now_ms: int) -> _Window | None:
        """A window that need not be read."""
        window = self._windows.get(name)
        if window is None or not window.read_ms or (not self._is_alone and now_ms - window.read_ms > _FRESH_MS):
            return None
        return self._use(name, window, now_ms)

    def _use(self, name: Name, window: _Window, now_ms: int) -> _Window:
        """Note that a window has to be shared with the others at the next flush."""
        window.used_ms = now_ms
        self._used[name] = window
        return window

    async def _look(self, name: Name, now_ms: int) -> _Window:
        """Read a window for the first time, or again after nobody used it here for a while."""
        before = self._windows[name].read_ms if name in self._windows else 0
        try:
            stored = await self._database.read(lambda connection: _read(connection, [name]))
        except StoreUnavailable:
            # Nothing can be accepted now anyway; a limit must not be what says so.
            stored = {}
        window = self._windows.get(name) or self._new(name)
        # A flush that came between has read more than this look.
        if name in stored and not window.flying and window.read_ms == before:
            window.land(stored[name], self._clock.now_ms())
        return self._use(name, window, now_ms)

    def _new(self, name: Name) -> _Window:
        self._make_room()
        window = self._windows[name] = _Window(name[2])
        return window

    def _make_room(self) -> None:
        if len(self._windows) < WINDOWS:
            return
        idle = sorted((window.used_ms, name) for name, window in self._windows.items() if window.is_written)
        for _, name in idle[: WINDOWS // 10]:
            del self._windows[name]

    # ------------------------------------------------------------ flushing

    async def run(self) -> None:
        """Flush every 200 ms until cancelled, and once more then; every second while the store takes no writes."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S if self._is_shared else RETRY_S)
                await self._try_flush()
        finally:
            await asyncio.shield(self._try_flush())

    async def _try_flush(self) -> None:
        try:
            await self.flush()
            self._is_shared = True
        except StoreUnavailable:
            if self._is_shared:
                log.warning("limits_not_shared")
            self._is_shared = False

    async def flush(self) -> None:
        """Add this node's counts to the store and learn the sums.

        Raises:
            StoreUnavailable: the counts wait for the next flush.
        """
        async with self._flushing:
            used, self._used = self._used, {}
            if used:
                await self._exchange(used)
            await self._sweep()

    async def _exchange(self, used: Mapping[Name, _Window]) -> None:
        now_ms = self._clock.now_ms()
        rows = _rows({name: window.take_off() for name, window in used.items()}, now_ms)
        try:
            stored = await self._database.write(lambda connection: _add(connection, rows, list(used)))
        except BaseException:
            for name, window in used.items():
                window.come_back()
                self._used[name] = window
            raise
        for name, window in used.items():
            window.land(stored.get(name, {}), now_ms)

    async def _sweep(self) -> None:
        now_ms = self._clock.now_ms()
        if now_ms - self._swept_ms < SWEEP_MS:
            return
        self._swept_ms = now_ms
        for name, window in list(self._windows.items()):
            if window.is_written and now_ms - window.used_ms > window.window_ms:
                del self._windows[name]
        await self._database.write(lambda connection: _delete_expired(connection, now_ms))


def _row_key(name: Name) -> str:
    # A key may be limited over several windows, whose buckets have different widths.
    return f"{name[2]}:{name[1]}"


def _rows(counts: Mapping[Name, Mapping[int, int]], now_ms: int) -> list[dict[str, int | str]]:
    """Rows sorted by key, so that two nodes never wait for each other."""
    rows: list[dict[str, int | str]] = [
        {
            "space_id": name[0],
            "key": _row_key(name),
            "bucket": bucket,
            "count": count,
            "expires_at": now_ms + 2 * name[2] * 1000,
        }
        for name, buckets in counts.items()
        for bucket, count in buckets.items()
    ]
    return sorted(rows, key=lambda row: (row["space_id"], row["key"], row["bucket"]))


def _add(
    connection: sa.Connection, rows: Sequence[Mapping[str, int | str]], names: Sequence[Name]
) -> dict[Name, dict[int, int]]:
    insert_or_add(connection, counter, rows, "count")
    return _read(connection, names)


def _read(connection: sa.Connection, names: Sequence[Name]) -> dict[Name, dict[int, int]]:
    """Counts by window and bucket."""
    found: dict[Name, dict[int, int]] = {name: {} for name in names}
    by_row = {(name[0], _row_key(name)): name for name in names}
    for page in pages(list(by_row)):
        statement = sa.select(counter.c.space_id, counter.c.key, counter.c.bucket, counter.c.count)
        rows = connection.execute(statement.where(sa.tuple_(counter.c.space_id, counter.c.key).in_(page)))
        for row in rows:
            # By place: a row's "count" is the method of a tuple.
            space, key, bucket, count = row
            found[by_row[space, key]][bucket] = count
    return found


def _delete_expired(connection: sa.Connection, now_ms: int) -> None:
    connection.execute(sa.delete(counter).where(counter.c.expires_at < now_ms))
