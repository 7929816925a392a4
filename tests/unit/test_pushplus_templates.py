"""The eight templates (sheet pushplus §4)."""

import html
import re

import pytest

from onebell.core.model import Format
from onebell.dialects.pushplus.templates import CANONICAL, Shown, plain_text, show, summary

NOW = 1_587_000_000_000  # 2020-04-16 09:20:00 in Shanghai

METRIC = """{
    "timestamp":"1508136760",
    "alertName":"基础监控-ECS-内存使用率",
    "preTriggerLevel":"WARN",
    "triggerLevel":"WARN",
    "instanceName":"ops<1>",
    "metricName":"Host.mem.usedutilization",
    "expression":"$Average>=95",
    "curValue":"97.39",
    "unit":"%"
}"""


def lines(shown: Shown) -> list[str]:
    """What a reader sees, line by line."""
    assert Format.HTML is shown.format
    text = re.sub(r"<(?:br/|/?h\d|/?ul|/?li|/?p)>", "\n", shown.body)
    return [html.unescape(re.sub(r"<[^<>]*>", "", part)) for part in text.split("\n") if part]


def test_html_is_kept_as_it_is():
    """The default template inserts HTML; the core sanitises it."""
    shown = show("html", "<b>a</b>\nb", NOW)

    assert (shown.format, shown.body) == (Format.HTML, "<b>a</b>\nb")


def test_txt_does_not_interpret_html():
    """Tags are shown as their characters, breaks stay."""
    shown = show("txt", "<b>a</b>\nb", NOW)

    assert (shown.format, shown.body) == (Format.TEXT, "<b>a</b>\nb")
    assert plain_text(shown, 200) == "<b>a</b> b"


def test_markdown_is_kept_as_markdown():
    """The core renders it, one line break per newline."""
    content = "# 大标题 \n ##### 小标题 \n  1. 第一项 \n 2. 第二项 \n 3. 第三项"
    shown = show("markdown", content, NOW)

    assert (Format.MARKDOWN, content) == (shown.format, shown.body)
    assert plain_text(shown, 200).startswith("大标题 小标题 1. 第一项")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{'name':'名称','size':'大小','number':'数量'}", ["name： 名称", "size： 大小", "number： 数量"]),
        (
            '{"userName":"pushplus","updateTime":"2020-04-29 14:59:35","projectId":82}',
            ["userName： pushplus", "updateTime： 2020-04-29 14:59:35", "projectId： 82"],
        ),
        ('{"content":"x","a":1}', ["content： x", "a： 1"]),
        ('{"b":true,"c":false,"d":null,"e":1.50}', ["b： true", "c： false", "d： null", "e： 1.50"]),
        ('{"l":[1,"x",true]}', ["l： 1, x, true"]),
        ('{"o":{"k":"v","n":{"m":1}},"z":2}', ["o：", "k： v", "n：", "m： 1", "z： 2"]),
        ('{"o":[{"a":1},{"b":2}]}', ["o：", "a： 1", "b： 2"]),
        ('[{"a":1,"b":2},{"a":3}]', ["a： 1", "b： 2", "a： 3"]),
        ('{"h":"<script>x</script>&"}', ["h： <script>x</script>&"]),
        ('{"e":{},"l":[]}', ["e：", "l： "]),
    ],
)
def test_json_is_one_line_per_pair(content, expected):
    """Not a table: ``key： value`` in document order, nested objects as bullets."""
    assert expected == lines(show("json", content, NOW))


def test_a_list_ends_its_line_itself():
    """No empty line between a list and what follows it; a value that looks like one is text."""
    assert show("json", '{"o":{"a":1},"z":2}', NOW).body == "o：<ul><li>a： 1</li></ul>z： 2"
    assert "&lt;/ul&gt;&lt;br/&gt;" in show("json", '{"o":"</ul><br/>"}', NOW).body


def test_json_values_are_escaped():
    """A value is text, whatever it looks like."""
    assert "&lt;img src=x onerror=alert(1)&gt;" in show("json", '{"a<b":"<img src=x onerror=alert(1)>"}', NOW).body
    assert "a&lt;b" in show("json", '{"a<b":1}', NOW).body


@pytest.mark.parametrize("content", ["no json", "{broken", "82", '"text"', "null", "{}", "[]", "[" * 200])
@pytest.mark.parametrize("template", ["json", "cloudMonitor", "jenkins", "route", "pay"])
def test_what_is_no_object_falls_back_to_text(template, content):
    """A custom template whose content is not its JSON falls back to json, then to txt; an empty one too."""
    shown = show(template, content, NOW)

    assert (Format.TEXT, content) == (shown.format, shown.body)


@pytest.mark.parametrize("template", ["cloudMonitor", "jenkins", "route", "pay"])
def test_a_foreign_object_falls_back_to_json(template):
    """Nothing of a message is hidden because its template does not know it."""
    assert lines(show(template, '{"foo":1,"bar":"x"}', NOW)) == ["foo： 1", "bar： x"]


def test_metric_alarm():
    """The manual's alarm, and its time in Shanghai whether in seconds or milliseconds."""
    shown = show("cloudMonitor", METRIC, NOW)

    assert lines(shown) == [
        "设备告警通知",
        "基础监控-ECS-内存使用率",
        "告警对象： ops<1>",
        "告警类型： WARN -> WARN",
        "告警时间： 2017-10-16 14:52:40",
        "报警内容： Host.mem.usedutilization $Average>=95 当前值:97.39",
        "备注： 请至阿里云监控查看详情",
    ]
    assert shown.title == "基础监控-ECS-内存使用率"
    in_ms = METRIC.replace('"1508136760"', "1508136760000")
    assert "告警时间： 2017-10-16 14:52:40" in lines(show("cloudMonitor", in_ms, NOW))


@pytest.mark.parametrize("odd", ["soon", "", "99999999999999999999", "²"])
def test_an_alarm_time_that_is_none_is_shown_as_it_is(odd):
    """Never an error over a detail."""
    assert f"告警时间： {odd}" in lines(show("cloudMonitor", METRIC.replace("1508136760", odd), NOW))


def test_event_alarm():
    """An Aliyun system event: labels, then the event's own content as bullets."""
    content = (
        '{"product":"ECS","instanceName":"web","resourceId":"r1","regionId":"cn","name":"Instance:Down",'
        '"level":"CRITICAL","status":"Executed","content":{"ip":"10.0.0.1","n":2}}'
    )
    shown = show("cloudMonitor", content, NOW)

    assert [line for line in lines(shown) if line] == [
        "设备告警通知",
        "产品类型： ECS",
        "实例名称： web",
        "资源Id： r1",
        "所在区域： cn",
        "事件名称： Instance:Down",
        "事件级别： CRITICAL",
        "报警状态： Executed",
        "报警具体内容",
        "ip： 10.0.0.1",
        "n： 2",
        "请至阿里云监控了解详情",
    ]
    assert shown.title == "Instance:Down"


def test_jenkins():
    """A build: its number loses the hash, a success is green, a click opens the log."""
    content = (
        '{"buildState":"SUCCESS","projectName":"p #51","buildNumber":"#51","buildUser":"u",'
        '"buildLogUrl":"http://x/console","projectUrl":"","costTime":"3"}'
    )
    shown = show("jenkins", content, NOW)

    assert lines(shown) == [
        "项目状态提醒",
        "项目名称： p #51",
        "构建类型： 51次构建",
        "构建状态： SUCCESS",
        "时间： 2020-04-16 09:20:00",
        "构建人： u",
        "耗时： 3秒",
        "备注： http://x/console",
    ]
    assert shown.url == "http://x/console"
    assert "备注： 查看构建日志" in lines(show("jenkins", content.replace("http:", "https:"), NOW))
    assert "color:green" in shown.body
    assert "color:green" not in show("jenkins", '{"buildState":"构建成功"}', NOW).body


def test_pay():
    """The manual's payment; what is missing is left out."""
    content = (
        "{'amount':'20元','name':'会员','orderNo':'1','successTime':'2020-05-06 07:08:09',"
        "'payWay':'微信','payState':'支付成功'}"
    )

    assert lines(show("pay", content, NOW)) == [
        "收款金额： 20元",
        "商品名称： 会员",
        "订单号： 1",
        "支付时间： 2020-05-06 07:08:09",
        "支付方式： 微信",
        "订单状态： 支付成功",
    ]
    assert lines(show("pay", '{"amount":3,"name":null,"payWay":""}', NOW)) == ["收款金额： 3"]


def test_a_payment_has_a_short_card():
    """A card shows four of its facts under their own names (docs pay); what is missing is left out there too."""
    content = '{"amount":"20元","orderNo":"1<2","successTime":"2020-05-06 07:08:09","payWay":"微信","name":"会员"}'

    assert summary(show("pay", content, NOW)) == (
        "到账金额： 20元 支付方式： 微信 支付时间： 2020-05-06 07:08:09 订单编号： 1<2"
    )
    assert summary(show("pay", '{"amount":3}', NOW)) == "到账金额： 3"
    assert summary(show("pay", '{"name":"会员"}', NOW)) == "商品名称： 会员"


def test_elements_of_an_array_are_blocks():
    """A reader sees where one ends and the next begins."""
    assert show("json", '[{"a":1,"b":2},3]', NOW).body == "<p>a： 1<br/>b： 2</p><p>3</p>"


def test_a_build_without_a_number_has_no_line_of_it():
    """Nothing is said of what is not known."""
    assert not any("次构建" in text for text in lines(show("jenkins", '{"buildState":"FAILURE"}', NOW)))


@pytest.mark.parametrize(
    ("template", "content"),
    [
        ("cloudMonitor", '{"alertName":null,"timestamp":null,"curValue":null}'),
        ("cloudMonitor", '{"product":"ECS","content":"words","name":null}'),
        ("jenkins", '{"projectName":"p","buildState":null,"buildNumber":null,"buildLogUrl":null}'),
    ],
)
def test_null_is_no_word(template, content):
    """Where a template knows its fields null is as good as absent: nobody reads ``null`` as a title."""
    found = show(template, content, NOW)

    assert "null" not in found.title + found.body + found.url


def test_route_reports():
    """Each kind of report in its sections; an unknown one is plain json."""
    up = "{msgTYPE:'ifUP',upTIME:'1',netSTATE:[{proto:'pppoe',wanIPv4:'10.0.0.2',wanDNS:['a','b']}]}"
    new = "{msgTYPE:'newDHCP',cliNAME:'phone',cliIP:'10.0.0.9',cliLISTS:[{ip:'10.0.0.8',name:'tv'},3]}"
    status = (
        "{msgTYPE:'manuINFO',sysINFO:{routerNAME:'R',routerAVGLOAD:[1,2]},tempINFO:{CPU:'60',unit:'C'},"
        "cliINFO:['a'],dhcpINFO:[{ip:'x'}],netINFO:{DDNS:'d'},usbINFO:[]}"
    )

    assert lines(show("route", up, NOW)) == [
        "路由器",
        "上线时间： 1",
        "网络",
        "1：",
        "协议： pppoe",
        "WAN IPv4： 10.0.0.2",
        "DNS： a, b",
    ]
    assert lines(show("route", new, NOW)) == ["客户端", "名称： phone", "IP： 10.0.0.9", "列表：", "10.0.0.8： tv"]
    shown = lines(show("route", status, NOW))
    assert shown[:8] == ["路由器", "名称： R", "平均负载： 1, 2", "网络", "DDNS： d", "温度", "CPU： 60", "unit： C"]
    assert shown[8:] == ["客户端", "在线：", "1： a", "DHCP：", "1：", "ip： x"]
    assert lines(show("route", '{"msgTYPE":"other","a":1}', NOW)) == ["msgTYPE： other", "a： 1"]
    assert lines(show("route", '{"msgTYPE":"ifUP"}', NOW)) == ["msgTYPE： ifUP"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<h1>标题</h1><p>a</p><p>b &amp; c</p>", "标题 a b & c"),
        ("a<br/>b<script>alert(1)</script>c", "a bc"),
        ("a   \n\t b", "a b"),
        ("x" * 500, "x" * 200),
        ("<" * 100_000, "<" * 200),
        ("消息内容", "消息内容"),
        ("<style>" + "p{}" * 1000 + "</style><p>words</p>", "words"),
        ("<p></p>", ""),
    ],
)
def test_summary_is_the_first_200_characters_a_reader_sees(body, text):
    """Tags stripped, blanks collapsed, scripts gone."""
    assert text == plain_text(Shown(body=body, format=Format.HTML), 200)


def test_summary_of_markdown_drops_its_marks():
    """A notification shows words, not syntax."""
    body = "# T\n\n> q\n- **b** and `c` [link](https://x.example/a_b)"

    assert plain_text(Shown(body=body, format=Format.MARKDOWN), 200) == "T q • b and c link"


def test_template_names_are_matched_without_case():
    """Stored as the document writes them."""
    assert CANONICAL["cloudmonitor"] == "cloudMonitor"
    assert len(CANONICAL) == 8
