"""What is wrong in a directory file: line, place and reason, all that could be found at once."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec
import msgspec.inspect

from onebell.core.wanted import Problem
from onebell.directory_lines import Lines
from onebell.errors import InvalidInput

T = TypeVar("T")
_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_STEP = re.compile(r"\.(\w+)|\[[^\]]*\]")
_MISSING = re.compile(r"Object missing required field `(.*)`")


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong, or that is skipped."""

    line: int
    where: str  # pushplus.topics[0].code
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.where}: {self.why}" if self.where else f"line {self.line}: {self.why}"


class BadDirectory(InvalidInput):
    """The file breaks rules; nothing was changed."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = tuple(findings)


class Findings:
    """Collects what is wrong and what is skipped."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._original: Callable[[str], str] = str
        self._problems: list[Finding] = []
        self._warnings: list[Finding] = []

    def problem(self, where: str, why: str) -> None:
        """Something that must be corrected before anything is applied; of a place the first one: a secret that is not
        there is not of the wrong shape as well."""
        where = self._original(where)
        if all(one.where != where for one in self._problems):
            self._problems.append(Finding(self._lines.at(where), where, why))

    def warning(self, where: str, why: str) -> None:
        """Something that is left out."""
        self._warnings.append(Finding(self._lines.at(where), where, why))

    @contextmanager
    def moved(self, original: Callable[[str], str]) -> Iterator[None]:
        """Meanwhile the places of problems are first translated to those in the file."""
        self._original = original
        try:
            yield
        finally:
            self._original = str

    def convert(self, where: str, value: object, kind: type[T]) -> T | None:
        """``value`` as a ``kind``; None after noting what is wrong with it."""
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self.problem(*_place(where, str(error), kind))
        except Problem as error:
            self.problem(error.where or where, error.why)
        return None

    def stop_if_any(self) -> None:
        """Raises: BadDirectory."""
        if self._problems:
            raise BadDirectory(sorted(self._problems))

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is left out, in the file's order."""
        return tuple(sorted(self._warnings))


def _place(where: str, message: str, kind: type) -> tuple[str, str]:
    """(path, reason) of msgspec's ``Expected `str`, got `int` - at `$.users[0].token```."""
    match = _MESSAGE.match(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    place = where + path.split("[...]")[0]
    if unknown := _UNKNOWN.match(what):
        return f"{place}.{unknown[1]}", "unknown key"
    if missing := _MISSING.match(what):
        return place, f"the key {missing[1]} is missing"
    if what.startswith("Invalid enum value") and (words := _choices(kind, path)):
        return place, f"must be one of {', '.join(words)}"
    return place, what[:1].lower() + what[1:]


def _choices(kind: type, path: str) -> list[str]:
    """The words that may stand at a path of a ``kind``; none when that cannot be told."""
    found = [msgspec.inspect.type_info(kind)]
    for name in _STEP.findall(path):
        found = [inner for outer in found for inner in _inner(outer, name)]
    words = [str(word) for one in found if isinstance(one, msgspec.inspect.LiteralType) for word in one.values]
    return words + [str(one.value) for kind in found if isinstance(kind, msgspec.inspect.EnumType) for one in kind.cls]


def _inner(outer: msgspec.inspect.Type, name: str) -> list[msgspec.inspect.Type]:
    """What a step leads to: a field's name, or "" for a place in a list."""
    match outer:
        case msgspec.inspect.StructType():
            return _options([field.type for field in outer.fields if field.encode_name == name])
        case msgspec.inspect.DictType():
            return _options([outer.value_type])
        case msgspec.inspect.CollectionType():
            return _options([outer.item_type])
    return []


def _options(kinds: list[msgspec.inspect.Type]) -> list[msgspec.inspect.Type]:
    """The kinds, with unions taken apart."""
    return [one for kind in kinds for one in (kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,))]
