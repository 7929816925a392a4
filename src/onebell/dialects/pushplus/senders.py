"""Who sends: the owner of a token, his settings and his space's (sheet pushplus §1.5 E1 to E5, §1.7)."""

from typing import Any

import msgspec

from onebell.core.context import ANY_SPACE, Context
from onebell.core.directory import Credential, Person, Space
from onebell.core.model import PartyKind, Sender
from onebell.dialects.pushplus.answer import Fault, Rejected
from onebell.dialects.pushplus.limits import Counters, Profile, profile_of

NAME = "pushplus"
TOKEN_KINDS = ("user", "message")
SITE_KEY = "site"  # key of the one record of kind "site"
ACCOUNT_KEY = "account"  # key of a person's one record of kind "account"
USER_TOKEN_KEY = "0"  # tokenId of the user token in the records of kind "default"


class Default(msgspec.Struct, frozen=True, kw_only=True):
    """What a token sends over when a request names no channel."""

    channel: str = ""
    option: str = ""
    pre: str = ""


class SenderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The owner of a token that was shown."""

    space: Space
    person: Person
    credential: Credential
    account: dict[str, Any]  # callback_url, is_send, verified, points …
    site: dict[str, Any]  # default_mail, default_sms, limits
    profile: Profile
    default: Default  # of the token that was shown
    writes_as: Sender  # as readers see him

    @property
    def callback_url(self) -> str:
        """The address in his settings."""
        return str(self.account.get("callback_url", ""))


class Senders:
    """Finds who sends."""

    def __init__(self, context: Context) -> None:
        self._lookups = context.lookups
        self._clock = context.clock
        self._counters = Counters(context.limits, context.clock)

    @property
    def counters(self) -> Counters:
        """The counted limits."""
        return self._counters

    async def identify(self, token: str, address: str) -> SenderInfo:
        """The owner of a user or message token.

        Raises:
            Rejected: E19, E1, E2.
        """
        if not self._counters.is_fine(address):
            await self._counters.check_address(address)
        if not token:
            raise Rejected(Fault.TOKEN_ABSENT)
        sender = await self.find(token.strip(), TOKEN_KINDS)
        if sender is None:
            await self._counters.bad_token(address)
            raise Rejected(Fault.TOKEN_UNKNOWN)
        return sender

    async def find(self, token: str, kinds: tuple[str, ...]) -> SenderInfo | None:
        """The owner of a valid token of one of these kinds."""
        shelf = self._lookups.shelf(ANY_SPACE)
        sender: SenderInfo | None = shelf.get((NAME, kinds, token), None)
        if sender is None:
            sender = await self._found(token, kinds)
            if sender is not None:
                shelf.put((NAME, kinds, token), sender)
        return sender if sender is not None and self._is_valid(sender.credential) else None

    async def _found(self, token: str, kinds: tuple[str, ...]) -> SenderInfo | None:
        for kind in kinds:
            credential = await self._lookups.credential(NAME, kind, token)
            if credential is not None:
                return await self._owner(credential)
        return None

    async def _default(self, credential: Credential) -> Default:
        key = USER_TOKEN_KEY if credential.kind == "user" else str(credential.id)
        record = await self._lookups.record(credential.space, NAME, "default", key, credential.owner)
        return msgspec.convert(record.data, Default) if record else Default()

    async def is_within_day(self, sender: SenderInfo, channel: str) -> bool:
        """Count a request with a valid token; false once its channel's quota of the day is used up."""
        name = channel.strip().lower()
        self._counters.count(sender.space.id, sender.person.id, name)
        if not sender.profile.per_day:
            return True
        return await self._counters.is_within_day(sender.space.id, sender.person.id, sender.profile, name)

    def check_verified(self, sender: SenderInfo) -> None:
        """Raises: Rejected (E3)."""
        if sender.profile.verified_only and not sender.account.get("verified", True):
            raise Rejected(Fault.NOT_VERIFIED)

    def check_sending(self, sender: SenderInfo) -> None:
        """Raises: Rejected (E5)."""
        if not sender.account.get("is_send", True):
            raise Rejected(Fault.SENDING_OFF)

    def _is_valid(self, credential: Credential) -> bool:
        is_over = 0 < credential.expires_at <= self._clock.now_ms()
        return credential.enabled and not is_over

    async def _owner(self, credential: Credential) -> SenderInfo | None:
        person = await self._lookups.person(credential.space, credential.owner)
        if person is None:
            return None
        site = await self._lookups.record(credential.space, NAME, "site", SITE_KEY)
        account = await self._lookups.record(credential.space, NAME, "account", ACCOUNT_KEY, person.id)
        site_data = site.data if site else {}
        return SenderInfo(
            space=await self._lookups.space(credential.space),
            person=person,
            credential=credential,
            account=account.data if account else {},
            site=site_data,
            profile=profile_of(site_data),
            default=await self._default(credential),
            writes_as=Sender(party=person.id, kind=PartyKind.PERSON, name=person.name or person.uid),
        )
