"""R1, R19: a node dies or freezes while carriers hold its calls. Another one finishes, and repeats little."""

import asyncio
import collections
import signal
from pathlib import Path

import aiohttp
import pytest
from tests.engines import Cluster
from tests.fakes.http_service import HttpService, Received, answer, http_service
from tests.fakes.smtp_service import SmtpService, smtp_service
from tests.process import ServerProcess
from tests.running import running
from tests.two_nodes import until

from onebell.clock import SystemClock
from onebell.control import Call, call
from onebell.core.work import LEASE_S
from onebell.settings import Settings

PEOPLE = 8
MESSAGES = 32
WORKERS = 16
SPACE = """
[space]
name = "main"
[[carriers]]
code = "mail"
kind = "smtp"
host = "127.0.0.1"
port = {smtp}
security = "none"
from = "onebell@example.test"
allow_networks = ["127.0.0.0/8"]
"""
PERSON = """
[[people]]
uid = "person{n}"
password = "person{n}-password"
email = "person{n}@example.test"
role = "owner"
[[carriers]]
code = "sink{n}"
kind = "webhook"
url = "{sink}/sink{n}"
allow_networks = ["127.0.0.0/8"]
[[routes]]
person = "person{n}"
carriers = ["sink{n}", "mail"]
[[pushplus.users]]
person = "person{n}"
token = "{n:032x}"
"""
"""Each with a webhook of his own: a target gets its messages in order, one at a time."""


class Later(SystemClock):
    """The machine's clock when the leases of now have ended."""

    def now_ms(self) -> int:
        return super().now_ms() + round((LEASE_S + 1) * 1000)


class Gate:
    """Holds every request to the webhook and every mail until it is opened."""

    def __init__(self, web: HttpService, mail: SmtpService) -> None:
        self._open = asyncio.Event()
        self._taken = mail.handle_DATA
        self.web, self.mail = web, mail
        web.script = self._answer
        mail.handle_DATA = self._take  # type: ignore[method-assign]

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        await answer(200, {})(request, writer)

    async def _take(self, server: object, session: object, envelope: object) -> str:
        said = await self._taken(server, session, envelope)  # type: ignore[arg-type]
        await self._open.wait()
        return said

    def let_go(self) -> None:
        """Answer what waits, and all that comes."""
        self._open.set()

    def is_done(self) -> bool:
        """Whether each message has arrived both ways; looks inside only when there are enough of them."""
        enough = min(len(self.mail.mails), len(self.web.received)) >= MESSAGES
        return enough and len(self.letters()) == len(self.calls()) == MESSAGES

    def letters(self) -> dict[str, list[str]]:
        """Message-IDs by subject."""
        found: dict[str, list[str]] = collections.defaultdict(list)
        for mail in self.mail.mails:
            found[str(mail.message["subject"])].append(str(mail.message["message-id"]))
        return found

    def calls(self) -> dict[str, list[str]]:
        """webhook-ids by title."""
        found: dict[str, list[str]] = collections.defaultdict(list)
        for request in self.web.received:
            found[request.json["title"]].append(request.headers["webhook-id"])
        return found


async def fill(server: ServerProcess, gate: Gate) -> set[str]:
    """Give a node its directory and its messages; their titles."""
    text = SPACE.format(smtp=gate.mail.port)
    text += "".join(PERSON.format(n=n, sink=gate.web.base) for n in range(PEOPLE))
    reply = await call(server.data, Call(command="apply", arguments={"text": text}))
    assert not reply.failed, reply.lines
    titles = [f"load-{number}" for number in range(MESSAGES)]
    async with aiohttp.ClientSession() as session:
        for number, title in enumerate(titles):
            body = {"token": f"{number % PEOPLE:032x}", "title": title, "content": title}
            async with session.post(f"{server.url}/send", json=body) as got:
                assert (await got.json(content_type=None))["code"] == 200
    # Every webhook and at least one mail are held now.
    await until(lambda: len(gate.web.received) == PEOPLE and len(gate.mail.mails) > 0)
    return set(titles)


def check(found: dict[str, list[str]], titles: set[str], what: str) -> None:
    """Everything arrived; no row more than twice, and no more rows than there are slots, and under the same id."""
    doubles = sum(len(ids) - 1 for ids in found.values())
    print(f"{what}: {len(found)} of {len(titles)} delivered, {doubles} twice (at most {WORKERS} in flight)")
    assert set(found) == titles
    assert doubles <= WORKERS
    assert max(len(ids) for ids in found.values()) <= 2
    assert {title: ids for title, ids in found.items() if len(set(ids)) != 1} == {}


async def test_what_was_in_flight_at_a_kill_is_delivered(tmp_path: Path) -> None:
    """Killed while webhooks and a mail server hold its calls: all is delivered once the leases have ended."""
    async with http_service() as web, smtp_service() as mail:
        gate = Gate(web, mail)
        environment = {"ONEBELL_WORKERS": str(WORKERS)}
        async with ServerProcess(tmp_path / "data", environment, options=()) as server:
            titles = await fill(server, gate)
            await server.kill()
        gate.let_go()
        async with running(Settings(data=str(tmp_path / "data"), port=0, workers=WORKERS), Later()):
            await until(gate.is_done, 150)

    check(gate.calls(), titles, "kill -9, webhook")
    check(gate.letters(), titles, "kill -9, mail")


@pytest.mark.all
@pytest.mark.postgres
async def test_a_frozen_node_is_taken_over(tmp_path: Path, cluster: Cluster) -> None:
    """SIGSTOP: the other node finishes when the leases have ended; the first one's late results change nothing."""
    database = cluster.database()
    environment = {"ONEBELL_WORKERS": str(WORKERS), "ONEBELL_DATABASE_URL": database}
    async with http_service() as web, smtp_service() as mail:
        gate = Gate(web, mail)
        async with ServerProcess(tmp_path / "a", environment, options=()) as frozen:
            titles = await fill(frozen, gate)
            frozen.signal(signal.SIGSTOP)
            gate.let_go()
            (tmp_path / "b").mkdir()
            (tmp_path / "b" / "server.key").write_bytes((tmp_path / "a" / "server.key").read_bytes())
            settings = Settings(data=str(tmp_path / "b"), port=0, database_url=database, poll_s=0.5, workers=WORKERS)
            async with running(settings, Later()) as second:
                await until(gate.is_done, 150)
                frozen.signal(signal.SIGCONT)
                assert await frozen.stop() == 0
                states = await delivery_states(second.url)

    check(gate.calls(), titles, "SIGSTOP, webhook")
    check(gate.letters(), titles, "SIGSTOP, mail")
    assert states == {"sent": 2 * MESSAGES}


async def delivery_states(url: str) -> dict[str, int]:
    """How the deliveries of all messages stand, over the native API."""
    counts: dict[str, int] = collections.Counter()
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{url}/api/v1/login", json={"uid": "person0", "password": "person0-password"}) as got:
            headers = {"Authorization": f"Bearer {(await got.json())['token']}"}
        async with session.get(f"{url}/api/v1/messages?limit=200", headers=headers) as got:
            messages = (await got.json())["items"]
        for message in messages:
            async with session.get(f"{url}/api/v1/messages/{message['message_id']}", headers=headers) as got:
                counts.update(delivery["state"] for delivery in (await got.json())["deliveries"])
    return dict(counts)
