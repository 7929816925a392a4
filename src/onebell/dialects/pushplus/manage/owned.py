"""The caller's own objects by the numbers he was shown: 805 for somebody else's (sheet pushplus §2)."""

from onebell.core.directory import Credential, Record
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.manage.call import Call, refuse
from onebell.dialects.pushplus.senders import NAME

TOKEN = "token"
"""Under which message tokens are numbered; records are numbered under their kind."""


def id_of(one: Record | Credential) -> int:
    """Its row."""
    return one.id


async def records_of(call: Call, kind: str) -> list[Record]:
    """The caller's records of a kind, oldest first."""
    return list(await call.context.lookups.records(call.space.id, NAME, kind, call.me.id))


async def my_record(call: Call, kind: str, name: str, missing: OpenFault) -> Record:
    """The caller's record whose number a parameter gives.

    Raises:
        OpenRefused: no number, nobody's, or somebody else's.
    """
    which = await call.meant(kind, name)
    for record in await records_of(call, kind):
        if record.id == which:
            return record
    owner = await call.context.store.records.owner_of(call.space.id, which) if which else None
    return refuse(missing if owner in (None, call.me.id) else OpenFault.NOT_YOURS)


async def my_token(call: Call, name: str) -> Credential:
    """The caller's message token whose number a parameter gives.

    Raises:
        OpenRefused: no number, nobody's, or somebody else's.
    """
    which = await call.meant(TOKEN, name)
    found = await call.context.lookups.credential_by_id(call.space.id, which) if which else None
    if found is None or found.kind != "message":
        refuse(OpenFault.NO_TOKEN)
    if found.owner != call.me.id:
        refuse(OpenFault.NOT_YOURS)
    return found
