"""What accepted PushPlus messages become: receivers, content, pages, outbound requests (sheet pushplus, A01 to A49)."""

import html
import json
import re

import pytest
from tests.wire.pushplus.support import FB, FORM, JSON, MT, UT, UTB, code_of, refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")


def page_lines(page: str) -> list[str]:
    """The words of a page, line by line."""
    shown = page.partition("<article")[2].partition(">")[2].partition("</article>")[0]
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


async def test_a_token_in_a_whole_body_is_shown_to_nobody(client):
    """The body is the content and brings the token too: it sends, and no reader learns it."""
    code = code_of(await client.raw("POST", "/send?template=json", JSON, f'{{"token":"{UT}","a":1}}'))

    assert page_lines(await client.page(code)) == ["token： ******", "a： 1"]
    assert UT not in (await client.entry("alice", code))["body"]


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


async def test_pictures_wait_for_a_click(client):
    """A picture tells its host who reads when: the policy lets none load until the page's own link asks for them."""
    code = await client.accepted(content='<img src="https://example.com/x.png">')
    closed = await client.raw("GET", f"/shortMessage/{code}")
    opened = await client.raw("GET", f"/shortMessage/{code}?pictures=show")

    assert "img-src data:;" in closed.headers["content-security-policy"]
    assert 'href="?pictures=show"' in closed.body.decode()
    assert "img-src https: data:;" in opened.headers["content-security-policy"]
    assert 'href="?pictures=show"' not in opened.body.decode()
    assert "?pictures=show" not in await client.page(await client.accepted(content='<img src="http://e.x/a.png">'))


async def test_what_has_colours_is_shown_on_paper(client):
    """Colours were chosen for a white page: only such a content keeps one where the reader's is dark."""
    coloured = await client.page(await client.accepted(content='<p style="color:#333">grey</p>'))
    plain = await client.page(await client.accepted(content="<p>no colour</p>"))

    assert '<article class="paper"><p style="color:#333">' in coloured
    assert "<article><p>no colour" in plain


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
