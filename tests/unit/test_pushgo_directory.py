"""The ``[pushgo]`` table of a directory file (DESIGN §6)."""

from typing import Any

import msgspec
import pytest

from onebell.core.wanted import Problem, Wanted, WantedCredential, WantedFeed
from onebell.dialects.pushgo.directory import Section, wanted

CHANNEL = {"channel_id": "06J0FZG1Y8XGG14VTQ4Y3G10MR", "name": "NAS", "password": "channel-password"}


def asked(**section: Any) -> list[Wanted]:
    return wanted(msgspec.convert(section, Section))


def test_a_channel_is_a_feed_and_a_credential() -> None:
    """The credential is found by the canonical id, holds the chosen password and belongs to the feed."""
    written = CHANNEL | {"channel_id": "06j0-fzg1-y8xgg14vtq4y3g10mr", "subscribers": ["alice"]}
    feed, credential = asked(channels=[written])
    assert feed == WantedFeed(
        dialect="pushgo", kind="channel", code=CHANNEL["channel_id"], name="NAS", members=("alice",)
    )
    assert credential == WantedCredential(
        dialect="pushgo",
        kind="channel",
        name=CHANNEL["channel_id"],
        password="channel-password",
        feed=("channel", "", CHANNEL["channel_id"]),
    )


def test_an_empty_gateway_token_is_none() -> None:
    """An open gateway needs no object."""
    assert asked(gateway_token="") == []


def test_a_gateway_token_is_a_credential() -> None:
    """The token is found by its value: it selects the space."""
    (credential,) = asked(gateway_token="tok")
    assert credential == WantedCredential(dialect="pushgo", kind="gateway", name="gateway", value="tok")


@pytest.mark.parametrize(
    ("section", "where"),
    [
        ({"gateway_token": "two words"}, "pushgo.gateway_token"),
        ({"gateway_token": "x" * 4097}, "pushgo.gateway_token"),
        ({"channels": [CHANNEL | {"channel_id": "nope"}]}, "pushgo.channels[0].channel_id"),
        ({"channels": [CHANNEL, CHANNEL]}, "pushgo.channels[1].channel_id"),
        ({"channels": [CHANNEL | {"name": " "}]}, "pushgo.channels[0].name"),
        ({"channels": [CHANNEL | {"name": "a\nb"}]}, "pushgo.channels[0].name"),
        ({"channels": [CHANNEL | {"name": "n" * 129}]}, "pushgo.channels[0].name"),
        ({"channels": [CHANNEL | {"password": " short "}]}, "pushgo.channels[0].password"),
    ],
)
def test_a_broken_rule_is_named(section: dict[str, Any], where: str) -> None:
    """The problem says where the rule is broken."""
    with pytest.raises(Problem) as caught:
        asked(**section)
    assert caught.value.where == where


def test_unknown_keys_are_refused() -> None:
    """A key that nobody knows is an error, not a silent default."""
    with pytest.raises(msgspec.ValidationError):
        asked(token="x")
