"""Golden files: a request as it goes over the wire, and the answer to the byte.

A file holds ``[[case]]`` tables: ``name``, ``rule``, ``method`` (POST), ``path``, ``headers``, ``body`` (text) or
``body_base64``, ``status`` (200), ``answer`` and ``answer_headers``. In answers ``<hex32>``, ``<hint>``, ``<ip>``,
``<digits>`` and ``<any>`` stand for what changes from call to call; in bodies ``<pad>`` fills up to ``pad_to`` bytes.
"""

import base64
import re
import tomllib
from io import BytesIO
from pathlib import Path

import aiohttp
import msgspec
from yarl import URL

_PLACES = {"<hex32>": "[0-9a-f]{32}", "<hint>": r"\d{25}", "<ip>": r"\S+", "<digits>": r"\d+", "<any>": ".*"}


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request and its answer."""

    name: str
    rule: str
    method: str = "POST"
    path: str
    headers: dict[str, str] = {}
    body: str = ""
    body_base64: str = ""
    pad_to: int = 0
    status: int = 200
    answer: str = ""
    answer_headers: dict[str, str] = {}

    @property
    def sent(self) -> bytes:
        """The request body."""
        data = base64.b64decode(self.body_base64) if self.body_base64 else self.body.encode()
        if self.pad_to:
            room = self.pad_to - len(data) + len(b"<pad>")
            data = data.replace(b"<pad>", b"x" * room)
        return data


def cases(folder: Path) -> list[Case]:
    """All cases of a folder's golden files, in order."""
    found: list[Case] = []
    for file in sorted(folder.glob("*.toml")):
        tables = tomllib.loads(file.read_text())["case"]
        found.extend(msgspec.convert(table, Case) for table in tables)
    return found


async def play(session: aiohttp.ClientSession, base: str, case: Case) -> None:
    """Send the request and compare what comes back."""
    url = URL(base + case.path, encoded=True)
    skip = () if "Content-Type" in case.headers else ("Content-Type",)
    async with session.request(
        case.method, url, data=BytesIO(case.sent) if case.sent else None, headers=case.headers, skip_auto_headers=skip
    ) as got:
        body = await got.read()
        assert got.status == case.status, body
        assert _matches(case.answer, body.decode()), f"{body.decode()}\nis not\n{case.answer}"
        assert got.headers["Content-Length"] == str(len(body))
        for name, value in case.answer_headers.items():
            assert _matches(value, got.headers[name]), f"{name}: {got.headers[name]}"


def _matches(template: str, text: str) -> bool:
    parts = re.split("(" + "|".join(_PLACES) + ")", template)
    return re.fullmatch("".join(_PLACES.get(part, re.escape(part)) for part in parts), text, re.DOTALL) is not None
