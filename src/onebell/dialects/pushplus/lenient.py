"""JSON as PushPlus reads it: strict first, then the form its own documents print.

The documented route and pay bodies use single quotes, unquoted keys, raw line breaks inside strings and trailing
commas (sheet pushplus §1.3.3, §4 ``json``).
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

MAX_DEPTH = 64
"""Nesting beyond this is refused: no real body needs it, and a parser's stack must not be the caller's to use."""
MAX_VALUES = 20_000
"""Values beyond this are refused: reading them one by one holds up everybody else."""
LENIENT_BYTES = 640 * 1024
"""The longest content, 100,000 characters, each six bytes as an escape; what is longer is read strictly or not."""

_DIGITS = 300
_BLANK = re.compile(r"[\s\ufeff]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[\w$][\w$.-]*")
"""A bare key may begin with a digit: a router's report has ``24G`` and ``5G1`` (sheet §4 ``route``)."""
_INSIDE = {
    '"': re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL),
    "'": re.compile(r"[^'\\]*+(?:\\.[^'\\]*+)*+", re.DOTALL),
}
"""What stands between two quotes."""
_ESCAPE = re.compile(r"(?P<units>(?:\\u[0-9a-fA-F]{4})+)|\\(?P<mark>.)", re.DOTALL)
_MEANINGS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}


class NotJson(ValueError):
    """The text is not JSON, not even leniently read."""


Number = Callable[[str], object]
"""Makes a value of a number's text."""


def number_value(text: str) -> object:
    """An int, or a fraction as it was written: 1.50 stays 1.50. A number of very many digits is a text."""
    if len(text) > _DIGITS:
        return text
    return int(text) if text.lstrip("-").isdigit() else msgspec.Raw(text.encode())


_decode = msgspec.json.Decoder(float_hook=number_value).decode


def loads(body: bytes) -> Any:
    """Read a body: strictly, else leniently.

    Raises:
        NotJson: neither works.
    """
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if len(body) > LENIENT_BYTES:
            raise NotJson("too long to be read leniently") from None
        return loads_lenient(body.decode("utf-8", "replace"))


def loads_lenient(text: str, number: Number = number_value) -> Any:
    """Read text that may use single quotes, bare keys, raw line breaks and trailing commas.

    Raises:
        NotJson: with the place.
    """
    reader = _Reader(text, number)
    value = reader.value(0)
    reader.end()
    return value


def clean(text: str) -> str:
    r"""Join surrogate pairs that came as ``\uXXXX``; a lone one becomes U+FFFD, for it cannot be stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _meant(escape: re.Match[str]) -> str:
    if units := escape["units"]:
        return bytes.fromhex(units.replace("\\u", "")).decode("utf-16-be", "surrogatepass")
    mark = escape["mark"]
    if mark == "u":
        raise NotJson("four hex digits are missing")
    return _MEANINGS.get(mark, mark)


class _Reader:
    """A recursive reader over one text."""

    def __init__(self, text: str, number: Number) -> None:
        self._text = text
        self._number = number
        self._at = 0
        self._values = 0

    def end(self) -> None:
        """Nothing but blanks may follow."""
        if self._peek():
            raise self._wrong("something follows the value")

    def value(self, depth: int) -> Any:
        """Any value."""
        if depth > MAX_DEPTH:
            raise self._wrong(f"nested deeper than {MAX_DEPTH}")
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._wrong(f"more than {MAX_VALUES} values")
        mark = self._peek()
        if mark == "{":
            return self._object(depth)
        if mark == "[":
            return self._array(depth)
        if mark in _INSIDE:
            return self._string(mark)
        return self._literal()

    def _wrong(self, why: str) -> NotJson:
        return NotJson(f"{why} (character {self._at})")

    def _peek(self) -> str:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        return self._text[self._at : self._at + 1]

    def _take(self, mark: str) -> bool:
        if self._peek() != mark:
            return False
        self._at += 1
        return True

    def _object(self, depth: int) -> dict[str, Any]:
        self._at += 1
        found: dict[str, Any] = {}
        while not self._take("}"):
            key = self._key()
            if not self._take(":"):
                raise self._wrong("a colon is missing")
            found[key] = self.value(depth + 1)
            self._comma_or("}")
        return found

    def _array(self, depth: int) -> list[Any]:
        self._at += 1
        found: list[Any] = []
        while not self._take("]"):
            found.append(self.value(depth + 1))
            self._comma_or("]")
        return found

    def _comma_or(self, end: str) -> None:
        if not self._take(",") and self._peek() != end:
            raise self._wrong("a comma is missing")

    def _key(self) -> str:
        mark = self._peek()
        if mark in _INSIDE:
            return self._string(mark)
        word = _WORD.match(self._text, self._at)
        if word is None:
            raise self._wrong("a key is missing")
        self._at = word.end()
        return word.group()

    def _string(self, quote: str) -> str:
        inside = _INSIDE[quote].match(self._text, self._at + 1)
        assert inside is not None, "the pattern matches the empty text too"
        if self._text[inside.end() : inside.end() + 1] != quote:
            raise self._wrong("a string does not end")
        self._at = inside.end() + 1
        text = inside.group()
        return clean(_ESCAPE.sub(_meant, text))

    def _literal(self) -> object:
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            return self._number(number.group())
        word = _WORD.match(self._text, self._at)
        if word is None or word.group() not in _WORDS:
            raise self._wrong("a value is missing")
        self._at = word.end()
        return _WORDS[word.group()]
