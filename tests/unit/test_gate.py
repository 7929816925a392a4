"""The address gate against corpus A of RELIABILITY §2.4."""

import ipaddress
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.carriers.address_gate import (
    AddressForbidden,
    is_public,
    of_account,
    operator,
    read_url,
    require_address,
    require_port,
    require_reachable,
    strict,
)
from onebell.carriers.own_addresses import OwnAddresses
from onebell.core.directory import CarrierAccount

CORPUS = tomllib.loads((Path(__file__).parents[1] / "corpus/ssrf.toml").read_text())
PORT = 9099


def passes(url: str) -> bool:
    """Whether a URL with an address as its host would be connected to under the strict policy."""
    try:
        destination = read_url(url)
        require_port(destination, strict())
        assert destination.address is not None
        require_address(destination.origin, destination.address, strict())
    except AddressForbidden:
        return False
    return True


@pytest.mark.parametrize("address", CORPUS["addresses"])
def test_no_address_of_the_corpus_passes(address: str) -> None:
    """An address that is not a stranger's on the internet is refused in every spelling."""
    assert not passes(f"http://{address}:{PORT}/")
    assert not passes(f"https://{address}/")


@pytest.mark.parametrize("address", CORPUS["public"]["addresses"])
def test_public_addresses_pass(address: str) -> None:
    """The gate lets public addresses through."""
    assert passes(f"http://{address}:{PORT}/")


@pytest.mark.parametrize("url", [*CORPUS["urls"]["syntax"], *CORPUS["urls"]["schemes"]])
def test_urls_with_two_readings_are_refused(url: str) -> None:
    """A URL that another reader could understand in another way, or of another scheme, is refused."""
    assert not passes(url.replace("{port}", str(PORT)))


@pytest.mark.parametrize("url", CORPUS["public"]["urls"])
def test_ordinary_urls_can_be_read(url: str) -> None:
    """The strict reader takes what people write."""
    assert read_url(url).scheme in {"http", "https"}


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("HTTP://EXAMPLE.com", "example.com", 80, "/"),
        ("https://example.com.?a=b", "example.com", 443, "/?a=b"),
        ("https://example.com:8443/a%2Fb?c=d%20e#f", "example.com", 8443, "/a%2Fb?c=d%20e"),
        ("http://例え.テスト/あ?い=<x>", "xn--r8jz45g.xn--zckzah", 80, "/%E3%81%82?%E3%81%84=%3Cx%3E"),
        ("http://[2606:4700:4700:0::1111]:81/", "2606:4700:4700::1111", 81, "/"),
    ],
)
def test_a_url_is_read_once(url: str, host: str, port: int, target: str) -> None:
    """Percent-encoding is kept as it is; what cannot stand in a request line is encoded; the fragment is dropped."""
    read = read_url(url)

    assert (host, port, target) == (read.host, read.port, read.target)


def test_the_host_header_names_a_port_only_when_it_must() -> None:
    """The scheme's own port is not written into Host."""
    assert read_url("http://a.test:80/").host_header == "a.test"
    assert read_url("https://a.test:80/").host_header == "a.test:80"
    assert read_url("http://[::1]:81/").host_header == "[::1]:81"


def test_a_url_has_a_greatest_length() -> None:
    """A URL of more than 8 KiB is refused before it is looked at."""
    with pytest.raises(AddressForbidden):
        read_url("http://a.test/" + "x" * 8192)


def test_callback_origins_open_exactly_themselves() -> None:
    """``allow_callbacks`` opens one scheme, host and port, not its neighbours."""
    policy = strict(["http://127.0.0.1:9099", "not a url"])
    loopback = ipaddress.ip_address("127.0.0.1")

    require_address(read_url("http://127.0.0.1:9099/x").origin, loopback, policy)

    for url in ("http://127.0.0.1:9098/", "https://127.0.0.1:9099/", "http://127.0.0.2:9099/"):
        with pytest.raises(AddressForbidden):
            require_address(read_url(url).origin, loopback, policy)


def test_operator_networks_open_exactly_themselves() -> None:
    """A carrier account reaches public addresses and the networks its operator lists, mapped spelling included."""
    policy = operator(["127.0.0.0/8", "fd00::/8"])

    for allowed in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::1", "8.8.8.8"):
        require_address("", ipaddress.ip_address(allowed), policy)
    for refused in ("10.0.0.1", "::1", "169.254.169.254", "64:ff9b::7f00:1"):
        with pytest.raises(AddressForbidden):
            require_address("", ipaddress.ip_address(refused), policy)


def test_an_operator_may_name_any_port() -> None:
    """The list of other services' ports binds URLs from requests only, and not the allowed origins."""
    require_port(read_url("http://8.8.8.8:6379/"), operator())
    require_port(read_url("http://8.8.8.8:6379/"), strict(["http://8.8.8.8:6379"]))


@pytest.mark.parametrize(
    ("listening", "address"),
    [
        (("127.0.0.1", 8080), "127.0.0.1"),
        (("0.0.0.0", 8080), "127.0.0.1"),
        (("::", 8080), "127.0.0.7"),
        (("localhost", 8080), "::1"),
        (("127.0.0.1", 8080), "::ffff:127.0.0.1"),
    ],
)
def test_our_own_listeners_are_refused(listening: tuple[str, int], address: str) -> None:
    """No policy opens an address and port that this server itself listens on."""
    own = OwnAddresses(listening=(listening,))
    with pytest.raises(AddressForbidden):
        own.refuse_address(ipaddress.ip_address(address), 8080)

    own.refuse_address(ipaddress.ip_address(address), 8081)


def test_a_strangers_address_is_not_ours() -> None:
    """Listening on every address covers those of this machine only."""
    OwnAddresses(listening=(("0.0.0.0", 8080),)).refuse_address(ipaddress.ip_address("93.184.216.34"), 8080)


@given(st.integers(0, 2**32 - 1))
def test_embedding_never_opens_what_ipv4_keeps_shut(number: int) -> None:
    """A private IPv4 address inside any IPv6 form is as closed as itself."""
    inner = ipaddress.IPv4Address(number)
    mapped = ipaddress.IPv6Address(0xFFFF << 32 | number)

    assert is_public(mapped) == is_public(inner)
    for prefix in ("::", "64:ff9b::", "64:ff9b:1::"):
        assert not is_public(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | number))
    assert not is_public(ipaddress.IPv6Address(0x2002 << 112 | number << 80))


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """The reader knows two answers: a destination, or AddressForbidden."""
    for url in (text, f"http://{text}", f"http://a.test/{text}"):
        try:
            read = read_url(url)
        except AddressForbidden:
            continue
        assert read.host.isascii()
        assert read.target.isascii()
        assert not any(char.isspace() for char in read.target)


def _account(*, is_foreign: bool) -> CarrierAccount:
    return CarrierAccount(
        id=1,
        space=1,
        code="c",
        kind="webhook",
        name="",
        fields={},
        allow_networks=("10.0.0.0/8",),
        owner=5,
        enabled=True,
        stopped_why="",
        is_foreign=is_foreign,
        allow_origins=("http://192.168.1.1:8000",),
    )


@pytest.mark.parametrize(
    ("url", "operators", "foreign"),
    [
        ("https://example.com/hook", True, True),
        ("http://10.1.2.3/hook", True, False),
        ("http://192.168.1.1:8000/hook", False, True),
        ("http://192.168.1.1:8001/hook", False, False),
        ("http://169.254.169.254/latest", False, False),
        ("http://example.com:6379/", True, False),
        ("ftp://example.com/", False, False),
    ],
)
def test_an_account_goes_as_far_as_who_made_it_may(url: str, operators: bool, foreign: bool) -> None:
    """The operator's reaches his networks and any port; a user's own the space's origins and web ports."""

    def reaches(account: CarrierAccount) -> bool:
        try:
            require_reachable(url, of_account(account))
        except AddressForbidden:
            return False
        return True

    assert (reaches(_account(is_foreign=False)), reaches(_account(is_foreign=True))) == (operators, foreign)
