"""Who is connected: sockets are rows with a lease, so that every node sees them and any can end them (DESIGN §5)."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec
import structlog

from onebell.clock import Clock
from onebell.core.bell import Bell, Kick
from onebell.core.waking import woken
from onebell.errors import StoreUnavailable
from onebell.ids import IdMint

log = structlog.get_logger()

LEASE_S = 60
RENEW_S = 20.0
SIGN_IN = "sign_in"
"""Kind of a browser's or program's signed-in session; its lease is its expiry."""
SOCKETS = ("inbox", "msync", "pushgo")
"""Kinds of sessions that are open connections: whoever has one is online."""
REMOVED = "removed"
"""Why the sockets of somebody end who is gone."""
LOST = "lost"
"""Why a socket ends whose row was swept away: its client comes back, and is seen again."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in, a ticket or an open socket."""

    space: int
    id: int
    kind: str  # sign_in | ticket | setup | inbox | msync | pushgo …
    mailbox: int = 0  # whose: a person's id is his mailbox'
    device: int = 0
    node: int = 0  # that holds the socket
    lease_until: int = 0  # ms
    kicked: str = ""  # why somebody wants it gone
    info: dict[str, str] = {}
    created_at: int = 0


class Rows(Protocol):
    """The verbs that presence needs of the store."""

    async def open_all(self, new: list[Session]) -> None: ...
    async def close(self, space: int, ids: list[int]) -> None: ...
    async def renew(self, space: int, ids: list[int], lease_until: int) -> list[Session]:
        """Lengthen leases; all of these that have a row, those with ``kicked`` as they were."""
        ...

    async def kick(self, space: int, ids: Sequence[int], why: str) -> None: ...
    async def of_mailbox(self, space: int, mailbox: int, now: int) -> list[Session]: ...


async def kick(rows: Rows, bell: Bell, space: int, sessions: Sequence[int], why: str) -> None:
    """End sockets, wherever they are."""
    if sessions:
        await rows.kick(space, list(sessions), why)
    for session in sessions:
        bell.ring(Kick(space=space, session=session))


class Presence:
    """The sockets of this node. Rows are written together, so that a thousand that come at once cost a few writes."""

    def __init__(self, rows: Rows, bell: Bell, clock: Clock, mint: IdMint) -> None:
        self._rows = rows
        self._bell = bell
        self._clock = clock
        self._mint = mint
        self._open: dict[int, tuple[Session, Callable[[str], None]]] = {}
        self._unwritten: set[int] = set()  # open, and no row yet
        self._kicked_early = False  # one of those: its row was there before its writer heard so
        self._new: list[Session] = []
        self._gone: list[Session] = []
        self._due = asyncio.Event()
        self._kicked = asyncio.Event()
        bell.listen(Kick, self._on_kick)

    def enter(
        self, space: int, kind: str, mailbox: int, end: Callable[[str], None], *, device: int = 0, sign_in: int = 0
    ) -> Session:
        """A socket has opened; ``end`` is told why when somebody wants it gone. Its row follows within moments.

        ``sign_in`` is the session that let it in; :meth:`kick_all` ends what hangs on that.
        """
        session = self.draft(space, kind, mailbox, {"sign_in": str(sign_in)} if sign_in else {})
        if device:
            session = msgspec.structs.replace(session, device=device)
        self._open[session.id] = (session, end)
        self._unwritten.add(session.id)
        self._new.append(session)
        self._due.set()
        return session

    def draft(self, space: int, kind: str, mailbox: int, info: dict[str, str]) -> Session:
        """A session to be; whoever stores it (``store/devices.py``) hands it to :meth:`adopt`."""
        now = self._clock.now_ms()
        return Session(
            space=space,
            id=self._mint.mint(),
            kind=kind,
            mailbox=mailbox,
            node=self._mint.node,
            lease_until=now + LEASE_S * 1000,
            info=info,
            created_at=now,
        )

    def adopt(self, session: Session, end: Callable[[str], None]) -> None:
        """A socket has opened whose row is stored already; ``end`` as in :meth:`enter`."""
        self._open[session.id] = (session, end)

    def tell(self, space: int, sessions: Iterable[int]) -> None:
        """The rows of these sessions say that they must end."""
        for session in sessions:
            self._bell.ring(Kick(space=space, session=session))

    def leave(self, session: Session) -> None:
        """The socket has closed."""
        if self._open.pop(session.id, None) is None:
            return
        if session in self._new:
            self._new.remove(session)
            self._unwritten.discard(session.id)
        else:
            self._gone.append(session)
            self._due.set()

    async def kick(self, space: int, session: int, why: str) -> None:
        """End a socket, wherever it is."""
        await kick(self._rows, self._bell, space, [session], why)

    async def kick_all(self, space: int, mailbox: int, sign_in: int, why: str) -> None:
        """End every socket of a mailbox that one sign-in has let in, wherever it is."""
        for session in await self._rows.of_mailbox(space, mailbox, self._clock.now_ms()):
            if session.info.get("sign_in") == str(sign_in):
                await self.kick(space, session.id, why)

    async def run(self) -> None:
        """Serve until cancelled; then every row of this node goes."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write_forever())
                tasks.create_task(self._renew_forever())
        finally:
            await asyncio.shield(self._leave_all())

    async def _leave_all(self) -> None:
        self._gone += [session for session, _ in self._open.values()]
        self._open.clear()
        try:
            await self._write()
        except StoreUnavailable:
            log.warning("sessions_left_to_their_lease", count=len(self._gone))

    async def _write_forever(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self._write()
            except StoreUnavailable:
                await asyncio.sleep(1)
                self._due.set()

    async def _write(self) -> None:
        new, self._new = self._new, []
        gone, self._gone = self._gone, []
        try:
            if new:
                await self._rows.open_all(new)
                self._unwritten.difference_update(session.id for session in new)
                new = []
                if self._kicked_early:
                    self._kicked_early = False
                    self._kicked.set()
            for space in {session.space for session in gone}:
                await self._rows.close(space, [session.id for session in gone if session.space == space])
        except StoreUnavailable:
            self._new = new + self._new
            self._gone = gone + self._gone
            raise

    async def _renew_forever(self) -> None:
        while True:
            await woken(self._kicked, RENEW_S)
            self._kicked.clear()
            try:
                await self._renew()
            except StoreUnavailable:
                log.warning("sessions_not_renewed", count=len(self._open))

    async def _renew(self) -> None:
        by_space: dict[int, list[int]] = {}
        for session, _ in self._open.values():
            if session.id not in self._unwritten:
                by_space.setdefault(session.space, []).append(session.id)
        for space, ids in by_space.items():
            for start in range(0, len(ids), 500):
                await self._renew_some(space, ids[start : start + 500])

    async def _renew_some(self, space: int, ids: list[int]) -> None:
        until = self._clock.now_ms() + LEASE_S * 1000
        found = await self._rows.renew(space, ids, until)
        for one in found:
            if one.kicked:
                self._end(one.id, one.kicked)
        # After a store that was away, or a clock that jumped, the keeper of a node may have taken rows for left ones.
        # Such a socket is nobody's for the others, and what a kick said of it is gone with the row.
        for session in set(ids).difference(one.id for one in found):
            self._end(session, LOST)

    def _on_kick(self, note: Kick) -> None:
        # Its row says why: the renewal reads it.
        if note.session in self._unwritten:
            self._kicked_early = True
        elif note.session in self._open:
            self._kicked.set()

    def _end(self, session: int, why: str) -> None:
        known = self._open.get(session)
        if known is not None:
            known[1](why)
