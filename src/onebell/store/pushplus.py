"""What only PushPlus asks of the messages, and its access keys."""

from typing import Any

import sqlalchemy as sa

from onebell.core.directory import Record
from onebell.core.drafts import AccountDraft, RecordDraft
from onebell.core.sent import SentFilter, SentMessage
from onebell.errors import NotFound
from onebell.store import carrier_accounts, credentials, pushplus_lists, records, room
from onebell.store.carrier_accounts import NewCarrierAccount, split_secrets
from onebell.store.changes import Changes
from onebell.store.credentials import NewCredential
from onebell.store.packed import pack, unpack_object
from onebell.store.records import NewRecord
from onebell.store.schema import carrier_account, credential, guard, message, record
from onebell.vault import ServerVault

_DIALECT = "pushplus"
_ACCESS = "access"


class PushPlusStore:
    """Verbs of the PushPlus dialect."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def message(self, short_code: str) -> SentMessage | None:
        """The message of a shortCode, whoever sent it: the code is what its reader shows (sheet pushplus §1.6)."""
        return await self._changes.database.read(
            lambda connection: pushplus_lists.by_short_code(connection, short_code)
        )

    async def sent(
        self, space: int, sender: int, wanted: SentFilter, start: int, size: int
    ) -> tuple[int, list[SentMessage]]:
        """How many messages a user has sent, and a page of them, newest first; recalled ones are not told of."""
        return await self._changes.database.read(
            lambda connection: pushplus_lists.sent(connection, space, sender, wanted, start, size)
        )

    async def spent(self, space: int, guard_key: str) -> int:
        """What a guard has been charged so far."""
        statement = sa.select(guard.c.used).where(guard.c.space_id == space, guard.c.key == guard_key)
        return await self._changes.database.read(lambda connection: connection.scalar(statement) or 0)

    async def settle(self, space: int, which: int, guard_key: str, each: int) -> None:
        """Charge a message for what was sent, ``each`` a delivery, and give the rest back; a second time changes
        nothing, for the message remembers what it has cost."""

        def work(connection: sa.Connection) -> None:
            here = (message.c.space_id == space, message.c.id == which)
            packed = connection.scalar(sa.select(message.c.extra).where(*here).with_for_update())
            extra = unpack_object(packed)
            charged = int(extra.get("points", 0))
            cost = min(charged, each * pushplus_lists.sent_deliveries(connection, space, which))
            if cost == charged:
                return
            connection.execute(sa.update(message).where(*here).values(extra=pack({**extra, "points": cost})))
            ledger = sa.update(guard).where(guard.c.space_id == space, guard.c.key == guard_key)
            connection.execute(ledger.values(used=guard.c.used - (charged - cost)))

        await self._changes.database.write(work)

    async def refusing(self, space: int) -> tuple[int, ...]:
        """Who has switched receiving off."""
        return await self._changes.database.read(lambda connection: pushplus_lists.refusing(connection, space))

    async def issue_access_key(self, space: int, owner: int, value: str, *, expires_at: int, old_until: int) -> None:
        """Issue an access key; the owner's other ones end at ``old_until`` at the latest (milliseconds)."""
        new = NewCredential(
            id=self._changes.mint.mint(),
            dialect=_DIALECT,
            kind=_ACCESS,
            owner=owner,
            value=value,
            expires_at=expires_at,
        )
        now_ms = self._changes.clock.now_ms()

        def work(connection: sa.Connection) -> None:
            credentials.remove(connection, space, _ended(connection, space, owner, now_ms))
            connection.execute(
                sa.update(credential)
                .where(_keys_of(space, owner), credential.c.expires_at > old_until)
                .values(expires_at=old_until)
            )
            credentials.insert(connection, self._changes.vault, space, new, now_ms)

        await self._changes.write(space, work)

    async def add_config(
        self, space: int, owner: int, config: RecordDraft, account: AccountDraft | None, most: int
    ) -> int:
        """Make a config code, and the carrier account it names where that is new; its id.

        Raises:
            Conflict: the owner has one of this code.
            TooMany: he has made ``most``.
        """
        vault, now_ms = self._changes.vault, self._changes.clock.now_ms()
        new = NewRecord(
            id=self._changes.mint.mint(),
            dialect=_DIALECT,
            kind="webhook",
            key=config.key,
            owner=owner,
            data=config.data,
            secrets=config.secrets,
        )

        def work(connection: sa.Connection) -> None:
            room.check(connection, record, space, owner, most, *pushplus_lists.own_configs(connection))
            records.insert(connection, vault, space, new, now_ms)
            if account is not None:
                carrier_accounts.insert(connection, vault, space, self._own(owner, account), now_ms)

        await self._changes.write(space, work)
        return new.id

    async def edit_config(self, space: int, old: Record, config: RecordDraft, account: AccountDraft | None) -> None:
        """Write a config code anew. The account that it named and its owner made is changed in place, so that what
        waits there still goes out; it goes when the config names another. Raises ``NotFound``, ``Conflict``."""
        vault, now_ms = self._changes.vault, self._changes.clock.now_ms()
        mine = _own_account(space, old.owner, str(old.data.get("carrier", "")))

        def work(connection: sa.Connection) -> None:
            records.rewrite(connection, space, old.owner, old.id, config.key, config.data, now_ms)
            records.update(connection, space, old.id, now_ms, secrets=records.seal_object(vault, config.secrets))
            if account is None:
                is_left = carrier_account.c.code != str(config.data.get("carrier", ""))
                connection.execute(sa.delete(carrier_account).where(mine, is_left))
            elif (which := connection.scalar(sa.select(carrier_account.c.id).where(mine))) is None:
                carrier_accounts.insert(connection, vault, space, self._own(old.owner, account), now_ms)
            else:
                carrier_accounts.update(connection, space, which, now_ms, **_columns(vault, account))

        await self._changes.write(space, work)

    def _own(self, owner: int, account: AccountDraft) -> NewCarrierAccount:
        plain, hidden = split_secrets(account.fields, account.secret)
        return NewCarrierAccount(
            id=self._changes.mint.mint(),
            code=account.code,
            kind=account.kind,
            name=account.name,
            fields=plain,
            secrets=hidden,
            owner=owner,
            is_foreign=True,
        )

    async def drop_config(self, space: int, old: Record) -> None:
        """Remove a config code, and the account that its owner made for it. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            records.discard(connection, space, old.owner, old.id)
            mine = _own_account(space, old.owner, str(old.data.get("carrier", "")))
            connection.execute(sa.delete(carrier_account).where(mine))

        await self._changes.write(space, work)

    async def edit_token(self, space: int, owner: int, which: int, *, name: str, expires_at: int) -> None:
        """Another name and end of a message token. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            statement = sa.update(credential).where(_token_of(space, owner, which))
            if not connection.execute(statement.values(name=name, expires_at=expires_at)).rowcount:
                raise NotFound(f"token {which}")
            credentials.mark_edited(connection, space, which)

        await self._changes.write(space, work)

    async def revoke_token(self, space: int, owner: int, which: int) -> None:
        """Take a message token away, and its default channel with it. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            if connection.scalar(sa.select(credential.c.id).where(_token_of(space, owner, which))) is None:
                raise NotFound(f"token {which}")
            credentials.remove(connection, space, [which])
            connection.execute(
                sa.delete(record).where(
                    record.c.space_id == space,
                    record.c.dialect == _DIALECT,
                    record.c.kind == "default",
                    record.c.owner_id == owner,
                    record.c.key == str(which),
                )
            )

        await self._changes.write(space, work)


def _own_account(space: int, owner: int, code: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        carrier_account.c.space_id == space,
        carrier_account.c.owner_id == owner,
        carrier_account.c.is_foreign == 1,
        carrier_account.c.code == code,
    )


def _columns(vault: ServerVault, account: AccountDraft) -> dict[str, Any]:
    plain, hidden = split_secrets(account.fields, account.secret)
    return {
        "kind": account.kind,
        "name": account.name,
        "fields": pack(plain),
        "secrets": records.seal_object(vault, hidden),
        "stopped_why": "",
    }


def _token_of(space: int, owner: int, which: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        credential.c.space_id == space,
        credential.c.dialect == _DIALECT,
        credential.c.kind == "message",
        credential.c.owner_id == owner,
        credential.c.id == which,
    )


def _keys_of(space: int, owner: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        credential.c.space_id == space,
        credential.c.dialect == _DIALECT,
        credential.c.kind == _ACCESS,
        credential.c.owner_id == owner,
    )


def _ended(connection: sa.Connection, space: int, owner: int, now_ms: int) -> list[int]:
    statement = sa.select(credential.c.id).where(_keys_of(space, owner), credential.c.expires_at <= now_ms)
    return list(connection.scalars(statement))
