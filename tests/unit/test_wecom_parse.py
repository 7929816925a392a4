"""How WeCom reads a body, and when its answer carries the warning (sheet wecom §2.1)."""

import json
from typing import Any

import msgspec
import pytest

from onebell.dialects.wecom.body import Body
from onebell.dialects.wecom.parse import Read, read


def text_of(data: bytes) -> tuple[str, bool]:
    told = read(data)
    return told.body.text.content, told.wrong_json


def body(**fields: Any) -> Read:
    return read(json.dumps(fields).encode())


def test_plain_json_has_no_warning() -> None:
    """Strict JSON whose known fields have their types is taken as it stands (case 1)."""
    told = body(msgtype="text", text={"content": "hi", "mentioned_list": ["a"]}, agentid=1000002, safe=0)
    assert not told.wrong_json
    assert told.body.text.mentioned_list == ["a"]
    assert told.raw["agentid"] == 1000002


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"msgtype=text&text=x",
        b'{"msgtype":"text",}',
        b"[1]",
        b"null",
        b'"x"',
        b'{"msgtype":NaN}',
        b"{",
        b"\x00",
        '{"msgtype":"text"}'.encode("utf-16"),
        b"[" * 5000,
        b'{"x":' * 100 + b"1" + b"}" * 100,
        b'{"x":' + b"9" * 5000 + b"}",
    ],
)
def test_what_cannot_be_read_is_an_empty_body(data: bytes) -> None:
    """Forms, trailing commas, other values and hopeless nesting count as ``{}`` with the warning (case 10)."""
    assert read(data) == Read(Body(), {}, wrong_json=True)


def test_a_raw_newline_in_a_string_is_kept() -> None:
    """Control characters in strings are read, with the warning (case 11)."""
    assert text_of(b'{"msgtype":"text","text":{"content":"a\nb\tc"}}') == ("a\nb\tc", True)


def test_a_byte_order_mark_is_skipped() -> None:
    """A leading BOM is read over, with the warning."""
    assert text_of(b'\xef\xbb\xbf{"msgtype":"text","text":{"content":"hi"}}') == ("hi", True)


def test_a_string_that_is_not_utf8_is_absent() -> None:
    """GBK text counts as no content, the rest of the body as it stands (case 12)."""
    told = read('{"msgtype":"text","text":{"content":"中文","mentioned_list":["a"]}}'.encode("gbk"))
    assert (told.body.msgtype, told.body.text.content, told.wrong_json) == ("text", "", True)
    assert told.raw == {"msgtype": "text", "text": {"mentioned_list": ["a"]}}


def test_escapes_are_read() -> None:
    """``json.dumps`` of Python writes escapes; pairs of surrogates make one character (case 13)."""
    assert text_of(b'{"text":{"content":"\\u4f60\\u597d\\ud83d\\ude00"}}') == ("你好😀", False)


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    """It is legal JSON: no warning, and nothing that cannot be stored."""
    assert text_of(b'{"text":{"content":"a\\ud800b"},"\\udfff":["\\ud800"]}') == ("a\ufffdb", False)
    told = read(b'{"text":{"content":"a\\ud800b"},"\\udfff":["\\ud800"]}')
    assert msgspec.json.encode(told.raw)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"msgtype": 1}, Body()),
        ({"msgtype": None}, Body()),
        ({"msgtype": "text", "text": "hi"}, Body(msgtype="text")),
        ({"msgtype": "text", "chatid": ["a"]}, Body(msgtype="text")),
    ],
)
def test_a_wrong_type_is_absent(fields: dict[str, Any], kept: Body) -> None:
    """A known field of another type counts as absent, with the warning; the others stay."""
    told = body(**fields)
    assert (told.body, told.wrong_json) == (kept, True)


def test_inside_a_struct_only_the_wrong_field_is_lost() -> None:
    """One wrong field of a struct, or of a struct in a list, does not take the others with it."""
    told = body(text={"content": "hi", "mentioned_list": "zhangsan"})
    assert (told.body.text.content, told.body.text.mentioned_list, told.wrong_json) == ("hi", [], True)
    told = body(news={"articles": [{"title": "t", "url": 1}, "x", {"title": "u", "url": "v"}]})
    assert [(article.title, article.url) for article in told.body.news.articles] == [("t", ""), ("u", "v")]
    assert told.wrong_json


def test_a_huge_number_can_be_stored() -> None:
    """Numbers beyond 64 bits in unknown fields stay readable where the original is kept."""
    told = read(b'{"msgtype":"text","chatid":1,"x":' + b"9" * 400 + b"}")
    assert msgspec.json.decode(msgspec.json.encode(told.raw))["x"] == "9" * 400


def test_a_broken_body_of_a_million_values_is_not_read() -> None:
    """The tolerant way is not for floods; strict JSON of any size is read."""
    flood = b'{"msgtype":"text","x":[' + b"1," * 30_000 + b"1]}"
    assert read(flood).body.msgtype == "text"
    assert read(flood[:-1] + b",}") == Read(Body(), {}, wrong_json=True)
