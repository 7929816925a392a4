"""The demo file by itself: every table of it refuses what it does not know."""

from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest

from onebell import directory
from onebell.directory_file import Document, read
from onebell.directory_findings import BadDirectory

DIALECTS = ("pushplus", "wecom", "pushgo", "ums", "easemob")
TEXT = files("onebell").joinpath("demo.toml").read_text()
LINES = TEXT.splitlines()
HEADERS = sorted({line for line in LINES if line.startswith("[")})


def parse(text: str) -> Document:
    modules = {name: import_module(f"onebell.dialects.{name}.directory") for name in DIALECTS}
    sections: directory.Sections = {name: (module.Section, module.wanted) for name, module in modules.items()}
    return read(text, sections, directory._kind, {}, Path())


def test_the_demo_file_is_good():
    """Nothing in it is refused, and nobody outside it is referred to."""
    document = parse(TEXT)
    assert (document.people, document.carriers) == ({}, {})


@pytest.mark.parametrize("header", HEADERS)
def test_no_table_takes_an_unknown_key(header: str):
    """A key that nobody knows is refused with its line, as the only finding, in every table of the file."""
    at = LINES.index(header)
    text = "\n".join([*LINES[: at + 1], "surprise = 1", *LINES[at + 1 :]])
    with pytest.raises(BadDirectory) as caught:
        parse(text)
    [finding] = caught.value.findings
    assert (finding.line, finding.where.rpartition(".")[2]) == (at + 2, "surprise")


INLINE = [line for line in LINES if "{ " in line and not line.startswith("#")]


@pytest.mark.parametrize("line", INLINE)
def test_no_inline_table_takes_an_unknown_key(line: str):
    """Tables inside a line are as strict."""
    text = TEXT.replace(line, line.replace("{ ", "{ surprise = 1, ", 1), 1)
    with pytest.raises(BadDirectory) as caught:
        parse(text)
    assert "surprise: unknown key" in str(caught.value)


def test_a_person_who_is_missing_is_a_reference():
    """Every place of the sections that names a uid is a reference to be looked up."""
    document = parse(TEXT.replace('uid = "zhangsan"', 'uid = "somebody"'))
    assert document.people == {"zhangsan": "wecom.groups[0].members[2]"}


def test_a_person_who_is_missing_where_he_must_be_in_the_file():
    """What hangs on a person needs him in the same file: each place is named."""
    with pytest.raises(BadDirectory) as caught:
        parse(TEXT.replace('uid = "alice"', 'uid = "somebody"'))
    places = {finding.where for finding in caught.value.findings}
    assert places == {"tags[0].person", "addresses[0].person", "routes[0].person"}


def test_an_easemob_org_that_another_area_owns_is_refused():
    """An org whose paths belong to another API would never be reached (DESIGN §7)."""
    text = TEXT.replace('org = "acme"', 'org = "cgi-bin"').replace("acme/demo", "cgi-bin/demo")
    with pytest.raises(BadDirectory) as caught:
        parse(text)
    [finding] = caught.value.findings
    assert finding.where == "easemob.apps[0].org"
    assert LINES[finding.line - 1].startswith("org = ")
