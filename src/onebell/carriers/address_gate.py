"""Which URLs and addresses the program may connect to (RELIABILITY §2.2 "SSRF", corpus A).

A URL is read strictly, once, into a :class:`Destination`; what cannot be read in exactly one way is refused.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import quote

import idna
import msgspec

from onebell.carriers.ports import REFUSED_PORTS
from onebell.core.directory import CarrierAccount
from onebell.errors import OnebellError

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_BYTES = 8192
"""Longest URL that is read."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(https?)://([^/?#]+)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]@%]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_TARGET_SAFE = "!$%&'()*+,/:;=?@[]~"

# ``is_global`` calls these global although they are not a stranger's address [measured, RELIABILITY §2.2].
_SPECIAL: tuple[IpNetwork, ...] = tuple(
    ipaddress.ip_network(text)
    for text in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "5f00::/16", "100::/64")
)
# IPv6 addresses that carry an IPv4 address inside: a gateway would take the packet to that one.
_EMBEDDING: tuple[IpNetwork, ...] = tuple(
    ipaddress.ip_network(text) for text in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)


class AddressForbidden(OnebellError):
    """The address gate refuses this URL or address; no connection was made. The text names the rule, no secret."""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """A URL, read."""

    scheme: str  # http | https
    host: str  # ASCII, lower case, without brackets and trailing dot
    port: int
    target: str  # path and query as they go on the wire
    address: IpAddress | None  # when the host is an address itself

    @property
    def origin(self) -> str:
        """``scheme://host:port``, the port always written."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"

    @property
    def host_header(self) -> str:
        """The host, with the port where it is not the scheme's own."""
        name = bracketed(self.host)
        return name if self.port == _DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Where one caller may go: public addresses, and what is named here."""

    origins: frozenset[str] = frozenset()  # as Destination.origin: any address behind these
    networks: tuple[IpNetwork, ...] = ()  # not public, but allowed by the operator
    ports: str = "any"  # "any", or "web": ports of other services are refused


def strict(allow_callbacks: Sequence[str] = ()) -> Policy:
    """For URLs that came in a request: public addresses and ``space.allow_callbacks``, nothing else.

    An origin that cannot be read allows nothing.
    """
    return Policy(origins=frozenset(filter(None, map(origin_of, allow_callbacks))), ports="web")


def operator(allow_networks: Sequence[str] = ()) -> Policy:
    """For addresses that the operator configured: public ones and the networks he listed.

    Raises:
        ValueError: not a network in CIDR notation.
    """
    return Policy(networks=tuple(ipaddress.ip_network(text, strict=False) for text in allow_networks))


def of_account(account: CarrierAccount) -> Policy:
    """Where a carrier account may go: as far as whoever configured it may send it.

    Raises:
        ValueError: the operator allows something that is not a network in CIDR notation.
    """
    return strict(account.allow_origins) if account.is_foreign else operator(account.allow_networks)


def origin_of(url: str) -> str:
    """A URL's origin in its one spelling; empty when it cannot be read."""
    try:
        return read_url(url).origin
    except AddressForbidden:
        return ""


def bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def read_url(url: str) -> Destination:
    """Read a URL strictly.

    Raises:
        AddressForbidden: not http(s), userinfo, control characters, a backslash, a host or port with two readings.
    """
    if len(url) > URL_BYTES:
        raise AddressForbidden("URL too long")
    if "\\" in url or any(char.isspace() or not char.isprintable() for char in url):
        raise AddressForbidden("URL holds a blank, a control character or a backslash")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise AddressForbidden("not an absolute http or https URL")
    scheme, authority, rest = parts[1].lower(), parts[2], parts[3]
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise AddressForbidden("host part with user information, percent signs or a bad port")
    port = int(found[2]) if found[2] else _DEFAULT_PORTS[scheme]
    host, address = read_host(found[1])
    return Destination(scheme=scheme, host=host, port=_checked_port(port), target=_target(rest), address=address)


def read_host(host: str) -> tuple[str, IpAddress | None]:
    """A host in its one spelling, and the address when it is one.

    Raises:
        AddressForbidden: an address in any but its canonical spelling, or no host name at all.
    """
    if host.startswith("["):
        address = _ip(host[1:-1])
        return str(address), address
    if not host.isascii():
        return _unicode_name(host), None
    name = host.lower().removesuffix(".")
    if _NUMBER.fullmatch(name.rsplit(".", 1)[-1]):
        # 127.1, 0177.0.0.1, 2130706433: what a resolver makes of them is not what a reader sees.
        address = _ip(name)
        return name, address
    return _checked_name(name), None


def _unicode_name(host: str) -> str:
    try:
        name = idna.encode(host, uts46=True, std3_rules=True).decode().lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError):
        raise AddressForbidden("host is not a valid international name") from None
    if _NUMBER.fullmatch(name.rsplit(".", 1)[-1]):
        raise AddressForbidden("address written in other than ASCII digits")
    return _checked_name(name)


def _checked_name(name: str) -> str:
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise AddressForbidden("host is not a valid name")
    return name


def _checked_port(port: int) -> int:
    if not 0 < port < 65536:
        raise AddressForbidden("port out of range")
    return port


def _ip(text: str) -> IpAddress:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise AddressForbidden("address not in its canonical spelling") from None


def _target(rest: str) -> str:
    path = rest if rest.startswith("/") else f"/{rest}"
    return quote(path, safe=_TARGET_SAFE)


def unmapped(address: IpAddress) -> IpAddress:
    """The IPv4 address inside ``::ffff:0:0/96``, else the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def is_public(address: IpAddress) -> bool:
    """Whether an address may belong to a stranger on the internet, and to nobody nearer."""
    address = unmapped(address)
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_site_local or address.scope_id is not None:
            return False
        if any(address in network for network in _EMBEDDING):
            return False
    return not any(address in network for network in _SPECIAL)


def require_port(destination: Destination, policy: Policy) -> None:
    """Refuse ports of other services.

    Raises:
        AddressForbidden: such a port, and the policy allows web ports only.
    """
    if policy.ports == "any" or destination.origin in policy.origins:
        return
    if destination.port in REFUSED_PORTS:
        raise AddressForbidden(f"port {destination.port} belongs to another service")


def require_reachable(url: str, policy: Policy) -> None:
    """Refuse a URL that the gate would refuse whatever its name resolves to.

    Raises:
        AddressForbidden: not a URL, a port of another service, or an address that the policy does not reach.
    """
    destination = read_url(url)
    require_port(destination, policy)
    if destination.address is not None:
        require_address(destination.origin, destination.address, policy)


def require_address(origin: str, address: IpAddress, policy: Policy) -> None:
    """Refuse addresses that the policy does not reach; ``origin`` is empty for other protocols than HTTP.

    Raises:
        AddressForbidden: the address is not public and nothing allows it.
    """
    if origin in policy.origins or is_public(address):
        return
    plain = unmapped(address)
    if not any(plain in network for network in policy.networks):
        raise AddressForbidden("address is not public")
