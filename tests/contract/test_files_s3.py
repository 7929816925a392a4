"""Stored files in an S3-compatible service, on both engines: signed requests, failures, and nothing held in memory."""

import os
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.s3_service import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, S3Service, s3_service

from onebell.carriers.object_client import ObjectClient
from onebell.carriers.outbound import Outbound
from onebell.clock import SystemClock
from onebell.core.context import StoredFile
from onebell.errors import StoreUnavailable
from onebell.ids import IdMint
from onebell.settings import Settings
from onebell.store import s3, schema
from onebell.store.engine import Database
from onebell.store.files import StoredFiles, open_files
from onebell.store.sigv4 import EMPTY, Signer, object_url


@pytest.fixture
async def service() -> AsyncIterator[S3Service]:
    """The service."""
    async with s3_service() as running:
        yield running


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    """The one HTTP client."""
    client = Outbound()
    yield client
    await client.close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three tries, without the waiting."""
    monkeypatch.setattr(s3, "PAUSES_S", (0, 0))


def bucket(settings: Settings, service: S3Service, **changed: object) -> Settings:
    given = {
        "s3_bucket": BUCKET, "s3_endpoint": service.url, "s3_region": REGION, "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY, "s3_prefix": "on bell/é+/",
    }  # fmt: skip
    return msgspec.structs.replace(settings, **{**given, **changed})


def opened(database: Database, settings: Settings, outbound: Outbound) -> StoredFiles:
    return open_files(settings, database, IdMint(SystemClock(), 0), SystemClock(), ObjectClient(outbound))


@pytest.fixture
def files(database: Database, store_settings: Settings, service: S3Service, outbound: Outbound) -> StoredFiles:
    """The files of a node that keeps them in the bucket."""
    return opened(database, bucket(store_settings, service), outbound)


async def read(files: StoredFiles, file: StoredFile, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in files.read(file, start, end)])


async def rows(database: Database) -> list[str]:
    stores = sa.select(schema.file.c.store)
    return list(await database.read(lambda connection: connection.execute(stores).scalars().all()))


def left(settings: Settings) -> list[Path]:
    return [
        path
        for path in Path(settings.data).rglob("*")
        if path.is_file() and path.suffix != ".db" and "db" not in path.name
    ]


@pytest.mark.parametrize("size", [0, 1, s3.PIECE, 2 * s3.PIECE + 17])
async def test_what_is_put_comes_back(files: StoredFiles, service: S3Service, space: int, size: int) -> None:
    """A body of any size, whole and in ranges; every request is signed as botocore signs it."""
    body = os.urandom(size)
    file = await files.put(space, "a", "", body)
    assert service.objects == {f"on bell/é+/{space:x}-{file.id:x}": body}
    assert await read(files, file) == body
    assert await read(files, file, 1, size - 1) == body[1 : size - 1]
    assert {status for _, _, status in service.asked} <= {200, 206}


async def test_a_row_comes_after_its_object(
    files: StoredFiles, database: Database, service: S3Service, space: int
) -> None:
    """What the service does not take has no row, and says so."""
    service.failures = [403]
    with pytest.raises(StoreUnavailable, match="403"):
        await files.put(space, "a", "", b"x")
    assert await rows(database) == []
    assert service.asked == [("PUT", service.asked[0][1], 403)]
    await files.put(space, "a", "", b"x")
    assert await rows(database) == ["s3"]


@pytest.mark.parametrize("failures", [[500], [503, 429], [-1], [-1, 500]])
async def test_what_passes_is_tried_again(
    files: StoredFiles, service: S3Service, space: int, failures: list[int]
) -> None:
    """Busy, broken or gone for a moment: the whole body is sent again, and reads and removals are repeated."""
    body = os.urandom(300_000)
    await files.put(space, "before", "", b"")  # so that the connection is a kept one, which may be lost
    service.objects.clear()
    service.failures = list(failures)
    file = await files.put(space, "a", "", body)
    service.failures = list(failures)
    assert await read(files, file) == body
    service.failures = list(failures)
    await files.remove(file)
    assert service.objects == {}


async def test_what_lasts_is_said(files: StoredFiles, database: Database, service: S3Service, space: int) -> None:
    """After three tries the store is not available; a removal that failed is found and tried again later."""
    file = await files.put(space, "a", "", b"x")
    for work in (files.put(space, "b", "", b"y"), read(files, file), files.remove(file)):
        service.failures = [503, 500, 429]
        with pytest.raises(StoreUnavailable):
            await work
    assert await rows(database) == ["s3"]
    await files.remove(file)
    assert (await rows(database), service.objects) == ([], {})
    service.objects.clear()
    await files.remove(file)


async def test_lost_and_short_objects(files: StoredFiles, service: S3Service, space: int) -> None:
    """An object that is gone or cut is an error, not a short answer."""
    file = await files.put(space, "a", "", os.urandom(1000))
    service.cuts = 1
    with pytest.raises(StoreUnavailable, match="shorter"):
        await read(files, file)
    service.objects.clear()
    with pytest.raises(StoreUnavailable, match="NoSuchKey"):
        await read(files, file)


async def test_wrong_keys(
    database: Database, store_settings: Settings, service: S3Service, outbound: Outbound, space: int
) -> None:
    """A signature of other keys is refused, and no secret is in what is said."""
    secret = "not-the-secret-key"
    files = opened(database, bucket(store_settings, service, s3_secret_key=secret), outbound)
    with pytest.raises(StoreUnavailable, match="SignatureDoesNotMatch") as told:
        await files.put(space, "a", "", b"x")
    assert secret not in str(told.value)
    assert secret not in repr(Signer("a", secret, "r"))


async def test_an_endpoint_that_is_not_there(
    database: Database, store_settings: Settings, service: S3Service, outbound: Outbound, space: int
) -> None:
    """Nobody answers: unavailable, no row."""
    files = opened(database, bucket(store_settings, service, s3_endpoint="http://127.0.0.1:1"), outbound)
    with pytest.raises(StoreUnavailable, match="the object store"):
        await files.put(space, "a", "", b"x")
    assert await rows(database) == []


async def test_a_body_that_breaks_off(
    files: StoredFiles, service: S3Service, store_settings: Settings, space: int
) -> None:
    """Nothing is asked of the service before the whole body is there, and nothing stays on this machine."""

    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionResetError

    before = left(store_settings)
    with pytest.raises(ConnectionResetError):
        await files.put(space, "a", "", breaking())
    assert service.asked == []
    assert left(store_settings) == before


async def test_older_files_are_read_from_where_they_are(
    database: Database, store_settings: Settings, service: S3Service, outbound: Outbound, space: int
) -> None:
    """Setting a bucket moves nothing, and unsetting it loses nothing but what only the bucket has."""
    before = opened(database, store_settings, outbound)
    old = await before.put(space, "old", "", b"old")
    after = opened(database, bucket(store_settings, service), outbound)
    new = await after.put(space, "new", "", b"new")
    assert (await read(after, old), await read(after, new)) == (b"old", b"new")
    assert await read(before, old) == b"old"
    with pytest.raises(StoreUnavailable, match="nowhere"):
        await read(before, new)


async def test_bodies_pass_through_without_being_held(files: StoredFiles, service: S3Service, space: int) -> None:
    """24 MiB go up in pieces; what the fake holds of them is let go before the reading is measured."""

    async def large() -> AsyncIterator[bytes]:
        for _ in range(96):
            yield bytes(1 << 18)

    file = await files.put(space, "a", "", large())
    tracemalloc.start()
    size = 0
    async for piece in files.read(file):
        size += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == file.size == 24 << 20
    assert peak < 8 << 20


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=20),
    st.booleans(),
    st.sampled_from(["PUT", "GET"]),
)
def test_signatures_are_botocore_s(key: str, path_style: bool, method: str) -> None:
    """For any name of an object, in the path or before the host, the header is the one that botocore writes."""
    url = object_url("https://s3.example.test:9000", "bucket", key.replace("/", "-"), path_style=path_style)
    now = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    ours = Signer(ACCESS_KEY, SECRET_KEY, REGION).headers(method, url, EMPTY, now)
    signer = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION)
    shown = {"x-amz-content-sha256": EMPTY, "x-amz-date": "20260203T040506Z"}
    again = AWSRequest(method=method, url=url, headers=shown)
    again.context["timestamp"] = "20260203T040506Z"
    text = signer.string_to_sign(again, signer.canonical_request(again))
    assert ours["Authorization"].endswith(f"Signature={signer.signature(text, again)}")
