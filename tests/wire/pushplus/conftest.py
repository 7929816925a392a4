"""A running server with the directory of the acceptance cases, and the services it sends to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from tests.fakes.http_service import HttpService, Received, answer, http_service
from tests.fakes.smtp_service import Mail, SmtpService, smtp_service
from tests.running import running
from tests.wire.pushplus.support import Client

from onebell import directory
from onebell.app import SECTIONS
from onebell.settings import Settings

HERE = Path(__file__).parent


class Sink:
    """A service that answers every provider's ok body, and what it got."""

    def __init__(self, service: HttpService) -> None:
        self._service = service
        service.script = self._answer

    @property
    def base(self) -> str:
        """Its origin."""
        return self._service.base

    async def about(self, what: str, path: str = "") -> list[Received]:
        """The requests to a path that hold a text."""
        return [one for one in self._service.received if one.target.startswith(path) and what in one.body.decode()]

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        body: dict[str, object] = {"errcode": 0, "errmsg": "ok"}
        if request.target.startswith("/refusing"):
            body = {"errcode": 40058, "errmsg": "no such thing"}
        elif request.target.startswith("/cgi-bin/gettoken"):
            body |= {"access_token": "a-token", "expires_in": 7200}
        await answer(200, body)(request, writer)


class Mailbox:
    """The mails that came."""

    def __init__(self, service: SmtpService) -> None:
        self._service = service

    async def titled(self, subject: str) -> Mail | None:
        """The mail of a subject."""
        return next((mail for mail in self._service.mails if mail.message["subject"] == subject), None)


@asynccontextmanager
async def applied(data: Path, text: str) -> AsyncIterator[Client]:
    """A caller of a server on a free port with this directory."""
    async with running(Settings(data=str(data), port=0)) as server:
        await directory.apply(server.application.context.store, SECTIONS, text, dry_run=False)
        yield Client(server)


def directory_text(sink: str, smtp: int = 9, limits: str = "off") -> str:
    """The directory with its places filled."""
    text = (HERE / "directory.toml").read_text()
    for name, value in {"{sink}": sink, "{smtp}": str(smtp), "{limits}": limits}.items():
        text = text.replace(name, value)
    return text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sink() -> AsyncIterator[Sink]:
    """A recording webhook service."""
    async with http_service() as service:
        yield Sink(service)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _smtp() -> AsyncIterator[SmtpService]:
    async with smtp_service() as service:
        yield service


@pytest.fixture(scope="module")
def mailbox(_smtp: SmtpService) -> Mailbox:
    """A recording mail server."""
    return Mailbox(_smtp)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory, sink: Sink, _smtp: SmtpService) -> AsyncIterator[Client]:
    """A caller of a server without limits."""
    text = directory_text(sink.base, _smtp.port)
    async with applied(tmp_path_factory.mktemp("pushplus"), text) as caller:
        yield caller


@pytest_asyncio.fixture(loop_scope="module")
async def strict(tmp_path, sink: Sink) -> AsyncIterator[Client]:
    """A caller of a server with the strict profile, nothing counted yet."""
    async with applied(tmp_path, directory_text(sink.base, limits="strict")) as caller:
        yield caller
