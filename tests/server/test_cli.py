"""The command line as its users run it: real processes, with a server that holds the data directory and without."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from tests.engines import free_port
from tests.faults.senders import Load, by_pushgo, by_pushplus, inbox_texts
from tests.process import ServerProcess
from tests.running import DemoStore
from typer.testing import CliRunner

from onebell.backup import backup, restore
from onebell.cli import cli
from onebell.errors import InvalidInput, NotFound, OnebellError
from onebell.lock import DataLock

SPACE = """
[space]
name = "main"
[[people]]
uid = "alice"
password = "env:ALICE_PASSWORD"
[[people]]
uid = "bob"
password = "bob-password"
[[pushplus.users]]
person = "alice"
token = "0123456789abcdef0123456789abcdef"
"""
SECRETS = {"ALICE_PASSWORD": "alice-password"}


@dataclass(frozen=True)
class Done:
    """What a command said."""

    status: int
    out: str
    err: str


@dataclass
class Desk:
    """A data directory, and a server on it or none."""

    data: Path
    server: ServerProcess | None

    async def run(self, *arguments: str, environment: dict[str, str] | None = None) -> Done:
        """``onebell … --data DIR``."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "onebell", *arguments, "--data", str(self.data)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def ok(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        """The output of a command that must do it."""
        done = await self.run(*arguments, environment=environment)
        assert done.status == 0, done.err
        return done.out


@pytest.fixture(params=["running", pytest.param("alone", marks=pytest.mark.all)])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    """With a server, every command goes through its control socket; without one it does the work itself."""
    if request.param == "alone":
        yield Desk(tmp_path / "data", None)
        return
    async with ServerProcess(tmp_path / "data", options=()) as server:
        yield Desk(server.data, server)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A directory file with a secret in the environment."""
    path = tmp_path / "directory.toml"
    path.write_text(SPACE)
    return path


@pytest.mark.timeout(900)  # a dozen processes
async def test_the_life_of_a_space(desk: Desk, file: Path) -> None:
    """apply, person, token, send, doctor: the same with and without a running server."""
    refused = await desk.run("apply", str(file))
    assert refused.status == 1
    assert "ALICE_PASSWORD" in refused.err
    preview = await desk.ok("apply", "--dry-run", str(file), environment=SECRETS)
    made = await desk.ok("apply", str(file), environment=SECRETS)
    again = await desk.ok("apply", str(file), environment=SECRETS)
    assert preview == made
    assert "+ person alice" in made
    assert {line[0] for line in again.splitlines()} == {"="}
    assert "alice-password" not in made + again

    added = ("person", "add", "carol", "--name", "Carol", "--email", "carol@example.test", "--password", "p4ssword!")
    assert "nowhere is no e-mail address" in (await desk.run(*added, "--email", "nowhere")).err
    short = await desk.run(*added[:-1], "short")
    assert (short.status, short.out) == (1, "")
    assert short.err.endswith("a password has 8 to 200 characters\n")
    assert len(short.err.splitlines()) == 1
    assert await desk.ok(*added) == "+ person carol\n"
    people = await desk.ok("person", "list")
    assert [line.split("\t")[0] for line in people.splitlines()] == ["alice", "bob", "carol"]
    assert await desk.ok("person", "remove", "carol") == "- person carol\n"

    token = (await desk.ok("token", "create", "--name", "ci", "--scope", "send")).strip()
    assert token.startswith("ob_")
    sent = await desk.ok("send", "--to", "alice", "--to", "bob", "--title", "load-cli", "hello")
    assert sent.strip()
    unknown = await desk.run("send", "--to", "nobody", "hello")  # a refusal: one line, status 1
    assert (unknown.status, unknown.out) == (1, "")
    assert "nobody has the uid nobody" in unknown.err
    assert "Traceback" not in unknown.err
    assert "ok   store (sqlite" in await desk.ok("doctor")
    assert "a title or a body" in (await desk.run("send", "--to", "alice", "")).err

    if desk.server is None:
        desk.server = await ServerProcess(desk.data, options=()).start()
    try:
        assert await inbox_texts(desk.server.url) == ["load-cli"]
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            body = {"to": "alice", "title": "load-token"}
            async with session.post(f"{desk.server.url}/api/v1/messages", json=body) as answer:
                assert answer.status == 201
    finally:
        assert await desk.server.stop() == 0


async def test_without_a_server_a_command_does_the_work_itself(tmp_path: Path, file: Path) -> None:
    """What it did is there for the server that starts next."""
    desk = Desk(tmp_path / "data", None)
    assert "+ person alice" in await desk.ok("apply", str(file), environment=SECRETS)
    await desk.ok("send", "--to", "alice", "--to", "bob", "--title", "load-cli", "hello")
    async with ServerProcess(desk.data, options=()) as server:
        assert await inbox_texts(server.url) == ["load-cli"]


def test_a_command_line_imports_no_node() -> None:
    """What a running server does for a command is answered without loading a node's parts first."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, onebell.cli; print(*sys.modules)"], capture_output=True, check=True
    )

    assert {b"onebell.app", b"sqlalchemy", b"aiohttp"}.isdisjoint(loaded.stdout.split())


async def test_a_running_server_sees_an_apply_within_a_second(tmp_path: Path, file: Path) -> None:
    """The credential that a file adds works, and the one it removes does not, one second later."""
    async with ServerProcess(tmp_path / "data", options=()) as server, aiohttp.ClientSession() as session:
        desk = Desk(server.data, server)
        assert not (await by_pushplus(session, server.url, "load-0")).is_success
        await desk.ok("apply", str(file), environment=SECRETS)
        assert (await by_pushplus(session, server.url, "load-1")).is_success
        file.write_text(SPACE[: SPACE.index("[[pushplus")])
        assert "- " in await desk.ok("apply", str(file), environment=SECRETS)
        now = asyncio.get_running_loop().time
        applied = asked = now()
        while (await by_pushplus(session, server.url, "load-2")).is_success:
            assert asked < applied + 1
            asked = now()
        assert "load-1" in await inbox_texts(server.url)


async def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """One process writes a data directory; the second says so in one line."""
    async with ServerProcess(tmp_path / "data", options=()) as server:
        done = await Desk(server.data, server).run("serve", "--port", "0")

        assert done.status == 1
        assert len(done.err.splitlines()) == 1
        assert "onebell.lock" in done.err


async def printed(server: ServerProcess, beginning: str) -> str:
    """The line that begins so, once the server has printed it."""
    async with asyncio.timeout(10):
        while not (lines := [line for line in server.output if line.startswith(beginning)]):
            await asyncio.sleep(0.02)
    (line,) = lines
    return line


async def test_the_first_start_can_be_set_up(tmp_path: Path) -> None:
    """A server that nobody has described yet prints the link all the same, and its page makes the owner."""
    async with ServerProcess(tmp_path / "data", options=()) as server, aiohttp.ClientSession() as session:
        link = await printed(server, "set-up link")
        form = {"code": link.partition("code=")[2], "uid": "me", "password": "a-password", "again": "a-password"}
        async with session.post(f"{server.url}/console/setup", data=form, allow_redirects=False) as answer:
            assert answer.status == 303
        assert (await Desk(server.data, server).ok("person", "list")).startswith("me\towner\t")


async def test_a_demo_that_was_set_up_keeps_its_password(tmp_path: Path) -> None:
    """The next start of the demo does not bring back the password that stands in its file."""
    form = {"uid": "alice", "password": "my-own-password", "again": "my-own-password"}
    async with ServerProcess(tmp_path / "data") as server, aiohttp.ClientSession() as session:
        code = (await printed(server, "set-up link")).partition("code=")[2]
        async with session.post(
            f"{server.url}/console/setup", data=form | {"code": code}, allow_redirects=False
        ) as done:
            assert done.status == 303
        assert (await printed(server, "try it")) == "try it (alice signs in with alice-password):"

    async with ServerProcess(tmp_path / "data") as server, aiohttp.ClientSession() as session:
        assert (await printed(server, "try it")) == "try it (alice signs in with the password you chose):"
        for password, status in (("my-own-password", 200), ("alice-password", 401)):
            body = {"uid": "alice", "password": password}
            async with session.post(f"{server.url}/api/v1/login", json=body) as answer:
                assert answer.status == status


async def test_the_demos_links_lead_to_its_port(tmp_path: Path) -> None:
    """A QR code of the demo opens on the server that made it, whichever port that has."""
    secret = {"token": "0123456789abcdef0123456789abcdef", "secretKey": "alice-secret-key"}
    async with (
        ServerProcess(tmp_path / "data", port=free_port()) as server,
        aiohttp.ClientSession(server.url) as session,
    ):
        async with session.post("/api/common/openApi/getAccessKey", json=secret) as answer:
            key = (await answer.json())["data"]["accessKey"]
        async with session.get("/api/open/friend/getQrCode", headers={"access-key": key}) as answer:
            picture = (await answer.json())["data"]["qrCodeImgUrl"]

    assert picture.startswith(f"{server.url}/j/")


async def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """A server that cannot listen says where and why in its last line, and lets go of its directory."""
    async with ServerProcess(tmp_path / "data", options=()) as server:
        port = server.url.rsplit(":", 1)[1]
        other = Desk(tmp_path / "other", None)
        done = await other.run("serve", "--port", port)

    assert done.status == 1
    assert done.err.splitlines()[-1] == f"onebell: cannot listen on 127.0.0.1:{port}: Address already in use"
    assert not (other.data / "control.sock").exists()


@pytest.mark.usefixtures("own_log")
@pytest.mark.parametrize("command", [("doctor",), ("person", "list"), ("send", "--to", "alice", "hello")])
def test_a_mistyped_place_makes_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Only ``serve``, ``apply``, ``migrate`` and ``restore`` begin a data directory."""
    done = CliRunner().invoke(cli, [*command, "--data", str(tmp_path / "typo")])

    assert isinstance(done.exception, NotFound)
    assert not (tmp_path / "typo").exists()


@pytest.mark.usefixtures("own_log")
def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A data directory that is a file, and a directory file that is no text: one line, no trace."""
    (tmp_path / "file").write_bytes(b"\xff\xfe")

    with pytest.raises(OnebellError, match="cannot be used: File exists"):
        DataLock(tmp_path / "file")
    done = CliRunner().invoke(cli, ["apply", str(tmp_path / "file"), "--data", str(tmp_path / "data")])
    assert isinstance(done.exception, InvalidInput)
    assert "is no UTF-8 text" in str(done.exception)


async def test_a_bad_file_is_told_with_line_and_reason(desk: Desk, tmp_path: Path) -> None:
    """An unknown key is refused and nothing is changed."""
    bad = tmp_path / "bad.toml"
    bad.write_text(SPACE.replace('uid = "bob"', 'uid = "bob"\nshoe_size = 44'))

    done = await desk.run("apply", str(bad), environment=SECRETS)

    assert done.status == 1
    assert "line 9: people[1].shoe_size: unknown key" in done.err
    assert done.out == ""
    assert "alice" not in (await desk.run("person", "list")).out


async def test_migrate_makes_and_keeps_the_tables(tmp_path: Path) -> None:
    """It can be run again, and not beside a server."""
    desk = Desk(tmp_path / "data", None)
    assert await desk.ok("migrate") == await desk.ok("migrate")
    async with ServerProcess(desk.data, options=()):
        assert (await desk.run("migrate")).status == 1


# ---------------------------------------------------------------- backup


@pytest.mark.all
async def test_a_backup_while_writing_restores_to_the_same(tmp_path: Path) -> None:
    """R21: what was accepted before the backup began is in it, the copy is sound, and the restored server works."""
    archive = tmp_path / "backup.tar.gz"
    async with ServerProcess(tmp_path / "data") as server:
        load = Load(lambda _: server.url, [by_pushplus, by_pushgo])
        async with load.running(8):
            await load.reach(300)
            before = set(load.accepted)
            await Desk(server.data, server).ok("backup", str(archive))
            await load.more(50)
        after = await inbox_texts(server.url)

    assert archive.stat().st_mode & 0o077 == 0
    with tarfile.open(archive) as tar:
        assert {"onebell.db", "server.key"} <= set(tar.getnames())
    other = Desk(tmp_path / "restored", None)
    await other.ok("restore", str(archive))
    counts = row_counts(other.data / "onebell.db")
    async with ServerProcess(other.data, options=()) as server:
        texts = await inbox_texts(server.url)
        assert await server.stop() == 0

    print(f"backup under load: {len(before)} accepted before, {len(texts)} restored, {counts['message']} message rows")
    assert before <= set(texts) <= set(after)
    assert len(texts) == len(set(texts)) == counts["message"]
    assert (await other.run("restore", str(archive))).status == 1
    assert row_counts(other.data / "onebell.db")["message"] == counts["message"]


def row_counts(database: Path) -> dict[str, int]:
    """Rows by table of a database that passes every check of SQLite's."""
    with closing(sqlite3.connect(database)) as raw:
        assert raw.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: raw.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}


async def test_a_damaged_archive_is_not_restored(tmp_path: Path, demo_store: DemoStore) -> None:
    """The copy is checked before anything says that it is restored."""
    settings = await demo_store.sqlite(tmp_path / "data")
    damaged = tmp_path / "damaged.tar.gz"
    raw = bytearray((Path(settings.data) / "onebell.db").read_bytes())
    raw[4096 : 4096 + 512] = bytes(512)
    (tmp_path / "onebell.db").write_bytes(raw)
    with tarfile.open(damaged, "w:gz") as tar:
        tar.add(tmp_path / "onebell.db", "onebell.db")

    done = await Desk(tmp_path / "other", None).run("restore", str(damaged))

    assert done.status == 1
    assert "damaged" in done.err
    assert "Traceback" not in done.err
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
async def test_half_an_archive_leaves_nothing(tmp_path: Path, demo_store: DemoStore, share: float) -> None:
    """A copy that was cut short, or is none, is refused; the directory stays fit for a whole one."""
    settings = await demo_store.sqlite(tmp_path / "data")
    whole, cut = tmp_path / "whole.tar.gz", tmp_path / "cut.tar.gz"
    backup(Path(settings.data), whole)
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])

    with pytest.raises(InvalidInput, match="is no backup, or a damaged one"):
        restore(cut, tmp_path / "other")
    restore(whole, tmp_path / "other")
    with pytest.raises(InvalidInput, match="cannot be written"):
        backup(Path(settings.data), tmp_path / "missing" / "b.tar.gz")


# ---------------------------------------------------------------- damage


async def test_damage_is_found_before_serving(tmp_path: Path) -> None:
    """R23: bits flipped in the database file stop the start after an unclean end, loudly and with a way out."""
    async with ServerProcess(tmp_path / "data") as server:
        load = Load(lambda _: server.url, [by_pushplus, by_pushgo])
        async with load.running(8):
            await load.reach(100)
        await server.kill()
        flip(server.data / "onebell.db")
        with pytest.raises(RuntimeError) as stopped:
            await server.start()

        assert await server.ended() != 0
        assert server.url not in server.output[-1:]
        assert "onebell.db" in str(stopped.value)
        assert "Traceback" not in str(stopped.value)


def flip(database: Path) -> None:
    """One bit in each page's header but the first one's."""
    raw = bytearray(database.read_bytes())
    size = int.from_bytes(raw[16:18]) or 65_536
    for start in range(size, len(raw), size):
        raw[start + 5] ^= 0x10
    database.write_bytes(raw)
