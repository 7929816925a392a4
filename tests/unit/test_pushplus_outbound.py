"""What PushPlus messages become on their way out: native payloads and callbacks (sheet pushplus §3, §5.1)."""

from typing import Any

import pytest

from onebell.core.events import Event, EventKind
from onebell.dialects.pushplus import callback, native
from onebell.dialects.pushplus.native import Card

LINK, LOGO = "http://h/shortMessage/1", "http://h/logo.png"


def card(content: str = "消息内容", *, title: str = "标题", is_text: bool = False, is_markdown: bool = False) -> Card:
    return Card(
        title=title,
        content=content,
        summary="消息内容",
        link=LINK,
        short_code="c0de",
        short_link="h/t/c0de",
        logo=LOGO,
        is_text=is_text,
        is_markdown=is_markdown,
    )


def payload(kind: str, card: Card) -> dict[str, Any]:
    return native.payload(kind, lambda: card)


def test_wecom_bot_gets_a_news_article():
    """Type 1: title, summary, link, picture."""
    article = {"title": "标题", "description": "消息内容", "url": LINK, "picurl": LOGO}

    assert {"wecom_bot": {"msgtype": "news", "news": {"articles": [article]}}} == payload("wecom_bot", card())


def test_wecom_bot_gets_short_txt_as_text():
    """template=txt below 1900 characters is text, above it a card again."""
    text = {"wecom_bot": {"msgtype": "text", "text": {"content": "标题\n\n消息内容"}}}

    assert text == payload("wecom_bot", card(is_text=True))
    assert payload("wecom_bot", card("c" * 1897, is_text=True))["wecom_bot"]["msgtype"] == "text"
    assert payload("wecom_bot", card("c" * 1898, is_text=True))["wecom_bot"]["msgtype"] == "news"


def test_wecom_text_has_2048_bytes():
    """WeCom counts bytes: more Chinese than that is a card, whole, instead of a text that it refuses or cuts."""
    fits = card("文" * 680, is_text=True)  # 6 bytes of title, two line breaks, 2040 bytes

    assert payload("wecom_bot", fits)["wecom_bot"]["msgtype"] == "text"
    assert payload("wecom_bot", card("文" * 681, is_text=True))["wecom_bot"]["msgtype"] == "news"
    assert payload("wecom_app", fits)["wecom_app"]["msgtype"] == "news"


def test_wecom_app_text_links_to_the_page():
    """cp: the text ends with a link to the details."""
    found = payload("wecom_app", card(is_text=True))["wecom_app"]

    assert f'标题\n\n消息内容\n\n<a href="{LINK}">查看详情</a>' == found["text"]["content"]
    assert payload("wecom_app", card())["wecom_app"]["msgtype"] == "news"


def test_dingtalk_messages_keep_the_keyword():
    """Users set the robot's keyword to ``pushplus``: the word stays in every message."""
    action = {
        "title": "标题",
        "text": "消息内容",
        "singleTitle": "查看pushplus消息详情",
        "singleURL": LINK,
    }

    assert {"msgtype": "actionCard", "actionCard": action} == payload("dingtalk_bot", card())["dingtalk_bot"]
    assert payload("dingtalk_bot", card(is_text=True))["dingtalk_bot"] == {
        "msgtype": "text",
        "text": {"content": "pushplus消息：\n标题\n\n消息内容"},
    }


def test_feishu_post():
    """Type 3: the summary, then a link; txt as text."""
    lines = [
        [{"tag": "text", "text": "消息内容"}],
        [{"tag": "a", "text": "查看pushplus消息详情", "href": LINK}],
    ]

    assert {
        "msg_type": "post",
        "content": {"post": {"zh_cn": {"title": "标题", "content": lines}}},
    } == payload("feishu_bot", card())["feishu_bot"]
    assert payload("feishu_bot", card(is_text=True))["feishu_bot"] == {
        "msg_type": "text",
        "content": {"text": "标题\n\n消息内容"},
    }


@pytest.mark.parametrize(("kind", "name", "is_a_card"), [
    ("dingtalk_bot", "msgtype", "actionCard"), ("feishu_bot", "msg_type", "post"),
])  # fmt: skip
def test_a_robot_gets_a_card_for_what_its_body_has_no_room_for(kind, name, is_a_card):
    """Both take 20,000 bytes of JSON, in which a quote is two."""
    assert payload(kind, card('"' * 9_800, is_text=True))[kind][name] == "text"
    assert payload(kind, card('"' * 10_000, is_text=True))[kind][name] == is_a_card


@pytest.mark.parametrize("kind", ["hiflow", "jijyun"])
def test_flows_get_everything(kind):
    """Types 7 and 9: the content as written, and the shortCode."""
    assert payload(kind, card("<b>消息</b>"))[kind] == {
        "title": "标题",
        "content": "<b>消息</b>",
        "icon": LOGO,
        "url": LINK,
        "shortCode": "c0de",
    }


def test_ifttt_gets_three_values():
    """Type 8: title, content, link."""
    assert payload("ifttt", card())["ifttt"] == {"value1": "标题", "value2": "消息内容", "value3": LINK}


def test_wxpusher_gets_a_summary():
    """Type 11: what is appended to the pasted address; an address has no room for a whole content."""
    found = payload("wxpusher", card("<b>消息内容</b>"))["wxpusher"]

    assert found == {"content": "标题\n消息内容", "url": LINK}


def test_a_template_gets_its_values():
    """Type 12: what the placeholders stand for; the content as written."""
    found = payload("http_template", card("<b>消息</b>"))["http_template"]

    assert found == {"title": "标题", "content": "<b>消息</b>", "url": LINK}


def test_serverchan_shows_markdown():
    """Type 4: what is written in Markdown or text goes whole, anything else as its beginning and a link."""
    more = f"消息内容\n\n[查看pushplus消息详情]({LINK})"

    assert payload("serverchan", card("<b>消息内容</b>")) == {"serverchan": {"title": "标题", "desp": more}}
    assert payload("serverchan", card("**粗**", is_markdown=True))["serverchan"]["desp"] == "**粗**"
    assert payload("serverchan", card("a", is_text=True))["serverchan"]["desp"] == "a"
    assert payload("serverchan", card(title="题" * 40))["serverchan"]["title"] == "题" * 32


def test_bark_opens_the_page():
    """Type 50: title, summary, link and logo."""
    assert payload("bark", card()) == {"bark": {"title": "标题", "body": "消息内容", "url": LINK, "icon": LOGO}}


def test_gotify_opens_the_page():
    """Type 10: title and summary at priority 5; a touch opens the page."""
    assert payload("gotify", card()) == {
        "gotify": {
            "title": "标题",
            "message": "消息内容",
            "priority": 5,
            "extras": {"client::notification": {"click": {"url": LINK}}},
        }
    }


def test_a_text_message_has_only_the_title():
    """Channel sms: the sentence with the short link; title and link apart, for services with texts of their own."""
    text = "【pushplus】您收到标题为“标题”的提醒消息，详情：h/t/c0de"

    assert payload("sms", card("长" * 9999))["sms"] == {"text": text, "title": "标题", "url": "h/t/c0de"}


def test_another_kind_renders_for_itself():
    """No native payload where the carrier's own rendering serves."""
    assert payload("smtp", card()) == {}


def event(kind: EventKind = EventKind.FINISHED, **data: object) -> Event:
    return Event(
        id=1,
        space=1,
        dialect="pushplus",
        message=7,
        public_id="3cbc5eab19fe512e80677540fbde332a",
        delivery=0,
        person=0,
        kind=kind,
        data=data,
        at=0,
        extra={"owner": 5},
        callback_url="https://example.com/cb",
        callback_params={},
    )


@pytest.mark.parametrize(
    ("data", "message", "status"),
    [
        ({"ok": True, "message": "ignored"}, "", 2),
        ({"ok": False, "message": "boom"}, "boom", 3),
        ({"ok": False, "message": ""}, "无用户接收消息", 3),
    ],
)
def test_callback_body(data, message, status):
    """The literal spelling of the document, keys in its order."""
    expected = (
        f'{{"event":"message_complate","messageInfo":{{"message":"{message}",'
        f'"shortCode":"3cbc5eab19fe512e80677540fbde332a","sendStatus":{status}}}}}'
    )

    assert expected == callback.body(event(**data)).decode()


def test_schedule_ends_with_any_answer():
    """Three tries, only when nobody answers."""
    assert (
        callback.SCHEDULE.pauses_s,
        callback.SCHEDULE.timeout_s,
        callback.SCHEDULE.any_answer_ends,
    ) == ((5.0, 30.0), 10.0, True)
