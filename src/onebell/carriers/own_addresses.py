"""Our own listeners: a message that comes back in through the front door would go round for ever."""

import ipaddress
import socket

import msgspec

from onebell.carriers.address_gate import AddressForbidden, IpAddress, unmapped


class OwnAddresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where this program listens, and how the world calls it."""

    listening: tuple[tuple[str, int], ...] = ()  # (address, port); an unspecified address means every one
    origins: frozenset[str] = frozenset()  # as Destination.origin

    def refuse_origin(self, origin: str) -> None:
        """Raises ``AddressForbidden`` for our own public name."""
        if origin and origin in self.origins:
            raise AddressForbidden("that is this server's own address")

    def refuse_address(self, address: IpAddress, port: int) -> None:
        """Raises ``AddressForbidden`` for an address and port that we listen on."""
        for host, own_port in self.listening:
            if port == own_port and _covers(host, unmapped(address)):
                raise AddressForbidden("that is this server's own address")


def _covers(host: str, address: IpAddress) -> bool:
    try:
        own = ipaddress.ip_address(host)
    except ValueError:
        # A name such as localhost: whatever it stands for is on this machine.
        return _is_on_this_machine(address)
    return address == own or (own.is_unspecified and _is_on_this_machine(address))


def _is_on_this_machine(address: IpAddress) -> bool:
    """Only an address of one of our interfaces can be bound; no packet goes out for this."""
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
