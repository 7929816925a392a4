"""The ``[pushplus]`` tables of the directory file (DESIGN §6)."""

import ipaddress
from typing import Annotated, Literal

import msgspec

from onebell.core.wanted import Problem, Wanted, WantedCredential, WantedFeed, WantedRecord
from onebell.dialects.pushplus.senders import ACCOUNT_KEY, NAME, SITE_KEY
from onebell.ids import HEX32


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    """A table of the file: unknown keys are refused."""


class User(_Table, kw_only=True):
    """A person's user token and settings."""

    person: str
    token: str
    secret_key: str = ""  # for the open API; empty = switched off
    callback_url: str = ""  # counts as verified
    allow_ips: tuple[str, ...] = ()  # addresses and networks that may use the open API; empty = all
    points: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Given in all, to pay for text messages; absent = he keeps none and sends as many as he likes."""
    verified: bool = True  # by his real name; with limits "strict" others send nothing


class Topic(_Table, kw_only=True):
    """A topic (群组) that its owner sends to."""

    code: str
    name: str = ""
    owner: str
    members: tuple[str, ...] = ()
    contact: str = ""  # shown with the next one to whoever opens its join link
    introduction: str = ""
    receipt_message: str = ""  # shown to whoever has joined


class Friend(_Table, kw_only=True):
    """A one-way friendship: what ``owner`` writes into ``to`` to reach ``friend``."""

    owner: str
    friend: str
    token: str


class Webhook(_Table, kw_only=True):
    """A config code for channel webhook, cp or mail."""

    owner: str
    code: str
    carrier: str


class Pre(_Table, kw_only=True):
    """A preprocess script."""

    owner: str
    code: str
    script: str
    name: str = ""


class Token(_Table, kw_only=True):
    """A message token of a person."""

    person: str
    name: str
    token: str


class Section(_Table, kw_only=True):
    """``[pushplus]``."""

    default_mail: str = ""
    default_sms: str = ""
    limits: Literal["off", "strict"] = "off"
    open_join: bool = True  # whether somebody new may make an account at a join link
    users: tuple[User, ...] = ()
    tokens: tuple[Token, ...] = ()
    topics: tuple[Topic, ...] = ()
    friends: tuple[Friend, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    pre: tuple[Pre, ...] = ()


def wanted(section: Section) -> list[Wanted]:
    """What the section asks for.

    Raises:
        Problem: a token that official clients would refuse, or a code given twice.
    """
    _check(section)
    found: list[Wanted] = [_site(section)]
    for user in section.users:
        found += _user(user)
    found += [_credential("message", token.name, token.token, token.person) for token in section.tokens]
    found += [_topic(topic) for topic in section.topics]
    found += [_friend(friend) for friend in section.friends]
    found += [_webhook(webhook) for webhook in section.webhooks]
    found += [_pre(pre) for pre in section.pre]
    return found


def _site(section: Section) -> WantedRecord:
    data = {
        "default_mail": section.default_mail,
        "default_sms": section.default_sms,
        "limits": section.limits,
        "open_join": section.open_join,
    }
    return WantedRecord(dialect=NAME, kind="site", key=SITE_KEY, data=data)


def _user(user: User) -> list[Wanted]:
    said = {
        "callback_url": user.callback_url or None,
        "allow_ips": user.allow_ips or None,
        "points": user.points,
        "verified": None if user.verified else False,
    }
    account = WantedRecord(
        dialect=NAME,
        kind="account",
        key=ACCOUNT_KEY,
        owner=user.person,
        data={key: value for key, value in said.items() if value is not None},
        secrets={"secret_key": user.secret_key} if user.secret_key else {},
    )
    return [_credential("user", "", user.token, user.person), account]


def _credential(kind: str, name: str, value: str, owner: str) -> WantedCredential:
    return WantedCredential(dialect=NAME, kind=kind, name=name, value=value, owner=owner)


def _topic(topic: Topic) -> WantedFeed:
    said = {
        "contact": topic.contact,
        "introduction": topic.introduction,
        "receiptMessage": topic.receipt_message,
    }
    return WantedFeed(
        dialect=NAME,
        kind="topic",
        code=topic.code,
        name=topic.name,
        owner=topic.owner,
        members=topic.members,
        settings={key: value for key, value in said.items() if value},
    )


def _friend(friend: Friend) -> WantedCredential:
    # Owned by who receives, held by who may write to him with it.
    return WantedCredential(dialect=NAME, kind="friend", value=friend.token, owner=friend.friend, holder=friend.owner)


def _webhook(webhook: Webhook) -> WantedRecord:
    data = {"carrier": webhook.carrier}
    return WantedRecord(dialect=NAME, kind="webhook", key=webhook.code, owner=webhook.owner, data=data)


def _pre(pre: Pre) -> WantedRecord:
    data = {"script": pre.script, "name": pre.name or pre.code}
    return WantedRecord(dialect=NAME, kind="pre", key=pre.code, owner=pre.owner, data=data)


def _check(section: Section) -> None:
    _check_tokens("users", [user.token for user in section.users])
    _check_people([user.person.lower() for user in section.users])
    _check_tokens("tokens", [token.token for token in section.tokens])
    _check_tokens("friends", [friend.token for friend in section.friends])
    _check_pairs([(friend.owner, friend.friend) for friend in section.friends])
    for no, user in enumerate(section.users):
        _check_networks(f"users[{no}].allow_ips", user.allow_ips)
    _check_codes("topics", [(topic.owner, topic.code) for topic in section.topics])
    _check_codes("webhooks", [(webhook.owner, webhook.code) for webhook in section.webhooks])
    _check_codes("pre", [(pre.owner, pre.code) for pre in section.pre])


def _check_tokens(table: str, tokens: list[str]) -> None:
    for no, token in enumerate(tokens):
        if HEX32.match(token) is None:
            raise Problem(f"pushplus.{table}[{no}].token", "must be 32 lower-case hex digits")
        if token in tokens[:no]:
            raise Problem(f"pushplus.{table}[{no}].token", "stands here twice")


def _check_people(people: list[str]) -> None:
    for no, person in enumerate(people):
        if person in people[:no]:
            raise Problem(f"pushplus.users[{no}].person", "has a user token already; give him [[pushplus.tokens]]")


def _check_pairs(pairs: list[tuple[str, str]]) -> None:
    seen: set[tuple[str, str]] = set()
    for no, (owner, friend) in enumerate(pairs):
        pair = (owner.lower(), friend.lower())
        if pair in seen:
            raise Problem(f"pushplus.friends[{no}]", "these two stand here twice")
        if pair[0] == pair[1]:
            raise Problem(f"pushplus.friends[{no}].friend", "nobody is his own friend")
        seen.add(pair)


def _check_networks(place: str, networks: tuple[str, ...]) -> None:
    for no, network in enumerate(networks):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise Problem(f"pushplus.{place}[{no}]", "must be an address or a network: 10.0.0.0/8") from None


def _check_codes(table: str, codes: list[tuple[str, str]]) -> None:
    seen: set[tuple[str, str]] = set()
    for no, (owner, code) in enumerate(codes):
        if not code.strip():
            raise Problem(f"pushplus.{table}[{no}].code", "must not be empty")
        if (owner.lower(), code) in seen:
            raise Problem(f"pushplus.{table}[{no}].code", "its owner has it already")
        seen.add((owner.lower(), code))
