"""Imports that fetch their file: through the address gate into the file store (sheet easemob §1.5)."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from tests.fakes.http_service import HttpService, answer, drop, endless, http_service, redirect
from tests.wire.easemob.desk import Desk, Said, directory_text

from onebell import directory
from onebell.app import SECTIONS
from onebell.core.inbox import unpack
from onebell.store import schema

pytestmark = pytest.mark.asyncio(loop_scope="module")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(300_000)


@pytest_asyncio.fixture(loop_scope="module")
async def host(desk: Desk) -> AsyncIterator[HttpService]:
    """Somebody's own file host, which the operator lets requests name."""
    async with http_service(answer(200, PNG, content_type="image/png; x=1")) as service:
        text = directory_text().replace("[space]", f'[space]\nallow_callbacks = ["{service.base}"]')
        await directory.apply(desk.context.store, SECTIONS, text, dry_run=False)
        yield service


async def imported(desk: Desk, url: str, **more: Any) -> Said:
    """An import of a picture that is there."""
    body = {"filename": "a.png", "url": url, "size": {"width": 4, "height": 3}}
    asked = {"from": "u1", "target": "u2", "type": "img", "body": body, "need_download": True, **more}
    return await desk.call("POST", "/messages/users/import", asked)


async def newest(desk: Desk) -> dict[str, Any]:
    """What u2's newest message holds."""
    entry = (await desk.entries("u2"))[-1]
    (row,) = [row for row in await desk.rows(schema.message) if row["id"] == entry["message_id"]]
    return dict(unpack(row["parts"])[0].content.data["body"])


async def test_the_file_is_copied_and_the_body_names_the_copy(desk: Desk, host: HttpService) -> None:
    """It opens with its new secret only, under the app's paths; the host sees one plain GET without our tokens."""
    said = await imported(desk, f"{host.base}/a/b%20c.png?sign=1")
    assert said.status == 200, said.body
    (asked,) = host.received
    assert (asked.method, asked.target, asked.body) == ("GET", "/a/b%20c.png?sign=1", b"")
    assert not {"authorization", "cookie", "referer"} & set(asked.headers)

    body = await newest(desk)
    assert (body["filename"], body["size"], body["file_length"]) == ("a.png", {"height": 3, "width": 4}, len(PNG))
    path = urlsplit(body["url"]).path
    assert body["url"] == desk.server.url + path
    assert path.startswith("/onebell/demo/chatfiles/")
    assert (await desk.raw("GET", path)).status == 401
    got = await desk.raw("GET", f"{path}?share-secret={body['secret']}")
    assert (got.status, got.body, got.headers["Content-Type"]) == (200, PNG, "image/png")
    (shown,) = [one for one in await desk.server.inbox(("u2", "u2-password")) if one["kind"] == "entry"][-1:]
    assert (shown["kind_of"], len(shown["images"])) == ("image", 1)

    # What is ours already is not fetched again.
    again = await imported(desk, body["url"], body={**body, "type": "img"})
    assert again.status == 200
    assert ((await newest(desk))["url"], len(host.received)) == (body["url"], 1)


async def test_a_thumbnail_stays_where_it_is(desk: Desk, host: HttpService) -> None:
    """``need_download`` is about ``body.url`` and nothing else that a body names."""
    thumb = f"{host.base}/frame.jpg"
    body = {"filename": "a.mp4", "url": f"{host.base}/a.mp4", "length": 1, "file_length": 1, "thumb": thumb}
    assert (await imported(desk, "", type="video", body=body)).status == 200
    assert [one.target for one in host.received] == ["/a.mp4"]
    assert (await newest(desk))["thumb"] == thumb


async def test_what_is_not_fetched_is_not_imported(desk: Desk, host: HttpService) -> None:
    """Not found, a redirect, a cut connection, more than a file may have: a plain refusal, nothing stored."""
    before = [len(await desk.rows(table)) for table in (schema.entry, schema.file)]
    host.answers(answer(404), redirect(302, f"{host.base}/b"), endless(), drop())
    said = [await imported(desk, f"{host.base}/a.png") for _ in range(4)]
    refusal = (400, "illegal_argument", "body.url could not be downloaded")
    assert [one.refusal for one in (*said[:2], said[3])] == [refusal] * 3
    assert said[2].status == 413
    assert [len(await desk.rows(table)) for table in (schema.entry, schema.file)] == before


async def test_the_gate_holds_for_files_too(desk: Desk) -> None:
    """An address of the server's own network is refused in the same words, and nothing is sent there."""
    async with http_service() as inside:
        for url in (f"{inside.base}/a", f"http://localhost:{inside.port}/a", "file:///etc/passwd", "nonsense"):
            said = await imported(desk, url)
            assert said.refusal == (400, "illegal_argument", "body.url could not be downloaded"), url
        assert inside.connections == 0
        # Nobody asked for a copy: the address stays as it is, and is not looked at.
        assert (await imported(desk, f"{inside.base}/a", need_download=False)).status == 200
        assert inside.connections == 0
