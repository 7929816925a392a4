"""Content in its forms: the sheets' vectors, and what each format turns into."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.core.model import Content, Format
from onebell.core.plaintext import words_of
from onebell.core.render import mentions, render
from onebell.core.sanitize import mail, page


def html(body: str, written_in: Format = Format.MARKDOWN) -> str:
    return render(Content(body=body, format=written_in), sanitized=mail).html


def test_the_markdown_vector_of_pushplus() -> None:
    """Sheet pushplus §4: h1, h5 and an ordered list of three, with leading and trailing blanks."""
    shown = html("# 大标题 \n ##### 小标题 \n  1. 第一项 \n 2. 第二项 \n 3. 第三项")

    assert shown.replace("\n", "") == (
        "<h1>大标题</h1><h5>小标题</h5><ol><li>第一项</li><li>第二项</li><li>第三项</li></ol>"
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a\nb", "<p>a<br>b</p>"),
        ("a<br/>b", "<p>a<br>b</p>"),
        ("a\\\nb", "<p>a<br>b</p>"),
        ("a\n\nb", "<p>a</p><p>b</p>"),
        ("**b** *i* ~~s~~ `c`", "<p><strong>b</strong> <em>i</em> <s>s</s> <code>c</code></p>"),
        ("<font color=red>x</font>", '<p><font color="red">x</font></p>'),
        ("![x](https://a.test/x.png)", '<p><img src="https://a.test/x.png" alt="x"></p>'),
        ("www.example.com", "<p>www.example.com</p>"),
    ],
)
def test_markdown_as_pushplus_reads_it(source: str, expected: str) -> None:
    """A single newline, ``<br/>`` and a trailing backslash break the line; inline HTML counts; hosts are not links."""
    assert html(source).replace("\n", "") == expected


def test_markdown_task_lists() -> None:
    """What is to be done and what is done are signs that every surface shows: the page, mail and plain text."""
    source = "- [ ] open\n- [x] **done**\n  1. [X] nested\n"
    style = ' style="list-style-type:none"'
    expected = (
        f"<ul><li{style}>☐ open</li><li{style}>☑ <strong>done</strong><ol><li{style}>☑ nested</li></ol></li></ul>"
    )

    for sanitized in (mail, page):
        shown = render(Content(body=source, format=Format.MARKDOWN), sanitized=sanitized)
        assert shown.html.replace("\n", "") == expected
    assert shown.text == "• ☐ open\n• ☑ done\n1. ☑ nested"


@pytest.mark.parametrize(
    "source",
    ["[ ] no item", "- [y] other", "- [ ]", "- [x](https://a.test/)", "- `[x] code`", r"- \[x] escaped", "- [x]tight"],
)
def test_what_only_looks_like_a_task_stays(source: str) -> None:
    """As GitHub reads it: an item that begins with a box, a blank and words."""
    assert not {"☐", "☑"} & set(html(source))


def test_markdown_tables() -> None:
    """Tables become tables, with their alignment."""
    shown = html("| a | b |\n|---|--:|\n| 1 | 2 |")

    assert "<th>a</th>" in shown
    assert '<td style="text-align:right">2</td>' in shown


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# 一\n###### 六\n####### 七\n#x", "<h1>一</h1><h6>六</h6><p>####### 七<br>#x</p>"),
        ("**粗** [链接](https://a.test/?a=b&c=d)", '<p><strong>粗</strong> <a href="https://a.test/?a=b&amp;c=d" '
         'rel="noopener noreferrer nofollow">链接</a></p>'),
        ("`code` > not a quote", "<p><code>code</code> &gt; not a quote</p>"),
        ("> a\n> b\nc", "<blockquote>a<br>b</blockquote><p>c</p>"),
        ('<font color="info">绿</font><font color="comment">灰</font><font color="warning">橙</font>',
         '<p><span style="color:#2ba245">绿</span><span style="color:#8c8c8c">灰</span>'
         '<span style="color:#f76a1e">橙</span></p>'),
        ('<font color="red">x</font>', '<p>&lt;font color="red"&gt;x&lt;/font&gt;</p>'),
        ("*i* ~~s~~ - x\n1. y\n---\n![p](https://a.test)", "<p>*i* ~~s~~ - x<br>1. y<br>---<br>!"
         '<a href="https://a.test" rel="noopener noreferrer nofollow">p</a></p>'),
        ("<@zhangsan> <@nobody>", "<p><strong>@张三</strong> <strong>@nobody</strong></p>"),
        ("<b>x</b> a_b_c", "<p>&lt;b&gt;x&lt;/b&gt; a_b_c</p>"),
        ("a\r\n\r\nb", "<p>a</p><p>b</p>"),
    ],
)  # fmt: skip
def test_wecom_markdown_is_its_subset_and_nothing_else(source: str, expected: str) -> None:
    """Sheet wecom §2.3: headings, bold, links, inline code, quotes, three colours, mentions; all else is literal."""
    forms = render(Content(body=source, format=Format.WECOM_MARKDOWN), {"zhangsan": "张三"}, mail)

    assert forms.html.replace("\n", "") == expected


def test_mentions_are_named_before_rendering() -> None:
    """The caller learns which names to look up; only WeCom's markdown has mentions."""
    source = "<@zhangsan> hi <@lisi> <@zhangsan>"

    assert mentions(Content(body=source, format=Format.WECOM_MARKDOWN)) == {"zhangsan", "lisi"}
    assert mentions(Content(body=source, format=Format.MARKDOWN)) == frozenset()


def test_other_markdown_readers_get_no_wecom_tags() -> None:
    """The Markdown form has names for mentions and no colour tags."""
    source = '<font color="info">ok</font> **b** <@zhangsan>'

    forms = render(Content(body=source, format=Format.WECOM_MARKDOWN), {"zhangsan": "张三"})

    assert forms.markdown == "ok **b** @张三"
    assert forms.text == "ok b @张三"


def test_text_is_shown_as_written() -> None:
    """Plain text keeps its lines and signs in every form; its Markdown form escapes what Markdown would read."""
    forms = render(Content(title=" a\r\n b ", body="1. x*y*\n# no <b>\n- z"))

    assert forms.title == "a b"
    assert forms.text == "1. x*y*\n# no <b>\n- z"
    assert forms.html == "<p>1. x*y*<br># no &lt;b&gt;<br>- z</p>"
    assert forms.markdown == "1\\. x\\*y\\*  \n\\# no \\<b\\>  \n\\- z"
    assert words_of(html(forms.markdown)).text == forms.text


def test_html_becomes_readable_text() -> None:
    """Blocks become lines, lists get bullets and numbers, links keep their address, pictures their description."""
    source = (
        "<h1>标题</h1>\n<p>a  <b>b</b>\n c<br>d</p><ul>\n<li>x</li>\n<li>y</li></ul><ol start=3><li>p<li>q</ol>"
        "<table><tr><th>k</th><th>v</th></tr><tr><td>1</td><td>2</td></tr></table><pre>  keep\n   this</pre>"
        '<a href="https://a.test/x">link</a> <a href="https://a.test">https://a.test</a> '
        '<img src="https://a.test/i" alt="图">'
    )

    forms = render(Content(body=source, format=Format.HTML))

    assert forms.text == (
        "标题\n\na b c\nd\n\n• x\n• y\n3. p\n4. q\n\nk | v\n1 | 2\n\nkeep\nthis\n\n"
        "link (https://a.test/x) https://a.test [图]"
    )
    assert forms.summary == "标题 a b c d • x • y 3. p 4. q k | v 1 | 2 keep this link https://a.test [图]"


@pytest.mark.parametrize(
    ("body", "written_in"),
    [
        ('<a href="http://192.168.1.2/x">x</a>', Format.HTML),
        ("[x](http://192.168.1.2/x)", Format.MARKDOWN),
        ("[x](http://192.168.1.2/x)", Format.WECOM_MARKDOWN),
    ],
)
def test_plain_http_links_are_words(body: str, written_in: Format) -> None:
    """Only https: and mailto: can be pressed, but the text still says where a link to http: leads."""
    forms = render(Content(body=body, format=written_in))

    assert "href=" not in forms.html
    assert forms.text == "x (http://192.168.1.2/x)"


def test_the_summary_is_one_line_of_two_hundred_characters() -> None:
    """Sheet pushplus §4: tags stripped, blanks collapsed, first 200 characters; a given summary wins."""
    long = "字" * 300

    assert render(Content(body=f"<p>{long}</p>", format=Format.HTML)).summary == "字" * 200
    assert render(Content(body=long)).summary == "字" * 200
    assert render(Content(body=long, summary=" given\n one ")).summary == "given one"
    assert render(Content()).summary == ""


def test_what_no_wire_can_hold_is_replaced() -> None:
    """Lone surrogates and NUL, which JSON may bring, break neither mail nor UTF-8."""
    forms = render(Content(title="a\ud800\0b", body="x\udfff\0y", summary="\ud800"))

    assert (forms.title, forms.text, forms.html) == ("ab", "x?y", "<p>x?y</p>")
    assert forms.summary.encode()


@given(st.text(max_size=300), st.sampled_from(Format))
def test_any_content_renders(body: str, written_in: Format) -> None:
    """No text of any format raises, and every form can be encoded."""
    forms = render(Content(title=body, body=body, summary=body[:20], format=written_in))

    for form in (forms.title, forms.text, forms.html, forms.markdown, forms.summary):
        assert "\0" not in form
        form.encode()
    assert "\n" not in forms.title
    assert len(forms.summary) <= 200


@given(st.text(max_size=200) | st.text(alphabet='<>/="ab &;lt', max_size=60))
def test_words_of_clean_html_lose_nothing_but_markup(body: str) -> None:
    """Every letter that a browser would show is in the text, whatever the HTML was."""

    class Shown(HTMLParser):
        letters = ""

        def handle_data(self, data: str) -> None:
            self.letters += data

    shown = Shown()
    shown.feed(mail(body))
    shown.close()

    words = words_of(mail(body))

    assert "".join(words.summary.split()) == "".join(shown.letters.split())[: len("".join(words.summary.split()))]
    assert words.summary == " ".join(words.summary.split())
