"""Mail over SMTP: one envelope for each receiver, over connections that are used again (sheet jpush-ums §6.5)."""

import asyncio
import ssl
from collections.abc import Sequence

import aiosmtplib

from onebell.carriers.address_gate import AddressForbidden, of_account
from onebell.carriers.base import Address, Batch, Carrier
from onebell.carriers.outbound import Unreachable
from onebell.carriers.smtp.letter import Mailbox, bare_mailbox, letter, mailbox
from onebell.carriers.tools import CarrierTools
from onebell.core.directory import CarrierAccount
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Unauthorized
from onebell.core.work import words
from onebell.errors import InvalidInput

BATCH_S = 25.0
"""A batch ends before the core's deadline: what was sent must be told, or it would be sent twice."""
COMMAND_S = 15.0
CONNECTIONS = 4
"""Of one account at once."""

_DEAD = frozenset((550, 551, 553, 554))
_LOGIN = frozenset((530, 534, 535, 538))
# The library raises its root class when STARTTLS or AUTH is asked for and not offered.
_LACKING = frozenset((aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported))


class Smtp:
    """One account on one server."""

    def __init__(self, account: CarrierAccount, tools: CarrierTools) -> None:
        sender = mailbox(account.fields["from"])
        if sender is None:
            raise InvalidInput("from must be an e-mail address with ASCII letters before the @", "from")
        self._account = account
        self._tools = tools
        self._sender: Mailbox = sender
        self._policy = of_account(account)
        self._idle: list[aiosmtplib.SMTP] = []
        self._places = asyncio.Semaphore(CONNECTIONS)

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def close(self) -> None:
        """End the connections that wait."""
        while self._idle:
            self._idle.pop().close()

    async def check(self) -> Outcome:
        """Connect and log in, without sending anything."""
        try:
            async with asyncio.timeout(BATCH_S):
                (await self._connected()).close()
        except Exception as error:
            return judge(error)
        return Sent()

    async def send(self, batch: Batch) -> Sequence[Outcome]:
        """One mail after the other over one connection; when that is lost, the rest is tried again later."""
        outcomes: list[Outcome] = []
        try:
            async with asyncio.timeout(BATCH_S), self._places:
                session = await self._session()
                try:
                    for address in batch.addresses:
                        outcomes.append(await self._mail(session, batch, address))
                    self._idle.append(session)
                finally:
                    if session not in self._idle:
                        session.close()
        except Exception as error:
            rest = len(batch.addresses) - len(outcomes)
            outcomes += [judge(error)] * rest
        return outcomes

    async def _mail(self, session: aiosmtplib.SMTP, batch: Batch, address: Address) -> Outcome:
        receiver = bare_mailbox(address.value)
        if receiver is None:
            return Permanent(why="not an e-mail address", drop_target=True)
        body = letter(batch, address, self._sender, receiver)
        try:
            _, said = await session.sendmail(self._sender.address, [receiver.address], body)
        except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as error:
            if not session.is_connected:
                raise
            return judge(error)
        return Sent(detail=words(said))

    async def _session(self) -> aiosmtplib.SMTP:
        """A connection that waits and still lives, else a new one."""
        while self._idle:
            session = self._idle.pop()
            try:
                await session.noop(timeout=COMMAND_S)
            except (aiosmtplib.SMTPException, OSError):
                session.close()
            else:
                return session
        return await self._connected()

    async def _connected(self) -> aiosmtplib.SMTP:
        fields = self._account.fields
        opened = await self._tools.outbound.connect(fields["host"], fields.get("port") or 587, self._policy)
        security = fields.get("security") or "starttls"
        session = aiosmtplib.SMTP(
            hostname=fields["host"],
            sock=opened,
            use_tls=security == "tls",
            start_tls=security == "starttls",
            tls_context=self._tools.outbound.tls,
            username=fields.get("username") or None,
            password=(fields.get("password") or "") if fields.get("username") else None,
            local_hostname=self._sender.domain,
            timeout=COMMAND_S,
        )
        try:
            await session.connect()
        except BaseException:
            session.close()
            opened.close()
            raise
        return session


def judge(error: Exception) -> Outcome:
    """What a failure means for the mail it befell."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            refused = error.recipients[0]
            return _by_code(refused.code, refused.message, is_dead=refused.code in _DEAD)
        case aiosmtplib.SMTPResponseException():
            return _by_code(error.code, error.message, is_dead=False)
        case aiosmtplib.SMTPException() if type(error) in _LACKING:
            return Unauthorized(why=words(f"the server lacks what the account asks for: {error.message}"))
        case AddressForbidden():
            return Permanent(why=f"address refused: {error}")
        case Unreachable():
            return Temporary(why=str(error))
        case aiosmtplib.SMTPException() | OSError() | ssl.SSLError():
            return Temporary(why=f"connection failed: {type(error).__name__}")
        case _:
            raise error


def _by_code(code: int, message: str, is_dead: bool) -> Outcome:
    why = words(f"{code} {' '.join(message.split())}")
    if code in _LOGIN:
        return Unauthorized(why=why)
    if code >= 500:
        return Permanent(why=why, drop_target=is_dead, code=code)
    return Temporary(why=why)


def build(account: CarrierAccount, tools: CarrierTools) -> Carrier:
    """The carrier of one account."""
    return Smtp(account, tools)
