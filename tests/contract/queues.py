"""What the tests of conversations share: mailboxes, conversations, devices, messages in them."""

from typing import Any

import msgspec
import sqlalchemy as sa
from tests.writing import SPACE, Node

from onebell.core.conversations import Ack, Pulled, Queued, Reader, Seat, SignedIn
from onebell.core.presence import Session
from onebell.store.base import Store
from onebell.store.prepared import Box
from onebell.store.schema import feed, mailbox

APP, OTHER = "acme/demo", "acme/other"
ALICE, BOB = 11, 12
WITH_BOB, WITH_CAROL, ELSEWHERE = 500, 501, 502
KEPT = 5


class Desk:
    """Alice's mailbox with two conversations in one app and one in another."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.node = Node(store.db)
        self.now = self.node.clock.now_ms()

    async def make(self) -> None:
        """The rows."""
        codes = {WITH_BOB: f"{APP}:11:12", WITH_CAROL: f"{APP}:11:13", ELSEWHERE: f"{OTHER}:11:12"}
        rows = [
            {"space_id": SPACE, "id": number, "kind": "direct", "dialect": "easemob", "code": code}
            for number, code in codes.items()
        ]

        def work(conn: sa.Connection) -> None:
            conn.execute(sa.insert(feed), rows)
            conn.execute(sa.insert(mailbox), [{"space_id": SPACE, "id": box, "kind": "person"} for box in (ALICE, BOB)])

        await self.store.db.write(work)

    async def sign_in(self, key: str = "web", **changed: Any) -> SignedIn:
        """One of Alice's devices."""
        fields: dict[str, Any] = {"realm": APP, "platform": "web", "limit": 2, **changed}
        session = Session(
            space=SPACE,
            id=self.node.mint.mint(),
            kind="msync",
            mailbox=ALICE,
            lease_until=self.now + 60_000,
            info={"realm": fields["realm"], "platform": fields["platform"]},
            created_at=fields.pop("at", self.now),
        )
        seat = Seat(space=SPACE, mailbox=ALICE, dialect="easemob", key=key, name=key, session=session, **fields)
        return await self.store.devices.sign_in(seat, self.node.mint)

    def reader(self, signed_in: SignedIn, since: int = 0) -> Reader:
        """The device that has signed in."""
        return Reader(space=SPACE, mailbox=ALICE, device=signed_in.session.device, dialect="easemob", realm=APP,
                      kept=KEPT, counted_until=2**62, since=since)  # fmt: skip

    async def send(
        self, which: int = WITH_BOB, *, shown: int = 0, device: int = 0, copy: bool = False, keep: str = "stored"
    ) -> int:
        """A message in a conversation; its public id."""
        item = self.node.item(boxes=[Box(ALICE, which, int(copy))], slots=1, shown=shown, keep=keep)
        item.stored = msgspec.structs.replace(item.stored, dialect="easemob", device=device)
        receipt = await self.node.writer.accept(item)
        if copy:
            pulled = await self.store.db.read(lambda conn: conn.execute(sa.select(sa.func.max(mailbox.c.last_public))))
            return int(pulled.scalar_one())
        return int(receipt.entries[0].public_id)

    async def pull(self, reader: Reader, which: int = WITH_BOB, after: int | None = None, limit: int = 50) -> Pulled:
        """What the device has not got."""
        return await self.store.queues.pull(reader, which, after, limit, self.now)

    async def ids(self, reader: Reader, which: int = WITH_BOB) -> list[int]:
        """Public ids of what the device has not got."""
        return [row.public_id for row in (await self.pull(reader, which)).rows]

    async def ack(self, reader: Reader, last: Queued, which: int = WITH_BOB, after: int = 0) -> None:
        """The device has everything up to there."""
        ack = Ack(reader=reader, feed=which, after=after, seq=last.seq, public_id=last.public_id, at=self.now)
        await self.store.queues.acknowledge([ack], self.node.mint)

    async def waiting(self, reader: Reader) -> dict[int, int]:
        """Counts by conversation."""
        return {one.feed: one.count for one in await self.store.queues.waiting(reader, self.now)}
