"""The ``[wecom]`` table of a directory file (DESIGN §6)."""

from typing import Any

import msgspec
import pytest

from onebell.core.wanted import Problem, Wanted, WantedCredential, WantedFeed, WantedRecord
from onebell.dialects.wecom.bot import BETA, PUBLIC
from onebell.dialects.wecom.directory import Section, wanted

KEY = "633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa"
GROUP = {"chatid": "wrG1", "name": "Ops room", "members": ["alice"]}
BOARD = {"chatid": "wbP1", "name": "Notice board"}
BOT = {"key": KEY, "name": "deploy bot"}
CALLBACK = {"url": "http://127.0.0.1:9099/wecom", "token": "xxx", "aes_key": "x" * 43}


def asked(**section: Any) -> list[Wanted]:
    return wanted(msgspec.convert(section, Section))


def settings_of(**section: Any) -> dict[str, Any]:
    (credential,) = [item for item in asked(**section) if isinstance(item, WantedCredential)]
    return credential.settings


def test_chats_are_feeds() -> None:
    """Groups and blackboards belong to the space and are found by their chatid."""
    assert asked(groups=[GROUP], blackboards=[BOARD]) == [
        WantedFeed(dialect="wecom", kind="group", code="wrG1", name="Ops room", members=("alice",)),
        WantedFeed(dialect="wecom", kind="blackboard", code="wbP1", name="Notice board"),
    ]


def test_a_bot_is_a_credential() -> None:
    """Its key is found by value; what it may reach stands in its settings."""
    bot = BOT | {"groups": ["wrG1"], "blackboards": ["wbP1"], "subscription_scope": ["alice"]}
    credential = asked(groups=[GROUP], blackboards=[BOARD], bots=[bot])[-1]
    assert credential == WantedCredential(
        dialect="wecom",
        kind="bot",
        name="deploy bot",
        value=KEY,
        settings={
            "groups": ["wrG1"],
            "blackboards": ["wbP1"],
            "subscription_scope": ["alice"],
            "text_bytes": 2048,
            "rates": msgspec.structs.asdict(BETA),
        },
    )


def test_the_callbacks_secrets_are_kept_as_secrets() -> None:
    """Token and key of a callback are sealed; its URL and format are not."""
    record = asked(bots=[BOT | {"callback": CALLBACK}])[-1]
    assert record == WantedRecord(
        dialect="wecom",
        kind="callback",
        key="deploy bot",
        data={"url": CALLBACK["url"], "format": "xml"},
        secrets={"token": "xxx", "aes_key": "x" * 43},
    )


def test_profiles_and_rates() -> None:
    """A profile chooses the rates, ``rates`` replaces them, ``text_bytes`` is the length of texts."""
    assert settings_of(profile="public", bots=[BOT])["rates"] == msgspec.structs.asdict(PUBLIC)
    assert settings_of(rates={"calls": 0}, bots=[BOT])["rates"]["calls"] == 0
    assert settings_of(text_bytes=5120, bots=[BOT])["text_bytes"] == 5120


@pytest.mark.parametrize(
    ("section", "where"),
    [
        ({"groups": [GROUP | {"chatid": "a|b"}]}, "wecom.groups[0].chatid"),
        ({"blackboards": [BOARD | {"chatid": ""}]}, "wecom.blackboards[0].chatid"),
        ({"groups": [GROUP], "blackboards": [BOARD | {"chatid": "wrG1"}]}, "wecom.blackboards[0].chatid"),
        ({"bots": [BOT | {"key": "short"}]}, "wecom.bots[0].key"),
        ({"bots": [BOT | {"name": " "}]}, "wecom.bots[0].name"),
        ({"bots": [BOT, BOT | {"key": KEY[::-1]}]}, "wecom.bots[1].name"),
        ({"bots": [BOT, BOT | {"name": "other"}]}, "wecom.bots[1].key"),
        ({"bots": [BOT | {"groups": ["wrG1"]}]}, "wecom.bots[0].groups[0]"),
        ({"groups": [GROUP], "bots": [BOT | {"blackboards": ["wrG1"]}]}, "wecom.bots[0].blackboards[0]"),
        ({"bots": [BOT | {"callback": CALLBACK | {"url": "ftp://x"}}]}, "wecom.bots[0].callback.url"),
        ({"bots": [BOT | {"callback": CALLBACK | {"token": "xx"}}]}, "wecom.bots[0].callback.token"),
        ({"bots": [BOT | {"callback": CALLBACK | {"aes_key": "x" * 42}}]}, "wecom.bots[0].callback.aes_key"),
        ({"text_bytes": 0}, "wecom.text_bytes"),
    ],
)
def test_a_broken_rule_is_named(section: dict[str, Any], where: str) -> None:
    """The problem says where the rule is broken."""
    with pytest.raises(Problem) as caught:
        asked(**section)
    assert caught.value.where == where


def test_no_secret_stands_in_a_problem() -> None:
    """A refused key is not repeated (RELIABILITY S8)."""
    with pytest.raises(Problem) as caught:
        asked(bots=[BOT | {"key": "secret key"}])
    assert "secret key" not in str(caught.value)
