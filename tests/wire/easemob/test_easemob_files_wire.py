"""Easemob's files over real HTTP: large ones pass through a server that holds none of them (sheet easemob §2)."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from tests.process import ServerProcess
from tests.running import RunningServer
from tests.wire.easemob.test_easemob_golden import GRANTS
from tests.wire.easemob.test_easemob_wire import bearer

MIB = 1 << 20
FILE = os.urandom(10 * MIB)
HELD = 6 * MIB
"""Less than the file, and room for what an interpreter takes anyway."""


def form_of(body: bytes | AsyncIterator[bytes]) -> aiohttp.FormData:
    """A form with one file."""
    form = aiohttp.FormData()
    form.add_field(
        "file",
        io.BytesIO(body) if isinstance(body, bytes) else body,
        filename="a.bin",
        content_type="application/octet-stream",
    )
    return form


def digest(body: bytes) -> str:
    """What is compared, so that a failure does not print ten mebibytes."""
    return hashlib.sha256(body).hexdigest()


async def pieces() -> AsyncIterator[bytes]:
    """The file, so that the client sends it chunked and says no length."""
    for start in range(0, len(FILE), 100_000):
        yield FILE[start : start + 100_000]


async def test_upload_and_download(server: RunningServer) -> None:
    """Small or large, with a length or chunked, with or without Expect: what went up comes down."""
    headers = {"Authorization": (await bearer(server))["Authorization"], "restrict-access": "true"}
    url = f"{server.url}/acme/demo/chatfiles"
    for body, expect, size in (
        (b"small", False, 5),
        (FILE, False, 10 * MIB),
        (FILE, True, 10 * MIB),
        (pieces(), False, 10 * MIB),
    ):
        async with server.session.post(url, data=form_of(body), headers=headers, expect100=expect) as got:
            (entity,) = (await got.json())["entities"]
        secret = {"share-secret": entity["share-secret"]}
        async with server.session.get(f"{url}/{entity['uuid']}", headers=secret) as got:
            whole = await got.read()
        assert len(whole) == size
        assert whole == b"small" or digest(whole) == digest(FILE)


async def test_who_is_refused_hears_why(server: RunningServer) -> None:
    """A refusal reaches a caller who is still sending, and the connection lives on."""
    url = f"{server.url}/acme/demo/chatfiles"
    async with server.session.post(url, data=form_of(FILE)) as got:
        assert (got.status, (await got.json())["error_description"]) == (401, "Unable to authenticate (OAuth)")
    headers = {"Authorization": (await bearer(server))["Authorization"]}
    async with server.session.post(url, data=form_of(FILE + b"!"), headers=headers) as got:
        assert (got.status, (await got.json())["error"]) == (413, "file exceeding maximum limit")


async def test_who_hangs_up_leaves_nothing(server: RunningServer) -> None:
    """Half an upload is no file."""
    headers = {"Authorization": (await bearer(server))["Authorization"]}
    sent = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield FILE[:MIB]
        sent.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(
        server.session.post(f"{server.url}/acme/demo/chatfiles", data=form_of(half()), headers=headers)
    )
    await sent.wait()
    place = Path(server.application.context.settings.data, "files")
    upload.cancel()
    await asyncio.gather(upload, return_exceptions=True)
    async with asyncio.timeout(20):
        while any(path.is_file() for path in place.rglob("*")):
            await asyncio.sleep(0.02)


def peak_bytes(pid: int) -> int:
    """The most memory a process has had since its peak was set back."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


async def test_ten_mebibytes_are_never_held(tmp_path: Path) -> None:
    """A server process grows by far less than the file that goes in and out."""
    async with ServerProcess(tmp_path / "data") as process, aiohttp.ClientSession() as session:
        async with session.post(f"{process.url}/acme/demo/token", json=GRANTS["@app"]) as got:
            headers = {"Authorization": f"Bearer {(await got.json())['access_token']}"}
        url = f"{process.url}/acme/demo/chatfiles"
        # One of each before, so that what is imported and pooled at first use is there.
        async with session.post(url, data=form_of(bytes(MIB)), headers=headers) as got:
            first = (await got.json())["entities"][0]["uuid"]
        async with session.get(f"{url}/{first}") as got:
            await got.read()
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        before = peak_bytes(process.pid)
        async with session.post(url, data=form_of(FILE), headers=headers) as got:
            uuid = (await got.json())["entities"][0]["uuid"]
        async with session.get(f"{url}/{uuid}") as got:
            assert digest(await got.read()) == digest(FILE)
        assert peak_bytes(process.pid) - before < HELD
