"""S7, S8: planted secrets never come out again; guessing is slowed down."""

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from tests.faults.senders import sign_in
from tests.process import ServerProcess
from tests.running import DemoStore, running

from onebell import demo
from onebell.control import Call, call
from onebell.core.directory import CarrierAccount, Credential, Record
from onebell.store import schema
from onebell.store.base import Store

CANARIES = {
    "alice-password": "canary-chosen-password",
    "0123456789abcdef0123456789abcdef": "cafe0000000000000000000000000001",
    "00000000-0000-4000-8000-000000000001": "ca0a0000-0000-4000-8000-000000000002",
    "633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa": "ca0a0000-0000-4000-8000-000000000003",
    "channel-password": "canary-channel-password",
    "5e987ac6d2e04d95a9d8f0d1": "cafe00000000000000000004",
    "ums-access-secret": "canary-ums-secret",
    "YXA6-demo-client-secret": "canary-easemob-secret",
    "easemob-callback-secret": "canary-callback-secret",
    "corp-secret": "canary-corp-secret",
    "alice-secret-key": "canary-secret-key",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": "canaryxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
}
"""The demo space's secrets, each replaced by one that is easy to find."""
PATHS = (
    "/metrics", "/api/v1/me", "/api/v1/people", "/api/v1/carriers", "/api/v1/tokens", "/api/v1/messages",
    "/api/v1/inbox?after=0", "/api/v1/callbacks", "/api/v1/openapi.json", "/healthz", "/readyz",
)  # fmt: skip


def planted() -> str:
    """The demo directory with the canaries; its carriers lead to a port where nobody can listen."""
    text = demo.directory().replace("port = 2525", "port = 1").replace("127.0.0.1:9099", "127.0.0.1:1")
    for known, canary in CANARIES.items():
        assert known in text
        text = text.replace(known, canary)
    # Whatever else runs on this machine, nobody takes what is delivered.
    return text.replace("127.0.0.1:9099", "127.0.0.1:1").replace("port = 2525", "port = 1")


async def test_planted_secrets_come_out_nowhere(tmp_path: Path) -> None:
    """After use and misuse of every secret none is in a log, an error, a figure, an answer or a command's output."""
    async with ServerProcess(tmp_path / "data", {"ONEBELL_LOG_LEVEL": "debug"}, options=()) as server:
        said: list[Any] = [await call(server.data, Call(command="apply", arguments={"text": planted()}))]
        broken = planted().replace('role = "owner"', 'role = "canary"')
        said.append(await call(server.data, Call(command="apply", arguments={"text": broken})))
        said.append(await call(server.data, Call(command="doctor")))
        async with aiohttp.ClientSession() as session:
            said += await use(session, server.url)
            async with asyncio.timeout(30):
                while "delivery_not_sent" not in server.log.read_text():
                    await asyncio.sleep(0.05)
            headers = await sign_in(session, server.url, {"uid": "alice", "password": CANARIES["alice-password"]})
            for path in PATHS:
                async with session.get(server.url + path, headers=headers) as answer:
                    said.append(await answer.text())
        said += [server.log.read_text(), "\n".join(server.output)]

    everything = "\n".join(str(one) for one in said)
    assert [canary for canary in CANARIES.values() if canary in everything] == []
    assert "argon2" not in everything


async def use(session: aiohttp.ClientSession, url: str) -> list[str]:
    """Good and bad calls with the canaries in every place a secret travels; the answers."""
    token, key = CANARIES["0123456789abcdef0123456789abcdef"], CANARIES["633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa"]
    ums = aiohttp.encode_basic_auth("7d431e42dfa6a6d693ac2d04", CANARIES["5e987ac6d2e04d95a9d8f0d1"])
    grant = {"grant_type": "client_credentials", "client_id": "YXA6-demo-client-id"}
    wecom = {"msgtype": "text", "text": {"content": "x"}}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/send?token={token}&content=load", {}),
        ("POST", "/send", {"json": {"token": token, "content": "load", "template": "nonsense"}}),
        ("POST", f"/send/{token}", {"data": b"\xff"}),
        ("POST", f"/cgi-bin/webhook/send?key={key}", {"json": wecom}),
        ("POST", f"/cgi-bin/webhook/send?key={key}", {"data": b"{"}),
        ("POST", "/message", {"json": {"channel_id": "x", "password": CANARIES["channel-password"], "title": "t"}}),
        ("POST", f"/ntfy/06J0FZG1Y8XGG14VTQ4Y3G10MR:{CANARIES['channel-password']}", {"data": b"load"}),
        ("POST", "/v1/sent", {"json": {"aud_userid": 7}, "headers": {"Authorization": ums}}),
        ("POST", "/acme/demo/token", {"json": {**grant, "client_secret": CANARIES["YXA6-demo-client-secret"] + "x"}}),
        ("POST", "/api/v1/login", {"json": {"uid": "bob", "password": CANARIES["alice-password"]}}),
        ("GET", f"/nowhere?secret={CANARIES['corp-secret']}", {}),
    ]
    answers = []
    for method, path, more in calls:
        async with session.request(method, url + path, **more) as answer:
            answers.append(await answer.text())
    return answers


async def test_objects_with_secrets_do_not_print_them(tmp_path: Path, demo_store: DemoStore) -> None:
    """What lies in memory shows no secret when it ends up in a trace: ``repr`` of every directory object."""
    async with running(await demo_store.sqlite(tmp_path / "node")) as node:
        context = node.application.context
        lookups, space = context.lookups, (await context.lookups.spaces())[0].id
        shown: list[object] = [context.settings, space]
        shown += await context.store.carrier_accounts.every(space)
        for dialect, kind in await kinds(context.store, schema.credential):
            shown += await lookups.credentials(space, dialect, kind)
        shown += (await lookups.people_by_uid(space, ["alice", "bob"])).values()
        for dialect, kind in await kinds(context.store, schema.record):
            shown += await lookups.records(space, dialect, kind)
        shown += (await lookups.accounts(space, "acme/demo", ["alice", "bob"])).values()

    text = repr(shown)
    assert [secret for secret in CANARIES if secret in text] == []
    # Nothing was left out: each dialect's credentials, records and accounts with secrets are among them.
    values = "".join(str(one.value) for one in shown if isinstance(one, Credential))
    values += str([one.secrets for one in shown if isinstance(one, Record)])
    values += str([one.fields for one in shown if isinstance(one, CarrierAccount)])
    chosen = {"alice-password", "channel-password"}  # only their hashes are there
    assert [secret for secret in CANARIES if secret not in values and secret not in chosen] == []
    assert sum(bool(getattr(one, "password_hash", "")) for one in shown) > 3


async def kinds(store: Store, table: sa.Table) -> list[tuple[str, str]]:
    """Dialect and kind of what a table holds."""
    found = sa.select(table.c.dialect, table.c.kind).distinct().order_by(table.c.dialect, table.c.kind)
    return await store.db.read(lambda connection: [(row.dialect, row.kind) for row in connection.execute(found)])


async def test_guessing_a_password_is_slowed_down(tmp_path: Path, demo_store: DemoStore) -> None:
    """S7: after some failures guesses are refused unhashed; the right password and other people's still work later."""
    async with running(await demo_store.sqlite(tmp_path / "node")) as node:
        url, seen = f"{node.url}/api/v1/login", []
        for number in range(40):
            body = {"uid": "alice", "password": f"guess-{number}"}
            async with node.session.post(url, json=body) as answer:
                seen.append(answer.status)
                if answer.status == 429:
                    assert re.fullmatch(r"\d+", answer.headers["Retry-After"])
                    break
        async with node.session.post(url, json={"uid": "alice", "password": "alice-password"}) as answer:
            assert answer.status == 429  # a right guess among wrong ones must not be told apart
        async with node.session.post(url, json={"uid": "bob", "password": "bob-password"}) as answer:
            assert answer.status == 200
        grant = {"grant_type": "password", "username": "carol"}
        statuses = []
        for number in range(40):
            async with node.session.post(
                f"{node.url}/acme/demo/token", json={**grant, "password": f"x{number}"}
            ) as got:
                statuses.append(got.status)

    assert set(seen) == {401, 429}
    assert set(statuses) == {400, 429}


@pytest.mark.parametrize("secret_key", ["00" * 32, ""])
async def test_the_server_key_is_shown_nowhere(tmp_path: Path, secret_key: str) -> None:
    """Neither a configured key nor the one on disk is printed or logged; the file is its owner's alone."""
    environment = {"ONEBELL_LOG_LEVEL": "debug", **({"ONEBELL_SECRET_KEY": secret_key} if secret_key else {})}
    async with ServerProcess(tmp_path / "data", environment) as server:
        key = server.data / "server.key"
        shown = "\n".join(server.output) + server.log.read_text()
        if secret_key:
            assert not key.exists()
            assert secret_key not in shown
        else:
            assert key.stat().st_mode & 0o077 == 0
            assert key.read_text().strip() not in shown
        assert (server.data / "control.sock").stat().st_mode & 0o177 == 0
