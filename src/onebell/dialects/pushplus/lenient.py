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

_DIGITS = 300
_BLANK = re.compile(r"[\s\ufeff]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.-]*")
_PLAIN = {'"': re.compile(r'[^"\\]*'), "'": re.compile(r"[^'\\]*")}
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}
_HEX4 = re.compile(r"[0-9a-fA-F]{4}")


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
    if not any("\ud800" <= mark <= "\udfff" for mark in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class _Reader:
    """A recursive reader over one text."""

    def __init__(self, text: str, number: Number) -> None:
        self._text = text
        self._number = number
        self._at = 0

    def end(self) -> None:
        """Nothing but blanks may follow."""
        if self._peek():
            raise self._wrong("something follows the value")

    def value(self, depth: int) -> Any:
        """Any value."""
        if depth > MAX_DEPTH:
            raise self._wrong(f"nested deeper than {MAX_DEPTH}")
        mark = self._peek()
        if mark == "{":
            return self._object(depth)
        if mark == "[":
            return self._array(depth)
        if mark in _PLAIN and mark:
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
        if mark in _PLAIN and mark:
            return self._string(mark)
        word = _WORD.match(self._text, self._at)
        if word is None:
            raise self._wrong("a key is missing")
        self._at = word.end()
        return word.group()

    def _string(self, quote: str) -> str:
        self._at += 1
        pieces: list[str] = []
        while True:
            plain = _PLAIN[quote].match(self._text, self._at)
            assert plain is not None, "the pattern matches the empty text too"
            pieces.append(plain.group())
            self._at = plain.end() + 1
            stop = self._text[plain.end() : plain.end() + 1]
            if stop == quote:
                return clean("".join(pieces))
            if not stop:
                raise self._wrong("a string does not end")
            pieces.append(self._escape())

    def _escape(self) -> str:
        mark = self._text[self._at : self._at + 1]
        self._at += 1
        if mark != "u":
            return _ESCAPES.get(mark, mark)
        code = _HEX4.match(self._text, self._at)
        if code is None:
            raise self._wrong("four hex digits are missing")
        self._at = code.end()
        return chr(int(code.group(), 16))

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
