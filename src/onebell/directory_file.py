"""Read a directory file: secrets resolved, what is not built left out with a warning, every rule checked (DESIGN §6).

The result names objects by natural keys; nothing is known of a store here.
"""

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import msgspec

from onebell.core.wanted import Problem, Wanted, WantedCarrier, WantedPerson, WantedSpace
from onebell.directory_findings import BadDirectory, Finding, Findings
from onebell.directory_lines import Lines
from onebell.directory_sections import PERSON_KEYS, Pruned, references, strings
from onebell.directory_tables import (
    AddressTable,
    CarrierTable,
    PersonTable,
    RouteTable,
    SpaceTable,
    TagTable,
    carrier_fields,
    check_carrier,
    check_person,
    check_space,
)

GENERAL = ("space", "people", "tags", "addresses", "carriers", "routes")
PLANNED = ("pushplus", "wecom", "pushgo", "ums", "easemob", "ntfy", "gotify", "bark", "serverchan")
"""Dialects that a file may have a section for (DESIGN §1), built or not."""
Table = dict[str, Any]


Section: TypeAlias = tuple[type[msgspec.Struct], Callable[[Any], Sequence[Wanted]]]
"""A dialect's part of the file: the struct of its table, which refuses unknown keys, and what a table asks for;
the function raises ``Problem``."""
Sections: TypeAlias = Mapping[str, Section]
"""By the name of the table."""


class Kind(Protocol):
    """What the file must know of a kind of carrier."""

    @property
    def secret(self) -> Collection[str]:
        """Fields that are kept encrypted."""
        ...

    def check(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields with their defaults. Raises ``Problem`` with the field's name as its place."""
        ...


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file without what is wrong in itself."""

    space: WantedSpace
    wanted: tuple[Wanted, ...]
    people: Mapping[str, str]  # uids the file refers to and does not name: place by lower-case uid
    carriers: Mapping[str, str]  # likewise, codes
    findings: Findings

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is left out."""
        return self.findings.warnings


def read(
    text: str,
    sections: Sections,
    kind_of: Callable[[str], Kind | None],
    environment: Mapping[str, str],
    base: Path,
) -> Document:
    """Read a file. ``base`` is where relative ``file:`` secrets begin.

    Raises:
        BadDirectory: with the line, place and reason of everything that was found.
    """
    return _Reader(text, sections, kind_of, environment, base).read()


def environment_names(text: str) -> frozenset[str]:
    """The variables that a file's secrets name; an unreadable file names none."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return frozenset()
    values = (value for _, value in strings(raw, ""))
    return frozenset(value.removeprefix("env:") for value in values if value.startswith("env:"))


class _Reader:
    def __init__(
        self,
        text: str,
        sections: Sections,
        kind_of: Callable[[str], Kind | None],
        environment: Mapping[str, str],
        base: Path,
    ) -> None:
        try:
            self._raw: Table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise BadDirectory([_unreadable(error, text)]) from error
        self._sections = sections
        self._kind_of = kind_of
        self._environment = environment
        self._base = base
        self._findings = Findings(Lines(text))
        self._people: dict[str, WantedPerson] = {}
        self._carriers: dict[str, WantedCarrier] = {}
        self._skipped: set[str] = set()
        self._broken: set[str] = set()  # uids and codes of tables with findings: what refers to them is no finding
        self._foreign_people: dict[str, str] = {}
        self._foreign_carriers: dict[str, str] = {}

    def read(self) -> Document:
        self._raw = self._resolved(self._raw, "")
        self._check_top()
        space = self._space()
        self._read_people()
        self._read_carriers()
        self._read_belongings()
        wanted: list[Wanted] = [*self._people.values(), *self._carriers.values()]
        for name, section in self._sections.items():
            if name in self._raw:
                wanted += self._section(name, section)
        for carrier in self._carriers.values():
            self._refer(carrier.owner, f"carriers[{list(self._carriers).index(carrier.code)}].owner")
        self._findings.stop_if_any()
        return Document(
            space=space,
            wanted=tuple(wanted),
            people=self._foreign_people,
            carriers=self._foreign_carriers,
            findings=self._findings,
        )

    # ------------------------------------------------------------ the whole file

    def _resolved(self, value: Any, path: str) -> Any:
        """``value`` with every "env:NAME" and "file:PATH" replaced."""
        if isinstance(value, dict):
            return {key: self._resolved(inner, f"{path}.{key}" if path else key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._resolved(inner, f"{path}[{number}]") for number, inner in enumerate(value)]
        if isinstance(value, str) and value.startswith(("env:", "file:")):
            return self._secret(value, path)
        return value

    def _secret(self, value: str, path: str) -> str:
        source, _, name = value.partition(":")
        if source == "env":
            if name not in self._environment:
                self._findings.problem(path, f"the environment has no {name}")
            return self._environment.get(name, "")
        try:
            return (self._base / name).read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            self._findings.problem(path, f"{name} cannot be read: {type(error).__name__}")
            return ""

    def _check_top(self) -> None:
        for name in self._raw:
            if name in GENERAL or name in self._sections:
                continue
            if name in PLANNED:
                self._findings.warning(name, "this dialect is not built yet; its section is skipped")
            else:
                self._findings.problem(name, "unknown key")

    def _tables(self, name: str) -> list[tuple[str, Table]]:
        """(place, table) of an array of tables."""
        value = self._raw.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self._findings.problem(name, f"must be an array of tables: [[{name}]]")
            return []
        return [(f"{name}[{number}]", one) for number, one in enumerate(value)]

    def _checked(self, check: Callable[..., None], table: Any, where: str) -> bool:
        try:
            check(table, where)
        except Problem as error:
            self._findings.problem(error.where, error.why)
            return False
        return True

    def _space(self) -> WantedSpace:
        table = self._findings.convert("space", self._raw.get("space", {}), SpaceTable)
        if table is None or not self._checked(check_space, table, "space"):
            return WantedSpace(name="")
        return WantedSpace(
            name=table.name,
            timezone=table.timezone,
            language=table.language,
            public_url=None if table.public_url is None else table.public_url.rstrip("/"),
            allow_callbacks=None
            if table.allow_callbacks is None
            else tuple(origin.rstrip("/") for origin in table.allow_callbacks),
        )

    # ------------------------------------------------------------ people and carriers

    def _read_people(self) -> None:
        for where, raw in self._tables("people"):
            table = self._findings.convert(where, raw, PersonTable)
            if table is None or not self._checked(check_person, table, where):
                self._broken.add(str(raw.get("uid")).lower())
                continue
            if table.uid.lower() in self._people:
                self._findings.problem(f"{where}.uid", f"{table.uid} is there twice, compared without case")
            self._people[table.uid.lower()] = _person(table)

    def _read_carriers(self) -> None:
        for where, raw in self._tables("carriers"):
            table = self._findings.convert(where, raw, CarrierTable)
            if table is None or not self._checked(check_carrier, table, where):
                self._broken.add(str(raw.get("code")))
                continue
            if table.code in self._carriers or table.code in self._skipped:
                self._findings.problem(f"{where}.code", f"{table.code} is there twice")
            self._read_carrier(where, table, carrier_fields(raw))

    def _read_carrier(self, where: str, table: CarrierTable, fields: Table) -> None:
        kind = self._kind_of(table.kind)
        if kind is None:
            self._skipped.add(table.code)
            why = f"carriers of kind {table.kind} are not built yet; {table.code} is skipped"
            self._findings.warning(f"{where}.kind", why)
            return
        try:
            fields = kind.check(fields)
        except Problem as error:
            self._findings.problem(f"{where}.{error.where}" if error.where else where, error.why)
        self._carriers[table.code] = WantedCarrier(
            code=table.code,
            kind=table.kind,
            name=table.name,
            fields=fields,
            secret=frozenset(kind.secret),
            allow_networks=table.allow_networks,
            max_age_s=table.max_age_s,
            owner=table.owner,
        )

    # ------------------------------------------------------------ what hangs on people

    def _read_belongings(self) -> None:
        for where, raw in self._tables("tags"):
            tag = self._findings.convert(where, raw, TagTable)
            if tag is not None and (person := self._named(tag.person, where)):
                self._add(person, tags=(*person.tags, (tag.tag, tag.scope)))
        for where, raw in self._tables("addresses"):
            address = self._findings.convert(where, raw, AddressTable)
            if address is None or (person := self._named(address.person, where)) is None:
                continue
            if address.carrier in ("email", "phone") or self._is_there(address.carrier, f"{where}.carrier"):
                self._add(person, addresses=(*person.addresses, (address.carrier, address.value, address.scope)))
        for where, raw in self._tables("routes"):
            route = self._findings.convert(where, raw, RouteTable)
            if route is not None and (person := self._named(route.person, where)):
                places = [(code, f"{where}.carriers[{number}]") for number, code in enumerate(route.carriers)]
                codes = [code for code, place in places if self._is_there(code, place)]
                self._add(person, routes=(*person.routes, *codes))

    def _named(self, uid: str, where: str) -> WantedPerson | None:
        person = self._people.get(uid.lower())
        if person is None and uid.lower() not in self._broken:
            self._findings.problem(f"{where}.person", f"{uid} is not among [[people]]")
        return person

    def _add(self, person: WantedPerson, **more: tuple[Any, ...]) -> None:
        once = {name: tuple(dict.fromkeys(values)) for name, values in more.items()}
        self._people[person.uid.lower()] = msgspec.structs.replace(person, **once)

    def _is_there(self, code: str, where: str) -> bool:
        """Whether a carrier can be referred to; one that is not built is left out aloud."""
        if code in self._skipped:
            self._left_out(where, code)
            return False
        if code not in self._carriers and code not in self._broken and code != "inbox":
            self._foreign_carriers.setdefault(code, where)
        return True

    def _refer(self, uid: str, where: str) -> None:
        if uid and uid.lower() not in self._people and uid.lower() not in self._broken:
            self._foreign_people.setdefault(uid.lower(), where)

    # ------------------------------------------------------------ sections

    def _section(self, name: str, section: Section) -> Sequence[Wanted]:
        struct, wanted = section
        for keys, text, place in references(self._raw[name], name):
            if keys is PERSON_KEYS:
                self._refer(text, place)
            elif text not in self._skipped:
                self._is_there(text, place)
        pruned = Pruned(self._raw[name], name, self._skipped, self._left_out)
        with self._findings.moved(pruned.original):
            table = self._findings.convert(name, pruned.section, struct)
            return () if table is None else self._wanted(wanted, table)

    def _wanted(self, wanted: Callable[[Any], Sequence[Wanted]], table: msgspec.Struct) -> Sequence[Wanted]:
        try:
            return wanted(table)
        except Problem as error:
            self._findings.problem(error.where, error.why)
            return ()

    def _left_out(self, where: str, code: str) -> None:
        self._findings.warning(where, f"the carrier {code} is skipped, and this with it")


def _person(table: PersonTable) -> WantedPerson:
    quiet = table.quiet_hours
    return WantedPerson(
        uid=table.uid,
        name=table.name,
        password=table.password,
        email=table.email,
        phone=table.phone,
        role=table.role,
        language=table.language,
        timezone=table.timezone,
        tags=tuple((tag, "all") for tag in dict.fromkeys(table.tags)),
        attributes=table.attributes,
        quiet_hours=msgspec.to_builtins(quiet) if quiet is not None else None,
    )


def _unreadable(error: tomllib.TOMLDecodeError, text: str) -> Finding:
    """Where the file stops being TOML; the standard library says it in words."""
    words, _, place = str(error).rpartition(" (at ")
    numbers = [int(word) for word in place.replace(",", " ").replace(")", " ").split() if word.isdigit()]
    return Finding(numbers[0] if numbers else text.count("\n") + 1, "", words or str(error))
