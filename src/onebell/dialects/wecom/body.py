"""The request body of ``send`` as the service documents it (sheet wecom §2.2, §2.3). Empty means absent."""

import msgspec
from msgspec import field


class Text(msgspec.Struct, frozen=True):
    """``msgtype`` text."""

    content: str = ""
    mentioned_list: list[str] = []
    mentioned_mobile_list: list[str] = []


class Action(msgspec.Struct, frozen=True):
    """A button of a markdown message."""

    type: str = ""
    name: str = ""
    text: str = ""
    value: str = ""
    replace_text: str = ""
    border_color: str = ""
    text_color: str = ""


class Buttons(msgspec.Struct, frozen=True):
    """One of ``markdown.attachments``."""

    callback_id: str = ""
    actions: list[Action] = []


class Markdown(msgspec.Struct, frozen=True):
    """``msgtype`` markdown."""

    content: str = ""
    at_short_name: bool = False
    attachments: list[Buttons] = []


class MarkdownV2(msgspec.Struct, frozen=True):
    """``msgtype`` markdown_v2."""

    content: str = ""


class Image(msgspec.Struct, frozen=True):
    """``msgtype`` image."""

    base64: str = ""
    md5: str = ""


class Article(msgspec.Struct, frozen=True):
    """One of ``news.articles``."""

    title: str = ""
    description: str = ""
    url: str = ""
    picurl: str = ""


class News(msgspec.Struct, frozen=True):
    """``msgtype`` news."""

    articles: list[Article] = []


class Media(msgspec.Struct, frozen=True):
    """``msgtype`` file and voice."""

    media_id: str = ""


class MiniProgram(msgspec.Struct, frozen=True):
    """``msgtype`` miniprogram."""

    title: str = ""
    pic_media_id: str = ""
    appid: str = ""
    page: str = ""


class Body(msgspec.Struct, frozen=True):
    """The whole body; unknown fields are ignored."""

    msgtype: str = ""
    chatid: str = ""
    post_id: str = ""
    visible_to_user: str = ""
    text: Text = field(default_factory=Text)
    markdown: Markdown = field(default_factory=Markdown)
    markdown_v2: MarkdownV2 = field(default_factory=MarkdownV2)
    image: Image = field(default_factory=Image)
    news: News = field(default_factory=News)
    file: Media = field(default_factory=Media)
    voice: Media = field(default_factory=Media)
    miniprogram: MiniProgram = field(default_factory=MiniProgram)
