"""Easemob: what an offline push says, and when somebody wants none (sheet easemob §6)."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.dialects.easemob.disturb import is_quiet
from onebell.dialects.easemob.push_text import BODY, TITLE, Said, Template, Words, native

TEMPLATES = {
    "default": Template(title_pattern="D {$fromNickname}", content_pattern="{$msg}"),
    "mine": Template(title_pattern="M {$dynamicFrom}", content_pattern="{0}-{1}-{2}"),
    "named": Template(title_pattern="N {0}", content_pattern="{$msg} {$other} {0}"),
}
ARGS = {"title_args": ["t"], "content_args": ["a", 2]}


def words(
    ext: dict[str, Any], settings: dict[str, Any] | None = None, chosen: str = "", templates: tuple[str, ...] = ()
) -> Words:
    said = Said(ext=ext, sender="Bob", templates={name: TEMPLATES[name] for name in templates})
    return said.words(settings or {}, chosen).saying("hello")


STYLE = {"notification_display_style": 1}
APPLE = {"em_apns_ext": {"em_push_title": "T", "em_push_content": "C"}}


@pytest.mark.parametrize(
    ("made", "title", "body"),
    [
        (words({}), TITLE, BODY),
        (words({}, STYLE), TITLE, "Bob: hello"),
        (words({}, STYLE, templates=("default",)), "D Bob", "hello"),
        (words(APPLE, STYLE, templates=("default",)), "T", "C"),
        (words({"em_push_ext": {"title": "T2", "content": "C2"}}), "T2", "C2"),
        (words({**APPLE, "em_push_ext": {"title": "T2", "content": "C2"}}), "T", "C"),
        (words({"em_apns_ext": {"em_push_title": "T"}, "em_push_ext": {"content": "C2"}}), "T", "C2"),
        (words(APPLE, chosen="mine", templates=("default", "mine")), "M Bob", "--"),
        (words({**APPLE, "em_push_template": ARGS}, chosen="mine", templates=("mine",)), "M Bob", "a-2-"),
        (words({**APPLE, "em_push_template": {"name": "named", **ARGS}}, chosen="mine", templates=("mine", "named")),
         "N t", "hello {$other} a"),
        (words({"em_push_template": {"name": "gone"}}, chosen="gone too"), TITLE, BODY),
        (words({"em_push_template": "x", "em_apns_ext": 3, "em_push_ext": []}), TITLE, BODY),
    ],
)  # fmt: skip
def test_from_weakest_to_strongest(made: Words, title: str, body: str) -> None:
    """Style, default template, the message's ext, the receiver's template, the message's template."""
    assert (made.title, made.body) == (title, body)


@given(
    st.dictionaries(
        st.sampled_from(["em_apns_ext", "em_push_ext", "em_push_template"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "name",
                            "title_args",
                            "content_args",
                            "title",
                            "em_push_title",
                            "em_push_sound",
                            "em_push_badge",
                        ]
                    ),
                    inner,
                )
            ),
        ),
    )
)
def test_no_ext_breaks_a_push(ext: dict[str, Any]) -> None:
    """Whatever a caller writes there, there are two texts."""
    made = words(ext, STYLE, "mine", ("default", "mine", "named"))
    assert isinstance(made.title, str)
    assert isinstance(native(ext, made), dict)


def test_bark_has_more_to_show() -> None:
    """Subtitle, sound and badge go to Bark as they are; without them the carrier renders."""
    ext = {"em_apns_ext": {"em_alert_subTitle": "S", "em_push_sound": "bell", "em_push_badge": 3}}
    assert native(ext, Words("T", "B")) == {
        "bark": {"title": "T", "body": "B", "subtitle": "S", "sound": "bell", "badge": 3}
    }
    assert native(APPLE, Words("T", "B")) == {}
    assert native({"em_apns_ext": {"em_push_badge": True, "em_push_sound": 1}}, Words("T", "B")) == {}


def at(clock: str) -> int:
    hour, minute = clock.split(":")
    return round(datetime(2026, 3, 1, int(hour), int(minute), tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)


def quiet(settings: dict[str, Any], clock: str = "12:00", ext: dict[str, Any] | None = None) -> bool:
    return is_quiet(settings, "me", "peer", ext or {}, at(clock), ZoneInfo("Asia/Shanghai"))


def told(place: str, **said: Any) -> dict[str, Any]:
    return {f"user/{place}": said}


NIGHT = told("me", ignoreInterval="21:30-08:00")


@pytest.mark.parametrize(
    ("settings", "clock", "is_so"),
    [
        ({}, "12:00", False),
        ({"notification_no_disturbing": True}, "12:00", True),
        ({"notification_no_disturbing": False, "notification_no_disturbing_start": "0"}, "12:00", False),
        *[({"notification_no_disturbing": True, "notification_no_disturbing_start": "22",
            "notification_no_disturbing_end": "7"}, clock, is_so)
          for clock, is_so in (("21:59", False), ("22:00", True), ("06:59", True), ("07:00", False))],
        *[({"notification": NIGHT}, clock, is_so)
          for clock, is_so in (("21:29", False), ("21:30", True), ("07:59", True), ("08:00", False))],
        ({"notification": told("me", ignoreInterval="08:00-08:00")}, "12:00", True),
        ({"notification": told("me", ignoreInterval="08:00-12:00")}, "11:59", True),
        ({"notification": told("me", ignoreInterval="")}, "12:00", False),
        ({"notification": told("peer", ignoreInterval="00:00-00:00")}, "12:00", False),  # only for all conversations
        ({"notification": told("me", ignoreDuration=at("12:01"))}, "12:00", True),
        ({"notification": told("peer", ignoreDuration=at("12:01"))}, "12:00", True),
        ({"notification": told("peer", ignoreDuration=at("12:00"))}, "12:00", False),
        ({"notification": told("other", ignoreDuration=at("12:01"), type="NONE")}, "12:00", False),
        ({"notification": told("me", type="NONE")}, "12:00", True),
        ({"notification": told("peer", type="NONE")}, "12:00", True),
        ({"notification": {**told("me", type="NONE"), **told("peer", type="ALL")}}, "12:00", False),
        ({"notification": {**told("me", type="NONE"), **told("peer", type="DEFAULT")}}, "12:00", True),
        ({"notification": {**NIGHT, **told("peer", type="ALL")}}, "23:00", True),  # times come before kinds
    ],
)  # fmt: skip
def test_do_not_disturb(settings: dict[str, Any], clock: str, is_so: bool) -> None:
    """The old switch with its hours, a daily interval, a while, and all, some or no messages of a conversation."""
    assert quiet(settings, clock) is is_so


@pytest.mark.parametrize(
    ("named", "is_so"),
    [(None, True), ("all", False), ("ALL", False), (["x", "Me"], False), (["x"], True), ([3], True), ({}, True)],
)
def test_only_when_named(named: Any, is_so: bool) -> None:
    """``AT`` lets through what names the receiver or everybody."""
    assert quiet({"notification": told("me", type="AT")}, ext={"em_at_list": named}) is is_so


def test_times_are_the_zone_s() -> None:
    """The clock on the wall is that of the space."""
    assert is_quiet({"notification": NIGHT}, "me", "peer", {}, at("22:00"), UTC) is False
