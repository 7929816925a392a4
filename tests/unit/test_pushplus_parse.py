"""The checks that need nothing but the request, and the table of answers (sheet pushplus §1.5)."""

import pytest

from onebell.dialects.pushplus import answer, parse
from onebell.dialects.pushplus.answer import Fault, OpenFault, Rejected
from onebell.dialects.pushplus.fields import Fields
from onebell.dialects.pushplus.limits import PROFILES

OFF, STRICT = PROFILES["off"], PROFILES["strict"]
NOW = 1_790_000_000_000


def fault_of(call, *arguments) -> Fault:
    with pytest.raises(Rejected) as caught:
        call(*arguments)
    return caught.value.fault


def text_of(call, *arguments) -> str:
    with pytest.raises(Rejected) as caught:
        call(*arguments)
    return caught.value.text


def test_content_is_required():
    """E6, before any length."""
    assert Fault.CONTENT_ABSENT is fault_of(parse.asked, Fields(title="t" * 1000), OFF)


@pytest.mark.parametrize(("profile", "title", "content"), [(OFF, 200, 100_000), (STRICT, 100, 20_000)])
def test_lengths_are_characters(profile, title, content):
    """E7 and E8 name the limit; a Chinese character counts as one."""
    parse.asked(Fields(title="标" * title, content="文" * content), profile)

    assert f"消息标题不能超过{title}个字" == text_of(parse.asked, Fields(title="t" * (title + 1), content="c"), profile)
    assert f"消息内容不能超过{content}个字" == text_of(parse.asked, Fields(content="c" * (content + 1)), profile)


@pytest.mark.parametrize("name", ["form", "DOC", "Excel", "webdiff"])
def test_form_templates_are_refused(name):
    """E16: onebell has no such objects, with or without their id."""
    assert f"template为{name.lower()}时，pushId不能为空" == text_of(
        parse.asked, Fields(content="c", template=name), OFF
    )
    assert text_of(parse.asked, Fields(content="c", template=name, push_id="1"), OFF) == "push模板暂不支持"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("", "html"), ("nope", "html"), ("TXT", "txt"), (" json ", "json"), ("CLOUDMONITOR", "cloudMonitor")],
)
def test_an_unknown_template_is_html(name, canonical):
    """Never break a script that works."""
    assert canonical == parse.asked(Fields(content="c", template=name), OFF).template


def test_friends_are_trimmed_merged_and_cut():
    """Trim, drop empties, merge duplicates, then cut to the profile's number; the rest is dropped silently."""
    tokens = ",".join([" a ", "", "a", *(f"t{no}" for no in range(20))])

    assert ("a", *(f"t{no}" for no in range(9))) == parse.asked(Fields(content="c", to=tokens), STRICT).to
    assert len(parse.asked(Fields(content="c", to=tokens), OFF).to) == 21


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://example.com/x?y=1", "https://example.com/x?y=1"),
        (" http://example.com ", "http://example.com"),
        ("ftp://example.com", ""),
        ("javascript:alert(1)", ""),
        ("http://", ""),
        ("http://[", ""),
        ("example.com/cb", ""),
        (f"https://example.com/{'x' * parse.URL_CHARS}", ""),
    ],
    ids=lambda text: text[:25],
)
def test_a_callback_url_must_be_http(url, kept):
    """Another one is accepted and never called."""
    asked = parse.asked(Fields(content="c", callback_url=url), OFF)

    assert (kept, True) == (asked.callback_url, asked.has_callback)


def test_what_a_row_has_no_room_for_is_left_out():
    """An endless icon is none; an endless receiver stays one that nobody is, and never becomes the sender himself."""
    asked = parse.asked(Fields(content="c", icon=f"https://a/{'x' * parse.URL_CHARS}", to="x" * 1_000_000), OFF)

    assert (asked.icon, asked.to) == ("", ("x" * parse.ID_CHARS,))


@pytest.mark.parametrize("icon", ["javascript:alert(1)", "//a/i.png", "data:image/png;base64,AA==", "i.png", "http://"])
def test_an_icon_is_an_address(icon):
    """A robot may refuse a whole card for its picture: what is no http(s) URL is as good as none."""
    assert parse.asked(Fields(content="c", icon=icon), OFF).icon == ""
    assert parse.asked(Fields(content="c", icon=" https://a/i.png "), OFF).icon == "https://a/i.png"


@pytest.mark.parametrize("name", ["wechat", "WEBHOOK", " mail ", "cp", "sms", "extension", "app"])
def test_channels_are_matched_without_case(name):
    """Stored canonically."""
    assert name.strip().lower() == parse.channel_of(name).name


@pytest.mark.parametrize("name", ["nope", "voice", "clawbot", "qq", "cmcc", "wechat,mail"])
def test_an_unknown_channel_is_refused(name):
    """E9, the later channels of the service among them."""
    assert Fault.CHANNEL_UNKNOWN is fault_of(parse.channel_of, name)


@pytest.mark.parametrize(
    ("timestamp", "fault"),
    [
        ("1632993318000", Fault.TIMESTAMP_PAST),
        (str(NOW - 1), Fault.TIMESTAMP_PAST),
        ("0", Fault.TIMESTAMP_PAST),
        ("-5", Fault.TIMESTAMP_PAST),
        ("1632993318", Fault.TIMESTAMP_PAST),
        ("1.632993318e+12", Fault.TIMESTAMP_PAST),
        ("soon", Fault.TIMESTAMP_MALFORMED),
        ("1.5", Fault.TIMESTAMP_MALFORMED),
        ("1_790_000_000_001", Fault.TIMESTAMP_MALFORMED),
        ("²", Fault.TIMESTAMP_MALFORMED),
        ("9" * 20, Fault.TIMESTAMP_MALFORMED),
        ("true", Fault.TIMESTAMP_MALFORMED),
        ("{}", Fault.TIMESTAMP_MALFORMED),
    ],
)
def test_a_past_or_malformed_timestamp_is_refused(timestamp, fault):
    """E12 and E13."""
    assert fault is fault_of(parse.check_time, timestamp, NOW)


@pytest.mark.parametrize(
    "timestamp", ["", str(NOW), str(NOW + 60_000), f"+{NOW}", f"{NOW}.0", "1.79e+12", "1.8E12", "9" * 19, "1e99"]
)
def test_a_timestamp_from_now_on_passes(timestamp):
    """The message goes out while the server's time is not greater."""
    parse.check_time(timestamp, NOW)


def test_batch_pairs_match_by_position():
    """``wechat,webhook,extension`` ↔ ``,bark,``; without a channel it is wechat."""
    pairs = parse.batch_channels(Fields(channel="wechat,webhook,extension", option=",bark,"))

    assert pairs == [("wechat", ""), ("webhook", "bark"), ("extension", "")]
    assert parse.batch_channels(Fields()) == [("wechat", "")]
    assert parse.batch_channels(Fields(channel="mail, webhook", webhook="163")) == [("mail", "163"), ("webhook", "")]
    # A comma too many sends nothing a second time.
    assert parse.batch_channels(Fields(channel="wechat,,webhook,", option=",,bark")) == [
        ("wechat", ""),
        ("webhook", "bark"),
    ]
    # Matched without case and told canonically; what is no channel is told as it was written.
    assert parse.batch_channels(Fields(channel="WeChat,Nope")) == [("wechat", ""), ("Nope", "")]
    assert parse.batch_channels(Fields(channel=" , ")) == [("wechat", "")]
    assert Fault.TOO_MANY_CHANNELS is fault_of(parse.batch_channels, Fields(channel="a,b,c,d,e,f"))


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.row)
def test_every_refusal_is_http_200_with_three_keys(fault):
    """The verdict is ``code``; Chinese is not escaped; browsers may read it."""
    found = answer.rejected(Rejected(fault, 100))

    assert found.status == 200
    assert f'{{"code":{fault.code},"msg":"{fault.text.format(100)}","data":null}}' == found.body.decode()
    headers = dict(found.headers)
    assert headers[b"content-type"] == b"application/json;charset=UTF-8"
    assert headers[b"access-control-allow-origin"] == b"*"
    assert headers[b"access-control-allow-headers"] == b"content-type, access-key"


def test_codes_do_not_make_clients_give_the_token_away():
    """qinglong re-posts message and token to a third party on any code but 900, 903, 905 and 999.

    It never asks for channel sms, the only one whose points run short.
    """
    rare = {Fault.ADDRESS_BANNED, Fault.POINTS_SHORT, Fault.UNEXPECTED}

    assert {900, 903, 905, 999} == {fault.code for fault in Fault if fault not in rare}


def test_success_has_exactly_three_keys():
    """A ``count`` would break the official MCP server."""
    code = "3cbc5eab19fe512e80677540fbde332a"

    assert f'{{"code":200,"msg":"请求成功","data":"{code}"}}' == answer.accepted(code).body.decode()


def test_open_api_puts_the_reason_into_data():
    """The open API's own form of a refusal, HTTP 200 even for 401: SDKs refresh on the code."""
    found = OpenFault.UNAUTHORIZED.answer

    assert (found.status, found.body.decode()) == (200, '{"code":401,"msg":"请求未授权","data":null}')
    assert OpenFault.NOT_BUILT.answer.body.decode() == '{"code":999,"msg":"服务端验证错误","data":"暂不支持"}'


def test_wrong_method_is_405_and_options_is_answered():
    """Only other methods and unknown paths have another status."""
    wrong = answer.wrong_method(("GET", "POST"))

    assert (wrong.status, dict(wrong.headers)[b"allow"]) == (405, b"GET,POST")
    assert dict(answer.options().headers)[b"access-control-allow-methods"] == b"GET,POST,PUT,DELETE,OPTIONS"
    assert answer.no_route().status == 404
