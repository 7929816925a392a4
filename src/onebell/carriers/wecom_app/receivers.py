"""Who gets a call: addresses joined to at most a thousand members (sheet wecom §6.2)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from onebell.carriers.base import Address

MEMBERS = 1000
ALL = "@all"
_FIELDS = ("touser", "toparty", "totag")


def members(address: Address) -> tuple[str, ...]:
    """The user ids of an address: one, or several joined by ``|``; none where the account's own receivers are meant."""
    return tuple(filter(None, (part.strip() for part in address.value.split("|"))))


def calls(addresses: Sequence[Address]) -> Iterator[list[Address]]:
    """The addresses call by call. ``@all`` and the account's own receivers cannot be joined with others."""
    joined: list[Address] = []
    count = 0
    for address in addresses:
        ids = members(address)
        if not ids or ALL in ids:
            yield [address]
            continue
        if joined and count + len(ids) > MEMBERS:
            yield joined
            joined, count = [], 0
        joined.append(address)
        count += len(ids)
    if joined:
        yield joined


def receivers(call: Sequence[Address], fields: Mapping[str, Any]) -> dict[str, str]:
    """The fields that name who gets a call."""
    ids = dict.fromkeys(one for address in call for one in members(address))
    if ALL in ids:
        return {"touser": ALL}
    if ids:
        return {"touser": "|".join(ids)}
    own = {name: str(fields[name]) for name in _FIELDS if fields.get(name)}
    return own or {"touser": ALL}
