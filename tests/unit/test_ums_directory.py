"""UMS: the [ums] table of a directory file, and what is kept of it."""

import tomllib
from typing import Any

import msgspec
import pytest

from onebell.core.wanted import Problem, WantedCredential, WantedFeed, WantedRecord
from onebell.dialects.ums.directory import Section, wanted
from onebell.dialects.ums.group import Group, Segment, Strategy, UserList, basic_header, basic_pair

KEY = "7d431e42dfa6a6d693ac2d04"
SEED_HEADER = "Basic N2Q0MzFlNDJkZmE2YTZkNjkzYWMyZDA0OjVlOTg3YWM2ZDJlMDRkOTVhOWQ4ZjBkMQ=="
EXAMPLE = f"""
access_key = "ums-access-key"
access_secret = "ums-access-secret"

[[channel_groups]]
channel_key = "{KEY}"
master_secret = "5e987ac6d2e04d95a9d8f0d1"
callback_urls = ["http://127.0.0.1:9099/ums"]
callback_statuses = [0, 1, 2, 3, 4, 5, 6, 7, 8]
carriers = [
  {{ type = "email", carrier = "site-mail" }},
  {{ type = "wechatwk", carrier = "corp-wecom" }},
  {{ type = "app", channel_code = "app1", carrier = "inbox" }},
]

[[segments]]
id = "1000"
name = "ops people"
any_tags = ["ops"]

[[lists]]
id = 1234
kind = "black"
people = ["carol"]

[[strategies]]
id = 1001
channel_key = "{KEY}"
steps = [{{ carriers = ["app"] }}]

[[strategies]]
id = 1002
channel_key = "{KEY}"
steps = [
  {{ carriers = ["app"], wait = "60s", advance_if = "not_delivered" }},
  {{ carriers = ["email"] }},
]
"""


def read(text: str) -> list[Any]:
    """What a table asks for."""
    return list(wanted(msgspec.convert(tomllib.loads(text), Section)))


def test_example() -> None:
    """The [ums] part of the example file: two credentials, a feed, and the records behind ids."""
    found = read(EXAMPLE)
    access, group = (one for one in found if isinstance(one, WantedCredential))
    (feed,) = (one for one in found if isinstance(one, WantedFeed))
    records = {one.kind + one.key: one.data for one in found if isinstance(one, WantedRecord)}

    assert (access.kind, access.value) == ("access", "ums-access-key:ums-access-secret")
    assert (f"{KEY}:5e987ac6d2e04d95a9d8f0d1", ("channel", "", KEY)) == (group.value, group.feed)
    assert (feed.kind, feed.code) == ("channel", KEY)
    settings = msgspec.convert(group.settings, Group)
    assert tuple(settings.use(kind).carrier for kind in ("app", "email")) == ("inbox", "site-mail")
    assert {"segment1000", "black_list1234", "strategy1001", "strategy1002"} == set(records)
    assert msgspec.convert(records["segment1000"], Segment).any_tags == ("ops",)
    assert msgspec.convert(records["black_list1234"], UserList).people == ("carol",)
    first, last = msgspec.convert(records["strategy1002"], Strategy).steps
    assert (first.wait_s, first.advance_if, last.wait_s, last.advance_if) == (60, "not_delivered", 0, "")


def test_what_is_kept_is_plain() -> None:
    """Settings are JSON objects that do not change from one reading to the next."""
    assert read(EXAMPLE) == read(EXAMPLE)
    for one in read(EXAMPLE):
        assert msgspec.json.decode(msgspec.json.encode(one), type=type(one)) == one


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('access_secret = "ums-access-secret"', "", "ums.access_key"),
        (f'channel_key = "{KEY}"\nmaster', 'channel_key = "all"\nmaster', "ums.channel_groups[0].channel_key"),
        (f'channel_key = "{KEY}"\nmaster', 'channel_key = "a:b"\nmaster', "ums.channel_groups[0].channel_key"),
        ("5e987ac6d2e04d95a9d8f0d1", "", "ums.channel_groups[0].master_secret"),
        ('type = "email"', 'type = "mail"', "ums.channel_groups[0].carriers[0].type"),
        ("http://127.0.0.1:9099/ums", "ftp://x", "ums.channel_groups[0].callback_urls"),
        ('"http://127.0.0.1:9099/ums"', ", ".join(['"http://x/"'] * 6), "ums.channel_groups[0].callback_urls"),
        ("7, 8]", "7, 9]", "ums.channel_groups[0].callback_statuses"),
        ('any_tags = ["ops"]', "", "ums.segments[0]"),
        ('kind = "black"', 'kind = "grey"', "ums.lists[0].kind"),
        ("id = 1234", "id = 0", "ums.lists[0].id"),
        (f'id = 1001\nchannel_key = "{KEY}"', 'id = 1001\nchannel_key = "x"', "ums.strategies[0].channel_key"),
        ('[{ carriers = ["app"] }]', "[]", "ums.strategies[0].steps"),
        ('[{ carriers = ["app"] }]', '[{ carriers = ["fax"] }]', "ums.strategies[0].steps[0].carriers"),
        ('[{ carriers = ["app"] }]', '[{ carriers = ["app"], wait = "60s" }]', "ums.strategies[0].steps[0]"),
        ('wait = "60s"', 'wait = "9s"', "ums.strategies[1].steps[0].wait"),
        ('wait = "60s"', 'wait = "73h"', "ums.strategies[1].steps[0].wait"),
        ('wait = "60s", ', "", "ums.strategies[1].steps[0].wait"),
        ("not_delivered", "not_read", "ums.strategies[1].steps[0].advance_if"),
        ('{ carriers = ["email"] }', '{ carriers = ["app"] }', "ums.strategies[1].steps"),
    ],
)
def test_broken_rule_names_its_place(old: str, new: str, where: str) -> None:
    """Every rule of the sheet says which key of the file breaks it."""
    assert old in EXAMPLE
    with pytest.raises(Problem) as caught:
        read(EXAMPLE.replace(old, new, 1))
    assert where == caught.value.where


def test_unknown_key_is_refused() -> None:
    """``apply`` refuses keys that it does not know (DESIGN §6)."""
    with pytest.raises(msgspec.ValidationError):
        read(EXAMPLE + "\nwhatever = 1")


def test_settings_of_a_group() -> None:
    """Expiry without an offset is a time of Asia/Shanghai; hours may pass midnight."""
    extra = 'expires = 2026-01-01T00:00:00\nenabled = false\ndo_not_disturb = { from = "22:00", to = "07:00" }\n'
    text = EXAMPLE.replace("callback_urls", extra + "callback_urls", 1)
    (group,) = (one for one in read(text) if isinstance(one, WantedCredential) and one.kind == "channel_group")
    settings = msgspec.convert(group.settings, Group)
    hours = settings.do_not_disturb
    assert hours is not None
    assert (settings.enabled, settings.expires_ms) == (False, 1_767_196_800_000)
    assert [hours.holds(minute) for minute in ("22:00", "06:59", "07:00", "12:00")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("header", "pair"),
    [
        (SEED_HEADER, f"{KEY}:5e987ac6d2e04d95a9d8f0d1"),
        ("basic YTpi", "a:b"), ("Basic  YTpi ", "a:b"),
        ("", ""), ("Basic", ""), ("Bearer x", ""), ("Basic !!!", ""), ("Basic YQ==", ""),
        ("Basic /w==", ""), ("Basic YTp", ""),
    ],
)  # fmt: skip
def test_basic_header(header: str, pair: str) -> None:
    """What is no Basic header of a pair is nobody's (case 3)."""
    assert pair == basic_pair(header)
    if pair.startswith("7d"):
        assert header == basic_header(pair)
