"""Corpus B through every template of PushPlus: strangers' words in eight shapes (RELIABILITY S4)."""

import json
import tomllib
from pathlib import Path

import pytest
from tests.unit.test_sanitize import dangers

from onebell.core.model import Content
from onebell.core.render import render
from onebell.core.sanitize import one_line
from onebell.dialects.pushplus.templates import CANONICAL, show

CORPUS = tomllib.loads((Path(__file__).parents[1] / "corpus/xss.toml").read_text())
PAYLOADS = [
    *(payload for section in ("html", "markdown") for group in CORPUS[section].values() for payload in group),
    *CORPUS["text"]["values"],
    *CORPUS["names"]["values"],
]
NOW = 1_700_000_000_000
# Keys that the templates look for, so that a payload stands where each of them shows a value.
KEYS = (
    "alertName", "instanceName", "preTriggerLevel", "triggerLevel", "timestamp", "metricName", "expression", "curValue",
    "product", "content", "name", "level", "status", "buildState", "projectName", "buildNumber", "buildUser",
    "buildLogUrl", "projectUrl", "costTime", "amount", "orderNo", "successTime", "payWay", "payState", "cliNAME",
)  # fmt: skip


def shapes(payload: str) -> list[str]:
    """The payload bare, as a key, as values, nested, and in a router's message."""
    values = dict.fromkeys(KEYS, payload)
    return [
        payload,
        json.dumps({payload: payload, "list": [payload, {"k": payload}]}, ensure_ascii=False),
        json.dumps(values, ensure_ascii=False),
        json.dumps(values | {"msgTYPE": "newDHCP"}),
    ]


@pytest.mark.parametrize("template", sorted(CANONICAL.values()))
def test_no_template_lets_anything_through(template: str) -> None:
    """Whatever shape a template gives a payload, the page is clean, and the title is one line."""
    for payload in PAYLOADS:
        for content in shapes(payload):
            shown = show(template, content, NOW)
            told = Content(title=shown.title, body=shown.body, format=shown.format)
            forms = render(told)

            assert dangers(forms.html) == []
            assert forms.title == one_line(forms.title)
