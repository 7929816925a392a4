"""Which address a person has on a carrier account, and where his messages go besides the inbox."""

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec
import sqlalchemy as sa

from onebell.core.directory import CarrierAccount
from onebell.store import belongings
from onebell.store.belongings import Address


class Addressed(Enum):
    """How people are addressed on a kind of carrier, as its manifest says."""

    EMAIL = "email"
    PHONE = "phone"
    ACCOUNT = "account"
    """The account itself is the only place (a group bot, a webhook): everybody's address there is its code."""
    OWN = "own"
    """Only by an address that a person has on this very account."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What decides where a person is reached."""

    routes: tuple[str, ...] = ()  # codes of carrier accounts, in order
    addresses: tuple[Address, ...] = ()  # verified ones, oldest first


NOWHERE = Reach()


def reaches(connection: sa.Connection, space: int, people: Sequence[int]) -> dict[int, Reach]:
    """The reach of each of these people."""
    routes = belongings.routes_of(connection, space, people)
    addresses: dict[int, list[Address]] = {}
    for one in belongings.addresses_of(connection, space, people):
        if one.verified:
            addresses.setdefault(one.person, []).append(one)
    return {
        person: Reach(
            routes=tuple(code for code, _ in routes.get(person, ())), addresses=tuple(addresses.get(person, ()))
        )
        for person in people
    }


def value_for(account: CarrierAccount, addressed: Addressed, reach: Reach, scopes: Sequence[str] = ("all",)) -> str:
    """A person's address on an account: in each scope the account's own first; empty = none."""
    if addressed is Addressed.ACCOUNT:
        return account.code
    wanted = [account.code]
    if addressed is not Addressed.OWN:
        wanted.append(addressed.value)
    for scope in scopes:
        for carrier in wanted:
            for one in reach.addresses:
                if one.carrier == carrier and one.scope == scope:
                    return one.value
    return ""


def routed(
    reach: Reach, accounts: Mapping[str, CarrierAccount], addressed: Mapping[str, Addressed | None]
) -> list[tuple[CarrierAccount, str]]:
    """(account, address) of each route that leads somewhere, in order; ``addressed`` by carrier kind."""
    found = []
    for code in reach.routes:
        account = accounts.get(code)
        if account is None or not account.enabled:
            continue
        how = addressed[account.kind]
        value = "" if how is None else value_for(account, how, reach)
        if value:
            found.append((account, value))
    return found
