"""From a checked message to a submission, and from its receipt to the ids of the answer (sheet easemob §1.3, §6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from onebell.core.context import Context
from onebell.core.model import (
    Content,
    GuardUse,
    IdempotencyKey,
    Keep,
    Part,
    PartyKind,
    People,
    Receipt,
    Sender,
    Shown,
    Submission,
    Talk,
)
from onebell.dialects.easemob.app import ACCOUNT_NAME, DIALECT, RESERVED_NAME, App
from onebell.dialects.easemob.bodies import text_of
from onebell.dialects.easemob.callback import rules_of
from onebell.dialects.easemob.conversations import conversations, learn_peer
from onebell.dialects.easemob.parse import Message
from onebell.dialects.easemob.presend import UPLINK
from onebell.dialects.easemob.push import pushes
from onebell.dialects.easemob.push_text import Words, pushed
from onebell.dialects.easemob.talks import talk_of

# Names that can never be registered share one party: whatever is written as ``from`` must not make rows.
STRANGER = "?"
NAMES = 10_000
"""Names of one app that nobody has and that messages wait for: who writes to made-up names must not fill the store."""


@dataclass(frozen=True)
class Receivers:
    """Who gets a message: party ids by the lower-case name. Names nobody can ever have are not in it."""

    parties: dict[str, int]


async def send(context: Context, space: int, app: App, message: Message) -> dict[str, str]:
    """Store a message; the answer's ``{receiver: message id}``.

    Raises:
        Refused, StoreUnavailable: nothing is stored.
    """
    receivers = await receivers_of(context, space, app, message.receivers)
    submission = await _submission(context, space, app, message, receivers)
    receipt = await context.accept(submission)
    return _ids(context, message, receivers, receipt)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message comes from that a user writes himself."""

    party: int  # of the user
    device: int  # ``IN_THE_PAGE`` = none of his clients: each of them gets a copy
    once: IdempotencyKey | None = None
    guards: tuple[GuardUse, ...] = ()


async def send_from(context: Context, space: int, app: App, message: Message, origin: Origin) -> Receipt:
    """Store what a user wrote to one receiver. The sender's other devices, and his inbox, get a copy.

    Raises:
        Refused, Conflict, StoreUnavailable: nothing is stored.
    """
    receivers = await receivers_of(context, space, app, message.receivers)
    submission = await _submission(context, space, app, message, receivers, origin)
    for one in submission.audience:
        if isinstance(one, People):
            # Its devices are told of the conversation by this name, in a moment.
            learn_peer(context, space, app, one.ids[0], one.feed, message.sender)
    return await context.accept(submission)


def number_of(receipt: Receipt) -> int:
    """The id under which both sides know a message to one receiver."""
    return int(receipt.entries[0].public_id if receipt.entries else receipt.public_id)


async def import_message(context: Context, space: int, app: App, message: Message, happened_ms: int, keep: Keep) -> str:
    """Store a message to one as something that happened before, kept as some history; its id. Nobody is told.

    Raises:
        StoreUnavailable: nothing is stored.
    """
    receivers = await receivers_of(context, space, app, message.receivers)
    submission = await _submission(context, space, app, message, receivers)
    history = msgspec.structs.replace(submission, keep=keep, happened_ms=happened_ms, watched=False, silent=True)
    receipt = await context.accept(history)
    return _ids(context, message, receivers, receipt)[message.receivers[0]]


async def receivers_of(context: Context, space: int, app: App, names: Sequence[str]) -> Receivers:
    """Who these names are; those that nobody ever had get a mailbox while the app has room for them."""
    keys = list(dict.fromkeys(name.lower() for name in names))
    keys = [key for key in keys if ACCOUNT_NAME.fullmatch(key)]
    found = await _people(context, space, app, keys)
    strangers = [key for key in keys if key not in found]
    if strangers:
        found.update(await _names(context, space, app, strangers))
    return Receivers({key: found[key] for key in keys if key in found})


async def parties_of(context: Context, space: int, app: App, names: Sequence[str]) -> dict[str, int]:
    """Who these lower-case names are, as far as anything ever was sent to them or by them."""
    keys = [name for name in names if ACCOUNT_NAME.fullmatch(name) and name != RESERVED_NAME]
    found = await _people(context, space, app, keys)
    found |= await context.store.easemob.known_names(space, app.key, [key for key in keys if key not in found])
    if RESERVED_NAME in names:
        found[RESERVED_NAME] = await context.lookups.party(space, PartyKind.SYSTEM, f"{app.key}/{RESERVED_NAME}")
    return found


async def _names(context: Context, space: int, app: App, keys: Sequence[str]) -> dict[str, int]:
    """Mailboxes of names, kept until somebody has them (D9); beyond the app's share no new ones are made."""
    if not await _is_room(context, space, app, len(keys)):
        return await context.store.easemob.known_names(space, app.key, keys)
    parties = await context.lookups.parties(space, PartyKind.NAME, [f"{app.key}/{key}" for key in keys])
    return {key: parties[f"{app.key}/{key}"] for key in keys}


async def _is_room(context: Context, space: int, app: App, count: int) -> bool:
    """Counted again only when what may have been added since could be too much."""
    shelf, key = context.lookups.shelf(space), ("easemob names", app.key)
    most = shelf.get(key, None)
    if most is None or most + count > NAMES:
        most = await context.store.easemob.count_names(space, app.key)
    shelf.put(key, most + count)
    return bool(most + count <= NAMES)


async def _people(context: Context, space: int, app: App, keys: Sequence[str]) -> dict[str, int]:
    found = await context.lookups.accounts(space, app.key, keys)
    return {name: account.person for name, account in found.items()}


async def sender_of(context: Context, space: int, app: App, name: str) -> Sender:
    """Who writes, whether or not there is such a user."""
    key = name.lower()
    if ACCOUNT_NAME.fullmatch(key) and key != RESERVED_NAME:
        account = await context.lookups.account(space, app.key, key)
        if account is not None:
            return Sender(party=account.person, kind=PartyKind.PERSON, name=account.nickname or name)
        party = await context.lookups.party(space, PartyKind.NAME, f"{app.key}/{key}")
        return Sender(party=party, kind=PartyKind.NAME, name=name)
    shown = RESERVED_NAME if key == RESERVED_NAME else STRANGER
    party = await context.lookups.party(space, PartyKind.SYSTEM, f"{app.key}/{shown}")
    return Sender(party=party, kind=PartyKind.SYSTEM, name=name.replace("\x00", ""))


def _id_of(name: str) -> str:
    """A user's id as clients and callbacks get it: lower case (sheet §3.2). What nobody can be called stays as sent."""
    lower = name.lower()
    return lower if ACCOUNT_NAME.fullmatch(lower) else name


async def _submission(
    context: Context, space: int, app: App, message: Message, receivers: Receivers, origin: Origin | None = None
) -> Submission:
    sender = await sender_of(context, space, app, message.sender)
    message = msgspec.structs.replace(message, sender=_id_of(message.sender))
    ids = list(dict.fromkeys(receivers.parties.values()))
    feeds = await conversations(context, space, app, sender.party, ids)
    watched = bool(await rules_of(context.lookups, space, app.key, "post"))
    memory = _memory(app, message)
    out = await pushes(context, space, app, message, receivers.parties, sender.name)
    if watched:
        memory |= _for_callbacks(message, receivers) | {"unpushed": out.unpushed}
    submission = Submission(
        space=space,
        dialect=DIALECT,
        public_id=str(context.mint.mint()),
        sender=sender,
        audience=tuple(People(feed=feeds[one], ids=(one,)) for one in ids),
        parts=(_part(message, await talk_of(context, space, message.body)), *out.parts),
        keep=Keep.WHILE_ONLINE if message.online_only else Keep.STORED,
        watched=watched,
        numbered=True,
        # Who is no user has no devices, and made-up senders must not make mailboxes that something waits in.
        copy_to_sender=message.sync_device and sender.kind is PartyKind.PERSON,
        silent=message.ext.get("em_ignore_notification") is True,
        shown=Shown.PROGRAM if message.kind == "cmd" else Shown.PERSON,
        quiet_through=message.ext.get("em_force_notification") is True,
        extra=memory,
    )
    return submission if origin is None else _written(submission, origin, out.words)


def _written(submission: Submission, origin: Origin, pushes: Sequence[Words]) -> Submission:
    """A user wrote it himself: the app's own server is asked about it, and may change what pushes say."""
    return msgspec.structs.replace(
        submission,
        device=origin.device,
        idempotency=origin.once,
        guards=origin.guards,
        copy_to_sender=True,
        extra={**submission.extra, UPLINK: pushes},
    )


def _part(message: Message, talk: Talk) -> Part:
    data = {
        "type": message.kind,
        "body": message.body,
        "ext": message.ext,
        "from": message.sender,
        "to": list(message.receivers),
    }
    content = Content(
        title=pushed(message.ext, "em_push_title", "title"),
        body=text_of(message.kind, message.body),
        summary=pushed(message.ext, "em_push_content", "content"),
        url=message.body["url"] if message.kind in ("img", "audio", "video", "file") else "",
        talk=talk,
        data=data,
    )
    # What rings elsewhere says something else, and not to everybody (sheet §6): those are parts of their own.
    return Part(content=content, carriers=("inbox",))


def _memory(app: App, message: Message) -> dict[str, Any]:
    """What later calls ask for: recall, history, callbacks."""
    memory: dict[str, Any] = {"app": app.key, "from": message.sender}
    if message.env:
        memory["env"] = message.env
    if message.roam_ignore:
        memory["roam_ignore"] = list(message.roam_ignore)
    return memory


def _for_callbacks(message: Message, receivers: Receivers) -> dict[str, Any]:
    """What a callback shows, kept only where a rule will ask for it."""
    return {
        "body": message.body,
        "ext": message.ext,
        "to": {str(party): name for name, party in receivers.parties.items()},
    }


def _ids(context: Context, message: Message, receivers: Receivers, receipt: Receipt) -> dict[str, str]:
    """One id per receiver, under the name as sent (D7). A name that nobody can have, or that there is no room for,
    still has an id in the answer (sheet §1.3)."""
    ids = {entry.mailbox: entry.public_id for entry in receipt.entries}
    named: dict[str, str] = {}
    for name in message.receivers:
        party = receivers.parties.get(name.lower())
        known = ids.get(party) if party is not None else None
        named[name] = known or str(context.mint.mint())
        if party is not None:
            ids[party] = named[name]
    return named
