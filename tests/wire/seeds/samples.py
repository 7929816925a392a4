"""The request samples of the five documents, read from their files and tables.

A folder per document: each sample in a file exactly as it is printed, and ``table.toml``, which names for each the
method and address it is printed with, how its placeholders are replaced, and the answer that the service would give.
"""

import re
import shlex
import tomllib
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).parent
DOCUMENTS = ("pushplus", "ums", "pushgo", "wecom", "easemob")
APP_TOKEN = "@app-token"
"""Stands for a token that only the running server can give."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One request as it goes over the wire, and the answer it must get."""

    name: str
    method: str
    target: str  # path and query as printed, raw
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int
    answer: str  # pattern of the whole body
    waits: str  # why a later issue must come first; empty = the answer holds now


def samples_of(document: str) -> list[Sample]:
    """Every sample of a document, in its order."""
    table = _table(document)
    return [_sample(document, table, row) for row in table["samples"]]


def unlisted() -> list[str]:
    """Files that no table names."""
    found = []
    for document in DOCUMENTS:
        listed = {row["file"] for row in _table(document)["samples"]}
        files = {path.name for path in (HERE / document).iterdir()} - {"table.toml"}
        found += [f"{document}/{name}" for name in sorted(files ^ listed)]
    return found


def _table(document: str) -> dict[str, Any]:
    return tomllib.loads((HERE / document / "table.toml").read_text())


def _sample(document: str, table: dict[str, Any], row: dict[str, Any]) -> Sample:
    printed = (HERE / document / row["file"]).read_bytes().decode().removesuffix("\n")
    if "rewrite" in row:
        printed = printed.replace(*row["rewrite"])
    url = row.get("url", "")
    for placeholder, value in table["replace"].items():
        printed, url = printed.replace(placeholder, value), url.replace(placeholder, value)
    method, url, headers, body = _READERS[Path(row["file"]).suffix](printed, row.get("method", "POST"), url)
    defaults = {} if headers else table.get("headers", {})
    answer = table["answers"][row.get("answer", "ok")]
    return Sample(
        name=f"{document}/{row.get('name', row['file'])}",
        method=method,
        target=_target(url),
        headers=(*headers, *defaults.items()),
        body=_completed(body, row).encode(),
        status=answer["status"],
        answer=answer["body"],
        waits=row.get("waits", ""),
    )


def _completed(body: str, row: dict[str, Any]) -> str:
    """A fragment inside a whole request."""
    if "merge" in row:
        return body.rstrip().removesuffix("}") + "," + row["merge"].removeprefix("{")
    return row.get("before", "") + body + row.get("after", "")


def _target(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


_Read = tuple[str, str, tuple[tuple[str, str], ...], str]


def _json(printed: str, method: str, url: str) -> _Read:
    return method, url, (), printed


def _url(printed: str, method: str, _url: str) -> _Read:
    return method, printed, (), ""


def _curl(printed: str, _method: str, _url: str) -> _Read:
    """A curl command; what curl printed itself ("> …") stands below some of them."""
    command = "\n".join(line for line in printed.split("\n") if not line.startswith("> "))
    words = iter(shlex.split(command.replace("\\\n", " "), comments=True)[1:])
    url, body = "", ""
    headers: list[tuple[str, str]] = []
    for word in words:
        match word:
            case "-X":
                assert next(words) == "POST"
            case "-H":
                name, _, value = next(words).partition(":")
                headers.append((name, value.strip()))
            case "-u":
                headers.append(("Authorization", _basic(next(words))))
            case "-d":
                body = next(words)
            case "-v" | "-i" | "--insecure":
                pass
            case _:
                url = word
    return "POST", url, tuple(headers), body


def _basic(pair: str) -> str:
    return "Basic " + b64encode(pair.encode()).decode()


def _http(printed: str, _method: str, _url: str) -> _Read:
    """A whole request: its lines end in CR LF on the wire, and its length is what it is then."""
    head, body = printed.split("\n\n", 1)
    first, *lines = head.split("\n")
    method, url, _version = first.split(" ")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    kept = tuple(pair for pair in headers if pair[0].lower() != "content-length")
    return method, url, kept, re.sub(r"\n", "\r\n", body) + "\r\n"


_READERS = {".json": _json, ".url": _url, ".curl": _curl, ".http": _http}
