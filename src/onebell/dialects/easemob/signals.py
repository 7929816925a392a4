"""Signals: what became of a message, as an entry of its own for clients of the protocol (sheet easemob-msync §6)."""

from collections.abc import Collection
from typing import Any

import msgspec

from onebell.core.context import Context
from onebell.core.model import Content, IdempotencyKey, Part, People, Sender, Shown, Submission
from onebell.dialects.easemob.app import DIALECT, App

ROSTER = "roster"
"""A change in who knows whom; ``more`` = {"operation", "reason"}."""
KEEP_S = 8 * 86_400
"""A signal that is repeated within the life of a message is one."""


ONCE = "1"
"""``Signal.once`` of what happens to a message one time: it is read, it is taken back."""
READ_ACK, RECALL = "read_ack", "recall"


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One signal to one party."""

    kind: str  # of ``msync.down.SIGNALS``, or ``ROSTER``
    sender: Sender
    sender_name: str  # account name
    to: str  # account name
    party: int  # whose mailbox
    feed: int  # the conversation of the two
    of: int = 0  # public id of the message that it is about
    once: str = ""  # what makes it the same signal when it comes again; empty = it is never the same
    device: int = 0  # where it was made
    has_copy: bool = False  # the sender's other devices hear of it too
    more: dict[str, Any] = {}  # besides, for ``msync.down``


async def tell(context: Context, space: int, app: App, signal: Signal) -> int:
    """Store a signal; its id.

    Raises:
        StoreUnavailable: nothing is stored.
    """
    data: dict[str, Any] = {"signal": signal.kind, "from": signal.sender_name, "to": [signal.to], **signal.more}
    if signal.of:
        data["of"] = str(signal.of)
    key = _key(signal.kind, signal.of, signal.sender.party, signal.once)
    submission = Submission(
        space=space,
        dialect=DIALECT,
        public_id=str(context.mint.mint()),
        sender=signal.sender,
        audience=(People(feed=signal.feed, ids=(signal.party,)),),
        parts=(Part(content=Content(data=data), carriers=("inbox",)),),
        numbered=True,
        copy_to_sender=signal.has_copy,
        silent=True,
        shown=Shown.SIGNAL,
        device=signal.device,
        idempotency=IdempotencyKey(scope=_scope(app.key), key=key, keep_s=KEEP_S) if signal.once else None,
        extra={"app": app.key, "from": signal.sender_name, "signal": signal.kind},
    )
    receipt = await context.accept(submission)
    return int(receipt.entries[0].public_id if receipt.entries else receipt.public_id)


async def once_told(
    context: Context, space: int, app: str, kind: str, sender: int, of: Collection[str]
) -> dict[str, str]:
    """The ids of somebody's signals of a kind that comes once, by the messages that they are about.

    What was read or taken back where no client is told of it is not in it.
    """
    keys = {_key(kind, int(number), sender, ONCE): number for number in of if number}
    found = await context.store.easemob.once_told(space, _scope(app), list(keys)) if keys else {}
    return {keys[key]: own for key, own in found.items()}


def _scope(app: str) -> str:
    return f"easemob:signal:{app}"


def _key(kind: str, of: int, sender: int, once: str) -> str:
    return f"{kind}:{of}:{sender}:{once}"
