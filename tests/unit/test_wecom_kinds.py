"""What each msgtype asks of its fields (sheet wecom §2.3)."""

import base64
import hashlib
from typing import Any

import msgspec
import pytest

from onebell.dialects.wecom.answer import Rejected
from onebell.dialects.wecom.body import Body
from onebell.dialects.wecom.kinds import Checked, checked

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def check(msgtype: str, text_bytes: int = 2048, **fields: Any) -> Checked:
    body = {"msgtype": msgtype} | ({msgtype: fields} if fields else {})
    return checked(msgspec.convert(body, Body), text_bytes)


def refused(msgtype: str, **fields: Any) -> tuple[int, str]:
    with pytest.raises(Rejected) as caught:
        check(msgtype, **fields)
    return caught.value.fault.code, caught.value.fault.text


@pytest.mark.parametrize("msgtype", ["", "TEXT", "foo", "Markdown", "template_card"])
def test_unknown_types(msgtype: str) -> None:
    """Types are case-sensitive (case 4); template cards wait for their own issue."""
    assert refused(msgtype) == (40008, "invalid message type")


@pytest.mark.parametrize("msgtype", ["text", "markdown", "markdown_v2"])
def test_empty_content(msgtype: str) -> None:
    """Missing and empty content is 44004 (case 5)."""
    assert refused(msgtype) == (44004, "empty content")
    assert refused(msgtype, content="") == (44004, "empty content")


@pytest.mark.parametrize("name", ["mentioned_list", "mentioned_mobile_list"])
def test_a_mention_needs_no_content(name: str) -> None:
    """A text that only mentions people is a message (case 6)."""
    check("text", content="", **{name: ["@all"]})


@pytest.mark.parametrize(("msgtype", "limit"), [("text", 2048), ("markdown", 4096), ("markdown_v2", 4096)])
def test_content_is_measured_in_bytes(msgtype: str, limit: int) -> None:
    """The limit counts bytes of UTF-8 (cases 7, 8, 9)."""
    check(msgtype, content="中" * (limit // 3) + "a" * (limit % 3))
    error = f"{msgtype}.content exceed max length {limit}. invalid Request Parameter"
    assert refused(msgtype, content="中" * (limit // 3 + 1)) == (40058, error)


def test_the_limit_of_text_is_a_setting() -> None:
    """The live server of 2022 let 5120 bytes through: a server may be set to do the same."""
    check("text", text_bytes=5120, content="a" * 5120)


def action(**fields: str) -> dict[str, str]:
    return {"type": "button", "name": "n", "text": "t", "value": "v"} | fields


def buttons(*actions: dict[str, str]) -> list[dict[str, Any]]:
    return [{"callback_id": "cb", "actions": list(actions)}]


def test_markdown_buttons() -> None:
    """Twenty actions of the longest values pass; replace_text may be absent (case 43)."""
    longest = action(name="n" * 64, text="t" * 128, value="v" * 128, replace_text="r" * 128)
    check("markdown", content="x", attachments=buttons(*[longest] * 20))


@pytest.mark.parametrize(
    ("attachments", "error"),
    [
        (buttons(*[action()] * 21), "markdown.attachments.actions exceed max size 20"),
        (buttons(action(name="n" * 65)), "markdown.attachments.actions.name exceed max length 64"),
        (buttons(action(text="中" * 43)), "markdown.attachments.actions.text exceed max length 128"),
        (buttons(action(value="v" * 129)), "markdown.attachments.actions.value exceed max length 128"),
        (buttons(action(replace_text="v" * 129)), "markdown.attachments.actions.replace_text exceed max length 128"),
        (buttons(action(value="")), "missing markdown.attachments.actions.value"),
        (buttons(action(name="")), "missing markdown.attachments.actions.name"),
        (buttons(action(text="")), "missing markdown.attachments.actions.text"),
        (buttons(action(type="")), "missing markdown.attachments.actions.type"),
        (buttons(action(type="link")), "invalid markdown.attachments.actions.type"),
        (buttons(), "missing markdown.attachments.actions"),
        ([{"actions": [action()]}], "missing markdown.attachments.callback_id"),
        (
            [{"callback_id": "c" * 1025, "actions": [action()]}],
            "markdown.attachments.callback_id exceed max length 1024",
        ),
        (buttons(action()) * 21, "markdown.attachments exceed max size 20"),
    ],
)
def test_markdown_buttons_that_break_a_rule(attachments: list[dict[str, Any]], error: str) -> None:
    """Each broken rule names the path of the field (case 43)."""
    assert refused("markdown", content="x", attachments=attachments) == (40058, f"{error}. invalid Request Parameter")


ARTICLE = {"title": "t", "url": "www.qq.com"}


def test_news_takes_one_to_eight_articles() -> None:
    """Nine are too many, none is none (case 27)."""
    assert len(check("news", articles=[ARTICLE] * 8).articles) == 8
    assert refused("news", articles=[ARTICLE] * 9) == (45008, "article size out of limit")
    assert refused("news", articles=[]) == (44003, "empty news data")


def test_news_is_cut_silently() -> None:
    """Title and description are cut to bytes, never inside a character, without an ellipsis (case 28)."""
    (article,) = check("news", articles=[ARTICLE | {"title": "中" * 43, "description": "a" * 513}]).articles
    assert (article.title, article.description) == ("中" * 42, "a" * 512)


def test_news_needs_title_and_url() -> None:
    """The title is missed before the url (case 29)."""
    assert refused("news", articles=[ARTICLE, {"url": "u"}]) == (41016, "missing title")
    assert refused("news", articles=[{"title": "t"}]) == (41010, "missing url")
    assert refused("news", articles=[{"description": "d"}]) == (41016, "missing title")


def test_news_links_are_bounded() -> None:
    """A link of megabytes does not enter a message row."""
    error = "news.articles.url exceed max length 2048. invalid Request Parameter"
    assert refused("news", articles=[ARTICLE | {"url": "u" * 2049}]) == (40058, error)


def packed(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode(), "md5": hashlib.md5(data).hexdigest()}


def test_an_image_is_decoded_leniently() -> None:
    """Line breaks and missing padding are fine, the md5 may be upper case (case 24)."""
    written = packed(PNG)
    text = written["base64"].rstrip("=")
    picture = check("image", base64=f" {text[:10]}\n{text[10:]}", md5=written["md5"].upper()).picture
    assert picture is not None
    assert (picture.data, picture.type) == (PNG, "image/png")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, (44001, "empty media data")),
        ({"base64": "", "md5": "x"}, (44001, "empty media data")),
        ({"base64": " \n", "md5": hashlib.md5(b"").hexdigest()}, (44001, "empty media data")),
        ({"base64": "DATA", "md5": "MD5"}, (301019, "media md5 not match")),
        (packed(PNG) | {"md5": "0" * 32}, (301019, "media md5 not match")),
        (packed(PNG) | {"base64": packed(PNG)["base64"][:-3]}, (301019, "media md5 not match")),
        ({"base64": "!!!!", "md5": "x"}, (301019, "media md5 not match")),
        ({"base64": "中文", "md5": "x"}, (301019, "media md5 not match")),
        (packed(b"GIF89a" + bytes(20)), (40004, "invalid media type")),
        (packed(PNG[:8] + bytes(2_097_153 - 8)), (40009, "invalid image size")),
    ],
)
def test_images_that_break_a_rule(fields: dict[str, str], error: tuple[int, str]) -> None:
    """Empty, then md5, then size, then type (cases 25, 26, and the seed's printed sample)."""
    assert refused("image", **fields) == error


def test_the_largest_image() -> None:
    """Two MiB exactly are taken."""
    assert check("image", **packed(PNG[:8] + bytes(2_097_152 - 8))).picture


@pytest.mark.parametrize("msgtype", ["file", "voice"])
def test_media_ids(msgtype: str) -> None:
    """A missing id is 41006, an unknown one 40007 (case 34 and the seed's printed samples)."""
    assert refused(msgtype) == (41006, "media_id missing")
    assert refused(msgtype, media_id="MEDIA_ID") == (40007, "invalid media_id")


PROGRAM = {"title": "t", "pic_media_id": "MEDIA_ID", "appid": "wx8bd80126147dfAAA", "page": "/path/index.html"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, (40007, "invalid media_id")),
        ({"title": "t" * 64}, (40007, "invalid media_id")),
        ({"title": "t" * 65}, (40058, "miniprogram.title exceed max length 64. invalid Request Parameter")),
        ({"title": ""}, (40058, "missing miniprogram.title. invalid Request Parameter")),
        ({"pic_media_id": ""}, (41006, "media_id missing")),
        ({"appid": ""}, (40058, "missing miniprogram.appid. invalid Request Parameter")),
        ({"page": ""}, (40058, "missing miniprogram.page. invalid Request Parameter")),
    ],
)
def test_miniprograms(fields: dict[str, str], error: tuple[int, str]) -> None:
    """All four fields are required; the cover is looked up last (case 35 and the seed's printed sample)."""
    assert refused("miniprogram", **(PROGRAM | fields)) == error
