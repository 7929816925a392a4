"""A real SMTP server (aiosmtpd) on loopback: STARTTLS, TLS, login; records envelopes; refuses and breaks by script."""

import asyncio
import ssl
import warnings
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Mail:
    """One mail as it was taken."""

    sender: str
    receivers: tuple[str, ...]
    raw: bytes
    user: str  # who was logged in
    encrypted: bool

    @cached_property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def part(self, media_type: str) -> str:
        """The text of the first part of a type."""
        found = next(part for part in self.message.walk() if part.get_content_type() == media_type)
        return str(found.get_content())


@dataclass
class SmtpService:
    """What came, and what the next commands get."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    connections: int = 0
    rcpt: deque[str] = field(default_factory=deque)  # answers to the next RCPTs; "" = take it; "drop" = cut
    data: deque[str] = field(default_factory=deque)
    mail: deque[str] = field(default_factory=deque)
    passwords: dict[str, str] = field(default_factory=dict)
    protocols: list[SMTP] = field(default_factory=list)

    def drop_all(self) -> None:
        """Cut every open connection."""
        for protocol in self.protocols:
            if protocol.transport is not None:
                protocol.transport.abort()

    def _next(self, queue: deque[str], server: SMTP) -> str:
        answer = queue.popleft() if queue else ""
        if answer == "drop":
            assert server.transport is not None
            server.transport.abort()
        return answer

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        answer = self._next(self.mail, server)
        if not answer:
            envelope.mail_from = address
        return answer or "250 ok"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        answer = self._next(self.rcpt, server)
        if not answer:
            envelope.rcpt_tos.append(address)
        return answer or "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self._next(self.data, server)
        if answer:
            return answer
        login = session.auth_data
        user = login.login.decode() if isinstance(login, LoginPassword) else ""
        raw = envelope.original_content
        assert raw is not None
        assert envelope.mail_from is not None
        self.mails.append(Mail(envelope.mail_from, tuple(envelope.rcpt_tos), raw, user, _is_encrypted(server)))
        return f"250 queued as {len(self.mails)}"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        """Against ``passwords``."""
        good = self.passwords.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=good, handled=False, auth_data=data)


def _is_encrypted(server: SMTP) -> bool:
    return server.transport is not None and server.transport.get_extra_info("sslcontext") is not None


@asynccontextmanager
async def smtp_service(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, **passwords: str
) -> AsyncIterator[SmtpService]:
    """A running server; with passwords it demands a login."""
    service = SmtpService(passwords=passwords)
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        service.connections += 1
        with warnings.catch_warnings(action="ignore"):  # a login without TLS, on loopback
            opened = SMTP(
                service,
                loop=loop,
                hostname="mx.test",
                tls_context=starttls,
                require_starttls=starttls is not None,
                authenticator=service.authenticate,
                auth_required=bool(passwords),
                auth_require_tls=False,
            )
        service.protocols.append(opened)
        return opened

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        service.drop_all()
        await server.wait_closed()
        await asyncio.sleep(0)
