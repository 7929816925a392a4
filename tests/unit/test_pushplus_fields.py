"""Where PushPlus takes its values from: body, URL, path, or the whole body (sheet pushplus §1.3)."""

import threading

import msgspec
import pytest

from onebell.core.bodies import LOOP_CHARS
from onebell.dialects.pushplus.answer import Fault, Rejected
from onebell.dialects.pushplus.fields import MAX_FIELDS, Fields, aside, read
from onebell.http.exchange import Request

TOKEN = "0123456789abcdef0123456789abcdef"
JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"


def request(body: bytes | str = b"", kind: bytes | None = JSON, query: str = "", method: str = "POST") -> Request:
    headers = [] if kind is None else [(b"content-type", kind)]
    raw = body.encode() if isinstance(body, str) else body
    scope = {"method": method, "query_string": query.encode(), "headers": headers, "client": ("192.0.2.1", 1)}
    return Request(scope, b"/send", raw)


async def test_a_long_body_is_read_beside_the_loop():
    """Reading leniently takes 100 ms and more: nobody else waits for it, and what is refused is refused as before."""
    short, long = request("{}"), request("{" + " " * LOOP_CHARS)

    assert await aside(short, lambda _: threading.get_ident()) == threading.get_ident()
    assert await aside(long, lambda _: threading.get_ident()) != threading.get_ident()
    with pytest.raises(Rejected) as refused:
        await aside(long, read)
    assert refused.value.fault is Fault.NOT_JSON


def given(fields: Fields) -> dict[str, str]:
    """What is not absent."""
    return {name: value for name, value in msgspec.structs.asdict(fields).items() if value}


def test_query_alone_is_enough():
    """A GET without a body takes everything from the URL, percent-decoded as UTF-8; ``+`` is a blank."""
    fields = read(request(kind=None, query=f"token={TOKEN}&content=pushplus%E6%B6%88%E6%81%AF+a%2Bb", method="GET"))

    assert given(fields) == {"token": TOKEN, "content": "pushplus消息 a+b"}


def test_body_beats_url_parameter_by_parameter():
    """Each value is looked for in the body first, then in the URL."""
    fields = read(request('{"title":"body","content":"c"}', query=f"title=url&topic=ops&token={TOKEN}"))

    assert given(fields) == {"token": TOKEN, "title": "body", "topic": "ops", "content": "c"}


def test_token_in_query_beats_token_in_path():
    """The path is the last place a token is looked for."""
    assert read(request(query="token=q"), b"p").token == "q"
    assert read(request(query="token="), b"p").token == "p"
    assert read(request('{"token":"b"}', query="token=q"), b"p").token == "b"


def test_token_in_path_is_percent_decoded():
    """The router hands the segment over as it was written."""
    assert read(request(), b"a%20b").token == "a b"


@pytest.mark.parametrize("absent", ["null", '""', '"  "', '"\\n"'])
def test_null_and_blank_count_as_absent(absent):
    """Real clients send null or an empty string for every field they do not use; the URL's value then counts."""
    body = f'{{"token":"t","content":"c","topic":{absent},"channel":{absent},"to":{absent}}}'
    fields = read(request(body, query="topic=ops"))

    assert given(fields) == {"token": "t", "content": "c", "topic": "ops"}


def test_unknown_and_wrongly_cased_fields_are_ignored():
    """Field names are case-sensitive; what is not known is not an error."""
    assert given(read(request('{"content":"c","Title":"T","foo":1}'))) == {"content": "c"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('{"a": 1, "b": [true, null]}', '{"a":1,"b":[true,null]}'),
        ("[1, 2]", "[1,2]"),
        ("82", "82"),
        ("1.50", "1.50"),
        ('{"price":20.00, "total":1e5}', '{"price":20.00,"total":1e5}'),
        ("true", "true"),
        ("false", "false"),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\ud800"', "\ufffd"),
    ],
)
def test_content_of_another_type_becomes_its_text(value, text):
    """An object is serialised compactly (the Jenkins plug-in sends one), a number is its text, never an error."""
    assert text == read(request(f'{{"content":{value}}}')).content


def test_a_repeated_url_parameter_counts_once():
    """The first one wins, as in a servlet; a blank one does not count."""
    assert read(request(query="title=&title=b&title=c")).title == "b"


def test_whole_body_is_content_when_template_is_in_the_url():
    """The raw body is the content byte for byte, even with a content key in it."""
    body = '{ "content":"x",\n "a":1 }'
    fields = read(request(body, query="template=json"), TOKEN.encode())

    assert {"token": TOKEN, "template": "json", "content": body} == given(fields)


def test_whole_body_honours_title_and_topic_only():
    """Foreign keys of an alarm must not act: its timestamp of 2017 would expire the message."""
    body = '{"topic":"ops","title":"T","timestamp":"1508136760","channel":"mail","to":"x"}'
    fields = read(request(body, query=f"template=cloudMonitor&token={TOKEN}&title=url"))

    assert {
        "token": TOKEN,
        "template": "cloudMonitor",
        "content": body,
        "title": "T",
        "topic": "ops",
    } == given(fields)


def test_whole_body_takes_the_token_only_when_the_url_has_none():
    """A token key of a foreign body must not replace the caller's."""
    assert read(request('{"token":"body"}', query="template=json&token=url")).token == "url"
    assert read(request('{"token":"body"}', query="template=json"), b"path").token == "path"
    assert read(request('{"token":"body"}', query="template=json")).token == "body"


@pytest.mark.parametrize(
    ("query", "kind", "body", "content"),
    [
        ("", JSON, '{"token" : "%s","a":1}', '{"token" : "******","a":1}'),
        ("", FORM, "token=%s&a=1", '{"token":"******","a":"1"}'),
        ("&token=%s", JSON, "{token:'%s',url:'https://a/?token=%s'}", "{token:'******',url:'https://a/?token=******'}"),
        ("&token=%s", b"text/plain", "key %s", "key ******"),
    ],
)
def test_whole_body_shows_nobody_the_senders_token(query, kind, body, content):
    """What readers get is the body as it came but for the token that it was sent with, wherever that stood."""
    query, body = (text.replace("%s", TOKEN) for text in (query, body))
    fields = read(request(body, kind, f"template=json{query}"))

    assert {"token": TOKEN, "template": "json", "content": content} == given(fields)


def test_whole_body_keeps_what_is_no_token():
    """A token that nobody can have is refused; as a word of the content it is one like any other."""
    assert read(request('{"a":"a token"}', query="template=json&token=a")).content == '{"a":"a token"}'


def test_whole_body_needs_no_json():
    """Any text is content; under application/json too."""
    fields = read(request("plain 文本", query="template=txt&token=t"))

    assert given(fields) == {"token": "t", "template": "txt", "content": "plain 文本"}


def test_template_in_url_without_body_is_normal_mode():
    """``/send?token=…&content=…&template=txt`` is the seed's first example with a template."""
    assert given(read(request(b"  ", query="token=t&content=c&template=txt"))) == {
        "token": "t",
        "content": "c",
        "template": "txt",
    }


def test_form_with_template_in_url_stays_normal_when_it_has_content():
    """A servlet merges form fields with the URL's."""
    fields = read(request("title=a&content=b", FORM, query="template=txt&token=t"))

    assert given(fields) == {"token": "t", "template": "txt", "title": "a", "content": "b"}


def test_form_with_template_in_url_and_no_content_becomes_an_object():
    """Aliyun posts alarms as forms: the fields in order are the content, and none of them acts."""
    fields = read(request("alertName=a&timestamp=1508136760&x=", FORM, query="template=cloudMonitor&token=t"))

    assert given(fields) == {
        "token": "t",
        "template": "cloudMonitor",
        "content": '{"alertName":"a","timestamp":"1508136760","x":""}',
    }


def test_text_under_the_form_type_is_content():
    """``curl -d 'disk full' …/send/{token}?template=txt`` says form: the raw body is the content all the same."""
    assert read(request("disk full", FORM, query="template=txt&token=t")).content == "disk full"


def test_template_in_body_is_not_whole_body_mode():
    """Only the URL's template makes the body the content."""
    assert read(request('{"template":"json","content":"c"}')).content == "c"


def test_form_keeps_raw_utf8():
    """The official shell demo posts raw UTF-8 in a form; percent-encoding beside it is decoded."""
    body = "token=t&title=测试工单&content=消息的内容<br/><img src='x' />%20%E6%B6%88+a"
    fields = read(request(body, FORM))

    assert fields.title == "测试工单"
    assert fields.content == "消息的内容<br/><img src='x' /> 消 a"


def test_form_with_bad_utf8_is_read_with_replacements():
    """Never an error, never a surrogate."""
    assert read(request(b"content=\xff%ff%zz", FORM)).content == "\ufffd\ufffd%zz"


def test_json_under_the_form_type_is_json():
    """``curl -d '{…}'`` says form and means JSON."""
    assert given(read(request('{"token":"t","content":"c"}', FORM))) == {"token": "t", "content": "c"}


def test_content_type_may_begin_with_a_blank_and_carry_a_charset():
    """qinglong sends ``' application/json'``."""
    assert read(request('{"content":"c"}', b" application/json; charset=utf-8")).content == "c"
    assert read(request('{"content":"c"}', b"Application/JSON")).content == "c"


def test_multipart_fields_are_parameters():
    """Fields of a multipart form count, its files do not."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nt\r\n'
        b'--b\r\nContent-Disposition: form-data; name="content"\r\n\r\n\xe6\xb6\x88\xe6\x81\xaf\r\n'
        b'--b\r\nContent-Disposition: form-data; name="title"; filename="x"\r\n\r\nfile\r\n--b--\r\n'
    )

    assert given(read(request(body, b"multipart/form-data; boundary=b"))) == {"token": "t", "content": "消息"}
    assert given(read(request(body, b'multipart/form-data; boundary="b"'))) == {"token": "t", "content": "消息"}
    assert given(read(request(body, b"multipart/form-data"))) == {}


def test_further_fields_of_a_form_are_not_looked_at():
    """A body of a million fields costs no more than one of a thousand."""
    others = "&".join(["x=1"] * (MAX_FIELDS - 2))
    fields = read(request(f"token=t&{others}&content=c&title=late{'&y' * 500_000}", FORM))

    assert given(fields) == {"token": "t", "content": "c"}


@pytest.mark.parametrize("kind", [None, b"text/plain", b"application/octet-stream"])
def test_another_type_is_json_when_it_parses_else_content(kind):
    """Text is the content when the URL gave a token and no content; otherwise the body says nothing."""
    assert given(read(request('{"token":"t","content":"c"}', kind))) == {"token": "t", "content": "c"}
    assert given(read(request("hello", kind, query="token=t"))) == {"token": "t", "content": "hello"}
    assert given(read(request("hello", kind, query="token=t&content=u"))) == {"token": "t", "content": "u"}
    assert given(read(request("hello", kind))) == {}


@pytest.mark.parametrize("body", ['{"token":', "[1]", '"text"', "null", "1", "plain", b"\xff\xfe{", "[" * 5000])
def test_application_json_must_be_an_object(body):
    """Anything else under application/json is E15."""
    with pytest.raises(Rejected) as caught:
        read(request(body))

    assert Fault.NOT_JSON is caught.value.fault


def test_lenient_json_bodies_of_the_manual_are_read():
    """Single quotes, bare keys, raw line breaks and trailing commas, as the documents print them; a BOM too."""
    body = "\ufeff{token:'t', 'content':'一\n二',\n \"title\" : \"it's\",}"

    assert given(read(request(body))) == {"token": "t", "content": "一\n二", "title": "it's"}


@pytest.mark.parametrize(
    "body",
    [
        '{"token":"t","content":"c","template":"txt","callbackUrl":"http://a","pushId":"1","unknown":{"a":[1]}}',
        '{"token":"t","content":"c","content":"last"}',
        '{"token":"t","content":"  ","channel":" ","option":"\\t","webhook":"w"}',
        '{"token":"t\\u0000","content":"a\\u0000b","topic":"o\\u0000"}',
        '{"token":"t","content":null,"timestamp":5,"to":["a"]}',
        '{"token":"t","content":"\\ud83d\\udd14 \\ud800"}',
        "{'token':'t',content:'c'}",
        '\ufeff{"token":"t","content":"c"}',
        "{}",
        " ",
    ],
)
def test_the_short_way_reads_what_the_long_way_reads(body):
    """A plain JSON request is decoded in one step; a header with a charset takes the general way: nobody sees which."""
    assert read(request(body, JSON)) == read(request(body, b"application/json; charset=utf-8"))
