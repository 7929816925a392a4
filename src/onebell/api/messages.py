"""Sending, and what became of what was sent."""

from typing import Literal

import msgspec

from onebell.api.callers import DIALECT
from onebell.api.errors import ApiError, invalid
from onebell.api.guard import id_of
from onebell.api.idempotency import ONCE, key_of
from onebell.api.operations import Call, Caller, Operation, Right
from onebell.core.context import Context
from onebell.core.directory import Person
from onebell.core.model import (
    Audience,
    Button,
    Content,
    FeedKind,
    Format,
    Members,
    Part,
    PartyKind,
    People,
    PeopleQuery,
    Sender,
    Severity,
    Submission,
)
from onebell.errors import Conflict
from onebell.ids import native_id

TITLE_CHARACTERS = 500
BODY_CHARACTERS = 64 * 1024
RECEIVERS = 1000
LISTED = 50
"""Feeds, tags, images, actions, carriers in one message."""
ACTION_CHARACTERS = {"text": 128, "key": 128, "value": 1_000, "url": 2_048}
_OWN_FEED = "sent"
"""Code of the feed that holds what one sender sends by tag."""


class NewAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A button: opens a URL, or reports ``key`` and ``value``."""

    text: str
    url: str = ""
    key: str = ""
    value: str = ""


class NewMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A message. At least one receiver and a title or a body."""

    to: str | list[str] = []  # uids
    feeds: list[str] = []  # ids of feeds, as inbox items show them
    tags: list[str] = []  # everybody who has one of these tags
    title: str = ""
    body: str = ""
    format: Literal["text", "html", "markdown"] = "text"
    severity: Literal["min", "low", "normal", "high", "critical"] = "normal"
    summary: str = ""
    url: str = ""
    icon: str = ""
    images: list[str] = []
    actions: list[NewAction] = []
    carriers: list[str] = []  # codes, and "inbox"; empty = inbox and each receiver's routes


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The message is stored."""

    message_id: str


class MessagesApi:
    """The native way in."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def operations(self) -> list[Operation]:
        """Rows of the table."""
        return [
            Operation(
                method="POST",
                path="/messages",
                rights=frozenset({Right.SEND}),
                do=self.send,
                tag="messages",
                body=NewMessage,
                answer=Accepted,
                status=201,
                parameters=(ONCE,),
                about="Send a message. The answer comes when it is stored durably.",
            )
        ]

    async def send(self, call: Call) -> Accepted:
        """Send a message."""
        body: NewMessage = call.body
        caller = call.who
        _check(body)
        sender = await self.sender_of(caller)
        submission = Submission(
            space=caller.space,
            dialect=DIALECT,
            public_id=native_id(),
            sender=sender,
            credential=caller.credential,
            audience=await self._audience(caller.space, sender, body),
            parts=(Part(content=_content(body), carriers=await self._carriers(caller, body)),),
            severity=Severity[body.severity.upper()],
            idempotency=key_of(call, msgspec.json.encode(body)),
        )
        try:
            receipt = await self._context.accept(submission)
        except Conflict as error:
            raise ApiError("key_reused", "this Idempotency-Key was used with another message") from error
        return Accepted(message_id=receipt.public_id)

    async def sender_of(self, caller: Caller) -> Sender:
        """The party that writes for a caller."""
        if caller.person:
            return Sender(party=caller.person, kind=PartyKind.PERSON, name=caller.name)
        party = await self._context.lookups.party(caller.space, PartyKind.BOT, caller.name)
        return Sender(party=party, kind=PartyKind.BOT, name=caller.name)

    async def _audience(self, space: int, sender: Sender, body: NewMessage) -> tuple[Audience, ...]:
        audience: list[Audience] = []
        people = await self._people(space, body)
        if people:
            ids = [person.id for person in people]
            feeds = await self._context.lookups.directs(space, DIALECT, sender.party, ids)
            audience += [People(feed=feeds[who], ids=(who,)) for who in ids]
        for text in body.feeds:
            number = id_of(text)
            feed = None if number is None else await self._context.lookups.feed(space, number)
            if feed is None:
                raise invalid("feeds", f"there is no feed {text}")
            audience.append(Members(feed=feed.id))
        if body.tags:
            feed_id = await self._feed_of(space, sender)
            audience.append(PeopleQuery(feed=feed_id, any_tags=tuple((tag, "all") for tag in body.tags)))
        return tuple(audience)

    async def _people(self, space: int, body: NewMessage) -> list[Person]:
        uids = [body.to] if isinstance(body.to, str) else body.to
        found = await self._context.lookups.people_by_uid(space, uids) if uids else {}
        missing = [uid for uid in uids if uid.lower() not in found]
        if missing:
            raise invalid("to", f"there is no person {missing[0]}")
        return list(found.values())

    async def _feed_of(self, space: int, sender: Sender) -> int:
        """The feed of what a sender sends to tags; made at first use."""
        lookups = self._context.lookups
        kind = FeedKind.TOPIC.value
        known = await lookups.feed_by_code(space, DIALECT, kind, _OWN_FEED, sender.party)
        if known is None:
            try:
                return (
                    await self._context.store.feeds.create(
                        space, DIALECT, FeedKind.TOPIC, _OWN_FEED, name=sender.name, owner=sender.party
                    )
                ).id
            except Conflict:
                lookups.forget(space)
                known = await lookups.feed_by_code(space, DIALECT, kind, _OWN_FEED, sender.party)
                assert known is not None, "it conflicted because it exists"
        return known.id

    async def _carriers(self, caller: Caller, body: NewMessage) -> tuple[str, ...]:
        for code in body.carriers:
            account = await self._context.lookups.carrier(caller.space, code)
            is_anothers = account is not None and account.is_foreign and account.owner != caller.person
            if code != "inbox" and (account is None or is_anothers):
                raise invalid("carriers", f"there is no carrier {code}")
        return tuple(dict.fromkeys(body.carriers))


def _check(body: NewMessage) -> None:
    """Rules that the types do not say.

    Raises:
        ApiError: one is broken.
    """
    if not body.to and not body.feeds and not body.tags:
        raise invalid("to", "a message has receivers: to, feeds or tags")
    if not body.title and not body.body:
        raise invalid("body", "a message has a title or a body")
    if len(body.title) > TITLE_CHARACTERS:
        raise invalid("title", f"a title has at most {TITLE_CHARACTERS} characters")
    if len(body.body) > BODY_CHARACTERS:
        raise invalid("body", f"a body has at most {BODY_CHARACTERS} characters")
    if not isinstance(body.to, str) and len(body.to) > RECEIVERS:
        raise invalid("to", f"a message names at most {RECEIVERS} people; use a feed or a tag")
    for name in ("feeds", "tags", "images", "actions", "carriers"):
        if len(getattr(body, name)) > LISTED:
            raise invalid(name, f"at most {LISTED} {name}")
    if any("\0" in tag for tag in body.tags):  # PostgreSQL's text refuses NUL
        raise invalid("tags", "a tag holds no NUL")
    for action in body.actions:
        _check_action(action)
    for name, urls in (("url", [body.url]), ("icon", [body.icon]), ("images", body.images)):
        if any(url and not _is_web(url) for url in urls):
            raise invalid(name, f"{name} begins with http:// or https://")


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _check_action(action: NewAction) -> None:
    if not action.text.strip():
        raise invalid("actions", "an action has a text")
    if bool(action.url) == bool(action.key):
        raise invalid("actions", "an action has either a url or a key")
    if action.url and not _is_web(action.url):
        raise invalid("actions", "the url of an action begins with http:// or https://")
    for name, limit in ACTION_CHARACTERS.items():
        if len(getattr(action, name)) > limit:
            raise invalid("actions", f"the {name} of an action has at most {limit} characters")
    if "\0" in action.key:  # PostgreSQL's text refuses NUL
        raise invalid("actions", "the key of an action holds no NUL")


def _content(body: NewMessage) -> Content:
    return Content(
        title=body.title,
        body=body.body,
        format=Format(body.format),
        summary=body.summary,
        url=body.url,
        icon=body.icon,
        images=tuple(body.images),
        buttons=tuple(
            Button(text=action.text, url=action.url, key=action.key, value=action.value) for action in body.actions
        ),
        tags=tuple(body.tags),
    )
