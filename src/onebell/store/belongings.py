"""What hangs on a person: addresses, tags, attributes, routes."""

from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa

from onebell.store.changes import Changes, Origin
from onebell.store.schema import address, attribute, route, tag
from onebell.store.upserts import insert_missing, insert_or_update, pages


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person is reached: ``carrier`` is an account's code, or ``email`` / ``phone``."""

    person: int
    carrier: str
    value: str
    scope: str = "all"
    verified: bool = True
    origin: str = Origin.API.value


# Made once: every new receiver is asked for his.
_of_space = sa.bindparam("of_space", type_=sa.BigInteger)
_people = sa.bindparam("people", type_=sa.BigInteger, expanding=True)
_addresses_of = (
    sa.select(address).where(address.c.space_id == _of_space, address.c.person_id.in_(_people)).order_by(address.c.id)
)
_routes_of = (
    sa.select(route.c.person_id, route.c.carrier, route.c.origin)
    .where(route.c.space_id == _of_space, route.c.person_id.in_(_people))
    .order_by(route.c.person_id, route.c.position, route.c.carrier)
)


def addresses_of(connection: sa.Connection, space: int, people: Sequence[int]) -> list[Address]:
    """All addresses of these people, oldest first."""
    found = []
    for page in pages(people):
        for row in connection.execute(_addresses_of, {"of_space": space, "people": page}).mappings():
            found.append(
                Address(
                    person=row["person_id"],
                    carrier=row["carrier"],
                    value=row["value"],
                    scope=row["scope"],
                    verified=bool(row["verified"]),
                    origin=row["origin"],
                )
            )
    return found


def add_addresses(connection: sa.Connection, space: int, new: Sequence[tuple[int, Address]]) -> None:
    """Add addresses under these ids; one that a person has already stays as it is."""
    rows = [
        {
            "space_id": space,
            "id": number,
            "person_id": one.person,
            "carrier": one.carrier,
            "value": one.value,
            "scope": one.scope,
            "verified": int(one.verified),
            "origin": one.origin,
        }
        for number, one in new
    ]
    insert_missing(connection, address, rows)


def remove_address(connection: sa.Connection, space: int, person: int, carrier: str, value: str, scope: str) -> None:
    """Take an address away."""
    connection.execute(
        sa.delete(address).where(
            address.c.space_id == space,
            address.c.person_id == person,
            address.c.carrier == carrier,
            address.c.value == value,
            address.c.scope == scope,
        )
    )


def remove_addresses(connection: sa.Connection, space: int, person: int, carrier: str, scope: str) -> None:
    """Take all of a person's addresses on a carrier in a scope away."""
    connection.execute(
        sa.delete(address).where(
            address.c.space_id == space,
            address.c.person_id == person,
            address.c.carrier == carrier,
            address.c.scope == scope,
        )
    )


def tags_of(connection: sa.Connection, space: int, people: Sequence[int]) -> list[tuple[int, str, str, str]]:
    """(person, tag, scope, origin) of these people."""
    found: list[tuple[int, str, str, str]] = []
    for page in pages(people):
        statement = sa.select(tag.c.person_id, tag.c.tag, tag.c.scope, tag.c.origin)
        rows = connection.execute(statement.where(tag.c.space_id == space, tag.c.person_id.in_(page)))
        found.extend((row.person_id, row.tag, row.scope, row.origin) for row in rows)
    return found


def add_tags(connection: sa.Connection, space: int, new: Sequence[tuple[int, str, str]], origin: Origin) -> None:
    """Add (person, tag, scope)."""
    insert_missing(
        connection,
        tag,
        [
            {"space_id": space, "person_id": person, "tag": name, "scope": scope, "origin": origin.value}
            for person, name, scope in sorted(new)
        ],
    )


def remove_tag(connection: sa.Connection, space: int, person: int, name: str, scope: str) -> None:
    """Take a tag away."""
    connection.execute(
        sa.delete(tag).where(
            tag.c.space_id == space, tag.c.person_id == person, tag.c.tag == name, tag.c.scope == scope
        )
    )


def attributes_of(connection: sa.Connection, space: int, people: Sequence[int]) -> dict[int, dict[str, str]]:
    """Attributes by person."""
    found: dict[int, dict[str, str]] = {}
    for page in pages(people):
        statement = sa.select(attribute.c.person_id, attribute.c.key, attribute.c.value)
        rows = connection.execute(statement.where(attribute.c.space_id == space, attribute.c.person_id.in_(page)))
        for row in rows:
            found.setdefault(row.person_id, {})[row.key] = row.value
    return found


def set_attributes(connection: sa.Connection, space: int, person: int, values: Mapping[str, str]) -> None:
    """Write these attributes and leave the others."""
    rows = [
        {"space_id": space, "person_id": person, "key": key, "value": value} for key, value in sorted(values.items())
    ]
    insert_or_update(connection, attribute, rows, ["value"])


def remove_attributes(connection: sa.Connection, space: int, person: int, keys: Sequence[str]) -> None:
    """Take attributes away."""
    connection.execute(
        sa.delete(attribute).where(
            attribute.c.space_id == space, attribute.c.person_id == person, attribute.c.key.in_(keys)
        )
    )


def routes_of(connection: sa.Connection, space: int, people: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """(carrier code, origin) in order, by person."""
    found: dict[int, list[tuple[str, str]]] = {}
    for page in pages(people):
        for person, carrier, origin in connection.execute(_routes_of, {"of_space": space, "people": page}):
            found.setdefault(person, []).append((carrier, origin))
    return found


def set_routes(connection: sa.Connection, space: int, person: int, routes: Sequence[tuple[str, str]]) -> None:
    """Replace a person's routes by these (carrier code, origin)."""
    connection.execute(sa.delete(route).where(route.c.space_id == space, route.c.person_id == person))
    rows = [
        {"space_id": space, "person_id": person, "carrier": code, "position": place, "origin": origin}
        for place, (code, origin) in enumerate(routes)
    ]
    insert_missing(connection, route, rows)


class Belongings:
    """What the APIs change of what hangs on a person."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def add_address(self, space: int, one: Address) -> None:
        """Add an address. Raises ``Conflict`` when the person does not exist."""
        number = self._changes.mint.mint()
        await self._changes.write(space, lambda connection: add_addresses(connection, space, [(number, one)]))

    async def set_address(self, space: int, person: int, carrier: str, value: str, scope: str = "all") -> None:
        """Make this the person's only address on a carrier in a scope. Raises ``Conflict``: no such person."""
        number = self._changes.mint.mint()
        one = Address(person=person, carrier=carrier, value=value, scope=scope)

        def work(connection: sa.Connection) -> None:
            remove_addresses(connection, space, person, carrier, scope)
            add_addresses(connection, space, [(number, one)])

        await self._changes.write(space, work)

    async def remove_address(self, space: int, person: int, carrier: str, value: str, scope: str = "all") -> None:
        """Take an address away."""
        await self._changes.write(
            space, lambda connection: remove_address(connection, space, person, carrier, value, scope)
        )

    async def add_tag(self, space: int, person: int, name: str, scope: str = "all") -> None:
        """Add a tag. Raises ``Conflict`` when the person does not exist."""
        await self._changes.write(
            space, lambda connection: add_tags(connection, space, [(person, name, scope)], Origin.API)
        )

    async def remove_tag(self, space: int, person: int, name: str, scope: str = "all") -> None:
        """Take a tag away."""
        await self._changes.write(space, lambda connection: remove_tag(connection, space, person, name, scope))

    async def set_attributes(self, space: int, person: int, values: Mapping[str, str]) -> None:
        """Write these attributes. Raises ``Conflict`` when the person does not exist."""
        await self._changes.write(space, lambda connection: set_attributes(connection, space, person, values))

    async def set_routes(self, space: int, person: int, carriers: Sequence[str]) -> None:
        """Where a person's messages go besides his inbox. Raises ``Conflict`` when he does not exist."""
        routes = [(code, Origin.API.value) for code in carriers]
        await self._changes.write(space, lambda connection: set_routes(connection, space, person, routes))
