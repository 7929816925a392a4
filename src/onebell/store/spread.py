"""Who is next in a large audience, and over which addresses: selects that never leave the database.

A page is the next people by id. Each select drives from the index that is ordered by person under its narrowest
condition, so that a page costs its own people and not those that were passed before.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa

from onebell.core.model import Members, PeopleQuery
from onebell.core.work import Addressing, ExpansionPlan, PartPlan
from onebell.store.live import has_socket
from onebell.store.page import AFTER, LIMIT, NOW
from onebell.store.schema import address, attribute, carrier_account, mailbox, member, person, route, tag

Ids: TypeAlias = sa.Select[int]
_Condition: TypeAlias = sa.ColumnElement[bool]
_Tags: TypeAlias = Sequence[tuple[str, str]]

NAMED_AT_ONCE = 5_000
"""Ids of a black or white list that one page looks at."""

_BLACK_END: sa.BindParameter[int] = sa.bindparam("p_black_end", type_=sa.BigInteger)
_NO_END = (1 << 63) - 1


class People(msgspec.Struct, frozen=True, kw_only=True):
    """One page's people: a select, and the values that make it this page."""

    ids: Ids
    place: dict[str, Any]
    now_ms: int


def next_people(space: int, audience: Members | PeopleQuery, keep: str) -> Ids:
    """The ids of the next people of an audience, in order, as the column ``id``; made once, run with :func:`place`."""
    match audience:
        case Members():
            return _members(space, audience, keep)
        case PeopleQuery():
            return _matching(space, audience, keep)


def place(audience: Members | PeopleQuery, after: int, limit: int, now_ms: int) -> dict[str, Any]:
    """What makes :func:`next_people` a page: where it begins and how long it is."""
    values: dict[str, Any] = {AFTER.key: after, LIMIT.key: limit, NOW.key: now_ms}
    white, black = _lists(audience)
    if white is not None:
        values["p_white"] = _window(white, after)
    if black:
        near = values["p_black"] = _window(black, after)
        values["p_black_end"] = near[-1] if len(near) == NAMED_AT_ONCE else _NO_END
    return values


def _lists(audience: Members | PeopleQuery) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """White and black list."""
    if isinstance(audience, Members):
        return audience.only or None, audience.exclude
    return audience.include, audience.exclude


def _listed(audience: Members | PeopleQuery, who: sa.ColumnElement[int]) -> list[_Condition]:
    white, black = _lists(audience)
    conditions: list[_Condition] = []
    if white is not None:
        conditions.append(who.in_(sa.bindparam("p_white", expanding=True, type_=sa.BigInteger)))
    if black:
        conditions.append(who.not_in(sa.bindparam("p_black", expanding=True, type_=sa.BigInteger)))
        conditions.append(who <= _BLACK_END)
    return conditions


def _members(space: int, audience: Members, keep: str) -> Ids:
    who = member.c.party_id
    conditions = [member.c.space_id == space, member.c.feed_id == audience.feed, who > AFTER]
    conditions += [*_listed(audience, who), *_online(space, who, keep)]
    return sa.select(who.label("id")).where(*conditions).order_by(who).limit(LIMIT)


def _matching(space: int, query: PeopleQuery, keep: str) -> Ids:
    tags, more = _split_tags(query)
    if tags is not None:
        sources = [_holders(space, one) for one in tags]
    elif query.attributes:
        sources = [_bearers(space, query.attributes[0])]
    elif query.include is not None and query.uids is None:
        # Named one by one, so they may be names and devices too: whoever has a mailbox.
        sources = [(mailbox.c.id, [mailbox.c.space_id == space])]
    else:
        sources = [(person.c.id, [person.c.space_id == space])]
    pieces = []
    for who, found in sources:
        rest = [*found, who > AFTER, *_filters(space, query, more, who), *_online(space, who, keep)]
        pieces.append(sa.select(who.label("id")).where(*rest).order_by(who).limit(LIMIT))
    if len(pieces) == 1:
        return pieces[0]
    # Each holds the next people under one tag: the next of all are among them.
    several = sa.union(*(sa.select(piece.subquery().c.id) for piece in pieces)).subquery("several")
    return sa.select(several.c.id).order_by(several.c.id).limit(LIMIT)


def _split_tags(query: PeopleQuery) -> tuple[_Tags | None, list[_Tags]]:
    """The union to drive from, and those to test."""
    unions: list[_Tags] = [] if query.any_tags is None else [query.any_tags]
    unions += query.more_tags
    if not unions:
        return None, []
    unions.sort(key=len)
    return unions[0], unions[1:]


def _holders(space: int, one: tuple[str, str]) -> tuple[sa.ColumnElement[int], list[_Condition]]:
    held = tag.alias()
    return held.c.person_id, [held.c.space_id == space, held.c.tag == one[0], held.c.scope == one[1]]


def _bearers(space: int, one: tuple[str, str]) -> tuple[sa.ColumnElement[int], list[_Condition]]:
    borne = attribute.alias()
    return borne.c.person_id, [borne.c.space_id == space, borne.c.key == one[0], borne.c.value == one[1]]


def _filters(space: int, query: PeopleQuery, unions: Sequence[_Tags], who: sa.ColumnElement[int]) -> list[_Condition]:
    conditions = [_has_tag(space, who, tags) for tags in unions]
    conditions += [_has_attribute(space, who, one) for one in query.attributes]
    if query.uids is not None:
        named = person.alias()
        keys = sorted({uid.lower() for uid in query.uids})
        found = (named.c.space_id == space, named.c.uid_key.in_(keys))
        conditions.append(who.in_(sa.select(named.c.id).where(*found)))
    return conditions + _listed(query, who)


def _has_tag(space: int, who: sa.ColumnElement[int], tags: _Tags) -> _Condition:
    held = tag.alias()
    any_of = sa.or_(*(sa.and_(held.c.tag == name, held.c.scope == scope) for name, scope in tags))
    return sa.select(1).where(held.c.space_id == space, held.c.person_id == who, any_of).exists()


def _has_attribute(space: int, who: sa.ColumnElement[int], one: tuple[str, str]) -> _Condition:
    borne = attribute.alias()
    same = (borne.c.person_id == who, borne.c.key == one[0], borne.c.value == one[1])
    return sa.select(1).where(borne.c.space_id == space, *same).exists()


def _online(space: int, who: sa.ColumnElement[int], keep: str) -> list[_Condition]:
    if keep != "while_online":
        return []
    return [has_socket(space, who, NOW)]


def _window(ids: Iterable[int], after: int) -> list[int]:
    """The next of these ids: a list of any length costs a page only what lies in its reach."""
    return sorted(one for one in set(ids) if one > after)[:NAMED_AT_ONCE]


def passed(audience: Members | PeopleQuery, after: int) -> int | None:
    """Where an empty page stands when a list was looked at in part; ``None`` = nobody is left."""
    white, black = _lists(audience)
    windows = [_window(ids, after) for ids in (white or (), black)]
    ends = [near[-1] for near in windows if len(near) == NAMED_AT_ONCE]
    return min(ends) if ends else None


def addressed(plan: ExpansionPlan, part: PartPlan, people: Ids) -> sa.Select[Any]:
    """(person, account, value) of a page; ``value`` is null where a person has no address."""
    page = people.subquery("people")
    space = plan.job.space
    account = carrier_account
    ours = (account.c.space_id == space, account.c.enabled == 1)
    columns = (
        page.c.id.label("person"),
        account.c.id.label("account"),
        account.c.code.label("code"),
        _value(plan, page.c.id).label("value"),
    )
    if part.is_by_route:
        routes = sa.and_(route.c.space_id == space, route.c.person_id == page.c.id)
        named = sa.and_(account.c.code == route.c.carrier, *ours)
        return sa.select(*columns).select_from(page.join(route, routes).join(account, named))
    chosen = sa.and_(account.c.id.in_(part.accounts), *ours)
    return sa.select(*columns).select_from(page.join(account, chosen))


def _value(plan: ExpansionPlan, who: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    space, kinds = plan.job.space, plan.addressing
    choices: list[sa.ColumnElement[Any]] = []
    for scope in plan.job.spread.scopes:
        choices.append(_address(space, who, carrier_account.c.code, scope))
        general = _general(kinds)
        if general is not None:
            choices.append(_address(space, who, general, scope))
    own = choices[0] if len(choices) == 1 else sa.func.coalesce(*choices)
    if not kinds.account:
        return own
    return sa.case((carrier_account.c.kind.in_(kinds.account), carrier_account.c.code), else_=own)


def _general(kinds: Addressing) -> sa.ColumnElement[str] | None:
    """``email`` or ``phone``, by the account's kind."""
    pairs = [(kinds.email, "email"), (kinds.phone, "phone")]
    cases = [(carrier_account.c.kind.in_(names), sa.literal(word)) for names, word in pairs if names]
    return sa.case(*cases, else_=sa.literal("")) if cases else None


def _address(
    space: int, who: sa.ColumnElement[int], carrier: sa.ColumnElement[str], scope: str
) -> sa.ScalarSelect[str]:
    mine = address.alias()
    found = (mine.c.space_id == space, mine.c.person_id == who, mine.c.carrier == carrier, mine.c.scope == scope)
    return sa.select(mine.c.value).where(*found, mine.c.verified == 1).order_by(mine.c.id).limit(1).scalar_subquery()
