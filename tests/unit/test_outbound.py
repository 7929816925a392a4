"""The one HTTP client: what it refuses, pins, bounds and reports. Corpus A runs against a real listener."""

import asyncio
import gzip
import socket
import ssl
import tomllib
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.certificates import make_tls
from tests.fakes.dns import FakeResolver
from tests.fakes.http_service import (
    HttpService,
    answer,
    drop,
    endless,
    endless_headers,
    hang,
    http_service,
    raw,
    redirect,
    trickle,
)

from onebell.carriers.address_gate import AddressForbidden, Policy, operator, strict
from onebell.carriers.outbound import HttpAnswer, Outbound, Unreachable
from onebell.carriers.resolver import SystemResolver
from onebell.clock import SystemClock
from onebell.errors import InvalidInput

CORPUS = tomllib.loads((Path(__file__).parents[1] / "corpus/ssrf.toml").read_text())
LOOPBACK = operator(["127.0.0.0/8"])


@pytest.fixture
def dns() -> FakeResolver:
    return FakeResolver()


@pytest.fixture
async def outbound(dns: FakeResolver) -> AsyncIterator[Outbound]:
    client = Outbound(resolver=dns)
    yield client
    await client.close()


@pytest.fixture
async def service() -> AsyncIterator[HttpService]:
    async with http_service() as running:
        yield running


async def get(
    outbound: Outbound, url: str, policy: Policy = LOOPBACK, timeout_s: float = 20, limit_bytes: int = 65_536
) -> HttpAnswer:
    return await outbound.request(
        "GET", url, headers={}, body=None, policy=policy, timeout_s=timeout_s, limit_bytes=limit_bytes
    )


async def refused(outbound: Outbound, url: str, policy: Policy | None = None) -> bool:
    """Whether a request ends without an answer because of the gate or the resolver, not for want of time."""
    try:
        await get(outbound, url, policy or strict())
    except AddressForbidden:
        return True
    except Unreachable as error:
        return "name not found" in str(error)
    return False


async def test_corpus_a_never_reaches_the_listener(outbound: Outbound, dns: FakeResolver, service: HttpService) -> None:
    """No address, name, syntax or scheme of the corpus makes one connection to a non-public address."""
    for name, turns in CORPUS["names"].items():
        dns.says(name.lower().removesuffix("."), *turns)
    dns.says("localhost", ["127.0.0.1"])
    hosts = [*CORPUS["addresses"], *CORPUS["names"]]
    urls = [f"http://{host}:{service.port}/" for host in hosts] + [f"https://{host}/" for host in hosts]
    urls += [url.replace("{port}", str(service.port)) for url in CORPUS["urls"]["syntax"] + CORPUS["urls"]["schemes"]]

    slipped = [url for url in urls if not await refused(outbound, url)]

    assert slipped == []
    assert service.connections == 0


async def test_allowed_callbacks_do_not_open_the_corpus(
    outbound: Outbound, dns: FakeResolver, service: HttpService
) -> None:
    """An origin the space allows opens itself only: another host name on the same port stays shut."""
    policy = strict([f"http://127.0.0.1:{service.port}"])
    dns.says("private.test", ["127.0.0.1"])

    assert (await get(outbound, f"{service.base}/x", policy)).status == 200
    assert await refused(outbound, f"http://private.test:{service.port}/", policy)
    assert await refused(outbound, f"http://[::ffff:127.0.0.1]:{service.port}/", policy)
    assert service.connections == 1


async def test_a_rebinding_name_is_looked_up_once_and_pinned(
    outbound: Outbound, dns: FakeResolver, service: HttpService
) -> None:
    """The address that was checked is the address that is connected to: there is no second lookup to lie to."""
    dns.says("rebind.test", ["127.0.0.1"], ["10.0.0.1"])

    answered = await get(outbound, f"http://rebind.test:{service.port}/path?q=1")

    assert answered.status == 200
    assert dns.asked == ["rebind.test"]
    assert f"rebind.test:{service.port}" == service.received[0].headers["host"]
    assert service.received[0].target == "/path?q=1"


async def test_a_name_that_turns_private_is_refused_at_its_next_request(
    outbound: Outbound, dns: FakeResolver, service: HttpService
) -> None:
    """A kept connection does not outlive the permission: every request looks at the address again."""
    dns.says("turns.test", ["127.0.0.1"], ["10.0.0.1"])
    url = f"http://turns.test:{service.port}/"
    await get(outbound, url)

    with pytest.raises(AddressForbidden):
        await get(outbound, url)

    assert len(service.received) == 1


async def test_one_private_address_among_public_ones_refuses_the_name(
    outbound: Outbound, dns: FakeResolver, service: HttpService
) -> None:
    """Every address of a name must pass, in whatever order they come."""
    dns.says("mixed.test", ["127.0.0.1", "10.0.0.1"])

    with pytest.raises(AddressForbidden):
        await get(outbound, f"http://mixed.test:{service.port}/")

    assert service.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://169.254.169.254/", "file:///etc/passwd", "/again"])
async def test_redirects_are_answers_and_never_followed(
    outbound: Outbound, service: HttpService, status: int, location: str
) -> None:
    """A 3xx is handed back; nobody goes where it points, not even on the same host."""
    service.answers(redirect(status, location))

    answered = await get(outbound, service.base + "/")

    assert (status, location) == (answered.status, answered.headers["location"])
    assert len(service.received) == 1


async def test_our_own_address_is_refused_whatever_the_policy(
    outbound: Outbound, dns: FakeResolver, service: HttpService
) -> None:
    """A message cannot be sent to this server itself, by address, by name or by its public origin."""
    outbound.keep_off([("0.0.0.0", service.port)], ["https://push.example.com"])
    dns.says("me.test", ["127.0.0.1"])
    allowed = strict([service.base, "https://push.example.com"])

    for url in (service.base, f"http://me.test:{service.port}/", f"http://127.0.0.9:{service.port}/"):
        assert await refused(outbound, url, LOOPBACK)
    assert await refused(outbound, service.base, allowed)
    assert await refused(outbound, "https://push.example.com/x", allowed)
    assert service.connections == 0


async def test_a_kept_connection_is_used_again(outbound: Outbound, service: HttpService) -> None:
    """Repeated sends to one address share a connection."""
    for _ in range(5):
        await get(outbound, service.base + "/")

    assert (service.connections, len(service.received)) == (1, 5)


async def test_method_headers_and_body_go_out_as_given(outbound: Outbound, service: HttpService) -> None:
    """The caller's bytes are sent unchanged; Host and framing are the client's own."""
    await outbound.request(
        "PUT",
        service.base + "/a%2Fb?k=%E4%BD%A0",
        headers={"X-Key": "v", "Content-Type": "text/x", "Host": "evil", "Transfer-Encoding": "chunked"},
        body="你好".encode(),
        policy=LOOPBACK,
    )

    got = service.received[0]
    assert ("PUT", "/a%2Fb?k=%E4%BD%A0", "你好".encode()) == (got.method, got.target, got.body)
    assert ("v", "text/x", f"127.0.0.1:{service.port}") == (
        got.headers["x-key"],
        got.headers["content-type"],
        got.headers["host"],
    )
    assert "transfer-encoding" not in got.headers
    assert got.headers["user-agent"].startswith("onebell/")


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"X": "a\r\nY: b"}),
        ("GET", {"X\r\nY": "b"}),
        ("GET / HTTP/1.1\r\n", {}),
        ("", {}),
        ("GET", {"X": "\0"}),
        ("GET", {"X": "\x7f"}),
    ],
)
async def test_no_header_can_be_smuggled_in(
    outbound: Outbound, service: HttpService, method: str, headers: dict[str, str]
) -> None:
    """A method, header name or value with a control character is refused before a connection is made."""
    with pytest.raises(InvalidInput):
        await outbound.request(method, service.base, headers=headers, body=None, policy=LOOPBACK)

    assert service.connections == 0


async def test_cookies_are_not_kept(outbound: Outbound, service: HttpService) -> None:
    """What one receiver sets is not shown to the next request."""
    service.answers(answer(200, {}, set_cookie="a=b; Path=/"))
    await get(outbound, service.base)
    await get(outbound, service.base)

    assert "cookie" not in service.received[1].headers


async def test_an_endless_body_is_read_to_the_limit(outbound: Outbound, service: HttpService) -> None:
    """A body is read up to ``limit_bytes``; the rest is cut off with the connection."""
    service.answers(endless())

    answered = await get(outbound, service.base, limit_bytes=1000)

    assert (len(answered.body), answered.truncated) == (1000, True)


async def test_a_body_of_exactly_the_limit_is_whole(outbound: Outbound, service: HttpService) -> None:
    """The limit itself is allowed."""
    service.answers(answer(200, b"x" * 1000))

    answered = await get(outbound, service.base, limit_bytes=1000)

    assert (answered.body, answered.truncated) == (b"x" * 1000, False)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_packed_bomb_stops_at_the_limit(outbound: Outbound, service: HttpService, encoding: str) -> None:
    """A body packed against our wish is unpacked, and its unpacked size is what the limit counts."""
    plain = b"0" * 50_000_000
    bomb = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    service.answers(answer(200, bomb, content_encoding=encoding))

    answered = await get(outbound, service.base, limit_bytes=4096)

    assert (answered.body, answered.truncated) == (b"0" * 4096, True)
    assert service.received[0].headers["accept-encoding"] == "identity"


async def test_a_badly_packed_body_is_no_answer(outbound: Outbound, service: HttpService) -> None:
    """Bytes that claim to be gzip and are not make the request fail, not the program."""
    service.answers(answer(200, b"not gzip", content_encoding="gzip"))

    with pytest.raises(Unreachable, match="badly packed"):
        await get(outbound, service.base)


async def test_a_streamed_body_is_bounded_and_passes_the_same_gate(outbound: Outbound, service: HttpService) -> None:
    """Its pieces end one byte behind the limit; whole ones leave the connection for the next request."""
    service.answers(answer(200, b"x" * 1000, content_type="text/plain"), answer(404), endless())
    got = []
    for _ in range(3):
        async with outbound.stream("GET", service.base, headers={}, policy=LOOPBACK, limit_bytes=100_000) as stream:
            got.append((stream.status, sum([len(piece) async for piece in stream.pieces])))
    assert got == [(200, 1000), (404, 0), (200, 100_001)]
    assert service.connections == 1
    with pytest.raises(AddressForbidden):
        async with outbound.stream("GET", service.base, headers={}, policy=strict(), limit_bytes=1):
            pass
    assert len(service.received) == 3


async def test_a_stream_that_stops_is_unreachable(outbound: Outbound, service: HttpService) -> None:
    """Too slow, or cut off in the middle: the reader hears of it where he reads."""
    half = raw("HTTP/1.1 200 OK\ncontent-length: 10", b"12345", then_close=True)
    service.answers(half, trickle())

    async def taken() -> bytes:
        async with outbound.stream(
            "GET", service.base, headers={}, policy=LOOPBACK, timeout_s=0.5, limit_bytes=100
        ) as stream:
            return b"".join([piece async for piece in stream.pieces])

    for _ in range(2):
        with pytest.raises(Unreachable):
            await taken()


async def test_endless_headers_are_refused(outbound: Outbound, service: HttpService) -> None:
    """A head without end is given up long before the memory is full."""
    service.answers(endless_headers())

    with pytest.raises(Unreachable):
        await get(outbound, service.base)


@pytest.mark.parametrize("script", [hang(), trickle()])
async def test_a_slow_answer_ends_with_the_time_limit(outbound: Outbound, service: HttpService, script) -> None:
    """Neither silence nor a trickle holds a request longer than its time."""
    service.answers(script)

    with pytest.raises(Unreachable):
        await get(outbound, service.base, timeout_s=0.2, limit_bytes=10**12)


@pytest.mark.parametrize("script", [drop(), raw("SMTP ready"), answer(200, b"", content_length="x")])
async def test_a_lost_or_foreign_answer_is_unreachable(outbound: Outbound, service: HttpService, script) -> None:
    """Whatever breaks on the way is one error with words that hold no URL."""
    service.answers(script)

    with pytest.raises(Unreachable) as caught:
        await get(outbound, service.base + "/secret?key=secret")

    assert "secret" not in str(caught.value)


async def test_a_refused_connection_is_unreachable(outbound: Outbound) -> None:
    """Nobody listens: that may change, so it is no verdict on the URL."""
    async with http_service() as gone:
        base = gone.base

    with pytest.raises(Unreachable):
        await get(outbound, base)


async def test_the_next_address_is_tried_when_one_is_dead(
    outbound: Outbound, dns: FakeResolver, service: HttpService
) -> None:
    """A name with several addresses works while one of them does."""
    dns.says("many.test", ["127.0.0.2", "127.0.0.1"])

    assert (await get(outbound, f"http://many.test:{service.port}/")).status == 200


async def test_tls_is_verified_against_the_name(dns: FakeResolver, tmp_path: Path) -> None:
    """The connection goes to the pinned address, but the certificate must carry the URL's host name."""
    tls = make_tls(tmp_path, "good.test", "127.0.0.1")
    dns.says("good.test", ["127.0.0.1"])
    dns.says("bad.test", ["127.0.0.1"])
    client = Outbound(resolver=dns, tls=tls.client)
    async with http_service(tls=tls.server) as service:
        assert (await get(client, f"https://good.test:{service.port}/")).status == 200
        assert (await get(client, f"https://127.0.0.1:{service.port}/")).status == 200
        with pytest.raises(Unreachable, match="TLS failed"):
            await get(client, f"https://bad.test:{service.port}/")
    await client.close()

    assert [f"good.test:{service.port}", f"127.0.0.1:{service.port}"] == [r.headers["host"] for r in service.received]


async def test_an_unknown_authority_is_refused(dns: FakeResolver, tmp_path: Path) -> None:
    """A certificate nobody vouches for ends the connection."""
    tls = make_tls(tmp_path, "good.test")
    dns.says("good.test", ["127.0.0.1"])
    client = Outbound(resolver=dns)
    async with http_service(tls=tls.server) as service:
        with pytest.raises(Unreachable, match="TLS failed"):
            await get(client, f"https://good.test:{service.port}/")
    await client.close()

    assert service.received == []
    assert Outbound(resolver=dns).tls.verify_mode == ssl.CERT_REQUIRED


async def test_other_protocols_pass_the_same_gate(outbound: Outbound, dns: FakeResolver, service: HttpService) -> None:
    """``connect`` resolves, checks and pins like a request."""
    dns.says("mail.test", ["127.0.0.1"])
    opened = await outbound.connect("mail.test", service.port, LOOPBACK)
    assert ("127.0.0.1", service.port) == opened.getpeername()
    opened.close()

    for host in ("mail.test", "127.0.0.1", "::1", "localhost", "127.1"):
        with pytest.raises((AddressForbidden, Unreachable)):
            await outbound.connect(host, service.port, operator())
    with pytest.raises(Unreachable):
        await outbound.connect("nothing.test", service.port, LOOPBACK)


async def test_connect_reports_a_closed_port(outbound: Outbound) -> None:
    """A refused TCP connection is Unreachable."""
    async with http_service() as gone:
        port = gone.port

    with pytest.raises(Unreachable):
        await outbound.connect("127.0.0.1", port, LOOPBACK)


async def test_many_requests_share_the_client(outbound: Outbound, service: HttpService) -> None:
    """Two hundred requests at once all get their own answer."""
    answers = await asyncio.gather(*(get(outbound, f"{service.base}/{number}") for number in range(200)))

    assert [one.status for one in answers] == [200] * 200
    assert len({request.target for request in service.received}) == 200


async def test_the_system_resolver_answers_and_remembers() -> None:
    """localhost resolves to loopback, once within the keeping time; what does not exist is an OSError."""
    resolver = SystemResolver(SystemClock())
    first = await resolver.resolve("localhost")

    assert first is await resolver.resolve("localhost")
    assert set(first) <= {"127.0.0.1", "::1"}
    with pytest.raises(socket.gaierror):
        await resolver.resolve("does-not-exist.invalid")
    resolver.close()
