"""Writes the reference pages that are made from the code: settings, routes and error codes.

``python -m tools.reference`` writes them; a test compares them with what is committed.
"""

import ast
import asyncio
import inspect
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from onebell.api.errors import STATUS
from onebell.app import Application
from onebell.dialects.easemob import answer as easemob
from onebell.dialects.pushplus.answer import Fault as PushPlusFault
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.ums import answer as ums
from onebell.http.areas import TABLE
from onebell.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "reference"
DIALECTS = ROOT / "src" / "onebell" / "dialects"
_FIELD = re.compile(r"^    (\w+): [^#]+#\s*(.+)$")


def table(*heads: str) -> list[str]:
    """The first lines of a Markdown table."""
    return ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]


def row(*cells: object) -> str:
    """One of its rows."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def settings_page() -> str:
    """Every setting with its environment variable, default and the comment beside it."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    lines = [
        "# Settings",
        "",
        "Read from `onebell.toml` (`--config`) and from the environment, which wins.",
        "What belongs to a space lives in its [directory file](../howto/directory.md), not here.",
        "",
        *table("setting", "environment", "default", "meaning"),
    ]
    for line in inspect.getsource(Settings).splitlines():
        if found := _FIELD.match(line):
            name, meaning = found.groups()
            default = "" if defaults[name] in ("", ()) else f"`{defaults[name]}`"
            lines.append(row(f"`{name}`", f"`ONEBELL_{name.upper()}`", default, meaning))
    return "\n".join(lines) + "\n"


def _calls(dialect: str, name: str) -> Iterator[ast.Call]:
    for path in sorted((DIALECTS / dialect).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node


def _shown(node: ast.expr) -> str:
    """A literal as its text; what is filled in while it runs as ``…``."""
    if isinstance(node, ast.Constant):
        return "" if node.value is None else str(node.value)
    if isinstance(node, ast.UnaryOp):
        return str(ast.literal_eval(node))
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return "…"


def _faults(dialect: str, name: str, cells: int) -> list[str]:
    """Rows of all places where a dialect makes an error of this type."""
    found: dict[str, None] = {}
    for call in _calls(dialect, name):
        shown = [_shown(argument) for argument in call.args]
        found[row(*(f"`{cell}`" if cell else "" for cell in [*shown, *[""] * cells][:cells]))] = None
    return sorted(found)


def errors_page() -> str:
    """Every error that a caller can get, by API."""
    lines = [
        "# Errors",
        "",
        "Every API answers in its own service's words. `…` stands for what is filled in.",
        "",
        "## PushPlus",
        "",
        'HTTP 200, `{"code":…,"msg":…,"data":null}`.',
        "",
        *table("row", "code", "msg"),
        *(row(fault.row, fault.code, f"`{fault.value[2]}`") for fault in PushPlusFault),
        "",
        "The open API (`/api/open/…`) says why in `data`.",
        "",
        *table("code", "msg", "data"),
        *(row(fault.value[0], f"`{fault.value[1]}`", f"`{fault.value[2] or 'null'}`") for fault in OpenFault),
        "",
        "## WeCom message push",
        "",
        'HTTP 200, `{"errcode":…,"errmsg":"…, hint: […], from ip: …, more info at …"}`,',
        "headers `Error-Code` and `Error-Msg`.",
        "",
        *table("errcode", "message"),
        *_faults("wecom", "Fault", 2),
        "",
        "## PushGo",
        "",
        *table("HTTP", "error", "error_code"),
        *_faults("pushgo", "Failure", 3),
        "",
        "## JPush UMS",
        "",
        '`{"code":…,"message":…}`.',
        "",
        *table("code", "HTTP", "message"),
        *(row(code, ums.STATUSES.get(code, 400), f"`{text}`") for code, text in sorted(ums.TEXTS.items())),
        "",
        "## Easemob IM",
        "",
        '`{"error":…,"exception":…,"timestamp":…,"duration":…,"error_description":…}`.',
        "",
        *table("error", "exception"),
        *(row(f"`{error}`", f"`{exception}`") for error, exception in sorted(easemob.EXCEPTIONS.items())),
        "",
        "## Native API",
        "",
        '`{"error":{"code":…,"message":…,"field"?}}`.',
        "",
        *table("code", "HTTP"),
        *(row(f"`{code}`", status) for code, status in STATUS.items()),
    ]
    return "\n".join(lines) + "\n"


async def _routes() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as data:
        async with Application(Settings(data=data)) as application:
            found = [
                (area, route.pattern.replace("{*}", "…").replace("{}", "{…}"), " ".join(sorted(route.methods)))
                for area, endpoint in application.endpoints.items()
                for route in endpoint.routes()
            ]
            found += [("own", path, "WebSocket") for path in application.native.websockets()]
    return sorted(found)


def routes_page() -> str:
    """The areas of the main listener and every path that is answered."""
    lines = [
        "# Routes of the main listener",
        "",
        "First match wins, on the raw path. A path inside an area that is not listed below gets that area's own 404.",
        "",
        *table("area", "paths"),
        *(row(area.name, " ".join(f"`{pattern}`" for pattern in area.patterns)) for area in TABLE),
        row("easemob", "every other path of three or more segments: `/{org}/{app}/…`"),
        row("rest", "everything else: PushGo's 404 `route_not_found`"),
        "",
        "## Paths that are answered",
        "",
        *table("area", "path", "methods"),
        *(row(area, f"`{path}`", methods) for area, path, methods in asyncio.run(_routes())),
    ]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name → text of every generated page."""
    return {"settings.md": settings_page(), "errors.md": errors_page(), "routes.md": routes_page()}


def main() -> None:
    """Write them all."""
    for name, text in pages().items():
        (PAGES / name).write_text(text)


if __name__ == "__main__":
    main()
