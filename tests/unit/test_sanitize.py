"""Foreign HTML, Markdown and names against corpus B of RELIABILITY §2.4, on the level of the parsed document."""

import tomllib
from collections.abc import Callable
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.core.markdown import render_markdown, render_wecom
from onebell.core.model import Content, Format
from onebell.core.nesting import DEPTH, MANY_TAGS
from onebell.core.render import as_paragraph, render
from onebell.core.sanitize import mail, one_line, page

CORPUS = tomllib.loads((Path(__file__).parents[1] / "corpus/xss.toml").read_text())
HTML = [payload for group in CORPUS["html"].values() for payload in group]
MARKDOWN = [payload for group in CORPUS["markdown"].values() for payload in group]
WECOM = CORPUS["wecom"]["text"]
NAMES = CORPUS["names"]["values"]


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TAGS = words(
    "a abbr article b bdi blockquote br caption center cite code col colgroup dd del details dfn div dl dt em "
    "figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li mark ol p pre q rp rt ruby s samp "
    "section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"
)
ATTRIBUTES = words(
    "align alt bgcolor border cellpadding cellspacing color colspan datetime dir face height href lang loading open "
    "referrerpolicy rel reversed rowspan size span src start style target title type valign width"
)


class Judge(HTMLParser):
    """Reads a document as a browser would and notes everything that could do something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name not in ATTRIBUTES:
            self.found.append(f"{name}=")
        if name == "href" and urlsplit(value).scheme not in {"https", "mailto"}:
            self.found.append(f"href={value}")
        if name == "src" and (tag != "img" or urlsplit(value).scheme != "https"):
            self.found.append(f"src={value}")
        if name == "style":
            self._style(value.lower())
        if name == "rel" and value != "noopener noreferrer nofollow":
            self.found.append(f"rel={value}")

    def _style(self, value: str) -> None:
        bad = ("url", "expression", "position", "transform", "z-index", "@", "\\", "/*", "<", "var(", "binding")
        self.found += [f"style:{word}" for word in bad if word in value]

    def handle_comment(self, data: str) -> None:
        self.found.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.found.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.found.append("instruction")


def dangers(html: str) -> list[str]:
    judge = Judge()
    judge.feed(html)
    judge.close()
    return judge.found


@pytest.mark.parametrize("clean", [page, mail])
@pytest.mark.parametrize("payload", HTML)
def test_nothing_dangerous_survives_in_html(clean: Callable[[str], str], payload: str) -> None:
    """Of a stranger's HTML only allowed tags and attributes are left, links lead to https: or mailto:."""
    assert dangers(clean(payload)) == []
    assert dangers(clean(f"<table><tr><td><b>{payload}")) == []


@pytest.mark.parametrize("payload", HTML)
def test_deep_documents_are_no_way_round(payload: str) -> None:
    """What is written anew because of its many tags is sanitised like everything else."""
    assert dangers(page("<b></b>" * MANY_TAGS + payload)) == []
    assert dangers(page(payload + "<b></b>" * MANY_TAGS)) == []


@pytest.mark.parametrize("payload", MARKDOWN)
def test_nothing_dangerous_survives_in_markdown(payload: str) -> None:
    """Markdown may hold any HTML; what comes out is held to the same rule."""
    assert dangers(page(render_markdown(payload))) == []


@pytest.mark.parametrize("payload", [*WECOM, *HTML, *MARKDOWN])
def test_wecom_markdown_knows_no_html(payload: str) -> None:
    """Every tag but ``<font color>`` and ``<@id>`` is text, before anything is sanitised."""
    for name in CORPUS["wecom"]["names"]:
        html = render_wecom(payload, {"evil": name})

        assert dangers(page(html)) == []
        assert [found for found in dangers(html) if not found.startswith("href=")] == []


@pytest.mark.parametrize("payload", [*CORPUS["text"]["values"], *HTML, *NAMES])
def test_plain_text_is_never_html(payload: str) -> None:
    """Text is shown as it is written."""
    shown = as_paragraph(payload)

    assert dangers(shown) == []
    assert shown.count("<") == shown.count("<p>") + shown.count("</p>") + shown.count("<br>")


@pytest.mark.parametrize("name", [*NAMES, *HTML])
def test_names_are_one_harmless_line(name: str) -> None:
    """Titles, senders and file names keep their words and lose what would break a line or lie about them."""
    shown = one_line(name)

    assert not any(bad in shown for bad in CORPUS["names"]["forbidden"])
    assert shown == shown.strip() == one_line(shown)
    assert render(Content(title=name)).title == shown


def test_emoji_of_several_signs_stay_whole() -> None:
    """The joiner inside an emoji is no zero-width trick."""
    assert one_line("👨‍👩‍👧 ok") == "👨‍👩‍👧 ok"


@pytest.mark.parametrize("clean", [page, mail])
@pytest.mark.parametrize("payload", [*HTML, *(render_markdown(source) for source in MARKDOWN)])
def test_cleaning_twice_changes_nothing(clean: Callable[[str], str], payload: str) -> None:
    """Clean HTML parses into itself: no second reading finds what the first did not (mutation)."""
    once = clean(payload)

    assert clean(once) == once


PIECES = [*HTML, "<p>", "</p>", "<b>", "</i>", '"', "'", "<", "&lt;", "<table>", "<svg>", "x"]


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_any_mixture_is_clean(pieces: list[str]) -> None:
    """Payloads that are broken apart and joined are no better for the attacker."""
    for clean in (page, mail):
        once = clean("".join(pieces))

        assert dangers(once) == []
        assert clean(once) == once


@given(st.text(alphabet="<>/\"'= abpsvgonerror&;#!-\0\n", max_size=200))
def test_any_text_is_clean(text: str) -> None:
    """Whatever stands there, what comes out is harmless."""
    assert dangers(page(text)) == []
    assert dangers(page(render_markdown(text))) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("onebell.core.sanitize.MANY_TAGS", 0)  # as if there were many
        assert dangers(page(text)) == []


def test_ordinary_html_keeps_its_look() -> None:
    """Tables, colours, lists and pictures of an honest message stay."""
    html = (
        '<h2 style="color:#c00;text-align:center">C</h2><table border="1" cellpadding="4"><tr><td bgcolor="#eee">a</td>'
        '<td style="padding:4px;background-color:rgb(1, 2, 3)">0.9</td></tr></table><font color="red">hot</font>'
        '<img src="https://a.test/x.png" alt="graph" width="100"><a href="mailto:a@b.test">mail</a>'
    )

    shown = mail(html)

    for part in (
        '<h2 style="color:#c00;text-align:center">', 'cellpadding="4"', 'bgcolor="#eee"', 'color="red"', 'width="100"',
        'style="padding:4px;background-color:rgb(1, 2, 3)"', 'src="https://a.test/x.png"', 'href="mailto:a@b.test"',
    ):  # fmt: skip
        assert part in shown


def test_a_page_opens_links_elsewhere_and_waits_with_pictures() -> None:
    """In our own frame a link opens a new tab without opener, and a picture tells nobody where it was shown."""
    shown = page('<a href="https://a.test" target="_self" rel="opener">x</a><img src="https://a.test/x.png">')

    assert 'target="_blank"' in shown
    assert 'rel="noopener noreferrer nofollow"' in shown
    assert 'referrerpolicy="no-referrer"' in shown


OPENERS = [
    "<div>", "<p>", "<b>", "<b><p>", "<table><tr><td>", "<div></span>", '<div a">', "<!--", "<ul><li>", "<script>",
    "<a ", "<", "</p>", "<a x=", "<font", "<b><i><u>", "<svg><g>", "<?", "<a '", "<a \"'", "<img x=\"'", "<td><p>",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", OPENERS)
def test_depth_costs_nothing(piece: str) -> None:
    """A parser's work grows with the square of the depth; 250,000 bytes of open tags must not hold a worker."""
    assert dangers(page(piece * (250_000 // len(piece)))) == []


def test_depth_is_bounded_and_long_lists_are_not_deep() -> None:
    """Too deep a nesting is flattened with its words kept; unclosed rows and items are siblings."""
    deep = page("<div>" * (MANY_TAGS + 1) + "word")
    assert deep.count("<div>") == DEPTH
    assert "word" in deep

    rows = page("<table>" + "<tr><td>a<td>b" * 1000 + "</table>")
    assert (rows.count("<tr>"), rows.count("<td>")) == (1000, 2000)


def test_a_large_honest_document_is_unchanged_by_flattening() -> None:
    """Writing a document anew keeps tags, attributes, entities and text."""
    row = '<p style="color:red">a &amp; b <a href="https://a.test/?x=1&amp;y=2">l</a><br>&lt;c&gt;</p>'
    small, large = mail(row * 10), mail(row * 2000)

    assert large == small[: len(small) // 10] * 2000


UNITS = ["[", "[](", "**a", "`", '<font color="info">', "<@", "> ", "# ", "[x](y", "*", "**`[<@", "_a", "![", "- ", "|"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("renderer", [partial(render_wecom, names={}), render_markdown])
def test_rendering_is_linear(unit: str, renderer: Callable[[str], str]) -> None:
    """No pattern looks at a character more than a bounded number of times (RELIABILITY S10)."""
    assert dangers(page(renderer(unit * (50_000 // len(unit))))) == []


@pytest.mark.parametrize("markdown_format", [Format.HTML, Format.MARKDOWN, Format.WECOM_MARKDOWN, Format.TEXT])
def test_every_format_is_rendered_clean(markdown_format: Format) -> None:
    """Whatever format a sender names, the HTML form is sanitised."""
    for payload in (*HTML, *MARKDOWN):
        assert dangers(render(Content(body=payload, format=markdown_format)).html) == []
