"""``webhook/*``: config codes that a user makes himself, each with a carrier account of his own (sheet pushplus §2)."""

from typing import Any

from onebell.clock import shanghai_text
from onebell.core.directory import CarrierAccount, Record
from onebell.core.drafts import AccountDraft, RecordDraft
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.manage.call import Call, Calls, refuse
from onebell.dialects.pushplus.manage.owned import my_record, records_of
from onebell.dialects.pushplus.manage.pages import newest
from onebell.dialects.pushplus.manage.webhook_kinds import (
    CORP_APP,
    CUSTOM,
    HIDDEN,
    KINDS,
    BadUrl,
    Kind,
    masked,
    type_of,
)
from onebell.dialects.pushplus.senders import NAME
from onebell.errors import InvalidInput, NotFound, OutOfReach
from onebell.http.exchange import Answer
from onebell.ids import hex32

WEBHOOK = "webhook"
"""Kind of the records of all config codes, and of their numbers."""
URL_CHARS = 500
TEMPLATE_CHARS = 10_000
"""Of headers and body each; the sheet leaves the number to us."""
METHODS = ("GET", "POST", "PUT", "DELETE")
_OTHERS = ("wecom_app", "smtp")
"""Kinds that stand under cp/* and mail/*, unless a webhook of type 6 points there."""


async def list_webhooks(call: Call) -> Answer:
    """``webhook/list``."""
    mine = await webhooks(call)
    return answer.found(
        await newest(call, WEBHOOK, mine, lambda one: one[0].id, lambda number, one: _shown(number, *one))
    )


async def detail(call: Call) -> Answer:
    """``webhook/detail``: the request's template too where there is one."""
    record = await my_record(call, WEBHOOK, "webhookId", OpenFault.NO_CONFIG)
    account = await account_of(call, record)
    shown = _shown(await call.shown_one(WEBHOOK, record.id), record, account)
    if shown["webhookType"] == CUSTOM:
        shown |= _template(call, account)
    return answer.found(shown)


async def add(call: Call) -> Answer:
    """``webhook/add``: its number."""
    given = sum("type" not in record.data for record, _ in await webhooks(call))
    most = call.sender.profile.webhooks - given
    if most <= 0:
        refuse(OpenFault.TOO_MANY)
    config, account = await _asked(call)
    which = await call.context.store.pushplus.add_config(call.space.id, call.me.id, config, account, most)
    await call.note("created", f"pushplus webhook {config.key}")
    return answer.found(await call.shown_one(WEBHOOK, which))


async def edit(call: Call) -> Answer:
    """``webhook/edit``."""
    record = await my_record(call, WEBHOOK, "id", OpenFault.NO_CONFIG)
    config, account = await _asked(call, record)
    await call.context.store.pushplus.edit_config(call.space.id, record, config, account)
    await call.note("changed", f"pushplus webhook {config.key}")
    return answer.found(answer.EDITED)


async def delete(call: Call) -> Answer:
    """``webhook/delete``."""
    record = await my_record(call, WEBHOOK, "webhookId", OpenFault.NO_CONFIG)
    await call.context.store.pushplus.drop_config(call.space.id, record)
    await call.note("removed", f"pushplus webhook {record.key}")
    return answer.found(answer.DELETED)


async def webhooks(call: Call) -> list[tuple[Record, CarrierAccount | None]]:
    """The caller's webhook configs with their accounts, oldest first."""
    found = [(record, await account_of(call, record)) for record in await records_of(call, WEBHOOK)]
    return [(one, account) for one, account in found if "type" in one.data or not _is_other(account)]


async def account_of(call: Call, record: Record) -> CarrierAccount | None:
    """The carrier account that a config names."""
    return await call.context.lookups.carrier(call.space.id, str(record.data.get("carrier", "")))


def is_mine(call: Call, account: CarrierAccount) -> bool:
    """Whether the caller has made an account himself; what the operator configured is not his to see or change."""
    return account.is_foreign and account.owner == call.me.id


def _is_other(account: CarrierAccount | None) -> bool:
    return account is not None and account.kind in _OTHERS


# ---------------------------------------------------------------- what is shown


def _shown(number: int, record: Record, account: CarrierAccount | None) -> dict[str, Any]:
    kind = int(record.data.get("type") or type_of(account.kind if account else ""))
    return {
        "id": number,
        "webhookCode": record.key,
        "webhookName": str(record.data.get("name") or record.key),
        "webhookType": kind,
        "webhookTypeName": KINDS[kind].name,
        "webhookUrl": _url(record, account),
        "createTime": shanghai_text(record.created_at),
    }


def _url(record: Record, account: CarrierAccount | None) -> str:
    # What the operator configured may hold keys that are not this user's to see.
    return record.secrets.get("url") or (masked(account.fields) if account else HIDDEN)


def _template(call: Call, account: CarrierAccount | None) -> dict[str, str]:
    fields = account.fields if account is not None and is_mine(call, account) else {}
    return {
        "httpMethod": str(fields.get("method", "")),
        "headers": str(fields.get("headers", "")),
        "body": str(fields.get("body", "")),
    }


# ---------------------------------------------------------------- what is asked for


async def _asked(call: Call, old: Record | None = None) -> tuple[RecordDraft, AccountDraft | None]:
    """The config that a call describes; no account where it names one that is there already."""
    code, name = call.name("webhookCode"), call.name("webhookName")
    number = call.choice("webhookType", tuple(KINDS))
    url = call.at_most(URL_CHARS, "webhookUrl", call.required("webhookUrl"))
    if old is not None and HIDDEN in url:
        # Shown without its secrets and sent back so: the address stays.
        return RecordDraft(key=code, data={**old.data, "name": name}, secrets=old.secrets), None
    if number == CORP_APP:
        data = {"carrier": await _corp_app(call, url), "name": name, "type": number}
        return RecordDraft(key=code, data=data, secrets={"url": url}), None
    made = await account_of(call, old) if old is not None else None
    kept = made.code if made is not None and is_mine(call, made) else f"pushplus-{hex32()}"
    fields, secret = _account(call, KINDS[number], url)
    data = {"carrier": kept, "name": name, "type": number}
    account = AccountDraft(code=kept, kind=KINDS[number].carrier, name=name, fields=fields, secret=secret)
    return RecordDraft(key=code, data=data, secrets={"url": url}), account


async def _corp_app(call: Call, code: str) -> str:
    """The account of a cp config: type 6 is another name for it, and its address is that config's code."""
    record = await call.context.lookups.record(call.space.id, NAME, WEBHOOK, code, call.me.id)
    account = await account_of(call, record) if record else None
    if account is None or account.kind != KINDS[CORP_APP].carrier:
        refuse(OpenFault.NO_CODE)
    return account.code


def _account(call: Call, kind: Kind, url: str) -> tuple[dict[str, Any], frozenset[str]]:
    """The fields of an account for this address, and which of them are secret."""
    try:
        fields = kind.fields(url) | (_custom(call) if kind is KINDS[CUSTOM] else {})
        return fields, call.context.accounts.secret_fields(_tried(call, kind.carrier, fields))
    except BadUrl:
        return refuse(OpenFault.MALFORMED, "webhookUrl")
    except OutOfReach:
        return refuse(OpenFault.FORBIDDEN_URL, "webhookUrl")
    except InvalidInput as error:
        return refuse(OpenFault.MALFORMED, error.field if error.field in ("headers", "body") else "webhookUrl")
    except NotFound:
        return refuse(OpenFault.NOT_BUILT)


def _tried(call: Call, kind: str, fields: dict[str, Any]) -> CarrierAccount:
    return CarrierAccount(
        id=0,
        space=call.space.id,
        code="",
        kind=kind,
        name="",
        fields=fields,
        allow_networks=(),
        owner=call.me.id,
        enabled=True,
        stopped_why="",
        is_foreign=True,
        allow_origins=call.space.allow_callbacks,
    )


def _custom(call: Call) -> dict[str, Any]:
    method = (call.text("httpMethod") or "POST").upper()
    if method not in METHODS:
        refuse(OpenFault.MALFORMED, "httpMethod")
    texts = {name: call.at_most(TEMPLATE_CHARS, name, call.whole_text(name)) for name in ("headers", "body")}
    return {"method": method, **{name: text for name, text in texts.items() if text}}


CALLS: Calls = {
    ("POST", "webhook/list"): list_webhooks,
    ("GET", "webhook/detail"): detail,
    ("POST", "webhook/add"): add,
    ("POST", "webhook/edit"): edit,
    ("GET", "webhook/delete"): delete,
}
