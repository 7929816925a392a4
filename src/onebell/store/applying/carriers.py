"""Carrier accounts of a directory file."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from onebell.core.directory import CarrierAccount
from onebell.core.wanted import WantedCarrier
from onebell.store import carrier_accounts as verbs
from onebell.store.applying.desk import FROM_FILE, Desk, after, differing
from onebell.store.carrier_accounts import NewCarrierAccount, split_secrets
from onebell.store.changes import Origin
from onebell.store.packed import pack
from onebell.store.records import seal_object


def plan(desk: Desk, wanted: Sequence[WantedCarrier]) -> None:
    """Compare the accounts."""
    found = {one.code: one for one in verbs.every(desk.connection, desk.vault, desk.space)}
    origins = verbs.origins(desk.connection, desk.space)
    for one in wanted:
        account = found.get(one.code)
        if account is None:
            _make(desk, one)
        else:
            _compare(desk, one, account, origins[one.code])


def plan_removals(desk: Desk, wanted: Sequence[WantedCarrier]) -> None:
    """Remove what an earlier file made and this one does not name."""
    named = {one.code for one in wanted}
    origins = verbs.origins(desk.connection, desk.space)
    for account in verbs.every(desk.connection, desk.vault, desk.space):
        if origins[account.code] in FROM_FILE and account.code not in named:
            _remove(desk, account)


def _remove(desk: Desk, account: CarrierAccount) -> None:
    desk.remove(f"carrier {account.code}", lambda connection: verbs.remove(connection, desk.space, [account.id]))


def _make(desk: Desk, want: WantedCarrier) -> None:
    plain, hidden = split_secrets(want.fields, want.secret)
    new = NewCarrierAccount(
        id=desk.mint.mint(),
        code=want.code,
        kind=want.kind,
        name=want.name,
        fields=plain,
        secrets=hidden,
        allow_networks=want.allow_networks,
        max_age_s=want.max_age_s,
        owner=desk.person(want.owner),
        origin=Origin.FILE.value,
    )
    desk.make(
        f"carrier {want.code}",
        lambda connection: verbs.insert(connection, desk.vault, desk.space, new, desk.now_ms),
    )


def _compare(desk: Desk, want: WantedCarrier, account: CarrierAccount, origin: str) -> None:
    thing = f"carrier {want.code}"
    stored = {
        "kind": account.kind,
        "name": account.name,
        "allow_networks": account.allow_networks,
        "max_age_s": account.max_age_s,
        "owner_id": account.owner,
        "is_foreign": int(account.is_foreign),
    }
    wanted = {
        "kind": want.kind,
        "name": want.name or account.name,
        "allow_networks": want.allow_networks,
        "max_age_s": want.max_age_s,
        "owner_id": desk.person(want.owner),
        "is_foreign": 0,  # what a file names is the operator's
    }
    what = [*differing(stored, wanted), *differing(account.fields, want.fields)]
    if not what:
        desk.same(thing)
        return
    plain, hidden = split_secrets(want.fields, want.secret)
    columns: dict[str, Any] = {
        **wanted,
        "allow_networks": pack(want.allow_networks),
        "fields": pack(plain),
        "secrets": seal_object(desk.vault, hidden),
        "stopped_why": "",
        "origin": after(origin),
    }

    def work(connection: sa.Connection) -> None:
        verbs.update(connection, desk.space, account.id, desk.now_ms, **columns)

    desk.change(thing, what, origin, work)
