"""Ways out of PushPlus messages: robots, mail, batches and callbacks (sheet pushplus §1.4, §3, §5, A33 to A41)."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.wire.pushplus.support import FB, UTB, UTC, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("field", ["webhook", "option"])
async def test_a33_a_wecom_robot_gets_a_news_article(client, sink, field):
    """A33: title, summary and the link to the page; ``option`` is the newer name."""
    code = await client.accepted(title="标题", content="消息内容", channel="webhook", **{field: "wecom"})
    (request,) = await eventually(lambda: sink.about(code))
    (article,) = request.json["news"]["articles"]

    assert request.json["msgtype"] == "news"
    assert (article["title"], article["description"]) == ("标题", "消息内容")
    assert article["url"] == f"http://onebell.example/shortMessage/{code}"
    assert not await client.has("alice", code)


async def test_a33_short_txt_goes_as_text(client, sink):
    """§5.1 type 1: template=txt below 1900 characters."""
    await client.accepted(title="标题", content="纯文本一二三", channel="webhook", webhook="wecom", template="txt")
    (request,) = await eventually(lambda: sink.about("纯文本一二三"))

    assert request.json == {"msgtype": "text", "text": {"content": "标题\n\n纯文本一二三"}}


async def test_a34_a_dingtalk_robot_gets_an_action_card(client, sink):
    """A34: a card whose button opens the page; txt goes as text; "pushplus" stays in both for the robot's keyword."""
    code = await client.accepted(title="标题", content="消息内容", channel="webhook", webhook="ding")
    (card,) = await eventually(lambda: sink.about(code, "/robot/send"))
    await client.accepted(title="标题", content="消息三四", channel="webhook", webhook="ding", template="txt")
    (text,) = await eventually(lambda: sink.about("消息三四", "/robot/send"))

    assert card.json["msgtype"] == "actionCard"
    assert card.json["actionCard"] == {
        "title": "标题",
        "text": "消息内容",
        "singleTitle": "查看pushplus消息详情",
        "singleURL": f"http://onebell.example/shortMessage/{code}",
    }
    assert text.json == {"msgtype": "text", "text": {"content": "pushplus消息：\n标题\n\n消息三四"}}


async def test_a34_a_feishu_bot_gets_a_post(client, sink):
    """§5.1 type 3: a post of the summary and a link."""
    code = await client.accepted(title="标题", content="<b>消息</b>内容", channel="webhook", webhook="lark")
    (request,) = await eventually(lambda: sink.about(code, "/open-apis/bot"))
    post = request.json["content"]["post"]["zh_cn"]

    assert (post["title"], post["content"][0]) == ("标题", [{"tag": "text", "text": "消息内容"}])
    assert post["content"][1][0]["href"] == f"http://onebell.example/shortMessage/{code}"


async def test_a35_flows_get_the_short_code(client, sink):
    """A35: HiFlow gets the document's five keys, IFTTT its three values."""
    code = await client.accepted(title="标题", content="消息内容", channel="webhook", webhook="flow")
    (flow,) = await eventually(lambda: sink.about(code, "/flow"))
    link = f"http://onebell.example/shortMessage/{code}"
    other = await client.accepted(title="标题", content="消息内容", channel="webhook", webhook="ift")
    (ift,) = await eventually(lambda: sink.about(other, "/trigger/bell/with/key/k"))

    assert list(flow.json) == ["title", "content", "icon", "url", "shortCode"]
    assert (flow.json["title"], flow.json["content"], flow.json["url"]) == ("标题", "消息内容", link)
    assert (flow.json["shortCode"], flow.json["icon"]) == (code, "http://onebell.example/assets/logo.png")
    assert ift.json == {
        "value1": "标题",
        "value2": "消息内容",
        "value3": f"http://onebell.example/shortMessage/{other}",
    }


async def test_jijyun_gets_what_hiflow_gets(client, sink):
    """§5.1 type 9: the same five keys, success by the service's own code."""
    code = await client.accepted(
        title="标题",
        content="<b>消息</b>",
        token=UTC,
        channel="webhook",
        webhook="jijyun",
        callbackUrl=f"{sink.base}/callback",
    )
    (request,) = await eventually(lambda: sink.about(code, "/v1/accept/data/webhook_accept_first?apikey=k"))

    assert list(request.json) == ["title", "content", "icon", "url", "shortCode"]
    assert request.json["content"] == "<b>消息</b>"
    (told,) = await eventually(lambda: sink.about(code, "/callback"))
    assert told.json["messageInfo"]["sendStatus"] == 2


async def test_wxpusher_gets_a_summary_in_the_address(client, sink):
    """§5.1 type 11: GET the pasted address with content and url appended."""
    code = await client.accepted(
        title="标题",
        content="<b>消息</b>",
        token=UTC,
        channel="webhook",
        webhook="wx",
        callbackUrl=f"{sink.base}/callback",
    )
    (request,) = await eventually(lambda: sink.about(code, "/api/send/message/"))

    assert (request.method, request.body) == ("GET", b"")
    assert dict(parse_qsl(urlsplit(request.target).query)) == {
        "appToken": "AT_x",
        "uid": "UID_a",
        "content": "标题\n消息",
        "url": f"http://onebell.example/shortMessage/{code}",
    }
    (told,) = await eventually(lambda: sink.about(code, "/callback"))
    assert told.json["messageInfo"]["sendStatus"] == 2


async def test_a_picture_alone_has_words_on_a_card(client, sink):
    """Gotify and others refuse an empty text: a message without words is named after the service."""
    code = await client.accepted(content='<img src="https://example.com/x.png">', channel="webhook", webhook="gotify")
    (request,) = await eventually(lambda: sink.about(code, "/message"))

    assert (request.json["title"], request.json["message"]) == ("pushplus消息", "pushplus消息")


async def test_a36_a_request_of_ones_own(client, sink):
    """A36: the config's header and body, its placeholder filled."""
    await client.accepted(content="你好三六", channel="webhook", webhook="diy")
    (request,) = await eventually(lambda: sink.about("你好三六", "/diy"))

    assert (request.method, request.headers["test"]) == ("POST", "test")
    assert request.body.decode() == "这是消息内容：你好三六"


async def test_an_own_webhook_gets_our_body(client, sink):
    """A config that names a webhook of one's own: its carrier's documented body."""
    code = await client.accepted(title="标题", content="<b>正文</b>", channel="webhook", webhook="hook")
    (request,) = await eventually(lambda: sink.about(code, "/hook"))

    assert (request.json["title"], request.json["text"], request.json["dialect"]) == ("标题", "正文", "pushplus")


@pytest.mark.parametrize(("to", "touser"), [("", "@all"), ("zhangsan, lisi,zhangsan", "zhangsan|lisi")])
async def test_cp_sends_as_the_app(client, sink, to, touser):
    """§5.2: a news article to the config's members, or to the WeCom user ids in ``to``."""
    code = await client.accepted(title="标题", content="消息内容", channel="cp", webhook="cp", to=to)
    (request,) = await eventually(lambda: sink.about(code, "/cgi-bin/message/send"))

    assert (request.json["touser"], request.json["agentid"], request.json["msgtype"]) == (touser, 1000002, "news")
    assert request.json["news"]["articles"][0]["title"] == "标题"
    assert not await client.has("alice", code)


async def test_an_app_under_channel_webhook(client, sink):
    """§5.1 type 6: an alias of cp with that code."""
    code = await client.accepted(title="标题", content="c", channel="webhook", webhook="cp")

    assert await eventually(lambda: sink.about(code, "/cgi-bin/message/send"))


async def test_a38_a_callback_when_the_message_is_finished(client, sink):
    """A38: exactly one POST of the documented body to the address in the request."""
    code = await client.accepted(content="c", callbackUrl=f"{sink.base}/callback")
    (request,) = await eventually(lambda: sink.about(code))

    assert (request.method, request.target) == ("POST", "/callback")
    assert request.headers["content-type"].startswith("application/json")
    assert request.json == {
        "event": "message_complate",
        "messageInfo": {"message": "", "shortCode": code, "sendStatus": 2},
    }


async def test_a38_the_accounts_address_is_told_when_the_request_names_none(client, sink):
    """§3: the request's address, else the account's."""
    code = await client.accepted(token=UTB, content="c")
    (request,) = await eventually(lambda: sink.about(code))

    assert request.target == "/account"


async def test_a38_nobody_received_it(client, sink):
    """§1.6: status 3 and why."""
    code = await client.accepted(content="c", topic="empty", callbackUrl=f"{sink.base}/callback")
    (request,) = await eventually(lambda: sink.about(code))

    assert request.json["messageInfo"] == {"message": "无用户接收消息", "shortCode": code, "sendStatus": 3}


async def test_a39_a_refused_webhook_is_told_as_failed(client, sink):
    """A39: one callback with sendStatus 3 and the provider's words."""
    code = await client.accepted(
        content="refuse me", channel="webhook", webhook="refusing", callbackUrl=f"{sink.base}/callback"
    )
    (request,) = await eventually(lambda: sink.about(code, "/callback"))

    assert request.json["messageInfo"]["sendStatus"] == 3
    assert request.json["messageInfo"]["message"]


async def test_a39_a_broken_webhook_is_told_as_failed_when_its_time_is_over(client, sink):
    """A39: 500 until the account's max_age of 2 s has passed, then one callback with sendStatus 3 and its words."""
    code = await client.accepted(
        content="broken", channel="webhook", option="brokenFlow", callbackUrl=f"{sink.base}/callback"
    )
    (request,) = await eventually(lambda: sink.about(code, "/callback"))
    result = await client.result(code)

    why = "HTTP 500: out of order"
    assert request.json["messageInfo"] == {"message": why, "shortCode": code, "sendStatus": 3}
    assert (result["status"], result["errorMessage"]) == (3, why)


async def test_a40_batch(client, sink):
    """A40: one message and one shortCode per channel, in request order."""
    answer = await client.post("/batchSend", content="c", channel="wechat,webhook,extension", option=",bark,")
    body = json.loads(answer.body)

    assert (body["code"], body["msg"]) == (200, "执行成功")
    assert [item["channel"] for item in body["data"]] == ["wechat", "webhook", "extension"]
    assert {item["code"] for item in body["data"]} == {200}
    assert {item["message"] for item in body["data"]} == {"请求成功，请用流水号查询最终发送结果"}
    assert len({item["shortCode"] for item in body["data"]}) == 3
    assert await eventually(lambda: sink.about(body["data"][1]["shortCode"]))
    assert await client.has("alice", body["data"][2]["shortCode"])


async def test_the_extension_is_told_which_entries_are_its_own(client):
    """§5: channel extension flags the entries of all its receivers; app and wechat go to the same inboxes unflagged."""
    flagged = await client.accepted(content="c", channel="extension", topic="ops")
    plain = [await client.accepted(content="c", channel=channel) for channel in ("app", "wechat")]

    assert [(await client.entry(uid, flagged))["extension"] for uid in ("alice", "bob")] == [True, True]
    assert [(await client.entry("alice", code))["extension"] for code in plain] == [False, False]


async def test_a41_a_failing_channel_of_a_batch(client):
    """A41: the top level stays 200, its element tells."""
    answer = await client.post("/batchSend", content="c", channel="wechat,webhook", option=",nope")
    first, second = json.loads(answer.body)["data"]

    assert first["code"] == 200
    assert second == {"shortCode": None, "message": "渠道编码不存在", "code": 999, "channel": "webhook"}


async def test_mail_reaches_the_site_mailer(client, mailbox):
    """§5: channel mail without a code uses the site's mailer; the subject is the title, the body the content."""
    await client.accepted(title="邮件标题", content="<p>邮件正文内容</p>", channel="mail")
    mail = await eventually(lambda: mailbox.titled("邮件标题"))

    assert mail.receivers == ("alice@example.test",)
    assert "邮件正文内容" in mail.part("text/html")


async def test_mail_over_an_account_of_ones_own(client, mailbox):
    """§5.3: a config code names the mailer, for friends as well; whoever has no mailbox is skipped."""
    code = await client.accepted(title="自己的邮箱", content="c", channel="mail", option="163", topic="ops")

    assert (await eventually(lambda: mailbox.titled("自己的邮箱"))).receivers == ("alice@example.test",)
    assert (await client.result(code))["status"] == 2


async def test_mail_without_an_address(client):
    """§1.6: nobody with a bound mailbox is nobody who received it."""
    code = await client.accepted(content="c", channel="mail", to=FB)
    result = await client.result(code)

    assert (result["status"], result["errorMessage"]) == (3, "无用户接收消息")
