"""What the eight templates make of a content: neutral form, default title, plain text (sheet pushplus §4).

Pure functions of the content; the same words go to the page, the mail and the cards.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from html import escape
from typing import Any

import msgspec

from onebell.clock import SHANGHAI, shanghai_text
from onebell.core.model import Content, Format
from onebell.core.render import render
from onebell.dialects.pushplus import route
from onebell.dialects.pushplus.lenient import NotJson, loads_lenient

TITLE_CHARS = 20
SUMMARY_CHARS = 200
_WINDOWS_CHARS = (1_000, 16_000)
"""How much of a content its first words are looked for in; the second only where the first has none (a style sheet)."""

CANONICAL = {
    name.lower(): name for name in ("html", "txt", "json", "markdown", "cloudMonitor", "jenkins", "route", "pay")
}
FORMS = frozenset({"form", "doc", "excel", "webdiff"})
"""Templates that show an object of PushPlus' own; onebell has none."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A content as its template shows it."""

    body: str
    format: Format
    title: str = ""  # the template's own, when the sender gave none
    url: str = ""  # what a click opens, where the template knows
    card: str = ""  # its words on a card, where they are not the beginning of the page


Template = Callable[[str, int], Shown]
"""Gets the content and the time of sending in milliseconds."""


def show(template: str, content: str, now_ms: int) -> Shown:
    """A content by its template; ``template`` is canonical."""
    return _TEMPLATES[template](content, now_ms)


def summary(shown: Shown) -> str:
    """The words of a card: the template's own, else the first that a reader sees."""
    return shown.card[:SUMMARY_CHARS] or plain_text(shown, SUMMARY_CHARS)


def plain_text(shown: Shown, chars: int) -> str:
    """The first characters of what a reader sees on one line; at most the core's 200."""
    found = (render(Content(body=shown.body[:end], format=shown.format)).summary for end in _WINDOWS_CHARS)
    return next((text for text in found if text), "")[:chars]


# ---------------------------------------------------------------- html, txt, markdown


def _html(content: str, _now_ms: int) -> Shown:
    return Shown(body=content, format=Format.HTML)


def _txt(content: str, _now_ms: int) -> Shown:
    # HTML is not interpreted: it is shown as its characters.
    return Shown(body=content, format=Format.TEXT)


def _markdown(content: str, _now_ms: int) -> Shown:
    return Shown(body=content, format=Format.MARKDOWN)


# ---------------------------------------------------------------- json


def _json(content: str, now_ms: int) -> Shown:
    document = parse(content)
    if not document or not isinstance(document, dict | list):
        # ``{}`` is what many a webhook is tried out with: nothing of it could be seen.
        return _txt(content, now_ms)
    if isinstance(document, list):
        return Shown(body="".join(f"<p>{block}</p>" for block in blocks(document)), format=Format.HTML)
    return _page(blocks(document))


def parse(content: str) -> Any:
    """A content as JSON with numbers as they were written; None when it is none."""
    try:
        return loads_lenient(content, str)
    except NotJson:
        return None


def blocks(document: object) -> list[str]:
    """HTML lines for an object (a line per pair) or an array (a block per element)."""
    match document:
        case dict():
            return [_pair(key, value) for key, value in document.items()]
        case list():
            return [_joined(blocks(element)) for element in document]
    return [_scalar(document)]


def _joined(lines: list[str]) -> str:
    # A list ends its line itself. No value can look like one: they are escaped.
    return "<br/>".join(lines).replace("</ul><br/>", "</ul>")


def _pair(key: str, value: object) -> str:
    match value:
        case dict() | list() if _is_nested(value):
            return f"{escape(key)}：{_bullets(value)}"
        case list():
            return line(key, ", ".join(_raw(element) for element in value))
    return line(key, _raw(value))


def _is_nested(value: object) -> bool:
    if isinstance(value, dict):
        return True
    return isinstance(value, list) and any(isinstance(element, dict | list) for element in value)


def _bullets(value: object) -> str:
    if isinstance(value, dict):
        items: Iterator[str] = (_pair(key, inner) for key, inner in value.items())
    else:
        assert isinstance(value, list), "only objects and arrays are nested"
        items = (_joined(blocks(element)) for element in value)
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _raw(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
    return str(value)


def _text(document: dict[str, Any], name: str) -> str:
    """A pair's value; null is as good as absent, for no reader asked for the word."""
    value = document.get(name)
    return "" if value is None else _raw(value)


def _scalar(value: object) -> str:
    return escape(_raw(value))


def line(label: str, value: str) -> str:
    """``label： value``, the one line form of all templates."""
    return f"{escape(label)}： {escape(value)}"


def _page(lines: list[str], *, heading: str = "", title: str = "", url: str = "") -> Shown:
    head = f"<h3>{escape(heading)}</h3>" if heading else ""
    return Shown(body=head + _joined(lines), format=Format.HTML, title=title, url=url)


def _texts(document: dict[str, Any], labels: tuple[tuple[str, str], ...]) -> list[str]:
    pairs = ((label, document.get(name)) for label, name in labels)
    return [f"{label}： {_raw(value)}" for label, value in pairs if value not in (None, "")]


def _fields(document: dict[str, Any], labels: tuple[tuple[str, str], ...]) -> list[str]:
    return [escape(text) for text in _texts(document, labels)]


# ---------------------------------------------------------------- cloudMonitor

_METRIC_REMARK = "请至阿里云监控查看详情"
_EVENT_REMARK = "请至阿里云监控了解详情"
_CONSOLE = "https://cloudmonitor.console.aliyun.com"
_EVENT_LABELS = (
    ("产品类型", "product"),
    ("实例名称", "instanceName"),
    ("资源Id", "resourceId"),
    ("所在区域", "regionId"),
    ("事件名称", "name"),
    ("事件级别", "level"),
    ("报警状态", "status"),
)


def _cloud_monitor(content: str, now_ms: int) -> Shown:
    document = parse(content)
    if isinstance(document, dict) and "alertName" in document:
        return _metric_alarm(document)
    if isinstance(document, dict) and "product" in document and "content" in document:
        return _event_alarm(document)
    return _json(content, now_ms)


def _metric_alarm(alarm: dict[str, Any]) -> Shown:
    def text(name: str) -> str:
        return _text(alarm, name)

    name = text("alertName")
    lines = [
        escape(name),
        line("告警对象", text("instanceName")),
        line("告警类型", f"{text('preTriggerLevel')} -> {text('triggerLevel')}"),
        line("告警时间", _alarm_time(text("timestamp"))),
        line("报警内容", f"{text('metricName')} {text('expression')} 当前值:{text('curValue')}"),
        line("备注", _METRIC_REMARK),
    ]
    return _page(lines, heading="设备告警通知", title=name)


def _alarm_time(text: str) -> str:
    # Seconds in the manual's body, milliseconds in newer alarms.
    if not text.isascii() or not text.isdigit() or len(text) > 13:
        return text
    at_ms = int(text) if len(text) > 11 else int(text) * 1000
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _event_alarm(alarm: dict[str, Any]) -> Shown:
    detail = alarm["content"]
    shown = _bullets(detail) if isinstance(detail, dict | list) else _scalar(detail)
    lines = [*_fields(alarm, _EVENT_LABELS), f"<h4>报警具体内容</h4>{shown}"]
    lines.append(f'<a href="{_CONSOLE}">{_EVENT_REMARK}</a>')
    return _page(lines, heading="设备告警通知", title=_text(alarm, "name"))


# ---------------------------------------------------------------- jenkins, pay, route

_PAY_LABELS = (
    ("收款金额", "amount"),
    ("商品名称", "name"),
    ("订单号", "orderNo"),
    ("支付时间", "successTime"),
    ("支付方式", "payWay"),
    ("订单状态", "payState"),
)
_PAY_CARD_LABELS = (
    ("到账金额", "amount"),
    ("支付方式", "payWay"),
    ("支付时间", "successTime"),
    ("订单编号", "orderNo"),
)
_JENKINS_NAMES = frozenset({"buildState", "projectName", "buildNumber"})


def _jenkins(content: str, now_ms: int) -> Shown:
    build = parse(content)
    if not isinstance(build, dict) or not _JENKINS_NAMES & build.keys():
        return _json(content, now_ms)
    log_url = _text(build, "buildLogUrl")
    number = _text(build, "buildNumber").replace("#", "")
    lines = [
        *_fields(build, (("项目名称", "projectName"),)),
        *([line("构建类型", f"{number}次构建")] if number else []),
        f"构建状态： {_build_state(_text(build, 'buildState'))}",
        line("时间", shanghai_text(now_ms)),
        *_fields(build, (("构建人", "buildUser"),)),
    ]
    if build.get("costTime") not in (None, ""):
        lines.append(line("耗时", f"{_raw(build['costTime'])}秒"))
    if log_url:
        # Only https is a link on our pages: an address inside the house can at least be read and copied.
        label = "查看构建日志" if log_url.startswith("https:") else log_url
        lines.append(f'备注： <a href="{escape(log_url)}">{escape(label)}</a>')
    return _page(lines, heading="项目状态提醒", url=log_url)


def _build_state(state: str) -> str:
    if state == "SUCCESS":
        return f'<span style="color:green">{escape(state)}</span>'
    return escape(state)


def _pay(content: str, now_ms: int) -> Shown:
    order = parse(content)
    lines = _fields(order, _PAY_LABELS) if isinstance(order, dict) else []
    if not lines:
        return _json(content, now_ms)
    return msgspec.structs.replace(_page(lines), card=" ".join(_texts(order, _PAY_CARD_LABELS)))


def _route(content: str, now_ms: int) -> Shown:
    report = parse(content)
    sections = route.sections(report) if isinstance(report, dict) else []
    if not sections:
        return _json(content, now_ms)
    lines = [f"<h4>{escape(name)}</h4>{_joined(blocks(values))}" for name, values in sections]
    return Shown(body="".join(lines), format=Format.HTML)


_TEMPLATES: dict[str, Template] = {
    "html": _html,
    "txt": _txt,
    "markdown": _markdown,
    "json": _json,
    "cloudMonitor": _cloud_monitor,
    "jenkins": _jenkins,
    "route": _route,
    "pay": _pay,
}
