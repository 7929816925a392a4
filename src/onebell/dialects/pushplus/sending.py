"""From parameters to a stored message: checks, channel, receivers (sheet pushplus §1.5 to §1.7, §5)."""

from typing import TypeAlias

import msgspec

from onebell.core.context import Context
from onebell.core.directory import CarrierAccount
from onebell.core.model import Addresses, Audience, Members, People
from onebell.dialects.pushplus import parse
from onebell.dialects.pushplus.answer import (
    BatchItem,
    Fault,
    Rejected,
    batch_accepted,
    batch_rejected,
)
from onebell.dialects.pushplus.compose import Plan, Way, compose
from onebell.dialects.pushplus.fields import Fields
from onebell.dialects.pushplus.parse import Asked, Channel
from onebell.dialects.pushplus.points import price
from onebell.dialects.pushplus.pre import Preprocess
from onebell.dialects.pushplus.senders import NAME, Default, SenderInfo, Senders
from onebell.errors import Reason, Refused, StoreUnavailable

Routed: TypeAlias = tuple[Way, tuple[Audience, ...], int]


class Sending:
    """``/send`` and ``/batchSend`` after their parameters are read."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lookups = context.lookups
        self._senders = Senders(context)
        self._preprocess = Preprocess(context)

    async def send(self, fields: Fields, address: str) -> str:
        """Store one message and return its shortCode.

        Raises:
            Rejected: in the order of the sheet's table.
        """
        sender = await self._senders.identify(fields.token, address)
        channel = fields.channel.strip() or sender.default.channel or parse.DEFAULT_CHANNEL
        is_within = await self._senders.is_within_day(sender, channel)
        self._senders.check_verified(sender)
        if not is_within:
            raise Rejected(Fault.QUOTA)
        self._senders.check_sending(sender)
        asked = parse.asked(fields, sender.profile)
        code = (fields.option or fields.webhook).strip()
        return await self._store(sender, *_with_default(sender.default, asked, channel, code))

    async def send_batch(self, fields: Fields, address: str) -> list[BatchItem]:
        """One message per channel; what is wrong with one channel is told in its element.

        Raises:
            Rejected: what is wrong for all of them.
        """
        sender = await self._senders.identify(fields.token, address)
        pairs = parse.batch_channels(fields)
        within = [await self._senders.is_within_day(sender, channel) for channel, _ in pairs]
        self._senders.check_verified(sender)
        self._senders.check_sending(sender)
        asked = parse.asked(fields, sender.profile)
        return [
            await self._one_of_batch(sender, *_with_default(sender.default, asked, channel, code))
            if is_within
            else batch_rejected(Rejected(Fault.QUOTA), channel)
            for (channel, code), is_within in zip(pairs, within, strict=True)
        ]

    async def _one_of_batch(self, sender: SenderInfo, asked: Asked, channel: str, code: str) -> BatchItem:
        try:
            return batch_accepted(await self._store(sender, asked, channel, code), channel)
        except Rejected as why:
            return batch_rejected(why, channel)
        except StoreUnavailable:
            return batch_rejected(Rejected(Fault.UNEXPECTED), channel)

    async def _store(self, sender: SenderInfo, asked: Asked, channel_name: str, code: str) -> str:
        shelf = self._lookups.shelf(sender.space.id)
        # Senders ask for the same over and over, as long as the space does not change.
        key = (_ROUTED, sender.person.id, channel_name, code, asked.topic, asked.to)
        routed: Routed | None = shelf.get(key, None)
        if routed is None:
            routed = await self._routed(sender, asked, channel_name, code)
            shelf.put(key, routed)
        way, audience, topic = routed
        parse.check_time(asked.timestamp, self._context.clock.now_ms())
        script = await self._preprocess.script(sender, asked.pre) if asked.pre else ""
        if sender.profile.has_rates:
            await self._senders.counters.check_rate(sender.space.id, sender.person.id, sender.profile, asked.content)
        if script:
            asked = await self._preprocess.apply(sender, asked, script)
        now_ms = self._context.clock.now_ms()
        guards = await price(self._lookups, sender, way.account, way.channel.points, audience) if way.account else ()
        plan = Plan(sender=sender, asked=asked, way=way, audience=audience, topic=topic, guards=guards, now_ms=now_ms)
        try:
            receipt = await self._context.accept(await compose(self._context, plan))
        except Refused as refused:
            raise Rejected(_REFUSALS[refused.reason]) from refused
        return receipt.public_id

    async def _routed(self, sender: SenderInfo, asked: Asked, channel_name: str, code: str) -> Routed:
        """Over which way, to whom, and the topic's feed (0 = none).

        Raises:
            Rejected: E9, E10, E11.
        """
        way = await self._way(sender, parse.channel_of(channel_name), code)
        return (way, *await self._audience(sender, asked, way))

    # ------------------------------------------------------------ over which way

    async def _way(self, sender: SenderInfo, channel: Channel, code: str) -> Way:
        if channel.kinds == frozenset():
            return Way(channel=channel, account=await self._of_site(sender, channel))
        if code:
            account = await self._configured(sender, channel, code)
        elif channel.code_required:
            raise Rejected(Fault.CODE_ABSENT)
        else:
            account = await self._of_site(sender, channel)
        if account is None:
            # Without a code it is the site's own mailer that is missing.
            raise Rejected(Fault.CODE_UNKNOWN if code else Fault.CODE_ABSENT)
        return Way(channel=channel, account=account)

    async def _of_site(self, sender: SenderInfo, channel: Channel) -> CarrierAccount | None:
        code = str(sender.site.get(channel.site, ""))
        return await self._lookups.carrier(sender.space.id, code) if code else None

    async def _configured(self, sender: SenderInfo, channel: Channel, code: str) -> CarrierAccount | None:
        record = await self._lookups.record(sender.space.id, NAME, "webhook", code, sender.person.id)
        if record is None:
            return None
        account = await self._lookups.carrier(sender.space.id, str(record.data.get("carrier", "")))
        return account if account and _takes(channel, account.kind) else None

    # ------------------------------------------------------------ to whom

    async def _audience(self, sender: SenderInfo, asked: Asked, way: Way) -> tuple[tuple[Audience, ...], int]:
        # The topic is checked even where it is void, but for the channel whose row of the sheet says it is not.
        topic = 0 if way.channel.name == "webhook" else await self._topic(sender, asked.topic)
        if way.account is not None and way.channel.to_account:
            return (Addresses(carrier=way.account.code, values=_addresses(way, asked)),), 0
        if way.channel.site and way.account is None:
            # No SMS service: accepted, and fails later with "no user received it".
            return (await self._people(sender, ()),), topic
        refusing = await self._refusing(sender.space.id)
        if topic:
            return (Members(feed=topic, exclude=refusing),), topic
        if asked.to and way.channel.takes_friends:
            return await self._friends(sender, asked.to, refusing), 0
        me = sender.person.id
        return (await self._people(sender, () if me in refusing else (me,)),), 0

    async def _refusing(self, space: int) -> tuple[int, ...]:
        """Who has switched receiving off."""
        shelf = self._lookups.shelf(space)
        found: tuple[int, ...] | None = shelf.get(_REFUSING, None)
        if found is None:
            found = await self._context.store.pushplus.refusing(space)
            shelf.put(_REFUSING, found)
        return found

    async def _topic(self, sender: SenderInfo, code: str) -> int:
        if not code:
            return 0
        feed = await self._lookups.feed_by_code(sender.space.id, NAME, "topic", code, sender.person.id)
        if feed is None:
            raise Rejected(Fault.TOPIC_UNKNOWN)
        return feed.id

    async def _people(self, sender: SenderInfo, people: tuple[int, ...]) -> People:
        me = sender.person.id
        other = people[0] if people else me
        return People(feed=await self._lookups.direct(sender.space.id, NAME, me, other), ids=people)

    async def _friends(
        self, sender: SenderInfo, tokens: tuple[str, ...], refusing: tuple[int, ...]
    ) -> tuple[Audience, ...]:
        friends: dict[int, None] = {}
        for token in tokens:
            friend = await self._lookups.credential(NAME, "friend", token)
            if friend is None or not friend.enabled or friend.space != sender.space.id or friend.owner in refusing:
                continue
            if friend.holder == sender.person.id:
                friends[friend.owner] = None
        if not friends:
            # Accepted, and fails later with "no user received it" (sheet §1.5).
            return (await self._people(sender, ()),)
        return tuple([await self._people(sender, (friend,)) for friend in friends])


_ROUTED = "pushplus-routed"
_REFUSING = (NAME, "refusing")
"""Where a space's shelf keeps who refuses; dialects share the shelf."""
_REFUSALS = {Reason.GUARD_EXHAUSTED: Fault.POINTS_SHORT, Reason.VETOED: Fault.UNEXPECTED}


def _with_default(default: Default, asked: Asked, channel: str, code: str) -> tuple[Asked, str, str]:
    """What is asked for over a channel. A default's option and pre belong to its channel, however that was chosen,
    and what the request says beats them (sheet §1.5 E10, §1.7)."""
    if channel.strip().lower() != default.channel:
        return asked, channel, code
    return msgspec.structs.replace(asked, pre=asked.pre or default.pre), channel, code or default.option


def _takes(channel: Channel, kind: str) -> bool:
    return kind != "smtp" if channel.kinds is None else kind in channel.kinds


def _addresses(way: Way, asked: Asked) -> tuple[str, ...]:
    # The empty address is the account's own receivers: a bot's group, an app's configured members (sheet §5.2). Under
    # channel webhook ``to`` is void, whatever the account is.
    return asked.to if asked.to and way.channel.name == "cp" else ("",)
