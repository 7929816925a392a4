"""No input makes WeCom's readers fail: they give a message or one of WeCom's answers (RELIABILITY S1)."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from onebell.dialects.wecom import answer
from onebell.dialects.wecom.answer import Rejected
from onebell.dialects.wecom.body import (
    Action,
    Article,
    Body,
    Buttons,
    Image,
    Markdown,
    Media,
    MiniProgram,
    News,
    Text,
)
from onebell.dialects.wecom.content import content_of
from onebell.dialects.wecom.kinds import checked
from onebell.dialects.wecom.mentions import Mentions
from onebell.dialects.wecom.parse import read
from onebell.http.exchange import Answer

TYPES = ["text", "markdown", "markdown_v2", "image", "news", "file", "voice", "miniprogram", "template_card"]
STRUCTS = (Text, Markdown, Buttons, Action, News, Article, Image, Media, MiniProgram)
NAMES = st.sampled_from(sorted({name for struct in STRUCTS for name in struct.__struct_fields__}))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=10)


def parses(got: Answer) -> None:
    assert got.status == 200
    assert json.loads(got.body)["errcode"] != 0


def judged(data: bytes) -> None:
    told = read(data)
    assert msgspec.json.decode(msgspec.json.encode(told.raw)) is not None
    try:
        fields = checked(told.body, 2048)
    except Rejected as why:
        parses(answer.refused(why.fault, wrong_json=told.wrong_json, client="::1", now_ms=0, more_info="x"))
    else:
        assert msgspec.json.encode(content_of(told.body, fields, Mentions(), "bot"))


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """Bytes of any kind are a message or an answer."""
    judged(data)


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(Body.__struct_fields__), VALUES, max_size=5), VALUES)
def test_any_fields(msgtype: str, fields: dict[str, object], value: object) -> None:
    """JSON of any values under the known names is a message or an answer."""
    judged(json.dumps(fields | {"msgtype": msgtype, msgtype: value}).encode())


@given(st.sampled_from(TYPES), VALUES, st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_any_damage(msgtype: str, value: object, place: int, damage: bytes) -> None:
    """So is a body with some bytes replaced."""
    data = json.dumps({"msgtype": msgtype, msgtype: value}, ensure_ascii=False).encode(errors="surrogatepass")
    judged(data[:place] + damage + data[place + len(damage) :])
