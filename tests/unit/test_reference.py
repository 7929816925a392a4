"""Every setting, route, carrier field and error code is documented: the pages are made from the code."""

import re
from pathlib import Path

import pytest
from tools import reference

PAGES = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", ["settings.md", "errors.md", "routes.md"])
def test_a_generated_page_is_the_committed_one(name: str) -> None:
    """A setting, path or error that was added or changed is on its page (``python -m tools.reference``)."""
    page = {
        "settings.md": reference.settings_page,
        "errors.md": reference.errors_page,
        "routes.md": reference.routes_page,
    }

    assert (PAGES / name).read_text() == page[name]()


PAGES_WITH_LINKS = (
    "README.md",
    "README.zh-CN.md",
    *(f"docs/howto/{page}.md" for page in ("run", "directory", "from-pushplus")),
)


@pytest.mark.parametrize("page", PAGES_WITH_LINKS)
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link of a page names a file of the repository."""
    root = Path(__file__).parents[2]
    place = root / page
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", place.read_text())
    broken = [link for link in links if "://" not in link and not (place.parent / link).exists()]

    assert broken == []
