"""A running server with the directory of the acceptance cases, and the services it sends to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from tests.engines import settings_for
from tests.fakes.http_service import HttpService, Received, answer, http_service
from tests.fakes.smtp_service import Mail, SmtpService, smtp_service
from tests.running import running
from tests.service import ENGINES
from tests.wire.pushplus.support import UT, UTB, Client, User

from onebell import directory
from onebell.app import SECTIONS
from onebell.clock import Clock
from onebell.settings import Settings

HERE = Path(__file__).parent


UNWANTED = "拒收"
"""What no provider takes."""
_OK = {"errcode": 0, "errmsg": "ok"}
_BROKEN = b"out of order"
_SAID: dict[str, object] = {
    "/refusing": {"errcode": 40058, "errmsg": "no such thing"},
    "/banned": {"errcode": 93000, "errmsg": "invalid webhook url"},
    "/gone": {"code": 400, "message": "failed to get device token"},
    "/mended/gone": {"code": 200, "message": "success", "timestamp": 1},
    "/broken": _BROKEN,
    "/cgi-bin/gettoken": _OK | {"access_token": "a-token", "expires_in": 7200},
    "/open-apis": {"code": 0, "msg": "success"},
    "/push": {"code": 200, "message": "success", "timestamp": 1},
    "/message": {"id": 25, "appid": 5, "message": "m", "title": "t", "priority": 5},
    "/SCT": {"code": 0, "message": "", "data": {"pushid": "1", "readkey": "k", "error": "SUCCESS", "errno": 0}},
    "/v1/accept": {"Code": 200},
    "/api/send/message": {"code": 1000, "msg": "处理成功", "data": [], "success": True},
    "/trigger": b"Congratulations! You've fired the bell event",
}
"""What each provider says when all is well."""


class Sink:
    """A service that answers every provider's ok body, and what it got."""

    def __init__(self, service: HttpService) -> None:
        self._service = service
        service.script = self._answer

    @property
    def base(self) -> str:
        """Its origin."""
        return self._service.base

    @property
    def received(self) -> list[Received]:
        """Everything that came, in order."""
        return self._service.received

    async def about(self, what: str, path: str = "") -> list[Received]:
        """The requests to a path that hold a text."""
        return [
            one
            for one in self._service.received
            if one.target.startswith(path) and (what in one.body.decode() or what in one.target)
        ]

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        said = next((said for path, said in _SAID.items() if request.target.startswith(path)), _OK)
        status = 500 if said is _BROKEN else 400 if UNWANTED.encode() in request.body else 200
        await answer(status, said)(request, writer)


class Mailbox:
    """The mails that came."""

    def __init__(self, service: SmtpService) -> None:
        self._service = service

    async def titled(self, subject: str) -> Mail | None:
        """The mail of a subject."""
        return next((mail for mail in self._service.mails if mail.message["subject"] == subject), None)


@asynccontextmanager
async def applied(data: Path, text: str) -> AsyncIterator[Client]:
    """A caller of a server on SQLite with this directory."""
    async with serving(Settings(data=str(data)), text) as client:
        yield client


@asynccontextmanager
async def serving(settings: Settings, text: str, clock: Clock | None = None) -> AsyncIterator[Client]:
    """A caller of a server on a free port with this directory."""
    async with running(msgspec.structs.replace(settings, port=0), clock) as server:
        await directory.apply(server.application.context.store, SECTIONS, text, dry_run=False)
        yield Client(server)


def directory_text(sink: str, smtp: int = 9, limits: str = "off") -> str:
    """The directory with its places filled."""
    text = (HERE / "directory.toml").read_text()
    for name, value in {"{sink}": sink, "{smtp}": str(smtp), "{limits}": limits}.items():
        text = text.replace(name, value)
    return text


def managed_text(sink: str) -> str:
    """The directory where both may use the open API and the native one."""
    text = directory_text(sink).replace(f'\ncallback_url = "{sink}/account"', '\nsecret_key = "bob-secret"')
    for name in ("Alice", "Bob"):
        text = text.replace(f'name = "{name}"', f'name = "{name}"\nrole = "sender"')
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


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which store is under the server."""
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory, sink: Sink, _smtp: SmtpService
) -> AsyncIterator[Client]:
    """A caller of a server without limits."""
    settings = settings_for(engine, request, tmp_path_factory.mktemp("pushplus"))
    async with serving(settings, directory_text(sink.base, _smtp.port)) as caller:
        yield caller


@pytest_asyncio.fixture(loop_scope="module")
async def strict(engine: str, request: pytest.FixtureRequest, tmp_path, sink: Sink) -> AsyncIterator[Client]:
    """A caller of a server with the strict profile, nothing counted yet."""
    settings = settings_for(engine, request, tmp_path)
    async with serving(settings, directory_text(sink.base, limits="strict")) as caller:
        yield caller


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def managed(tmp_path_factory, sink: Sink) -> AsyncIterator[Client]:
    """A caller of a server whose users change their own things."""
    async with applied(tmp_path_factory.mktemp("managed"), managed_text(sink.base)) as caller:
        yield caller


@pytest.fixture(scope="module")
def alice(managed: Client) -> User:
    """User A of the cases."""
    return User(managed, UT, "alice-secret")


@pytest.fixture(scope="module")
def bob(managed: Client) -> User:
    """User B of the cases."""
    return User(managed, UTB, "bob-secret")
