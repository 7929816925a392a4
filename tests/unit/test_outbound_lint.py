"""One way out: no other module may speak HTTP as a client (RELIABILITY S13; Novu forgot three call sites)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src/onebell"

CLIENTS = (
    "aiohttp", "httpx", "httpx2", "requests", "urllib3", "urllib.request", "http.client",
    "websockets.client", "websockets.asyncio.client", "websockets.sync", "ftplib", "smtplib", "aiosmtplib",
    "nats", "psycopg", "h2", "pycurl",
)  # fmt: skip

# Who else opens connections, and to what: never to a place that a message names.
EXCEPTIONS = {
    "carriers/outbound.py": {"aiohttp"},
    "carriers/smtp/": {"aiosmtplib"},  # over a socket that outbound has opened
    "store/": {"nats", "psycopg"},  # the operator's own database and message server
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module name that a file imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden(name: str, path: str) -> bool:
    client = next((client for client in CLIENTS if name == client or name.startswith(client + ".")), None)
    if client is None:
        return False
    return not any(path.startswith(prefix) and client in allowed for prefix, allowed in EXCEPTIONS.items())


def test_only_outbound_is_an_http_client() -> None:
    """No module imports a network client but those named here, each for its one purpose."""
    found = [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in sorted(SOURCE.rglob("*.py"))
        for name in imported(ast.parse(path.read_text()))
        if forbidden(name, path.relative_to(SOURCE).as_posix())
    ]

    assert found == []


def test_nobody_opens_connections_through_asyncio() -> None:
    """``asyncio.open_connection`` and ``create_connection`` would go round the gate."""
    ways = {"open_connection", "create_connection", "sock_connect", "create_datagram_endpoint"}
    found = [
        f"{path.relative_to(SOURCE)}: {node.attr}"
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ways and path.name != "outbound.py"
    ]

    assert found == []


@pytest.mark.parametrize(
    "line", ["import aiohttp", "from urllib import request", "from http.client import HTTPSConnection"]
)
def test_the_lint_sees_what_it_should(line: str) -> None:
    """The lint finds each form of import."""
    assert any(forbidden(name, "core/x.py") for name in imported(ast.parse(line)))
