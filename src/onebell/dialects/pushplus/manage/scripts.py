"""``pre/*``: preprocess scripts, kept and tried out (sheet pushplus §2, §4)."""

from onebell.clock import shanghai_text
from onebell.core.directory import Record
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.limits import OBJECTS
from onebell.dialects.pushplus.manage.call import Call, Calls, Row, refuse
from onebell.dialects.pushplus.manage.owned import id_of, my_record, records_of
from onebell.dialects.pushplus.manage.pages import newest
from onebell.dialects.pushplus.senders import NAME
from onebell.errors import ScriptFailed
from onebell.http.exchange import Answer

JAVASCRIPT = 1
"""The only contentType."""
SCRIPT_CHARS = 20_000
"""Of one script; the sheet leaves the number to us."""
_PRE = "pre"


class _Item(Row):
    id: int
    pre_name: str
    pre_code: str
    content_type: int
    create_time: str


class _Detail(Row):
    id: int
    pre_name: str
    pre_code: str
    content_type: int
    content: str


async def list_scripts(call: Call) -> Answer:
    """``pre/list``."""
    return answer.done(await newest(call, _PRE, await records_of(call, _PRE), id_of, _shown))


async def detail(call: Call) -> Answer:
    """``pre/detail``."""
    record = await my_record(call, _PRE, "preId", OpenFault.NO_PRE)
    number = await call.shown_one(_PRE, record.id)
    return answer.found(_Detail(number, _name(record), record.key, JAVASCRIPT, str(record.data.get("script", ""))))


async def add(call: Call) -> Answer:
    """``pre/add``: its number."""
    code, data = _asked(call)
    made = await call.context.store.records.create(
        call.space.id, NAME, _PRE, code, owner=call.me.id, data=data, most=OBJECTS
    )
    await call.note("created", f"pushplus pre {code}")
    return answer.found(await call.shown_one(_PRE, made.id))


async def edit(call: Call) -> Answer:
    """``pre/edit``."""
    record = await my_record(call, _PRE, "id", OpenFault.NO_PRE)
    code, data = _asked(call)
    await call.context.store.records.rewrite(call.space.id, call.me.id, record.id, code, data)
    await call.note("changed", f"pushplus pre {code}")
    return answer.found(answer.EDITED)


async def delete(call: Call) -> Answer:
    """``pre/delete``."""
    record = await my_record(call, _PRE, "preId", OpenFault.NO_PRE)
    await call.context.store.records.discard(call.space.id, call.me.id, record.id)
    await call.note("removed", f"pushplus pre {record.key}")
    return answer.done(answer.DELETED)


async def try_out(call: Call) -> Answer:
    """``pre/test``: what a script makes of a message, or what is wrong with it."""
    script = _script(call)
    try:
        return answer.found(await call.context.scripts.run(script, call.whole_text("message"), owner=call.me.id))
    except ScriptFailed as failed:
        return refuse(OpenFault.SCRIPT, failed.text or answer.SCRIPT_FAULTS[failed.fault])


def _shown(number: int, record: Record) -> _Item:
    return _Item(number, _name(record), record.key, JAVASCRIPT, shanghai_text(record.created_at))


def _name(record: Record) -> str:
    return str(record.data.get("name") or record.key)


def _asked(call: Call) -> tuple[str, dict[str, str]]:
    return call.name("preCode"), {"script": _script(call), "name": call.name("preName")}


def _script(call: Call) -> str:
    if call.number("contentType", JAVASCRIPT) != JAVASCRIPT:
        refuse(OpenFault.MALFORMED, "contentType")
    return call.at_most(SCRIPT_CHARS, "content", call.whole_text("content")) or refuse(OpenFault.ABSENT, "content")


CALLS: Calls = {
    ("POST", "pre/list"): list_scripts,
    ("GET", "pre/detail"): detail,
    ("POST", "pre/add"): add,
    ("POST", "pre/edit"): edit,
    ("DELETE", "pre/delete"): delete,
    ("POST", "pre/test"): try_out,
}
