"""Pictures of a user: uploaded with a token or an access key, shown to everybody, forgotten on request (sheet §2)."""

import io
import json
from urllib.parse import urlsplit

import pytest
from PIL import Image
from tests.wire.pushplus.support import Client

from onebell.dialects.pushplus.images import FORM_BYTES

pytestmark = pytest.mark.asyncio(loop_scope="module")
BOUNDARY = "----PushPlusBoundary0123"
HEADERS = (("Content-Type", f"multipart/form-data; boundary={BOUNDARY}"),)


def picture(kind: str = "PNG", side: int = 400) -> bytes:
    """A picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), (200, 30, 30)).save(out, kind)
    return out.getvalue()


def form(file: bytes, token: str | None = None, name: str = "图.png") -> bytes:
    """The form that PushPlus' own SDK sends: the token, then the file."""
    parts = [] if token is None else [b'Content-Disposition: form-data; name="token"\r\n\r\n' + token.encode()]
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    parts.append(head.encode() + file)
    mark = b"--" + BOUNDARY.encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


async def upload(managed: Client, alice, file: bytes) -> dict:
    """What the upload host says to alice's picture."""
    ticket = await alice.data("GET", "userImage/uploadToken")
    target = urlsplit(ticket["uploadUrl"]).path
    answer = await managed.raw("POST", target, HEADERS, form(file, ticket["uploadToken"]))
    assert answer.status == 200
    return json.loads(answer.body)


async def test_the_upload_ticket(managed, alice):
    """Five keys, † as the table says; the address is this server's."""
    said = await alice("GET", "userImage/uploadToken")

    assert said["msg"] == "执行成功"
    assert list(said["data"]) == ["uploadToken", "uploadHost", "uploadUrl", "bucket", "expiresIn"]
    assert said["data"]["expiresIn"] == 600
    assert said["data"]["uploadUrl"].startswith(said["data"]["uploadHost"] + "/")


async def test_a_picture_is_uploaded_listed_shown_and_deleted(managed, alice):
    """The real host's ten keys; the address shows the picture in any page; after deleting it nobody finds it."""
    said = await upload(managed, alice, picture())
    (item,) = (await alice.data("POST", "userImage/list", {}))["list"]
    shown = await managed.raw("GET", urlsplit(said["url"]).path)
    small = await managed.raw("GET", urlsplit(said["thumbnail"]).path)
    deleted = await alice("DELETE", f"userImage/delete?id={item['id']}")
    gone = [await managed.raw("GET", urlsplit(said[name]).path) for name in ("url", "thumbnail")]

    assert list(said) == [
        "errno", "ext", "fname", "fsize", "hash", "key", "mimeType", "msg", "thumbnail", "url"
    ]  # fmt: skip
    assert (said["errno"], said["ext"], said["fname"], said["mimeType"], said["msg"]) == (
        0, ".png", "图.png", "image/png", "ok",
    )  # fmt: skip
    assert said["fsize"] == len(picture())
    assert list(item) == ["id", "imgUrl", "thumbnail", "createTime"]
    assert (item["imgUrl"], item["thumbnail"]) == (said["url"], said["thumbnail"])
    assert (shown.status, shown.body, shown.headers["content-type"]) == (200, picture(), "image/png")
    assert shown.headers["cross-origin-resource-policy"] == "cross-origin"
    assert Image.open(io.BytesIO(small.body)).size == (300, 300)
    assert deleted == {"code": 200, "msg": "执行成功", "data": None}
    assert [one.status for one in gone] == [404, 404]
    assert (await alice.data("POST", "userImage/list", {}))["total"] == 0


async def test_upload_image_with_the_access_key(managed, alice):
    """file/uploadImage: the picture's address in the usual envelope."""
    headers = (*HEADERS, ("access-key", await managed.access_key()))
    answer = await managed.raw("POST", "/api/open/file/uploadImage", headers, form(picture("JPEG")))
    said = json.loads(answer.body)
    shown = await managed.raw("GET", urlsplit(said["data"]).path)

    assert (said["code"], said["msg"]) == (200, "请求成功")
    assert shown.body == picture("JPEG")
    assert (await managed.raw("POST", "/api/open/file/uploadImage", HEADERS, form(picture()))).body.decode() == (
        '{"code":401,"msg":"请求未授权","data":null}'
    )


@pytest.mark.parametrize(
    ("body", "errno"),
    [
        (lambda token: form(picture(), token[:-1] + "0" if token[-1] != "0" else token[:-1] + "1"), 401),
        (lambda token: form(picture()), 401),
        (lambda token: form(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", token), 400),
        (lambda token: form(b"\x89PNG\r\n\x1a\nnot really", token), 400),
        (lambda token: form(b"", token), 400),
        (lambda token: form(picture(), token)[:-60], 400),
        (lambda token: b"no form at all", 400),
        (lambda token: form(b"\x89PNG\r\n\x1a\n" + bytes(FORM_BYTES), token), 413),
    ],
)
async def test_what_is_no_upload_is_refused(managed, alice, body, errno):
    """Bad token, no picture, a picture in name only, a broken form, too many bytes: an errno, and nothing is kept."""
    before = (await alice.data("POST", "userImage/list", {}))["total"]
    ticket = await alice.data("GET", "userImage/uploadToken")
    answer = await managed.raw("POST", urlsplit(ticket["uploadUrl"]).path, HEADERS, body(ticket["uploadToken"]))

    assert (answer.status, json.loads(answer.body)["errno"]) == (errno, errno)
    assert (await alice.data("POST", "userImage/list", {}))["total"] == before


async def test_the_open_api_tells_its_own_reasons(managed, alice):
    """999 with the reason in data."""
    headers = (*HEADERS, ("access-key", await managed.access_key()))
    path = "/api/open/file/uploadImage"
    no_picture = await managed.raw("POST", path, headers, form(b"text"))
    too_large = await managed.raw("POST", path, headers, form(b"\x89PNG\r\n\x1a\n" + bytes(FORM_BYTES)))

    assert no_picture.body.decode() == '{"code":999,"msg":"服务端验证错误","data":"file不是图片"}'
    assert too_large.body.decode() == '{"code":999,"msg":"服务端验证错误","data":"图片过大"}'


async def test_nobody_deletes_anothers_picture(managed, alice, bob):
    """805, and it stays."""
    said = await upload(managed, alice, picture("GIF"))
    item = (await alice.data("POST", "userImage/list", {}))["list"][0]
    refused = await bob("DELETE", f"userImage/delete?id={item['id']}")

    assert refused == {"code": 805, "msg": "无权查看", "data": None}
    assert (await managed.raw("GET", urlsplit(said["url"]).path)).status == 200
    assert (await bob.data("POST", "userImage/list", {}))["total"] == 0
    assert (await bob("DELETE", "userImage/delete?id=9999"))["data"] == "图片不存在"
