"""On which line of a TOML text each table and key stands. The parser of the standard library does not tell."""

import re
import tomllib
from collections.abc import Iterator

# Strings before everything else: brackets, hashes and line ends inside them mean nothing.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|\n|[\[\]{}]|[^"\'#\n\[\]{}]+',
    re.DOTALL,
)
_OPENS = {"[": 1, "{": 1, "]": -1, "}": -1}
_STEP = re.compile(r"(\.[^.\[]+|\[\d+\])$")


class Lines:
    """Line numbers by path: ``pushplus.topics[0].code``; the longest known beginning of a path counts."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        self._counts: dict[str, int] = {}  # arrays of tables: how many so far
        prefix = ""
        for line, statement in _statements(text):
            if statement.startswith("["):
                prefix = self._header(statement, line)
            else:
                self._key(prefix, statement, line)

    def at(self, path: str) -> int:
        """The line of ``path``; 1 when nothing of it is known."""
        while path:
            if path in self._lines:
                return self._lines[path]
            shorter = _STEP.sub("", path)
            path = shorter if shorter != path else ""
        return 1

    def _header(self, statement: str, line: int) -> str:
        many = statement.startswith("[[")
        parts = _parts(statement.strip("[] \t\r") + " = 0")
        path = ""
        for place, part in enumerate(parts):
            path = f"{path}.{part}" if path else part
            self._lines.setdefault(path, line)
            if many and place == len(parts) - 1:
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = f"{path}[{self._counts[path]}]"
        self._lines.setdefault(path, line)
        return path

    def _key(self, prefix: str, statement: str, line: int) -> None:
        path = prefix
        for part in _parts(_until_equals(statement) + "= 0"):
            path = f"{path}.{part}" if path else part
            self._lines.setdefault(path, line)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every header and every assignment; a value over several lines is one statement."""
    line, began, depth, statement = 1, 1, 0, ""
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "\n" and depth == 0:
            if statement.strip():
                yield began, statement.strip()
            statement = ""
        elif not token.startswith("#"):
            if not statement.strip():
                began = line
            statement += token
            depth += _OPENS.get(token, 0)
        line += token.count("\n")
    if statement.strip():
        yield began, statement.strip()


def _until_equals(statement: str) -> str:
    key = re.match(r'(?:"(?:\\.|[^"\\])*"|\'[^\']*\'|[^="\'])+', statement)
    return key.group() if key else ""


def _parts(assignment: str) -> list[str]:
    """The parts of the dotted key of ``key = 0``."""
    try:
        table: object = tomllib.loads(assignment)
    except tomllib.TOMLDecodeError:
        return []
    parts = []
    while isinstance(table, dict) and table:
        part, table = next(iter(table.items()))
        parts.append(str(part))
    return parts
