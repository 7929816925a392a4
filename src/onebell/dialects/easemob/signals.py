"""Signals: what became of a message, as an entry of its own for clients of the protocol (sheet easemob-msync §6)."""

from typing import Any

import msgspec

from onebell.core.context import Context
from onebell.core.model import Content, IdempotencyKey, Part, People, Sender, Shown, Submission
from onebell.dialects.easemob.app import DIALECT, App

ROSTER = "roster"
"""A change in who knows whom; ``more`` = {"operation", "reason"}."""
KEEP_S = 8 * 86_400
"""A signal that is repeated within the life of a message is one."""


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
    key = f"{signal.kind}:{signal.of}:{signal.sender.party}:{signal.once}"
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
        idempotency=IdempotencyKey(scope=f"easemob:signal:{app.key}", key=key, keep_s=KEEP_S) if signal.once else None,
        extra={"app": app.key, "from": signal.sender_name, "signal": signal.kind},
    )
    receipt = await context.accept(submission)
    return int(receipt.entries[0].public_id if receipt.entries else receipt.public_id)
