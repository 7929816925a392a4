"""Easemob: files of messages, on both engines (sheet easemob §2). Numbers in names are the sheet's acceptance cases."""

import asyncio
import io
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from PIL import Image
from tests.contract.easemob.support import CLIENT, TOKEN, send, token_of
from tests.engines import ENGINES
from tests.forms import CONTENT_TYPE, Field, form
from tests.pictures import bomb
from tests.service import Said, Service

from onebell.core.keeper import Keeper
from onebell.dialects.easemob.chatfiles import FILE_BYTES, KEEP_S
from onebell.dialects.easemob.file_ids import new_id
from onebell.store import schema

FILES = "/acme/demo/chatfiles"
BYTES = os.urandom(70_000)
IMAGE = Field("file", BYTES, "图 1.jpg", "image/jpeg")
RESTRICTED = {"restrict-access": "true"}


on_both_engines = pytest.mark.parametrize("store_settings", ENGINES, indirect=True)
"""They keep bytes in different places; the rest of the rules does not touch bytes."""


async def upload(easemob: Service, *fields: Field, headers: dict[str, str] | None = None, path: str = FILES) -> Said:
    """Send a form."""
    return await easemob.ask("POST", path, form(*fields), {"Content-Type": CONTENT_TYPE, **(headers or {})})


async def uploaded(easemob: Service, *fields: Field, headers: dict[str, str] | None = None) -> dict[str, str]:
    """The entity of a file."""
    said = await upload(easemob, *(fields or (IMAGE,)), headers=headers)
    assert said.status == 200, said.body
    (entity,) = said.json["entities"]
    return dict(entity)


async def get(easemob: Service, uuid: str, query: str = "", method: str = "GET", **headers: str) -> Said:
    """Download without a token."""
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return await easemob.ask(method, f"{FILES}/{uuid}{query}", headers={"Authorization": "", **shown})


async def let_pass(easemob: Service, seconds: int) -> None:
    """Put every file's times back, which is as good as waiting."""
    ago = {name: schema.file.c[name] - seconds * 1000 for name in ("created_at", "expires_at")}
    await easemob.context.store.db.write(lambda connection: connection.execute(sa.update(schema.file).values(ago)))


@on_both_engines
async def test_case_43_restricted(easemob: Service) -> None:
    """The secret opens the file, as a header or in the query, with no token (D4); anything else is refused."""
    entity = await uploaded(easemob, headers=RESTRICTED)
    uuid, secret = entity["uuid"], entity["share-secret"]
    token = await token_of(easemob, CLIENT)

    assert (await get(easemob, uuid, share_secret=secret)).body == BYTES
    assert (await get(easemob, uuid, f"?em-redirect=true&share-secret={quote(secret)}")).body == BYTES
    for refused in (
        await get(easemob, uuid),
        await get(easemob, uuid, share_secret=secret[:-1]),
        await get(easemob, uuid, "?share-secret="),
        await get(easemob, uuid, Authorization=f"Bearer {token}"),
    ):
        assert (refused.status, refused.json["error"], refused.text) == (
            401,
            "auth_bad_access_token",
            "share-secret is invalid",
        )


async def test_the_secret_is_nowhere_in_the_store(easemob: Service) -> None:
    """Who reads the database opens no file with it."""
    entity = await uploaded(easemob, headers=RESTRICTED)
    (row,) = await easemob.rows(schema.file)
    assert row["secret"] != ""
    assert entity["share-secret"] not in repr(row)


@on_both_engines
async def test_case_44_unrestricted(easemob: Service) -> None:
    """Exact keys of the answer; no secret in it; who has the id has the file."""
    said = await upload(easemob, IMAGE)
    body = said.json
    (entity,) = body["entities"]

    assert list(body) == [
        "action", "application", "path", "uri", "entities", "timestamp", "duration", "organization", "applicationName",
    ]  # fmt: skip
    assert (body["action"], body["path"], body["organization"], body["applicationName"]) == (
        "post",
        "/chatfiles",
        "acme",
        "demo",
    )
    assert body["uri"].endswith("/acme/demo/chatfiles")
    assert set(entity) == {"uuid", "type"}
    assert entity["type"] == "chatfile"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", entity["uuid"])
    assert (await get(easemob, entity["uuid"])).body == BYTES
    assert (await get(easemob, entity["uuid"].upper(), "?em-redirect=true")).body == BYTES


@pytest.mark.parametrize("value", ["false", ""])
async def test_restrict_access_false(easemob: Service, value: str) -> None:
    """``false`` and nothing restrict nothing."""
    assert "share-secret" not in await uploaded(easemob, headers={"restrict-access": value})


@on_both_engines
@pytest.mark.parametrize("behind", [False, True])
async def test_settings_as_fields_of_the_form(easemob: Service, behind: bool) -> None:
    """What may be a header may be a field, before the file or behind it, as the Web SDK writes it."""
    fields = [Field("restrict-access", b"true"), Field("thumbnail-width", b"90"), Field("thumbnail-height", b" x")]
    entity = await uploaded(easemob, *([IMAGE, *fields] if behind else [*fields, IMAGE]))
    (row,) = await easemob.rows(schema.file)

    assert (await get(easemob, entity["uuid"])).status == 401
    assert (await get(easemob, entity["uuid"], share_secret=entity["share-secret"])).body == BYTES
    assert row["data"] == b'{"box":[90,170]}'


async def test_a_user_may_upload(easemob: Service) -> None:
    """An app's token or a user's; without one nothing is kept."""
    grant = {"grant_type": "password", "username": "user1", "password": "user1-password"}
    user = await token_of(easemob, grant)
    assert (await upload(easemob, IMAGE, headers={"Authorization": f"Bearer {user}"})).status == 200
    before = await easemob.rows(schema.file)
    said = await upload(easemob, IMAGE, headers={"Authorization": ""})
    assert (said.status, said.text) == (401, "Unable to authenticate (OAuth)")
    assert await easemob.rows(schema.file) == before


async def nothing_is_kept(easemob: Service) -> None:
    """Neither a row nor a byte."""
    assert await easemob.rows(schema.file) == []
    assert await easemob.rows(schema.file_chunk) == []
    kept = [path for path in Path(easemob.context.settings.data, "files").rglob("*") if path.is_file()]
    assert kept == []


@on_both_engines
@pytest.mark.parametrize("over", [1, 2 << 20])
async def test_case_45_too_large(easemob: Service, over: int) -> None:
    """10 MiB fit; a byte more, or a form far larger, is 413 and leaves nothing."""
    said = await upload(easemob, Field("file", bytes(FILE_BYTES + over), "a"))
    assert (said.status, said.json["error"], said.text) == (
        413,
        "file exceeding maximum limit",
        "the file size exceeds the maximum limit.",
    )
    await nothing_is_kept(easemob)
    assert (await upload(easemob, Field("file", bytes(FILE_BYTES), "a"))).status == 200


@on_both_engines
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(), CONTENT_TYPE), (form(Field("other", b"x", "a.jpg")), CONTENT_TYPE), (b"", CONTENT_TYPE), (b"", ""),
        (form(IMAGE)[:-40], CONTENT_TYPE), (b"{}", "application/json"), (form(IMAGE), "multipart/form-data"),
    ],
)  # fmt: skip
async def test_case_46_no_file(easemob: Service, body: bytes, content_type: str) -> None:
    """No part ``file``, no form, half a form: refused, and nothing is kept."""
    said = await easemob.ask("POST", FILES, body, {"Content-Type": content_type})
    assert (said.status, said.json["error"], said.text) == (400, "illegal_argument", "file must be provided.")
    await nothing_is_kept(easemob)


@on_both_engines
async def test_case_48_unknown(easemob: Service) -> None:
    """An id that nobody was given, and a file of another app."""
    entity = await uploaded(easemob)
    other = new_id(easemob.context.vault, "acme/other", 0)
    for uuid in ("5fd74830-0000-1000-822a-81ea50bb049d", "x", "%00", f"{entity['uuid'][:-1]}g", other):
        said = await get(easemob, uuid)
        assert (said.status, said.json["error"], said.text) == (404, "entity_not_found", "file may not exists")
    elsewhere = await easemob.ask("GET", f"/acme/other/chatfiles/{entity['uuid']}")
    assert (elsewhere.status, elsewhere.json["error"]) == (404, "entity_not_found")


@on_both_engines
async def test_seven_days(easemob: Service) -> None:
    """A file is there for seven days; then it says so, before and after its bytes are taken away."""
    uuid = (await uploaded(easemob))["uuid"]
    old = new_id(easemob.context.vault, "acme/demo", easemob.context.clock.now_ms() - KEEP_S * 1000)
    await let_pass(easemob, KEEP_S - 60)
    assert (await get(easemob, uuid)).status == 200
    await let_pass(easemob, 60)
    assert (await get(easemob, uuid)).status == 404
    await let_pass(easemob, 1)
    await Keeper(easemob.context).turn()
    await nothing_is_kept(easemob)

    said = await get(easemob, old)
    assert (said.status, said.json["error"], said.text) == (404, "file_expired", f"file {old} is expired")


async def message_naming(easemob: Service, url: str, secret: str = "", **more: Any) -> Said:
    """An image message."""
    body = {"filename": "a.jpg", "url": url, "secret": secret, "size": {"width": 1, "height": 1}, **more}
    return await send(easemob, ["user2"], type="img", body=body)


@on_both_engines
async def test_case_49_a_message_shows_the_secret(easemob: Service) -> None:
    """A restricted file of ours is named with its secret, whatever host the URL says; others are not looked at."""
    entity = await uploaded(easemob, headers=RESTRICTED)
    free = await uploaded(easemob)
    for base in ("https://im.example.test", "http://127.0.0.1:8080"):
        url = f"{base}{FILES}/{entity['uuid']}"
        for secret in ("", "wrong"):
            refused = await message_naming(easemob, url, secret)
            assert (refused.status, refused.text) == (400, "param body.secret is illegal")
        assert (await message_naming(easemob, url, entity["share-secret"])).status == 200
    for url in (
        f"http://h{FILES}/{free['uuid']}",
        "https://cdn.example.test/a.jpg",
        f"http://h{FILES}/{'0' * 36}",
        "http://[",
    ):
        assert (await message_naming(easemob, url)).status == 200


async def test_secrets_are_asked_for_before_sizes(easemob: Service) -> None:
    """Rows 14, 15 and 16 of §1.3 in their order: the first one that is broken answers."""
    entity = await uploaded(easemob, headers=RESTRICTED)
    body = {"filename": "a", "url": f"https://h{FILES}/{entity['uuid']}", "size": {"width": 1, "height": 1}}
    wrong = {"type": "img", "ext": {"k": "x" * 3000}, "env": "a-b"}
    said = await send(easemob, ["user2"], body=body, **wrong)
    assert said.text == "param body.secret is illegal"
    body["secret"] = entity["share-secret"]
    said = await send(easemob, ["user2"], body=body, **wrong)
    assert said.text == "message is too large"
    said = await send(easemob, ["user2"], body=body, **{**wrong, "ext": {}})
    assert said.text == "param env is illegal"


async def test_case_49_covers_of_videos_too(easemob: Service) -> None:
    """A video's cover is a file like any other."""
    entity = await uploaded(easemob, headers=RESTRICTED)
    body = {
        "url": "https://cdn.example.test/v.mp4",
        "length": 1,
        "file_length": 1,
        "thumb": f"https://h{FILES}/{entity['uuid']}",
    }
    refused = await send(easemob, ["user2"], type="video", body=body)
    assert (refused.status, refused.text) == (400, "param body.thumb_secret is illegal")
    opened = await send(easemob, ["user2"], type="video", body={**body, "thumb_secret": entity["share-secret"]})
    assert opened.status == 200


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=69990-", 69_990, 70_000), ("bytes=-5", 69_995, 70_000),
     ("bytes=5-99999999", 5, 70_000)],
)  # fmt: skip
async def test_ranges(easemob: Service, asked: str, start: int, end: int) -> None:
    """Players ask for pieces (RFC 9110 §14)."""
    uuid = (await uploaded(easemob))["uuid"]
    said = await get(easemob, uuid, range=asked)
    assert (said.status, said.body) == (206, BYTES[start:end])
    assert said.headers["content-range"] == f"bytes {start}-{end - 1}/70000"
    assert said.headers["content-length"] == str(end - start)


@on_both_engines
async def test_a_range_outside(easemob: Service) -> None:
    """416 with the size, in JSON as every refusal is (§1.1); a range of another unit is not a range."""
    uuid = (await uploaded(easemob))["uuid"]
    said = await get(easemob, uuid, range="bytes=70000-")
    assert (said.status, said.headers["content-range"]) == (416, "bytes */70000")
    assert said.json["error"] == "web_application"
    assert (await get(easemob, uuid, range="lines=1-2")).body == BYTES


@on_both_engines
async def test_head(easemob: Service) -> None:
    """The head of a file, without the file."""
    said = await get(easemob, (await uploaded(easemob))["uuid"], method="HEAD")
    assert (said.status, said.body, said.headers["content-length"]) == (200, b"", "70000")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.svg", "image/svg+xml"), ("a.html", "text/html"), ("a.xml", "application/xhtml+xml"), ("a", "text/html; x"),
     ("a.js", "text/javascript"), ("a.pdf", "application/pdf"), ("a", "image/svg+xml\r\nx: y"), ("a", "")],
)  # fmt: skip
async def test_nothing_that_a_browser_would_run(easemob: Service, name: str, kind: str) -> None:
    """What could hold a script goes out as bytes, to be kept and not shown, with nothing allowed inside."""
    uuid = (await uploaded(easemob, Field("file", b"<script>alert(1)</script>", name, kind)))["uuid"]
    headers = (await get(easemob, uuid)).headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["content-disposition"].startswith("attachment;")


async def test_pictures_keep_their_type_and_name(easemob: Service) -> None:
    """An image tag of any site shows it; saved, it has the name it came with."""
    headers = (await get(easemob, (await uploaded(easemob))["uuid"])).headers
    assert headers["content-type"] == "image/jpeg"
    assert headers["content-disposition"] == "attachment; filename=\"_ 1.jpg\"; filename*=UTF-8''%E5%9B%BE%201.jpg"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["vary"] == "share-secret, thumbnail"


@pytest.mark.parametrize(("said", "told"), [("image/jpg", "image/jpeg"), ("Audio/MP3; x=y", "audio/mpeg")])
async def test_other_names_of_types(easemob: Service, said: str, told: str) -> None:
    """Phones call them so; whoever plays or shows the file is told the registered name."""
    uuid = (await uploaded(easemob, Field("file", b"x", "a", said)))["uuid"]
    assert (await get(easemob, uuid)).headers["content-type"] == told


@on_both_engines
@pytest.mark.parametrize("name", ['a"b\\c/../d', "a\tb\x00\u202ec", "x" * 400, ""])
async def test_hostile_names(easemob: Service, name: str) -> None:
    """A file's name never leaves its header, nor its one line, nor a directory."""
    uuid = (await uploaded(easemob, Field("file", b"x", quote(name, safe="\\/\t\x00\u202e"))))["uuid"]
    said = await get(easemob, uuid)
    assert said.status == 200
    assert not re.search(r"[/\\\x00-\x1f\x7f]", said.headers["content-disposition"].partition("filename*")[0])
    assert len(said.headers["content-disposition"]) < 3000


async def test_other_methods_and_paths(easemob: Service) -> None:
    """405 with what is allowed; uploads in parts are not served, for which the Web SDK has its fallback."""
    uuid = (await uploaded(easemob))["uuid"]
    for method, path, allowed in (("GET", FILES, "POST"), ("POST", f"{FILES}/{uuid}", "GET, HEAD")):
        said = await easemob.ask(method, path)
        assert (said.status, said.headers["allow"]) == (405, allowed)
    part = await easemob.ask("POST", "/acme/demo/sdk/chatfiles/part-upload")
    assert (part.status, part.json["error"]) == (404, "service_resource_not_found")
    preflight = await easemob.ask("OPTIONS", FILES)
    allowed = preflight.headers["access-control-allow-headers"]
    assert all(name in allowed for name in ("restrict-access", "thumbnail-height", "share-secret", "thumbnail"))


async def test_no_frames_of_videos(easemob: Service) -> None:
    """``vframe`` is 404, as a header and in the query; the video itself is there."""
    uuid = (await uploaded(easemob, Field("file", BYTES, "v.mp4", "video/mp4")))["uuid"]
    assert (await get(easemob, uuid, "?vframe=true")).status == 404
    assert (await get(easemob, uuid, vframe="true")).status == 404
    assert (await get(easemob, uuid)).headers["content-type"] == "video/mp4"


async def test_the_native_pages_do_not_open_it(easemob: Service) -> None:
    """The id of a chat file is no name under ``/f/``: its own path asks for the secret."""
    uuid = (await uploaded(easemob, headers=RESTRICTED))["uuid"]
    (row,) = await easemob.rows(schema.file)
    assert "/" in row["public_id"]
    assert row["public_id"].endswith(uuid)


async def test_uploads_have_a_rate(easemob: Service) -> None:
    """A hundred a second for an app, counted before anything is read."""
    await easemob.context.limits.take(easemob.space, "easemob:acme/demo:uploads", 100, 1, 100)
    said = await upload(easemob, IMAGE)
    assert (said.status, said.json["error"]) == (429, "reach_limit")
    assert (await easemob.ask("POST", TOKEN, CLIENT)).status == 200


# ---------------------------------------------------------------- thumbnails


def photo(size: tuple[int, int] = (640, 480)) -> bytes:
    """A picture of noise, which no format makes small."""
    out = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(out, "JPEG", quality=60)
    return out.getvalue()


PHOTO = photo()


@on_both_engines
async def test_case_47_thumbnail(easemob: Service) -> None:
    """Within 170 × 170 unless the upload says otherwise, by header or query, with the original's secret."""
    assert len(PHOTO) > 50_000
    entity = await uploaded(easemob, Field("file", PHOTO, "a.jpg", "image/jpeg"), headers=RESTRICTED)
    secret = entity["share-secret"]
    by_header = await get(easemob, entity["uuid"], thumbnail="true", share_secret=secret)
    by_query = await get(easemob, entity["uuid"], f"?thumbnail=true&share-secret={secret}")

    assert Image.open(io.BytesIO(by_header.body)).size == (170, 128)
    assert by_query.body == by_header.body
    assert by_header.headers["content-type"] == "image/jpeg"
    assert (await get(easemob, entity["uuid"], thumbnail="true")).status == 401
    assert (await get(easemob, entity["uuid"], "?thumbnail=false", share_secret=secret)).body == PHOTO
    assert len(await easemob.rows(schema.file)) == 2


async def test_the_box_of_the_upload(easemob: Service) -> None:
    """The uploader chooses the box."""
    box = {"thumbnail-width": "100", "thumbnail-height": "30"}
    entity = await uploaded(easemob, Field("file", PHOTO, "a.jpg", ""), headers=box)
    assert Image.open(io.BytesIO((await get(easemob, entity["uuid"], thumbnail="true")).body)).size == (40, 30)


async def test_small_and_other_files_are_their_own(easemob: Service) -> None:
    """At most 10 KB, or no picture we read: the original; a thumbnail is made once."""
    small = photo((60, 60))
    for body in (small, BYTES, b"\x89PNG\r\n\x1a\n" + BYTES):
        uuid = (await uploaded(easemob, Field("file", body, "a.png", "image/png")))["uuid"]
        for _ in range(2):
            assert (await get(easemob, uuid, thumbnail="true")).body == body
    assert len(await easemob.rows(schema.file)) == 3


async def test_bombs_have_no_thumbnail(easemob: Service) -> None:
    """Refused, and remembered: asking again starts no worker."""
    uuid = (await uploaded(easemob, Field("file", bomb(40_000), "a.png", "image/png")))["uuid"]
    for _ in range(2):
        said = await get(easemob, uuid, thumbnail="true")
        assert (said.status, said.json["error"]) == (400, "illegal_argument")


async def test_a_thumbnail_goes_with_its_picture(easemob: Service) -> None:
    """It lives no longer than the picture."""
    uuid = (await uploaded(easemob, Field("file", PHOTO, "a.jpg", "")))["uuid"]
    await get(easemob, uuid, thumbnail="true")
    await let_pass(easemob, KEEP_S + 2)
    assert (await get(easemob, uuid, thumbnail="true")).status == 404
    await Keeper(easemob.context).turn()
    await nothing_is_kept(easemob)


async def test_a_recall_takes_the_thumbnail_too(easemob: Service) -> None:
    """Nothing of a picture stays when its message is taken back (sheet §1.6)."""
    uuid = (await uploaded(easemob, Field("file", PHOTO, "a.jpg", "")))["uuid"]
    await get(easemob, uuid, thumbnail="true")
    body = {"filename": "a.jpg", "url": f"http://127.0.0.1:8080{FILES}/{uuid}", "size": {"width": 1, "height": 1}}
    number = (await send(easemob, ["user2"], type="img", body=body)).json["data"]["user2"]
    recall = {"msg_id": number, "to": "user2", "chat_type": "chat"}
    assert (await easemob.ask("POST", "/acme/demo/messages/msg_recall", recall)).status == 200
    await nothing_is_kept(easemob)


async def test_who_asks_together_starts_one_worker(easemob: Service) -> None:
    """A picture that a whole group opens at once is scaled once."""
    uuid = (await uploaded(easemob, Field("file", PHOTO, "a.jpg", "")))["uuid"]
    said = await asyncio.gather(*(get(easemob, uuid, thumbnail="true") for _ in range(8)))
    assert len({one.body for one in said}) == 1
    assert len(await easemob.rows(schema.file)) == 2
