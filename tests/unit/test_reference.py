"""Every setting, route, carrier field and error code is documented: the pages are made from the code."""

import re
from pathlib import Path

import pytest
from tools import reference

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference"


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
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/howto/{page.name}" for page in sorted((ROOT / "docs" / "howto").glob("*.md"))),
)


@pytest.mark.parametrize("page", PAGES_WITH_LINKS)
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link of a page names a file of the repository."""
    place = ROOT / page
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", place.read_text())
    broken = [link for link in links if "://" not in link and not (place.parent / link).exists()]

    assert broken == []


def test_both_readmes_lead_to_the_same_pages() -> None:
    """Whoever reads one of them misses nothing that the other names."""
    links = [set(re.findall(r"\]\((docs/[^)#]+\.md)", (ROOT / name).read_text())) for name in PAGES_WITH_LINKS[:2]]

    assert links[0] == links[1]
