"""Pages, files and probes: what the area serves besides the API."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yarl
from tests.native_server import PASSWORD, Native, native_server

from onebell.api.files import FilesApi
from onebell.core.model import Attachment, Content, Part, PartyKind, Sender, Submission
from onebell.settings import Settings

CSP = "content-security-policy"


async def get(native: Native, path: str, **more: Any) -> tuple[int, dict[str, str], bytes]:
    async with native.session.get(native.url + path, allow_redirects=False, **more) as answer:
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read()


# ---------------------------------------------------------------- the web app


@pytest.fixture
def built(web: Path) -> Path:
    """A web app as the front end's build leaves it."""
    (web / "assets").mkdir(parents=True)
    (web / "index.html").write_text("<!doctype html><title>onebell</title>")
    (web / "sw.js").write_text("self.skipWaiting()")
    (web / "manifest.webmanifest").write_text("{}")
    (web / "assets" / "index-DiwrgTda.js").write_text("1")
    (web / "assets" / "icon.svg").write_text("<svg/>")
    (web / "assets" / "notes.exe").write_text("no")
    (web.parent / "secret.js").write_text("secret")
    return web


@pytest.mark.parametrize("path", ["/", "/app/", "/app/inbox/5", "/console/", "/console/carriers"])
async def test_the_app_is_one_page(native: Native, built: Path, path: str) -> None:
    """Every page of the app is the same file, under a policy that lets no foreign script run and nobody frame it."""
    status, headers, body = await get(native, path)

    assert (status, b"onebell" in body) == (200, True)
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    policy = dict(part.strip().split(" ", 1) for part in headers[CSP].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["object-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("path", "kind", "caching"),
    [
        ("/assets/index-DiwrgTda.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/icon.svg", "image/svg+xml", "public, max-age=3600"),
        ("/sw.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/manifest.webmanifest", "application/manifest+json", "no-cache"),
    ],
)
async def test_files_have_their_type_and_caching(
    native: Native, built: Path, path: str, kind: str, caching: str
) -> None:
    """Names that hold a hash are kept for ever; all others are asked for again."""
    status, headers, _ = await get(native, path)

    assert (status, headers["content-type"], headers["cache-control"]) == (200, kind, caching)


@pytest.mark.parametrize(
    "path",
    ["/assets/none.js", "/assets/../secret.js", "/assets/%2e%2e/secret.js", "/assets/..%2f..%2fsecret.js",
     "/assets/notes.exe", "/assets/", "/assets//etc/passwd", "/assets/../../secret.js",
     f"/assets/{'x' * 300}.js", "/assets/x/../icon.svg", "/assets/./icon.svg", "/assets/../assets/icon.svg"],
)  # fmt: skip
async def test_nothing_else_is_served(native: Native, built: Path, path: str) -> None:
    """No file outside of the build, none of another kind, no directory, none by a second name (each would be kept in
    memory once more)."""
    async with native.session.get(yarl.URL(native.url + path, encoded=True)) as answer:
        assert answer.status == 404
        assert b"secret" not in await answer.read()


async def test_without_a_build_a_page_says_so(native: Native) -> None:
    """A source tree whose web app was not built tells how to build it."""
    status, headers, body = await get(native, "/")

    assert (status, b"make web" in body) == (200, True)
    assert headers["cache-control"] == "no-store"
    assert (await get(native, "/sw.js"))[0] == 404


# ---------------------------------------------------------------- the docs page


async def test_the_docs_page_has_no_foreign_parts(native: Native) -> None:
    """The page that tries the API loads its own script and style and nothing else."""
    status, headers, body = await get(native, "/api/docs")
    text = body.decode()

    assert status == 200
    assert "default-src 'none'; script-src 'self'" in headers[CSP]
    sources = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert sources == ["/api/v1/docs.css", "/api/v1/openapi.json", "/api/v1/docs.js"]
    for source, kind in zip(sources, ("text/css", "application/json", "text/javascript"), strict=True):
        status, headers, _ = await get(native, source)
        assert (status, headers["content-type"].split(";")[0]) == (200, kind)
    script = (await get(native, "/api/v1/docs.js"))[2]
    assert b"innerHTML" not in script


# ---------------------------------------------------------------- set-up


async def finish(native: Native, link: str, uid: str, password: str, again: str | None = None) -> tuple[int, Any]:
    code = parse_qs(urlsplit(link).query)["code"][0]
    data = {"code": code, "uid": uid, "password": password, "again": password if again is None else again}
    async with native.session.post(f"{native.url}/console/setup", data=data, allow_redirects=False) as answer:
        return answer.status, answer.headers


async def test_the_link_sets_the_owners_password_once(native: Native) -> None:
    """The link shows a form, sets the password, signs in, ends older sessions, and is then worth nothing."""
    before = await native.sign_in("alice")
    link = await native.setup.link(native.url)
    status, headers, body = await get(native, link.removeprefix(native.url))
    assert (status, headers["cache-control"]) == (200, "no-store")
    assert b'value="alice"' in body

    status, headers = await finish(native, link, "alice", "new password")

    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"].split(";")[0]
    assert (await native.call("GET", "/api/v1/me", headers={"Cookie": cookie}))[1]["role"] == "owner"
    assert (await native.call("GET", "/api/v1/me", before))[0] == 401
    assert await native.sign_in("alice", "new password")
    assert (await finish(native, link, "alice", "third password"))[0] == 404
    assert (await get(native, link.removeprefix(native.url)))[0] == 404
    assert await native.setup.link(native.url) is None


async def test_a_new_link_ends_the_older(native: Native) -> None:
    """Only the link that was printed last works; a wrong code never does."""
    old = await native.setup.link(native.url)
    new = await native.setup.link(native.url)

    assert (await finish(native, old, "alice", "new password"))[0] == 404
    assert (await finish(native, f"{native.url}/?code=wrong", "alice", "new password"))[0] == 404
    native.clock.ahead_s = 8 * 86_400
    assert (await finish(native, new, "alice", "new password"))[0] == 404


@pytest.mark.parametrize(
    ("uid", "password", "again"),
    [("alice", "short", None), ("alice", "long enough", "different"), ("rita", "long enough", None),
     ("bad uid", "long enough", None), ("", "long enough", None), ("alice", "x" * 201, None)],
)  # fmt: skip
async def test_a_mistake_does_not_use_the_link_up(native: Native, uid: str, password: str, again: str | None) -> None:
    """A form that breaks a rule is shown again; the link stays good. Nobody else becomes the owner by it."""
    link = await native.setup.link(native.url)

    assert (await finish(native, link, uid, password, again))[0] == 422
    assert (await native.call("POST", "/api/v1/login", body={"uid": "rita", "password": PASSWORD}))[0] == 200
    assert (await finish(native, link, "alice", "long enough"))[0] == 303


@pytest.mark.parametrize(("language", "words"), [("en", "The owner is alice."), ("zh-CN", "管理员是 alice。")])
async def test_the_form_names_the_owner_there_is(native: Native, language: str, words: str) -> None:
    """Where there is an owner his name is fixed; another one is refused in the reader's language, and his is shown."""
    link = await native.setup.link(native.url)
    name = b'name="uid" value="alice" autocomplete="username" required readonly'
    assert name in (await get(native, link.removeprefix(native.url)))[2]
    data = {"code": parse_qs(urlsplit(link).query)["code"][0], "uid": "boss", "password": "x" * 9, "again": "x" * 9}

    headers = {"Accept-Language": language}
    async with native.session.post(f"{native.url}/console/setup", data=data, headers=headers) as answer:
        body = await answer.read()
    assert words in body.decode()
    assert name in body


async def test_a_form_shows_what_was_typed_as_text(native: Native) -> None:
    """What a stranger puts into the link or the form never becomes markup."""
    link = await native.setup.link(native.url)
    code = parse_qs(urlsplit(link).query)["code"][0]
    data = {"code": code, "uid": '"><script>x</script>', "password": "long enough", "again": "long enough"}
    async with native.session.post(f"{native.url}/console/setup", data=data) as answer:
        assert "<script>" not in await answer.text()


async def test_an_empty_space_gets_its_owner(tmp_path: Path, web: Path) -> None:
    """Where nobody is the owner yet, the link makes one; before there is a space there is no link."""
    settings = Settings(data=str(tmp_path / "data"))
    async with native_server(settings, web, apply=False) as native:
        assert await native.setup.link(native.url) is None


async def test_the_page_speaks_chinese(native: Native) -> None:
    """The form is in the language that the browser asks for."""
    link = await native.setup.link(native.url)
    _, _, body = await get(native, link.removeprefix(native.url), headers={"Accept-Language": "zh-CN,zh;q=0.9"})

    assert "设置密码并登录" in body.decode()


# ---------------------------------------------------------------- files


async def stored(native: Native, name: str, kind: str, body: bytes, **more: Any) -> str:
    file = await native.context.files.put(native.space, name, kind, body, **more)
    return FilesApi(native.context).url(native.space, file.id)


async def test_a_file_is_an_attachment_of_a_fixed_type(native: Native) -> None:
    """What a stranger uploaded is saved, never run: no HTML, no SVG, no guessing."""
    url = await stored(native, 'a"b/../页.html', "text/html", b"<script>x</script>")
    status, headers, body = await get(native, url)

    assert (status, body) == (200, b"<script>x</script>")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith('attachment; filename="a_b_.._')
    assert "filename*=UTF-8''a%22b_.._%E9%A1%B5.html" in headers["content-disposition"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers[CSP] == "default-src 'none'; sandbox"
    picture = await stored(native, "p.png", "image/png", b"png")
    assert (await get(native, picture))[1]["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("asked", "status", "body", "said"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-4", 206, b"6789", "bytes 6-9/10"),
        ("bytes=-99", 200, b"0123456789", None),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=5-2", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
    ],
)
async def test_ranges(native: Native, asked: str, status: int, body: bytes, said: str | None) -> None:
    """A part of a file can be asked for (RFC 9110 §14); what is not understood is ignored."""
    url = await stored(native, "f.bin", "application/octet-stream", b"0123456789")

    got, headers, content = await get(native, url, headers={"Range": asked})

    assert (got, content, headers.get("content-range")) == (status, body, said)
    assert headers["content-length"] == str(len(body))


async def test_only_who_has_the_address_reads_a_file(native: Native) -> None:
    """A guessed or altered address, a secret file's id, or an expired file is not found."""
    url = await stored(native, "f", "text/plain", b"x")
    space, number, signature = url.removeprefix("/f/").split("-")
    expired = await stored(native, "g", "text/plain", b"x", keep_s=10)
    await native.context.files.put(native.space, "s", "text/plain", b"x", secret="s3cret", public_id="secret-file")
    await native.context.files.put(native.space, "o", "text/plain", b"open", public_id="open-file")
    native.clock.ahead_s = 11

    for path in (
        f"/f/{space}-{int(number) + 1}-{signature}",
        f"/f/{int(space) + 1}-{number}-{signature}",
        f"/f/{space}-{number}-{signature[:-1]}0" if signature[-1] != "0" else f"/f/{space}-{number}-{signature[:-1]}1",
        f"/f/{space}-{number}",
        expired,
        "/f/secret-file",
        "/f/none",
    ):
        assert (await get(native, path))[0] == 404, path
    assert (await get(native, "/f/open-file"))[2] == b"open"


async def test_a_file_of_a_message_is_read_beyond_its_own_time(native: Native) -> None:
    """What a message shows stays as long as the message."""
    url = await stored(native, "g", "text/plain", b"x", keep_s=10)
    part = Part(content=Content(attachments=(Attachment(file=int(url.split("-")[1])),)))
    sender = Sender(party=1, kind=PartyKind.SYSTEM)
    await native.context.accept(
        Submission(space=native.space, dialect="native", public_id="p", sender=sender, audience=(), parts=(part,))
    )
    native.clock.ahead_s = 11

    assert (await get(native, url))[2] == b"x"


# ---------------------------------------------------------------- probes


async def test_health_has_pushgos_shape(native: Native) -> None:
    """``/healthz`` keeps the shape that PushGo's clients read (sheet pushgo)."""
    assert await native.call("GET", "/healthz") == (
        200,
        {"status": "ok", "private_channel_enabled": False, "private_runtime_ready": False},
    )
    assert await native.call("GET", "/readyz") == (200, {"status": "ok"})


async def test_figures_are_prometheus(native: Native) -> None:
    """Who may view gets figures in Prometheus' format; live readers are among them."""
    await native.send("rita")
    rita = await native.sign_in("rita")
    async with native.session.ws_connect(
        f"{native.url}/api/v1/inbox/ws?after=0", headers={"Authorization": f"Bearer {rita}"}
    ) as ws:
        await ws.receive()
        status, text = await native.call("GET", "/metrics", await native.sign_in("oscar"))

    lines = text.decode().splitlines()
    assert status == 200
    assert "onebell_stream_readers 1.0" in lines
    assert "onebell_stream_frames_total 1.0" in lines
    assert (await native.call("GET", "/metrics", rita))[0] == 403
