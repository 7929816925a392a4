"""``mp/*``, ``cp/list``, ``mail/*``: what a user can send over besides webhooks (sheet pushplus §2, §5.2, §5.3)."""

from email.utils import parseaddr
from typing import Any

from onebell.clock import shanghai_text
from onebell.core.directory import CarrierAccount, Record
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.manage.call import Call, Calls, refuse
from onebell.dialects.pushplus.manage.owned import my_record, records_of
from onebell.dialects.pushplus.manage.pages import listed, newest, page_of
from onebell.dialects.pushplus.manage.webhook_kinds import HIDDEN
from onebell.dialects.pushplus.manage.webhooks import WEBHOOK, account_of
from onebell.http.exchange import Answer

_CORP_APP, _MAIL = "wecom_app", "smtp"


async def list_official_accounts(call: Call) -> Answer:
    """``mp/list``: WeChat lets nobody but itself send there, so there are none."""
    return answer.found(listed(page_of(call), 0, []))


async def official_account(call: Call) -> Answer:
    """``mp/detail``."""
    return refuse(OpenFault.NO_CONFIG)


async def list_corp_apps(call: Call) -> Answer:
    """``cp/list``."""
    return await _listed(call, _CORP_APP, "cp")


async def list_mails(call: Call) -> Answer:
    """``mail/list``."""
    return await _listed(call, _MAIL, "mail")


async def mail(call: Call) -> Answer:
    """``mail/detail``; nobody is shown the password."""
    record = await my_record(call, WEBHOOK, "mailId", OpenFault.NO_CONFIG)
    account = await account_of(call, record)
    if account is None or account.kind != _MAIL:
        refuse(OpenFault.NO_CONFIG)
    fields = account.fields
    shown = {
        **_named(await call.shown_one(WEBHOOK, record.id), record, account, "mail"),
        "account": parseaddr(str(fields.get("from", "")))[1],
        "password": HIDDEN if fields.get("password") else "",
        "smtpServer": str(fields.get("host", "")),
        "smtpSsl": int(fields.get("security") == "tls"),
        "smtpPort": fields.get("port"),
        "createTime": shanghai_text(record.created_at),
    }
    return answer.found(shown)


async def _listed(call: Call, kind: str, prefix: str) -> Answer:
    mine = await _of_kind(call, kind)
    return answer.found(
        await newest(call, WEBHOOK, mine, lambda one: one[0].id, lambda number, one: _named(number, *one, prefix))
    )


async def _of_kind(call: Call, kind: str) -> list[tuple[Record, CarrierAccount]]:
    """The caller's configs of a kind; a webhook that is another name for one of them is not one."""
    found = [(record, await account_of(call, record)) for record in await records_of(call, WEBHOOK)]
    return [(one, account) for one, account in found if account and account.kind == kind and "type" not in one.data]


def _named(number: int, record: Record, account: CarrierAccount, prefix: str) -> dict[str, Any]:
    return {"id": number, f"{prefix}Name": account.name or record.key, f"{prefix}Code": record.key}


CALLS: Calls = {
    ("POST", "mp/list"): list_official_accounts,
    ("GET", "mp/detail"): official_account,
    ("POST", "cp/list"): list_corp_apps,
    ("POST", "mail/list"): list_mails,
    ("GET", "mail/detail"): mail,
}
