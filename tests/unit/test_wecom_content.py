"""What a WeCom message becomes in the neutral form (sheet wecom §2.4)."""

from typing import Any

import msgspec
import pytest

from onebell.core.directory import Person
from onebell.core.model import Attachment, Content, Format
from onebell.dialects.wecom.body import Body
from onebell.dialects.wecom.content import content_of, with_picture
from onebell.dialects.wecom.kinds import Checked, checked
from onebell.dialects.wecom.mentions import Mentions

ZHANGSAN = Person(
    id=7, space=1, uid="zhangsan", name="张三", role="reader", language="", timezone="", quiet_hours=None,
    email="", phone="", password_hash="", origin="file", created_at=0,
)  # fmt: skip


def made(msgtype: str, mentions: Mentions | None = None, **fields: Any) -> Content:
    body = msgspec.convert({"msgtype": msgtype, msgtype: fields}, Body)
    result = checked(body, 2048) if msgtype == "news" else Checked()
    return content_of(body, result, mentions or Mentions(), "deploy bot")


def test_a_text_is_titled_by_its_bot() -> None:
    """Text stays plain."""
    assert made("text", content="# no heading") == Content(title="deploy bot", body="# no heading")


def test_names_stand_for_userids() -> None:
    """``<@userid>`` becomes ``@name`` for people who exist, whatever the case; others stay as written (case 14)."""
    mentions = Mentions(by_uid={"zhangsan": ZHANGSAN})
    assert made("text", mentions, content="<@ZhangSan>hi <@ghost> <@>").body == "@张三hi <@ghost> <@>"
    assert made("markdown", mentions, content="<@zhangsan>").body == "@张三"
    assert made("markdown_v2", mentions, content="<@zhangsan>").body == "<@zhangsan>"


def test_a_mention_only_text_shows_whom() -> None:
    """Without content the names are the text (case 6)."""
    assert made("text", Mentions(listed=("@张三", "@all")), content="").body == "@张三 @all"


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("# 标题\ntext", "标题"),
        ("text\n### **b** and `c`\n# later", "b and c"),
        ('## <font color="warning">alarm</font>', "alarm"),
        ("#nospace", "deploy bot"),
        ("# ", "deploy bot"),
        ("plain", "deploy bot"),
    ],
)
def test_the_first_heading_is_the_title(content: str, title: str) -> None:
    """Markdown without a heading is titled by its bot."""
    assert made("markdown", content=content).title == title
    assert made("markdown_v2", content=content).title == title


def test_formats() -> None:
    """The source is kept; each dialect of markdown has its own format."""
    assert made("markdown", content="x").format is Format.WECOM_MARKDOWN
    assert made("markdown_v2", content="x").format is Format.MARKDOWN


def test_buttons() -> None:
    """A button reports its place in the original, where callback_id, name and value are found again (case 43)."""
    actions = [{"type": "button", "name": "n", "text": "S", "value": "v", "replace_text": "done"}]
    content = made("markdown", content="x", attachments=[{"callback_id": "a", "actions": actions * 2}] * 2)
    assert [button.key for button in content.buttons] == ["0.0", "0.1", "1.0", "1.1"]
    assert (content.buttons[0].text, content.buttons[0].value, content.buttons[0].replace_text) == ("S", "v", "done")


def test_news_is_a_list_of_links() -> None:
    """Title, link and picture are the first article's; every text is escaped."""
    content = made(
        "news",
        articles=[
            {"title": "<b>", "url": 'www.qq.com/?a="', "picurl": "https://example.test/p.png"},
            {"title": "t", "description": "d&", "url": "https://example.test"},
        ],
    )
    assert (content.title, content.url) == ("<b>", 'http://www.qq.com/?a="')
    assert content.images == ("https://example.test/p.png",)
    assert content.body == (
        '<p><a href="http://www.qq.com/?a=&quot;">&lt;b&gt;</a></p>'
        '<p><a href="https://example.test">t</a><br>d&amp;</p>'
    )
    assert content.data["articles"][1] == {
        "title": "t",
        "description": "d&",
        "url": "https://example.test",
        "picurl": "",
    }


def test_an_image_is_its_file() -> None:
    """The stored file is the attachment."""
    picture = Attachment(name="image.png", type="image/png", file=3, size=9)
    assert with_picture(made("image"), picture) == Content(title="[图片]", attachments=(picture,))
