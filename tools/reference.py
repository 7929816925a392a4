"""Writes the reference pages that are made from the code: settings, routes and error codes.

``python -m tools.reference`` writes them; a test compares them with what is committed.
"""

import inspect
import re
from pathlib import Path

import msgspec

from onebell.settings import Settings

PAGES = Path(__file__).parent.parent / "docs" / "reference"
_FIELD = re.compile(r"^    (\w+): [^#]+#\s*(.+)$")


def settings_page() -> str:
    """Every setting with its environment variable, default and the comment beside it."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    lines = [
        "# Settings",
        "",
        "Read from `onebell.toml` (`--config`) and from the environment, which wins. What belongs to a space lives in its",
        "[directory file](../howto/directory.md), not here.",
        "",
        "| setting | environment | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for line in inspect.getsource(Settings).splitlines():
        if found := _FIELD.match(line):
            name, meaning = found.groups()
            default = defaults[name]
            shown = "" if default in ("", ()) else f"`{default}`"
            lines.append(f"| `{name}` | `ONEBELL_{name.upper()}` | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name → text of every generated page."""
    return {"settings.md": settings_page()}


def main() -> None:
    """Write them all."""
    for name, text in pages().items():
        (PAGES / name).write_text(text)


if __name__ == "__main__":
    main()
