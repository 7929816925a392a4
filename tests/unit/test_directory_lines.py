"""Lines of tables and keys in a TOML text."""

import tomllib
from collections.abc import Iterator
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.directory_lines import Lines

TEXT = '''\
# a comment with [brackets] and "quotes
[space]
name = "main" # = [x]
"odd key" = 1
a.b = 2

[[people]]
uid = "alice"
about = """
[[people]]
uid = "not this one"
"""
tags = [
  "x", # ]
  "y",
]
quiet = { from = "a=b", to = "]" }
[[people]]
uid = 'bob\\'
[pushplus]
limits = "off"
[[pushplus.topics]]
code = "a"
[[pushplus.topics]]
code = "b"
[[pushplus.topics.rules]]
n = 1
[[pushplus.topics.rules]]
n = 2
[pushplus.topics.more]
deep = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("space", 2),
        ("space.name", 3),
        ("space.odd key", 4),
        ("space.a.b", 5),
        ("people", 7),
        ("people[0]", 7),
        ("people[0].uid", 8),
        ("people[0].about", 9),
        ("people[0].tags", 13),
        ("people[0].tags[1]", 13),
        ("people[0].quiet.from", 17),
        ("people[1].uid", 19),
        ("people[1].missing", 18),
        ("pushplus.limits", 21),
        ("pushplus.topics[1].code", 25),
        ("pushplus.topics[1].rules[1].n", 29),
        ("pushplus.topics[1].more.deep", 31),
        ("nothing.like.it", 1),
        ("", 1),
    ],
)
def test_a_path_has_its_line(path: str, line: int):
    """A key's own line, else that of the nearest table or array around it."""
    tomllib.loads(TEXT)
    assert Lines(TEXT).at(path) == line


def leaves(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{number}]")
    else:
        yield path


def test_every_key_of_the_demo_file_has_a_line_that_names_it():
    """The line found for a key is one on which the key stands."""
    text = files("onebell").joinpath("demo.toml").read_text()
    lines = text.splitlines()
    found = Lines(text)
    for path in leaves(tomllib.loads(text), ""):
        key = path.rpartition(".")[2].partition("[")[0]
        here = found.at(path)
        outer = [part.partition("[")[0] for part in path.split(".")]
        assert any(part in lines[here - 1] for part in (key, *outer)), path


@given(st.text())
def test_no_text_breaks_it(text: str):
    """Whatever the text is, a line inside it is answered."""
    assert 1 <= Lines(text).at("a.b[0]") <= text.count("\n") + 1


def test_a_long_text_is_read_in_one_pass():
    """Quotes that never close do not make reading quadratic: the work grows with the text."""
    text = 'a = "' * 20_000 + "\n" + "b = '''" * 20_000
    assert Lines(text).at("a") == 1
