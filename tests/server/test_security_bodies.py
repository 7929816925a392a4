"""S2: bodies nobody means well with. Never a 500, never half a message, always the service's own words."""

import gzip
import json
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.faults.senders import UMS, easemob, inbox_texts
from tests.running import DemoStore, RunningServer, running
from tests.wire.seeds.raw_http import RawAnswer, send

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOM_BYTES = 32 << 20
"""Beyond what the process had, for all of it together (RELIABILITY S2)."""
JSON = ("Content-Type", "application/json")
SENDS: dict[str, tuple[str, str]] = {
    "pushplus": ("/send", '{"token":"0123456789abcdef0123456789abcdef","content":"load-%"}'),
    "wecom": (
        "/cgi-bin/webhook/send?key=633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa",
        '{"msgtype":"text","chatid":"alice","text":{"content":"load-%"}}',
    ),
    "pushgo": (
        "/message",
        '{"channel_id":"06J0FZG1Y8XGG14VTQ4Y3G10MR","password":"channel-password","title":"load-%"}',
    ),
    "ums": ("/v1/sent", '{"aud_userid":["alice"],"msg_app":[{"platform":"all","notification":{"alert":"load-%"}}]}'),
    "easemob": ("/acme/demo/messages/users", '{"from":"bob","to":["alice"],"type":"txt","body":{"msg":"load-%"}}'),
    "native": ("/api/v1/messages", '{"to":"alice","title":"load-%"}'),
    "sign-in": ("/api/v1/login", '{"uid":"alice","password":"load-%"}'),
    "ntfy": ("/ntfy/06J0FZG1Y8XGG14VTQ4Y3G10MR:channel-password", "load-%"),
}
"""Where each service takes a message, and one that it would take; ``%`` is where the harm goes."""


def harms(good: str) -> Iterator[tuple[str, bytes, tuple[tuple[str, str], ...]]]:
    """Name, body and headers of each attack on a body."""
    text = good.replace("%", "x")
    yield "empty", b"", ()
    yield "null", b"null", ()
    yield "array", b"[]", ()
    yield "number", b"7", ()
    yield "cut short", text.encode()[:-3], ()
    yield "trailing bytes", text.encode() + b"}}", ()
    yield "depth 10,000 arrays", b"[" * 10_000 + b"]" * 10_000, ()
    yield "depth 10,000 objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, ()
    yield "deep field", text.encode()[:-1] + b',"deep":' + b"[" * 10_000 + b"]" * 10_000 + b"}", ()
    yield "number of 10 M digits", b'{"timestamp":' + b"9" * 10_000_000 + b"}", ()
    yield "number of 30 k digits", text.encode()[:-1] + b',"timestamp":' + b"9" * 30_000 + b"}", ()
    yield "1e400", text.encode()[:-1] + b',"timestamp":1e400}', ()
    yield "NaN", text.encode()[:-1] + b',"timestamp":NaN}', ()
    yield "duplicate keys", b"{" + text.encode()[1:-1] + b"," + text.encode()[1:-1] + b"}", ()
    yield "lone surrogate", good.replace("%", "\\ud800x").encode(), ()
    yield "surrogate pair reversed", good.replace("%", "\\udc00\\ud800").encode(), ()
    yield "escaped NUL", good.replace("%", "\\u0000x").encode(), ()
    yield "raw NUL", good.replace("%", "\0x").encode(), ()
    yield "control characters", good.replace("%", "".join(map(chr, range(1, 32)))).encode(), ()
    yield "BOM", b"\xef\xbb\xbf" + text.encode(), ()
    yield "UTF-16", text.encode("utf-16"), ()
    yield "UTF-32", text.encode("utf-32"), ()
    yield "invalid UTF-8", good.replace("%", "\x00").encode().replace(b"\x00", b"\xff\xfe\xc0\x80"), ()
    yield "encoded surrogates", good.replace("%", "\x00").encode().replace(b"\x00", b"\xed\xa0\x80"), ()
    yield "gzip", gzip.compress(text.encode()), (("Content-Encoding", "gzip"),)
    yield "gzip bomb", gzip.compress(bytes(50 << 20)), (("Content-Encoding", "gzip"),)
    yield "32 KiB and one", good.replace("%", "x" * (32 * 1024 + 1)).encode(), ()
    yield "3 MiB", good.replace("%", "文" * (1 << 20)).encode(), ()
    yield "a million keys", json.dumps({f"k{number}": 0 for number in range(200_000)}).encode(), ()
    yield "wrong types", b'{"token":{},"to":7,"content":[1],"title":{"a":[]},"uid":[],"password":1}', ()
    yield "form", b"token=%ff%00&content=" + b"%" * 100, (("Content-Type", "application/x-www-form-urlencoded"),)
    yield "multipart without boundary", text.encode(), (("Content-Type", "multipart/form-data"),)
    yield "unknown charset", text.encode(), (("Content-Type", "application/json; charset=klingon"),)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, demo_store: DemoStore) -> AsyncIterator[RunningServer]:
    """One server that has to bear it all."""
    place: Path = tmp_path_factory.mktemp("bodies")
    async with running(await demo_store.sqlite(place / "node")) as server:
        yield server


async def credential(node: RunningServer, service: str) -> tuple[tuple[str, str], ...]:
    """What gets a body past the door."""
    if service == "ums":
        return (("Authorization", f"Basic {UMS}"),)
    if service == "easemob":
        return (("Authorization", f"Bearer {(await easemob(node.url)).token}"),)
    if service == "native":
        return (("Authorization", f"Bearer {await node.sign_in('alice', 'alice-password')}"),)
    return ()


@pytest.mark.parametrize("service", SENDS)
async def test_no_body_is_a_500(node: RunningServer, service: str, subtests: pytest.Subtests) -> None:
    """Whatever comes is answered below 500 in the service's own words, and the memory stays bounded."""
    path, good = SENDS[service]
    opened = await credential(node, service)
    before = peak_bytes()
    for name, body, headers in harms(good):
        with subtests.test(name):
            own = () if any(key == "Content-Type" for key, _ in headers) else (JSON,)
            answer = await send(node.url, "POST", path, (*opened, *own, *headers), body)
            assert answer.status < 500, answer.body[:300]
            assert_in_own_words(service, answer)

    assert peak_bytes() - before < ROOM_BYTES + 60 * (1 << 20)  # the test's own copies of the bodies


def assert_in_own_words(service: str, answer: RawAnswer) -> None:
    """A JSON object with the field that the service's clients look at, and text that is text."""
    if service == "ntfy" and answer.headers["content-type"].startswith("text/plain"):
        answer.body.decode()  # PushGo's short refusals of the compat routes are plain text
        return
    said = json.loads(answer.body)
    field = {"pushplus": "code", "wecom": "errcode", "pushgo": "success", "ums": "code", "ntfy": "success"}.get(service)
    if field is not None:
        assert field in said, said
        return
    assert isinstance(said, dict)
    assert answer.status < 300 or "error" in said


def peak_bytes() -> int:
    """The most that this process has ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def test_nothing_was_half_stored(node: RunningServer) -> None:
    """After all that every entry reads back whole, and a good message still arrives."""
    for path, good in (SENDS["pushplus"], SENDS["pushgo"]):
        answer = await send(node.url, "POST", path, (JSON,), good.replace("%", "good").encode())
        assert answer.status == 200
    texts = await inbox_texts(node.url)

    assert [text for text in texts if text == "load-good"] == ["load-good"] * 2
    for person in (("alice", "alice-password"), ("bob", "bob-password")):
        for item in await node.inbox(person):
            assert item["kind"] == "entry"
            assert isinstance(item["text"], str)
