"""Golden requests and answers of the open API, in the order in which they are asked.

In an expected answer ``<hex>`` stands for 32 hex digits, ``<time>`` for a time, ``<n>`` for a number, ``<text>`` for
any text; ``<name:kind>`` also keeps what stood there, and ``{name}`` in a later step is that.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from tests.wire.pushplus.support import JSON, Client

_KINDS = {
    "hex": "[0-9a-f]{32}",
    "time": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "n": r"\d{1,9}",
    "text": '[^"]*',
}
_PLACE = re.compile(r"<(?:(\w+):)?(hex|time|n|text)>")


def steps(name: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Groups of steps of a golden file, by name."""
    found = tomllib.loads((Path(__file__).parent / name).read_text())
    return [(group["name"], group["step"]) for group in found["group"]]


async def play(client: Client, token: str, secret: str, group: list[dict[str, Any]], known: dict[str, str]) -> None:
    """Ask what the steps ask, and compare every answer with what stands there."""
    headers = (*JSON, ("access-key", await client.access_key(token, secret)))
    for step in group:
        method, _, path = _filled(step["ask"], known).partition(" ")
        answer = await client.raw(method, f"/api/open/{path}", headers, _filled(step.get("body", ""), known))
        _compare(step, answer.body.decode(), known)
        assert answer.status == 200, step["ask"]


def _filled(text: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        text = text.replace("{" + name + "}", value)
    return text


def _compare(step: dict[str, Any], got: str, known: dict[str, str]) -> None:
    wanted = _filled(step["answer"], known)
    pattern, last = "", 0
    for place in _PLACE.finditer(wanted):
        kind = _KINDS[place[2]]
        pattern += re.escape(wanted[last : place.start()]) + (f"(?P<{place[1]}>{kind})" if place[1] else kind)
        last = place.end()
    found = re.fullmatch(pattern + re.escape(wanted[last:]), got)
    assert found is not None, f"{step['ask']}\nwanted {wanted}\ngot    {got}"
    known.update(found.groupdict())
