"""UMS: what a person reads of a msg_ element in the inbox."""

from typing import Any

import pytest

from onebell.core.model import Format
from onebell.dialects.ums.content import content_of


@pytest.mark.parametrize(
    ("element", "title", "body"),
    [
        ({"notification": {"alert": "hi"}}, "", "hi"),
        ({"notification": {"android": {"alert": "a", "title": "T"}}}, "T", "a"),
        ({"notification": {"ios": {"alert": {"title": "T", "body": "b"}}}}, "T", "b"),
        ({"notification": {"ios": {"alert": "plain"}}}, "", "plain"),
        ({"notification": {"android": {"alert": "a"}, "quickapp": {"alert": "q", "title": "Q"}}}, "Q", "a"),
        ({"notification": {"alert": "general", "ios": {"alert": "own"}}}, "", "own"),
        ({"message": {"msg_content": "m", "title": "t"}}, "t", "m"),
        ({"notification_3rd": {"title": "t", "content": "c"}}, "t", "c"),
        ({"notification": {"alert": 7}}, "", ""),
        ({"notification": {"ios": "text"}}, "", ""),
    ],
)
def test_app(element: dict[str, Any], title: str, body: str) -> None:
    """The platforms' alert before the general one, a notification before a message."""
    content = content_of("app", element)
    assert (title, body) == (content.title, content.body)


def test_app_link_and_picture() -> None:
    """Only web addresses become links: an Android intent is nothing that a page can open."""
    intent = {"url": "intent:#Intent;component=x;end"}
    android = {"alert": "a", "intent": intent, "large_icon": "http://x/i.jpg", "extras": {"newsid": 321}}
    content = content_of("app", {"notification": {"android": android}})
    assert (content.url, content.icon, content.data) == ("", "http://x/i.jpg", {"extras": {"newsid": 321}})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("plain", Format.TEXT), ("a < b and c > d", Format.TEXT), ("1 <2> 3", Format.TEXT), ("<b>x</b>", Format.HTML),
        ("x<br/>", Format.HTML), ("<!-- c -->", Format.HTML), ("<!DOCTYPE html>", Format.HTML),
        ("<a" * 100_000, Format.TEXT),
    ],
)  # fmt: skip
def test_mail_is_html_where_it_holds_markup(text: str, kind: Format) -> None:
    """``text`` with markup is HTML, else plain (sheet §6.5); half a megabyte of "<a" costs no time."""
    content = content_of("email", {"subject": "s", "text": text})
    assert ("s", kind) == (content.title, content.format)


def test_mail_attachments_keep_their_name() -> None:
    """The last part of the URL's path, decoded."""
    content = content_of("email", {"subject": "s", "text": "t", "files": ["https://x/d/a%20b.pdf?v=1", "http://[bad"]})
    assert [one.name for one in content.attachments] == ["a b.pdf", ""]


@pytest.mark.parametrize(
    ("kind", "element", "body"),
    [
        ("wechatoa", {"data": {"first": {"value": "恭喜"}, "n": {"value": 3}}}, "恭喜\n3"),
        ("wechatmp", {"data": {"first": {"value": "x"}, "n": {"value": {"no": 1}}}}, "x"),
        ("sms", {"content": "text"}, "text"),
        ("sms", {"temp_id": 1, "temp_para": {"code": "1234"}}, "code: 1234"),
        ("dingtalk_cc", {"msg": {"text": {"content": "test"}}}, "test"),
        ("wechatwk", {"msgtype": "text", "text": {"content": "x"}}, "x"),
        ("wechatwk", {"msgtype": "image", "image": {"media_id": "M"}}, "[图片]"),
        ("wechatwk", {"msgtype": "file", "file": {"media_id": "M"}}, "[文件]"),
        (
            "wechatwk",
            {"msgtype": "mpnews", "mpnews": {"articles": [{"title": "t", "content": "<p>c</p>"}]}},
            "<p>c</p>",
        ),
        (
            "wechatwk",
            {"msgtype": "news", "news": {"articles": [{"title": "t", "description": "d"}, {"title": "2"}]}},
            "d\n2",
        ),
        (
            "wechatwk",
            {
                "msgtype": "miniprogram_notice",
                "miniprogram_notice": {"title": "t", "description": "d", "content_item": [{"key": "k", "value": "v"}]},
            },
            "d\nk: v",
        ),
        ("alipay_life", {"context": {"keyword1": {"value": "k"}, "first": {"value": "f"}}}, "f\nk"),
    ],
)
def test_other_kinds_read_as_text(kind: str, element: dict[str, Any], body: str) -> None:
    """Every kind has a neutral form, whatever carrier its type is served by."""
    assert body == content_of(kind, element).body
