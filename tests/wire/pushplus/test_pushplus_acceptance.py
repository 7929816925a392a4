"""What accepted PushPlus messages become: receivers, content, pages, outbound requests (sheet pushplus, A01 to A49)."""

import html
import json
import re

import pytest
from tests.wire.pushplus.support import FB, FORM, JSON, MT, UT, UTB, code_of, eventually, refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")


def page_lines(page: str) -> list[str]:
    """The words of a page, line by line."""
    shown = page.partition("<article>")[2].partition("</article>")[0]
    return [html.unescape(re.sub(r"<[^<>]*>", "", line)).strip() for line in re.split(r"<br */?>|\n", shown)]


async def test_a01_content_reaches_the_senders_own_inbox(client):
    """A01: percent-encoded UTF-8 in a GET; the default template is html."""
    code = code_of(await client.raw("GET", f"/send?token={UT}&content=pushplus%E6%B6%88%E6%81%AF"))
    entry = await client.entry("alice", code)

    assert (entry["body"], entry["format"], entry["dialect"]) == ("pushplus消息", "html", "pushplus")
    assert not await client.has("bob", code)


async def test_a01_raw_utf8_in_the_url(client):
    """The seed's first example, as curl sends it."""
    code = code_of(await client.raw("GET", f"/send?token={UT}&content=pushplus消息内容"))

    assert (await client.entry("alice", code))["body"] == "pushplus消息内容"


async def test_a03_put_and_delete_are_two_messages(client):
    """A03: both carry a body and behave exactly like POST."""
    body = json.dumps({"token": UT, "title": "标题", "content": "消息内容"}, ensure_ascii=False)
    codes = {code_of(await client.raw(method, "/send", JSON, body)) for method in ("PUT", "DELETE")}

    assert len(codes) == 2
    for code in codes:
        assert (await client.entry("alice", code))["title"] == "标题"


async def test_a07_a_topic_goes_to_its_members(client):
    """A07: body title beats the URL's, the URL's topic counts; A and B get it."""
    body = json.dumps({"token": UT, "title": "body", "content": "c"})
    code = code_of(await client.raw("POST", "/send?title=url&topic=ops", JSON, body))

    for uid in ("alice", "bob"):
        assert (await client.entry(uid, code))["title"] == "body"
    assert "群发" in await client.page(code)


async def test_a08_a_raw_form_is_not_mangled(client):
    """A08: raw UTF-8 and HTML in a form body arrive identically."""
    content = "消息的内容<br/><img src='x' />"
    code = code_of(await client.raw("POST", "/send/", FORM, f"token={UT}&title=测试工单&content={content}"))
    entry = await client.entry("alice", code)

    assert (entry["title"], entry["body"]) == ("测试工单", content)


async def test_a09_a_form_with_template_in_the_body(client):
    """A09: not whole-body mode; template markdown."""
    code = code_of(await client.raw("POST", f"/send?token={UT}", FORM, "title=t&content=%E5%86%85&template=markdown"))
    entry = await client.entry("alice", code)

    assert (entry["body"], entry["format"]) == ("内", "markdown")


async def test_a10_whole_body_json(client):
    """A10: the raw body is the content; the page shows one line per pair."""
    body = '{"userName":"pushplus","updateTime":"2020-04-29 14:59:35","projectId":82}'
    code = code_of(await client.raw("POST", f"/send/{UT}?template=json", JSON, body))

    assert page_lines(await client.page(code)) == [
        "userName： pushplus",
        "updateTime： 2020-04-29 14:59:35",
        "projectId： 82",
    ]


async def test_a11_whole_body_with_a_content_key(client):
    """A11: a content key of a whole body is just one of its keys."""
    code = code_of(await client.raw("POST", f"/send/{UT}?template=json", JSON, '{"content":"x","a":1}'))

    assert page_lines(await client.page(code)) == ["content： x", "a： 1"]


async def test_a12_json_with_single_quotes(client):
    """A12: the seed's example 4, in order."""
    code = await client.accepted(title="标题", content="{'name':'名称','size':'大小','number':'数量'}", template="json")

    assert page_lines(await client.page(code)) == ["name： 名称", "size： 大小", "number： 数量"]


async def test_a13_an_alarm_with_a_foreign_timestamp(client):
    """A13: the body's own timestamp of 2017 does not expire the message."""
    body = (
        '{"timestamp":"1508136760","alertName":"基础监控-ECS-内存使用率","preTriggerLevel":"WARN","triggerLevel":"WARN",'
        '"metricName":"Host.mem.usedutilization","expression":"$Average>=95","curValue":"97.39"}'
    )
    code = code_of(await client.raw("POST", f"/send/{UT}?template=cloudMonitor", JSON, body))
    lines = page_lines(await client.page(code))

    assert "告警类型： WARN -> WARN" in lines
    assert "告警时间： 2017-10-16 14:52:40" in lines
    assert "报警内容： Host.mem.usedutilization $Average>=95 当前值:97.39" in lines
    assert (await client.entry("alice", code))["title"] == "基础监控-ECS-内存使用率"


async def test_a14_jenkins_whole_body_to_a_topic(client):
    """A14: topic and title of a whole body are honoured."""
    body = (
        '{"topic":"ops","title":"测试项目构建成功","buildState":"构建成功","projectName":"测试项目",'
        '"buildNumber":"#11","costTime":"23"}'
    )
    code = code_of(await client.raw("POST", f"/send/{UT}?template=jenkins", JSON, body))

    assert (await client.entry("bob", code))["title"] == "测试项目构建成功"
    assert "构建类型： 11次构建" in page_lines(await client.page(code))


async def test_a15_jenkins_with_an_object_as_content(client):
    """A15: a nested object renders as its JSON text would."""
    build = {"buildState": "SUCCESS", "projectName": "p #51", "buildNumber": "51", "costTime": "3"}
    nested = await client.accepted(path="/send/", template="jenkins", content=build)
    text = await client.accepted(path="/send/", template="jenkins", content=json.dumps(build))

    pages = [page_lines(await client.page(code)) for code in (nested, text)]
    without_time = [[line for line in lines if "时间" not in line] for lines in pages]
    assert without_time[0] == without_time[1]
    assert "项目名称： p #51" in " ".join(pages[0])


async def test_a16_pay(client):
    """A16: the manual's payment."""
    body = "{'amount':'20元','name':'会员','payState':'支付成功'}"
    target = f"/send/?token={UT}&title=%E6%94%B6%E6%AC%BE%E9%80%9A%E7%9F%A5&template=pay"
    code = code_of(await client.raw("POST", target, JSON, body))

    assert page_lines(await client.page(code)) == ["收款金额： 20元", "商品名称： 会员", "订单状态： 支付成功"]


async def test_a17_markdown(client):
    """A17: the seed's example 6 is a heading, a smaller one, and a list of three."""
    content = "# 大标题 \n ##### 小标题 \n  1. 第一项 \n 2. 第二项 \n 3. 第三项"
    page = await client.page(await client.accepted(content=content, template="markdown"))

    assert re.search(r"<h1>\s*大标题\s*</h1>", page)
    assert re.search(r"<h5>\s*小标题\s*</h5>", page)
    assert page.count("<li>") == 3


async def test_a18_txt_shows_tags_as_characters(client):
    """A18: nothing of a txt content is interpreted, its line breaks stay."""
    code = await client.accepted(content="<b>a</b>\nb", template="txt")

    assert page_lines(await client.page(code)) == ["<b>a</b>", "b"]


@pytest.mark.parametrize("absent", ["", None])
async def test_a19_unused_fields(client, absent):
    """A19: empty strings and nulls are absent: html, default channel, to A only."""
    unused = dict.fromkeys(("topic", "template", "channel", "webhook", "callbackUrl", "to"), absent)
    code = await client.accepted(content="c", **unused)

    assert (await client.entry("alice", code))["format"] == "html"
    assert not await client.has("bob", code)


async def test_a21_an_expired_message_token(client):
    """A21: a message token whose time is over is unknown."""
    context = client.server.application.context
    alice = await context.lookups.credential("pushplus", "user", UT)
    token = "a11ce0000000000000000000000000ff"
    await context.store.credentials.issue(alice.space, "pushplus", "message", token, owner=alice.owner, expires_at=1)

    assert (await client.post(token=token, content="c")).body.decode() == refusal("E2")


async def test_a22_a_message_token_sends_for_its_owner(client):
    """A22: accepted, and the owner gets it."""
    assert await client.has("alice", await client.accepted(token=MT, content="c"))


async def test_a24_an_expired_message_is_not_stored(client):
    """A24: refused before anything is written."""
    before = len(await client.inbox("alice"))
    answer = await client.post(content="c", timestamp=1632993318000)

    assert answer.body.decode() == refusal("E12")
    assert len(await client.inbox("alice")) == before


async def test_a26_an_unknown_template_is_html(client):
    """A26: never break a working script."""
    code = await client.accepted(content="<i>c</i>", template="nope")

    assert (await client.entry("alice", code))["format"] == "html"


async def test_a28_topic_beats_to(client):
    """A28: both given, the topic's members get it."""
    code = await client.accepted(content="c", topic="ops", to=FB)

    assert await client.has("alice", code)
    assert await client.has("bob", code)


async def test_a29_a_friend_message(client):
    """A29: only the friend gets it; his page says what it is."""
    code = await client.accepted(content="c", to=f" {FB} ,unknown,{FB}")

    assert await client.has("bob", code)
    assert not await client.has("alice", code)
    assert "好友消息" in await client.page(code)


async def test_a29_a_friend_token_works_for_its_owner_only(client):
    """Another sender's friend token reaches nobody."""
    code = await client.accepted(token=UTB, content="c", to=FB)

    assert not await client.has("bob", code)
    assert not await client.has("alice", code)


async def test_a30_no_known_friend(client):
    """A30: accepted, and failed later because no user received it."""
    code = await client.accepted(content="c", to="a,b,c")
    result = await client.result(code)

    assert (result["status"], result["errorMessage"]) == (3, "无用户接收消息")


async def test_a31_an_empty_topic(client):
    """A31: the topic's creator is not a member unless he joined."""
    code = await client.accepted(content="c", topic="empty")
    result = await client.result(code)

    assert (result["status"], result["errorMessage"]) == (3, "无用户接收消息")


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


async def test_a37_a_known_script(client):
    """A37: until scripts run, the content goes out untouched, as after a script error."""
    code = await client.accepted(content="消息内容正文", pre="appendMsg")

    assert (await client.entry("alice", code))["body"].startswith("消息内容正文")


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


async def test_a40_batch(client, sink):
    """A40: one message and one shortCode per channel, in request order."""
    answer = await client.post("/batchSend", content="c", channel="wechat,webhook,extension", option=",wecom,")
    body = json.loads(answer.body)

    assert (body["code"], body["msg"]) == (200, "执行成功")
    assert [item["channel"] for item in body["data"]] == ["wechat", "webhook", "extension"]
    assert {item["code"] for item in body["data"]} == {200}
    assert {item["message"] for item in body["data"]} == {"请求成功，请用流水号查询最终发送结果"}
    assert len({item["shortCode"] for item in body["data"]}) == 3
    assert await eventually(lambda: sink.about(body["data"][1]["shortCode"]))
    assert await client.has("alice", body["data"][2]["shortCode"])


async def test_a41_a_failing_channel_of_a_batch(client):
    """A41: the top level stays 200, its element tells."""
    answer = await client.post("/batchSend", content="c", channel="wechat,webhook", option=",nope")
    first, second = json.loads(answer.body)["data"]

    assert first["code"] == 200
    assert second == {"shortCode": None, "message": "渠道编码不存在", "code": 999, "channel": "webhook"}


async def test_a44_access_keys(client):
    """A44: 32 characters for 7200 s; a message token gets 903, a wrong secret 401."""
    path = "/api/common/openApi/getAccessKey"
    answers = [
        await client.raw("POST", path, JSON, json.dumps({"token": token, "secretKey": secret}))
        for token, secret in (
            (UT, "alice-secret"),
            ("a11ce000000000000000000000000002", "alice-secret"),
            (UT, "wrong"),
            (UTB, ""),
        )
    ]

    assert re.fullmatch(
        r'\{"code":200,"msg":"请求成功","data":\{"accessKey":"[0-9a-f]{32}","expiresIn":7200\}\}',
        answers[0].body.decode(),
    )
    assert [json.loads(answer.body)["code"] for answer in answers] == [200, 903, 401, 401]
    assert {answer.status for answer in answers} == {200}


async def test_a45_the_access_key_rule(client):
    """A45: HTTP 200 and code 401 without a key; with it the user token. What is not built says so."""
    without = await client.raw("GET", "/api/open/user/token")
    headers = (("access-key", await client.access_key()),)
    with_key = await client.raw("GET", "/api/open/user/token", headers)
    later = await client.raw("POST", "/api/open/topic/isOpen", headers, b"{}")

    assert (without.status, without.body.decode()) == (200, '{"code":401,"msg":"请求未授权","data":null}')
    assert json.loads(with_key.body)["data"] == UT
    assert later.body.decode() == '{"code":999,"msg":"服务端验证错误","data":"暂不支持"}'


async def test_a46_a_replaced_key_still_works(client):
    """A46: a new key replaces the old one; both work for five more minutes."""
    keys = [await client.access_key(), await client.access_key()]
    codes = [
        json.loads((await client.raw("GET", "/api/open/user/token", (("access-key", key),))).body)["code"]
        for key in keys
    ]

    assert keys[0] != keys[1]
    assert codes == [200, 200]


async def test_a47_send_message_result(client):
    """A47: status 2 and no error; an unknown code is a validation error with its reason in data."""
    result = await client.result(await client.accepted(content="c"))
    headers = (("access-key", await client.access_key()),)
    unknown = await client.raw("GET", f"/api/open/message/sendMessageResult?shortCode={'0' * 32}", headers)

    assert (result["status"], result["errorMessage"]) == (2, "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", result["updateTime"])
    body = json.loads(unknown.body)
    assert (body["code"], body["msg"], type(body["data"])) == (999, "服务端验证错误", str)


async def test_a47_another_ones_message_is_not_shown(client):
    """Someone else's object is 805."""
    code = await client.accepted(token=UTB, content="c")
    headers = (("access-key", await client.access_key()),)
    answer = await client.raw("GET", f"/api/open/message/sendMessageResult?shortCode={code}", headers)

    assert answer.body.decode() == '{"code":805,"msg":"无权查看","data":null}'


async def test_mail_reaches_the_site_mailer(client, mailbox):
    """§5: channel mail without a code uses the site's mailer; the subject is the title, the body the content."""
    await client.accepted(title="邮件标题", content="<p>邮件正文内容</p>", channel="mail")
    mail = await eventually(lambda: mailbox.titled("邮件标题"))

    assert mail.receivers == ("alice@example.test",)
    assert "邮件正文内容" in mail.part("text/html")


async def test_mail_without_an_address(client):
    """§1.6: nobody with a bound mailbox is nobody who received it."""
    code = await client.accepted(content="c", channel="mail", to=FB)
    result = await client.result(code)

    assert (result["status"], result["errorMessage"]) == (3, "无用户接收消息")


async def test_sms_reaches_nobody_yet(client):
    """No SMS carrier exists: accepted, and failed later."""
    code = await client.accepted(content="c", channel="sms")

    assert (await client.result(code))["status"] == 3


async def test_title_falls_back_to_the_first_words(client):
    """§1.5: a title may be absent; the first 20 characters of the plain text stand in."""
    code = await client.accepted(content="<p>一二三四五六七八九十</p><p>一二三四五六七八九十一</p>")

    assert (await client.entry("alice", code))["title"] == "一二三四五六七八九十 一二三四五六七八九"


async def test_a_long_content_is_whole_on_its_page(client):
    """Bytes beyond 16 KiB are kept beside the row; the page shows them all."""
    code = await client.accepted(content="<p>" + "长" * 20_000 + "</p><p>末尾</p>")

    assert "末尾" in await client.page(code)


async def test_the_page_runs_nothing(client):
    """Foreign HTML is sanitised, and the page's policy forbids scripts, frames, forms and an origin."""
    code = await client.accepted(title="<script>t</script>", content="<script>alert(1)</script><b onclick=x>ok</b>")
    answer = await client.raw("GET", f"/shortMessage/{code}")
    page = answer.body.decode()

    assert "<script" not in page
    assert "onclick" not in page
    assert "<b>ok</b>" in page
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert answer.headers["content-type"] == "text/html;charset=UTF-8"


async def test_the_short_alias_shows_the_same_page(client):
    """``/t/{code}`` is an alias."""
    code = await client.accepted(content="c")

    assert (await client.raw("GET", f"/t/{code}")).body == (await client.raw("GET", f"/shortMessage/{code}")).body


@pytest.mark.parametrize("path", ["/shortMessage/" + "0" * 32, "/shortMessage/x", "/t/", "/shortMessage/a/b", "/t/%00"])
async def test_an_unknown_page_is_404(client, path):
    """HTML, with the service's words."""
    answer = await client.raw("GET", path)

    assert answer.status == 404
    assert "消息不存在" in answer.body.decode()
