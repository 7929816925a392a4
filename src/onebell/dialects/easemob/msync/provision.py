"""Signing in: whose token, which device, and in which words a refusal is told (sheet easemob-msync §5, §7)."""

from dataclasses import dataclass

import msgspec

from onebell.core.context import Context
from onebell.core.conversations import Seat, SignedIn
from onebell.core.directory import Account
from onebell.core.presence import Presence
from onebell.dialects.easemob.answer import EXPIRED_TOKEN, Rejected
from onebell.dialects.easemob.app import ACCOUNT_NAME, DIALECT, MSYNC, App
from onebell.dialects.easemob.auth import caller_of
from onebell.dialects.easemob.msync.codec import Undecodable, read
from onebell.dialects.easemob.msync.device import Seated
from onebell.dialects.easemob.msync.msync_pb2 import MSync, Provision, Status
from onebell.dialects.easemob.offline import reader_of
from onebell.dialects.easemob.visit import app_named
from onebell.errors import NotFound, TooManyDevices

DEVICES = 4
"""Online at once of one user on one platform (sheet easemob §5)."""
RESOURCE_CHARS = 256
_PLATFORMS = frozenset(Provision.OsType.values())
TOKEN_MARK = "$t$"

NO_MATCH = "Sorry, token or password does not match login info"
EXPIRED = "Sorry, token expired"
NO_USER = "Sorry, user not found"
NO_APP = "Sorry, app not found"


class NotSeated(Exception):
    """The sign-in is refused: error code and reason."""

    def __init__(self, code: Status.Code, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class _AuthToken(msgspec.Struct):
    """``Provision.authToken`` of SDK 4.x."""

    token: str = ""


_auth_token = msgspec.json.Decoder(_AuthToken)


@dataclass(frozen=True)
class Entrance:
    """Where devices sign in."""

    context: Context
    presence: Presence

    async def seat(self, envelope: MSync) -> tuple[Seated, SignedIn]:
        """Let a device in; its session row is stored.

        Raises:
            NotSeated: in the words of §7.
            StoreUnavailable: nothing is stored.
        """
        try:
            asked = read(Provision, envelope.payload)
        except Undecodable:
            raise NotSeated(Status.WRONG_PARAMETER) from None
        name = envelope.guid.name.lower()
        resource = asked.resource or envelope.guid.client_resource or f"webim_{self.context.mint.mint()}"
        if not name or not envelope.guid.app_key or len(resource) > RESOURCE_CHARS:
            raise NotSeated(Status.WRONG_PARAMETER)
        space, app = await self._app(envelope.guid.app_key)
        account = await self._account(space, app, name)
        if not account.active:  # asked first: no token of his is any good, and his client shall not fetch another
            raise NotSeated(Status.IM_FORBIDDEN)
        ends_at = await self._check(space, app, name, _token_of(envelope, asked))
        signed_in = await self._sign_in(space, app, account, resource, asked)
        session = signed_in.session
        reader = reader_of(self.context, space, app, account.person, session.device, signed_in.seen_at)
        has_been_here = signed_in.seen_at > 0
        return Seated(space, app, account.name, resource, session, reader, ends_at, has_been_here), signed_in

    async def _app(self, app_key: str) -> tuple[int, App]:
        org, _, name = app_key.partition("#")
        found = await app_named(self.context, org, name)
        if found is None:
            raise NotSeated(Status.FAIL, NO_APP)
        return found

    async def _account(self, space: int, app: App, name: str) -> Account:
        account = await self.context.lookups.account(space, app.key, name) if ACCOUNT_NAME.fullmatch(name) else None
        if account is None:
            raise NotSeated(Status.FAIL, NO_USER)
        return account

    async def _check(self, space: int, app: App, name: str, token: str) -> int:
        """When the token ends."""
        try:
            caller = await caller_of(self.context, space, app, f"Bearer {token}")
        except Rejected as refusal:
            raise NotSeated(Status.FAIL, EXPIRED if refusal.text == EXPIRED_TOKEN else NO_MATCH) from None
        if caller.user != name:
            raise NotSeated(Status.FAIL, NO_MATCH)
        return caller.ends_at

    async def _sign_in(self, space: int, app: App, account: Account, resource: str, asked: Provision) -> SignedIn:
        info = {
            "realm": app.key,
            "user": account.name,
            "resource": resource,
            "platform": str(asked.os_type if asked.os_type in _PLATFORMS else Provision.OTHER),
            # Kept with every sign-in: whatever length a client gives them.
            "device_uuid": asked.device_uuid[:RESOURCE_CHARS],
            "device_name": asked.device_name[:RESOURCE_CHARS],
            "version": asked.version[:RESOURCE_CHARS],
        }
        seat = Seat(
            space=space,
            mailbox=account.person,
            dialect=DIALECT,
            realm=app.key,
            key=resource.replace("\0", ""),
            name=info["device_name"].replace("\0", ""),
            platform=info["platform"],
            limit=DEVICES,
            session=self.presence.draft(space, MSYNC, account.person, info),
        )
        try:
            return await self.context.store.devices.sign_in(seat, self.context.mint)
        except TooManyDevices:
            raise NotSeated(Status.TOO_MANY_DEVICES) from None
        except NotFound:  # deleted at this moment
            raise NotSeated(Status.FAIL, NO_USER) from None


def _token_of(envelope: MSync, asked: Provision) -> str:
    """4.x writes it three times, 3.x twice; each time behind a mark."""
    token = envelope.auth or asked.auth
    if not token:
        try:
            token = _auth_token.decode(asked.auth_token).token
        except (msgspec.MsgspecError, RecursionError):
            token = ""
    return token.removeprefix(TOKEN_MARK)
