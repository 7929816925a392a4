"""The ``[pushplus]`` tables of the directory file."""

import msgspec
import pytest

from onebell.core.wanted import Problem, WantedCredential, WantedFeed, WantedRecord
from onebell.dialects.pushplus.directory import Section, wanted

TOKEN = "0123456789abcdef0123456789abcdef"

EXAMPLE = {
    "default_mail": "site-mail",
    "limits": "off",
    "open_join": False,
    "users": [
        {"person": "alice", "token": TOKEN, "secret_key": "s", "callback_url": "http://127.0.0.1:9099/p"},
        {"person": "bob", "token": "00000000000000000000000000000b0b", "verified": False},
    ],
    "tokens": [{"person": "alice", "name": "ci", "token": "f" * 32}],
    "topics": [
        {
            "code": "ops",
            "name": "Ops",
            "owner": "alice",
            "members": ["alice", "bob"],
            "introduction": "What happens at night",
            "receipt_message": "Welcome",
        }
    ],
    "friends": [{"owner": "alice", "friend": "bob", "token": "5813c18bb0fa462789028312dae30224"}],
    "webhooks": [{"owner": "alice", "code": "pushplus", "carrier": "team-bot"}],
    "pre": [{"owner": "alice", "code": "appendMsg", "script": "content = content + '追加的内容'"}],
}


def section(**changes: object) -> Section:
    return msgspec.convert({**EXAMPLE, **changes}, Section)


def test_the_example_becomes_objects():
    """Every table of the example directory file."""
    found = wanted(section())

    assert [
        WantedRecord(
            dialect="pushplus",
            kind="site",
            key="site",
            data={"default_mail": "site-mail", "default_sms": "", "limits": "off", "open_join": False},
        ),
        WantedCredential(dialect="pushplus", kind="user", value=TOKEN, owner="alice"),
        WantedRecord(
            dialect="pushplus",
            kind="account",
            key="account",
            owner="alice",
            data={"callback_url": "http://127.0.0.1:9099/p"},
            secrets={"secret_key": "s"},
        ),
        WantedCredential(dialect="pushplus", kind="user", value="00000000000000000000000000000b0b", owner="bob"),
        WantedRecord(dialect="pushplus", kind="account", key="account", owner="bob", data={"verified": False}),
        WantedCredential(dialect="pushplus", kind="message", name="ci", value="f" * 32, owner="alice"),
        WantedFeed(
            dialect="pushplus",
            kind="topic",
            code="ops",
            name="Ops",
            owner="alice",
            members=("alice", "bob"),
            settings={"introduction": "What happens at night", "receiptMessage": "Welcome"},
        ),
        WantedCredential(
            dialect="pushplus",
            kind="friend",
            value="5813c18bb0fa462789028312dae30224",
            owner="bob",
            holder="alice",
        ),
        WantedRecord(dialect="pushplus", kind="webhook", key="pushplus", owner="alice", data={"carrier": "team-bot"}),
        WantedRecord(
            dialect="pushplus",
            kind="pre",
            key="appendMsg",
            owner="alice",
            data={"script": "content = content + '追加的内容'", "name": "appendMsg"},
        ),
    ] == found


def test_an_empty_section_is_a_site_without_users():
    """All keys have defaults."""
    assert [
        WantedRecord(
            dialect="pushplus",
            kind="site",
            key="site",
            data={"default_mail": "", "default_sms": "", "limits": "off", "open_join": True},
        )
    ] == (wanted(Section()))


@pytest.mark.parametrize(
    "change", [{"surprise": 1}, {"limits": "mild"}, {"users": [{"person": "a", "token": TOKEN, "x": 1}]}]
)
def test_unknown_keys_and_values_are_refused(change):
    """A typo must not pass silently."""
    with pytest.raises(msgspec.ValidationError):
        section(**change)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"users": [{"person": "a", "token": "short"}]}, r"pushplus.users\[0\].token"),
        ({"users": [{"person": "a", "token": TOKEN.upper()}]}, r"pushplus.users\[0\].token"),
        ({"users": [{"person": p, "token": TOKEN} for p in "ab"]}, r"pushplus.users\[1\].token"),
        ({"users": [{"person": p, "token": t * 32} for p, t in ("a1", "A2")]}, r"pushplus.users\[1\].person"),
        ({"friends": [{"owner": "a", "friend": "b", "token": "x"}]}, r"pushplus.friends\[0\].token"),
        (
            {"friends": [{"owner": o, "friend": "b", "token": t * 32} for o, t in (("a", "1"), ("A", "2"))]},
            r"pushplus.friends\[1\]",
        ),
        ({"friends": [{"owner": "a", "friend": "A", "token": TOKEN}]}, r"pushplus.friends\[0\].friend"),
        ({"topics": [{"code": "x", "owner": o} for o in ("a", "A")]}, r"pushplus.topics\[1\].code"),
        ({"webhooks": [{"code": " ", "owner": "a", "carrier": "c"}]}, r"pushplus.webhooks\[0\].code"),
    ],
)
def test_broken_rules_name_their_place(change, where):
    """Tokens are what the official clients insist on; codes are unique per owner."""
    with pytest.raises(Problem, match=where):
        wanted(section(**change))


def test_two_owners_may_use_the_same_code():
    """A code is unique per owner only."""
    found = wanted(section(topics=[{"code": "x", "owner": owner} for owner in ("a", "b")]))

    assert len([one for one in found if isinstance(one, WantedFeed)]) == 2


def test_points_turn_the_ledger_on():
    """A person who was given points, be it none, keeps them; whoever is not named keeps none."""
    users = [{"person": "a", "token": "a" * 32, "points": 0}, {"person": "b", "token": "b" * 32}]
    kept = {one.owner: one.data for one in wanted(section(users=users)) if getattr(one, "kind", "") == "account"}

    assert kept == {"a": {"points": 0}, "b": {}}
    with pytest.raises(msgspec.ValidationError, match="points"):
        section(users=[{"person": "a", "token": "a" * 32, "points": -1}])
