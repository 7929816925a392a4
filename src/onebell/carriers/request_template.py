"""What ``http_template`` and ``sms`` share: a request made of an operator's template (sheet pushplus §5.1 type 12).

A placeholder's value is escaped for the place it stands in, so that no content breaks out of a template.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from onebell.carriers.base import Batch
from onebell.carriers.one_call import Call
from onebell.carriers.outbound import is_header
from onebell.errors import InvalidInput

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_JSON = "application/json"
_TEXT = "text/plain;charset=UTF-8"
_FORM = "application/x-www-form-urlencoded"

Escape = Callable[[str], str]


class RequestTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A request with ``{placeholders}``."""

    method: str
    url: str
    headers: dict[str, str]
    body: str
    escape: Escape  # of what goes into the body

    def filled(self, values: Mapping[str, str]) -> Call:
        """The request with its places filled; a name that is no placeholder stays as it is. GET has no body."""
        body = None if self.method == "GET" else _filled(self.body, values, self.escape).encode("utf-8", "replace")
        return Call(
            method=self.method,
            url=_filled(self.url, values, percent),
            headers={name: _filled(text, values, one_line) for name, text in self.headers.items()},
            body=body or None,
        )


def read_template(fields: Mapping[str, Any], escape_form: Escape) -> RequestTemplate:
    """The template in the fields ``method``, ``url``, ``headers`` and ``body`` of an account.

    Raises:
        InvalidInput: ``headers`` is neither a JSON object nor ``Name: value`` lines, or no request can carry it.
    """
    body, headers = str(fields.get("body") or ""), _headers(str(fields.get("headers") or ""))
    given = next((text for name, text in headers.items() if name.lower() == "content-type"), "")
    kind = given or (_JSON if _is_json(body) else _TEXT)
    if body and not given:
        headers["Content-Type"] = kind
    escape: Escape = plain
    if "json" in kind.lower() or _is_json(body):
        escape = json_string
    elif kind.lower().startswith(_FORM):
        escape = escape_form
    return RequestTemplate(
        method=str(fields.get("method") or "POST"), url=fields["url"], headers=headers, body=body, escape=escape
    )


def values_of(batch: Batch, **words: str) -> dict[str, str]:
    """What placeholders stand for: title, link and the carrier's own words, and what short words a native payload says.

    A payload need not name them all: a dialect that speaks of templates of a provider's own leaves the text to us.
    """
    rendered = batch.rendered
    neutral = {"title": rendered.title, "url": rendered.content.url or batch.link, **words}
    native = rendered.native if isinstance(rendered.native, Mapping) else {}
    return neutral | {name: str(said) for name, said in native.items() if isinstance(said, str | int)}


def plain(value: str) -> str:
    """As it is."""
    return value


def percent(value: str) -> str:
    """For URLs and forms."""
    return quote(value, safe="", errors="replace")


def json_string(value: str) -> str:
    """For the inside of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def one_line(value: str) -> str:
    """For a header: a line break would begin another one."""
    return _CONTROL.sub(" ", value)


def _filled(template: str, values: Mapping[str, str], escape: Escape) -> str:
    # In one pass: a placeholder inside a value is text.
    return _PLACEHOLDER.sub(lambda found: escape(values[found[1]]) if found[1] in values else found[0], template)


def _is_json(template: str) -> bool:
    try:
        json.loads(template)
    except ValueError:
        return False
    return True


def _headers(text: str) -> dict[str, str]:
    headers = _object(text) if text.lstrip().startswith("{") else dict(_lines(text))
    if not all(is_header(name, value) for name, value in headers.items()):
        raise InvalidInput("headers holds a name or value that cannot be sent", "headers")
    return headers


def _object(text: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(text, type=dict[str, str], strict=False)
    except msgspec.DecodeError:
        raise InvalidInput("headers is not a JSON object of texts", "headers") from None


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not colon and line.strip():
            raise InvalidInput("headers must be a JSON object or lines of Name: value", "headers")
        if colon:
            yield name.strip(), value.strip()
