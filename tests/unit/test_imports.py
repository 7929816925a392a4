"""Who may import whom (DESIGN §2): ``dialects → core ← carriers``; ``core → store.base``; only ``app`` knows all."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "onebell"
LEAVES = {"bounded", "clock", "errors", "ids", "settings", "log", "metrics", "passwords"}
"""Modules that know nothing of the rest and may be known by all."""

MAY = {
    "core": {"core", "store.base", "http.exchange", *LEAVES},
    "dialects": {
        *("core", "dialects.base", "http.exchange", "http.areas", "http.downloads", "http.multipart", "http.sockets"),
        "http.uploads",
        *LEAVES,
    },
    "carriers": {"core", "http.exchange", "carriers", *LEAVES},
    "store": {"store", "core", "vault", *LEAVES},
    "api": {"api", "core", "http", *LEAVES},
    "console": {"console", "api", "core", "http", *LEAVES},
    "http": {"http", *LEAVES},
    "scripts": {"scripts", *LEAVES},
}
ANYTHING = {"app", "cli", "commands", "__main__", "directory"}
"""The wiring and the command line."""


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if "web" not in path.parts and "migrations" not in path.parts:
            yield path, ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "onebell":
            inner = node.module.removeprefix("onebell").lstrip(".")
            yield from [inner] if inner else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from (name.removeprefix("onebell.") for name in names if name.startswith("onebell."))


def allowed(imported: str, may: set[str]) -> bool:
    return imported == "__version__" or any(imported == name or imported.startswith(f"{name}.") for name in may)


@pytest.mark.parametrize("area", sorted(MAY))
def test_an_area_imports_only_what_it_may(area: str) -> None:
    """Each folder keeps to its row of the rule."""
    broken = [
        f"{name} imports {imported}"
        for path, name in modules()
        if name.split(".")[0] == area
        for imported in imports_of(path)
        if not allowed(imported, MAY[area])
        and not (area in {"dialects", "carriers"} and imported.split(".")[:2] == name.split(".")[:2])
    ]

    assert broken == []


@pytest.mark.parametrize("area", ["dialects", "carriers"])
def test_siblings_never_import_each_other(area: str) -> None:
    """A dialect or a carrier knows nothing of the others in its folder."""
    folders = {path.name for path in (SOURCE / area).iterdir() if path.is_dir()}
    broken = [
        f"{name} imports {imported}"
        for path, name in modules()
        if name.split(".")[0] == area and len(name.split(".")) > 2
        for imported in imports_of(path)
        if imported.split(".")[0] == area
        and len(imported.split(".")) > 1
        and imported.split(".")[1] in folders - {name.split(".")[1]}
    ]

    assert broken == []


def test_carriers_go_only_where_their_account_may() -> None:
    """A carrier asks ``address_gate.of_account``: an account of an API's user must not reach what an operator's may."""
    gate = SOURCE / "carriers" / "address_gate.py"
    broken = [
        str(path.relative_to(SOURCE))
        for path in (SOURCE / "carriers").rglob("*.py")
        if path != gate and "operator" in set(_names_imported(path))
    ]

    assert broken == []


def _names_imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def test_leaves_know_nothing() -> None:
    """A leaf module imports nothing of onebell but other leaves."""
    broken = [
        f"{name} imports {imported}"
        for path, name in modules()
        if name in LEAVES
        for imported in imports_of(path)
        if not allowed(imported, LEAVES)
    ]

    assert broken == []


def test_files_stay_short() -> None:
    """No file is longer than 400 lines."""
    long = {name: lines for path, name in modules() if (lines := len(path.read_text().splitlines())) > 400}

    assert long == {}
