"""``token/*``: message tokens (sheet pushplus §2)."""

from datetime import datetime

from onebell.clock import SHANGHAI, shanghai_text
from onebell.core.directory import Credential
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.limits import OBJECTS
from onebell.dialects.pushplus.manage.call import Call, Calls, Row, refuse
from onebell.dialects.pushplus.manage.owned import TOKEN, id_of, my_token, records_of
from onebell.dialects.pushplus.manage.pages import newest
from onebell.dialects.pushplus.senders import NAME
from onebell.http.exchange import Answer
from onebell.ids import hex32

NEVER = "2999-12-31"
"""The end of a token that was given none."""
_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S")


class _Token(Row):
    id: int
    name: str
    expire_time: str
    token: str


class _Option(Row):
    id: int
    name: str


async def list_tokens(call: Call) -> Answer:
    """``token/list``."""
    return answer.found(await newest(call, TOKEN, await message_tokens(call), id_of, _shown))


async def add(call: Call) -> Answer:
    """``token/add``: the new token itself."""
    name, ends = call.name("name"), _end(call.text("expireTime") or NEVER)
    value = hex32()
    made = await call.context.store.credentials.issue(
        call.space.id, NAME, "message", value, name=name, owner=call.me.id, expires_at=ends, most=OBJECTS
    )
    await call.note("created", f"pushplus token {made.name}")
    return answer.done(value)


async def edit(call: Call) -> Answer:
    """``token/edit``; an end that is not given stays."""
    token, name = await my_token(call, "id"), call.name("name")
    ends = _end(call.text("expireTime")) if call.text("expireTime") else token.expires_at
    await call.context.store.pushplus.edit_token(call.space.id, call.me.id, token.id, name=name, expires_at=ends)
    await call.note("changed", f"pushplus token {name}")
    return answer.found(answer.EDITED)


async def delete(call: Call) -> Answer:
    """``token/deleteToken``."""
    token = await my_token(call, "id")
    await call.context.store.pushplus.revoke_token(call.space.id, call.me.id, token.id)
    await call.note("removed", f"pushplus token {token.name}")
    return answer.found(answer.DELETED)


async def select(call: Call) -> Answer:
    """``token/selectTokenList``: all, or those without a default channel."""
    tokens = await message_tokens(call)
    if call.number("type") == 1:
        taken = {record.key for record in await records_of(call, "default")}
        tokens = [token for token in tokens if str(token.id) not in taken]
    numbers = await call.shown(TOKEN, [token.id for token in tokens])
    return answer.done([_Option(numbers[token.id], token.name) for token in tokens])


async def message_tokens(call: Call) -> list[Credential]:
    """The caller's message tokens, oldest first."""
    return list(await call.context.lookups.credentials(call.space.id, NAME, "message", call.me.id))


def _shown(number: int, token: Credential) -> _Token:
    return _Token(number, token.name, _end_of(token), token.value)


def _end_of(token: Credential) -> str:
    return shanghai_text(token.expires_at) if token.expires_at else f"{NEVER} 00:00:00"


def _end(text: str) -> int:
    for form in _FORMS:
        try:
            # Never 0, which would mean no end.
            return max(1, round(datetime.strptime(text, form).replace(tzinfo=SHANGHAI).timestamp() * 1000))
        except (ValueError, OverflowError):
            continue
    return refuse(OpenFault.MALFORMED, "expireTime")


CALLS: Calls = {
    ("POST", "token/list"): list_tokens,
    ("POST", "token/add"): add,
    ("POST", "token/edit"): edit,
    ("DELETE", "token/deleteToken"): delete,
    ("GET", "token/selectTokenList"): select,
}
