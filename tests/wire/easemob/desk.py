"""A caller of the acceptance cases' server: an app's tokens, short calls, sockets that are only rows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from tests.running import RunningServer

from onebell.core.presence import Session
from onebell.store import schema

HOUR_MS = 3_600_000
SECRETS = {"demo": ("cid", "csecret"), "open": ("cid-open", "csecret"), "closed": ("cid-closed", "csecret")}
APPS = "".join(
    f"""
[[easemob.apps]]
org = "onebell"
app = "{app}"
client_id = "{client}"
client_secret = "{secret}"
{{{app}}}
"""
    for app, (client, secret) in SECRETS.items()
)
DIRECTORY = """
[space]
name = "main"
timezone = "UTC"
language = "en"
public_url = "http://127.0.0.1:8080"
""" + "".join(
    f"""
[[people]]
uid = "{uid}"
name = "{uid.title()}"
password = "{uid}-password"
"""
    for uid in ("u1", "u2", "u3", "outsider")
)


def directory_text(**settings: str) -> str:
    """The directory; ``settings`` are lines of an app's table, by app."""
    lines = {
        "demo": 'users = ["u1", "u2", "u3"]\n' + settings.get("demo", ""),
        "open": "open_registration = true\n" + settings.get("open", ""),
        "closed": "create_people = false\n" + settings.get("closed", ""),
    }
    return DIRECTORY + APPS.format(**lines)


class ShiftedClock:
    """The machine's clock, some time ahead."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._ahead_ms = 0
        self._still_ms = 0

    def now_ms(self) -> int:
        return (self._still_ms or int(self._real.now_ms())) + self._ahead_ms

    def monotonic(self) -> float:
        return float(self._real.monotonic()) + self._ahead_ms / 1000

    @contextmanager
    def still(self) -> Iterator[None]:
        """Whatever happens inside happens in one instant, however busy the machine is."""
        self._still_ms = int(self._real.now_ms())
        try:
            yield
        finally:
            self._still_ms = 0

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_ms += round(seconds * 1000)

    def begin_hour(self) -> None:
        """Let more than an hour pass, to the beginning of one: whatever follows soon happens within it."""
        self._ahead_ms += 2 * HOUR_MS - self.now_ms() % HOUR_MS


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str, str]:
        """Status, ``error`` and ``error_description`` of the one shape of errors."""
        body = self.json
        assert {"error", "exception", "timestamp", "duration", "error_description"} <= set(body), body
        assert isinstance(body["timestamp"], int)
        assert isinstance(body["duration"], int)
        return self.status, body["error"], body["error_description"]


@dataclass
class Desk:
    """A caller of one server."""

    server: RunningServer
    clock: ShiftedClock
    tokens: dict[str, str] = field(default_factory=dict)

    async def raw(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Said:
        """One request as it is given; ``path`` begins behind the host."""
        skip = () if "Content-Type" in headers else ("Content-Type",)
        async with self.server.session.request(
            method, self.server.url + path, data=data, headers=headers, skip_auto_headers=skip
        ) as got:
            return Said(got.status, dict(got.headers), await got.read())

    async def call(
        self, method: str, path: str, body: object = None, *, app: str = "demo", token: str | None = None
    ) -> Said:
        """One call to an app with its own token, another one, or none (the empty text)."""
        shown = await self.app_token(app) if token is None else token
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        return await self.raw(method, f"/onebell/{app}{path}", data, **headers)

    async def ok(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """The JSON of a call that is answered with 200."""
        said = await self.call(method, path, body, **more)
        assert said.status == 200, said.body
        assert said.headers["Access-Control-Allow-Origin"] == "*"
        return said.json

    async def app_token(self, app: str = "demo") -> str:
        """The app's token, kept."""
        if app not in self.tokens:
            client, secret = SECRETS[app]
            grant = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
            self.tokens[app] = (await self.grant(grant, app=app)).json["access_token"]
        return self.tokens[app]

    async def grant(self, grant: dict[str, Any], *, app: str = "demo", token: str = "") -> Said:
        """A token call."""
        return await self.call("POST", "/token", grant, app=app, token=token)

    async def user_token(self, name: str, password: str = "", *, app: str = "demo") -> str:
        """A user's token, by password."""
        grant = {"grant_type": "password", "username": name, "password": password or f"{name}-password"}
        said = await self.grant(grant, app=app)
        assert said.status == 200, said.body
        return str(said.json["access_token"])

    async def register(self, *names: str, app: str = "demo") -> None:
        """Users with the password ``name-password``."""
        for name in names:
            await self.ok("POST", "/users", {"username": name, "password": f"{name}-password"}, app=app)

    async def send(self, to: list[str], **fields: Any) -> Said:
        """A text message from u1, with fields changed."""
        body = {"from": "u1", "to": to, "type": "txt", "body": {"msg": "hi"}, **fields}
        return await self.call("POST", "/messages/users", body)

    async def sent(self, to: str, **fields: Any) -> str:
        """The id of a message to one."""
        said = await self.send([to], **fields)
        assert said.status == 200, said.body
        return str(said.json["data"][to])

    # ------------------------------------------------------------ behind the wire

    @property
    def context(self) -> Any:
        """The node's doors."""
        return self.server.application.context

    async def space(self) -> int:
        """The only space."""
        return int((await self.context.lookups.spaces())[0].id)

    async def person(self, uid: str) -> int:
        """A person's id; 0 = there is none."""
        found = await self.context.lookups.person_by_uid(await self.space(), uid)
        return found.id if found is not None else 0

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """All rows of a table."""
        statement = sa.select(table).order_by(*table.primary_key.columns)
        found: list[dict[str, Any]] = await self.context.store.db.read(
            lambda connection: [dict(row) for row in connection.execute(statement).mappings()]
        )
        return found

    async def entries(self, uid: str) -> list[dict[str, Any]]:
        """The entries of a person's mailbox, oldest first."""
        person = await self.person(uid)
        return [row for row in await self.rows(schema.entry) if row["mailbox_id"] == person]

    async def connect(self, name: str, resource: str, *, app: str = "demo", kind: str = "msync") -> Session:
        """A session row as the node that holds a client's socket writes it."""
        space = await self.space()
        account = await self.context.lookups.account(space, f"onebell/{app}", name)
        info = {"realm": f"onebell/{app}", "platform": "web", "resource": resource, "device_name": "Chrome"}
        session = Session(
            space=space,
            id=self.context.mint.mint(),
            kind=kind,
            mailbox=account.person,
            node=9,
            lease_until=self.context.clock.now_ms() + 60_000,
            info={**info, "device_uuid": "d-1"} if kind == "msync" else {},
        )
        await self.context.store.sessions.open_all([session])
        return session

    async def kicked(self, *sessions: Session) -> list[str]:
        """Why each of these is to end; empty = it is not."""
        rows = {row["id"]: row["kicked"] for row in await self.rows(schema.session)}
        return [rows[session.id] for session in sessions]

    async def gone(self, *sessions: Session) -> None:
        """The sockets have closed."""
        await self.context.store.sessions.close(await self.space(), [session.id for session in sessions])
