"""The only HTTP client of the program, and the only opener of connections to addresses that somebody wrote down.

A name is resolved once, every address passes the gate, and the connection goes to that very address: a second
lookup that says something else (DNS rebinding) is never asked for. No redirect is followed, no proxy is read from
the environment, no cookie is kept, and a body is read up to a limit, unpacked.
"""

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

import onebell
from onebell.carriers.address_gate import (
    AddressForbidden,
    Destination,
    IpAddress,
    Policy,
    bracketed,
    origin_of,
    read_host,
    read_url,
    require_address,
    require_port,
)
from onebell.carriers.own_addresses import OwnAddresses
from onebell.carriers.resolver import Resolver, SystemResolver
from onebell.clock import Clock, SystemClock
from onebell.core.objects import Upload
from onebell.errors import InvalidInput, OnebellError

CONNECT_S = 5.0
TOTAL_S = 30.0
"""How long a request may take whose caller says nothing else."""
LONGEST_S = 60.0
"""No request takes longer, whatever its caller asks for."""
ANSWER_BYTES = 65_536
TRIED_ADDRESSES = 3
KEEP_ALIVE_S = 15.0

_METHOD = re.compile(r"[A-Z]{1,20}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Ours to say: the connection's framing and the name that the gate has looked at.
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade"})
_PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Unreachable(OnebellError):
    """No answer: name not found, connection refused or lost, TLS not trusted, time over. May work later."""


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back; a redirect is an answer like any other."""

    status: int
    headers: dict[str, str]  # names in lower case, the first value of each
    body: bytes  # at most the limit
    truncated: bool = False  # there was more


class HttpStream(msgspec.Struct, frozen=True, kw_only=True):
    """An answer whose body is still to come."""

    status: int
    headers: dict[str, str]  # as in ``HttpAnswer``
    pieces: AsyncIterator[bytes]  # unpacked, at most one byte more than the limit; raises ``Unreachable``


class Outbound:
    """Requests and connections through the address gate. One for the whole program."""

    def __init__(
        self,
        *,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._resolver = resolver or SystemResolver(clock or SystemClock())
        self._tls = tls or ssl.create_default_context()
        self._session: aiohttp.ClientSession | None = None
        self._own = OwnAddresses()

    @property
    def tls(self) -> ssl.SSLContext:
        """The trust store, for carriers that speak TLS over their own protocol."""
        return self._tls

    def keep_off(self, listening: Sequence[tuple[str, int]], origins: Sequence[str] = ()) -> None:
        """Refuse our own listeners and public addresses, whatever a policy allows."""
        self._own = OwnAddresses(listening=tuple(listening), origins=frozenset(filter(None, map(origin_of, origins))))

    async def close(self) -> None:
        """Close all connections."""
        self._resolver.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Upload | None,
        policy: Policy,
        timeout_s: float = TOTAL_S,
        limit_bytes: int = ANSWER_BYTES,
    ) -> HttpAnswer:
        """Send one request; every status is an answer.

        Raises:
            AddressForbidden: the gate refuses the URL or one of its addresses; nothing was sent.
            Unreachable: no answer within ``timeout_s`` (at most 60).
            InvalidInput: a method or header that cannot be sent.
        """
        call = _checked_call(method, url, headers, body, policy)
        with _unreachable(call.destination.host):
            async with asyncio.timeout(min(timeout_s, LONGEST_S)), await self._respond(call, policy) as response:
                content, truncated = await _read(response, limit_bytes)
                if truncated:
                    response.close()
                return HttpAnswer(
                    status=response.status, headers=_first_of(response.headers), body=content, truncated=truncated
                )

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        policy: Policy,
        timeout_s: float = TOTAL_S,
        limit_bytes: int,
    ) -> AsyncIterator[HttpStream]:
        """As ``request``, for bodies that nobody should hold: they are read inside the block, within ``timeout_s``."""
        call = _checked_call(method, url, headers, None, policy)
        with _unreachable(call.destination.host):
            async with asyncio.timeout(min(timeout_s, LONGEST_S)), await self._respond(call, policy) as response:
                try:
                    yield HttpStream(
                        status=response.status,
                        headers=_first_of(response.headers),
                        pieces=_pieces(response, limit_bytes),
                    )
                finally:
                    if not response.content.at_eof():
                        response.close()

    async def connect(self, host: str, port: int, policy: Policy) -> socket.socket:
        """A connected, non-blocking TCP socket, for protocols other than HTTP.

        Raises:
            AddressForbidden, Unreachable: as for ``request``.
        """
        name, _ = read_host(bracketed(host))
        try:
            async with asyncio.timeout(CONNECT_S):
                addresses = await self._allowed(name, port, "", policy)
                return await _first_socket(addresses, port)
        except TimeoutError:
            raise Unreachable(f"no connection in time to {name}") from None
        except OSError as error:
            raise Unreachable(f"{_words(error)}: {name}") from None

    async def _allowed(self, host: str, port: int, origin: str, policy: Policy) -> list[IpAddress]:
        """All addresses of a host; one that is refused refuses them all."""
        self._own.refuse_origin(origin)
        texts = await self._addresses(host)
        addresses = [read_host(bracketed(text) if ":" in text else text)[1] for text in texts]
        allowed = [address for address in addresses if address is not None]
        if not allowed or len(allowed) != len(texts):
            raise Unreachable(f"name not found: {host}")
        for address in allowed:
            require_address(origin, address, policy)
            self._own.refuse_address(address, port)
        return allowed

    async def _addresses(self, host: str) -> Sequence[str]:
        if read_host(bracketed(host))[1] is not None:
            return (host,)
        try:
            return await self._resolver.resolve(host)
        except (OSError, UnicodeError):
            # A resolver that fails closes the gate; an address guessed from elsewhere would open it.
            raise Unreachable(f"name not found: {host}") from None

    async def _respond(self, call: "_Call", policy: Policy) -> aiohttp.ClientResponse:
        to = call.destination
        addresses = await self._allowed(to.host, to.port, to.origin, policy)
        *others, last = addresses[:TRIED_ADDRESSES]
        for address in others:
            with suppress(aiohttp.ClientConnectorError):
                return await self._ask(address, call)
        return await self._ask(last, call)

    async def _ask(self, address: IpAddress, call: "_Call") -> aiohttp.ClientResponse:
        # The pool's key is the pinned address and the TLS name, so that a kept connection never changes its mind.
        return await self._opened().request(
            call.method,
            call.url_at(address),
            headers=call.headers,
            data=call.body.pieces() if isinstance(call.body, Upload) else call.body,
            allow_redirects=False,
            server_hostname=call.tls_name,
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._tls,
                resolver=_NoResolver(),
                limit=0,
                keepalive_timeout=KEEP_ALIVE_S,
                happy_eyeballs_delay=None,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
                auto_decompress=False,
                skip_auto_headers=("Content-Type",),
                headers={"User-Agent": f"onebell/{onebell.__version__}", "Accept-Encoding": "identity"},
            )
        return self._session


@dataclass(frozen=True)
class _Call:
    """One request, checked."""

    method: str
    destination: Destination
    headers: CIMultiDict[str]
    body: bytes | Upload | None

    def url_at(self, address: IpAddress) -> URL:
        """The URL with the pinned address in the host's place."""
        to = self.destination
        return URL(f"{to.scheme}://{bracketed(str(address))}:{to.port}{to.target}", encoded=True)

    @property
    def tls_name(self) -> str | None:
        """The name that the certificate must carry when the URL names a host."""
        to = self.destination
        return to.host if to.scheme == "https" and to.address is None else None


class _NoResolver(aiohttp.abc.AbstractResolver):
    """aiohttp never resolves: it only sees addresses."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        raise AddressForbidden("a name reached the connector")

    async def close(self) -> None:
        """Nothing is open."""


def _checked_call(
    method: str, url: str, headers: Mapping[str, str], body: bytes | Upload | None, policy: Policy
) -> _Call:
    destination = read_url(url)
    wire_headers = _checked_headers(method, headers)
    wire_headers["Host"] = destination.host_header
    if isinstance(body, Upload):
        wire_headers["Content-Length"] = str(body.size)
    require_port(destination, policy)
    return _Call(method, destination, wire_headers, body)


def is_header(name: str, value: str) -> bool:
    """Whether a request can carry it: the name is a token, the value of one line and without controls (RFC 9110 §5)."""
    return bool(_HEADER_NAME.fullmatch(name)) and not _NO_VALUE.search(value)


def _checked_headers(method: str, headers: Mapping[str, str]) -> CIMultiDict[str]:
    if not _METHOD.fullmatch(method):
        raise InvalidInput("method is not a token", "method")
    checked: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if not is_header(name, value):
            raise InvalidInput("header with a forbidden character", "headers")
        if name.lower() not in _OWN_HEADERS:
            checked[name] = value
    return checked


async def _read(response: aiohttp.ClientResponse, limit_bytes: int) -> tuple[bytes, bool]:
    """The body up to the limit, and whether there was more."""
    body = bytearray()
    async for piece in _pieces(response, limit_bytes):
        body += piece
    return bytes(body[:limit_bytes]), len(body) > limit_bytes


async def _pieces(response: aiohttp.ClientResponse, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body, unpacked, up to one byte more than the limit.

    A server that packs although we ask for plain bytes is unpacked piece by piece: a bomb stops at the limit.
    """
    packed = response.headers.get("Content-Encoding", "").strip().lower()
    unpack = zlib.decompressobj(_PACKED[packed]) if packed in _PACKED else None
    left = limit_bytes + 1
    async for chunk in response.content.iter_any():
        piece = chunk[:left] if unpack is None else unpack.decompress(chunk, left)
        yield piece
        left -= len(piece)
        if not left:
            return


def _first_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Names in lower case, the first value of each."""
    first: dict[str, str] = {}
    for name, value in headers.items():
        first.setdefault(name.lower(), value)
    return first


@contextmanager
def _unreachable(host: str) -> Iterator[None]:
    """Whatever stands between us and an answer is one error."""
    try:
        yield
    except TimeoutError:
        raise Unreachable(f"no answer in time from {host}") from None
    except (aiohttp.ClientError, OSError, zlib.error) as error:
        raise Unreachable(f"{_words(error)}: {host}") from None


async def _first_socket(addresses: Sequence[IpAddress], port: int) -> socket.socket:
    *others, last = addresses[:TRIED_ADDRESSES]
    for address in others:
        with suppress(OSError):
            return await _socket(address, port)
    return await _socket(last, port)


async def _socket(address: IpAddress, port: int) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(opened, (str(address), port))
    except BaseException:
        opened.close()
        raise
    return opened


def _words(error: Exception) -> str:
    """What went wrong, without the URL: its path and query may hold a key."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLError() | aiohttp.ClientSSLError():
            return "TLS failed"
        case aiohttp.ClientConnectorError() | ConnectionError():
            return "connection failed"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "connection lost"
        case aiohttp.ClientResponseError():
            return "answer is not HTTP"
        case zlib.error():
            return "answer is badly packed"
        case _:
            return "connection failed"
