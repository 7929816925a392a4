"""What the PushPlus open API asks of the store, on both engines."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.rows import SPACE, Rows

from onebell.core.drafts import AccountDraft, RecordDraft
from onebell.core.model import Content, FeedKind, Part
from onebell.core.sent import SentFilter
from onebell.errors import Conflict, NotFound, TooMany
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups

ALICE, BOB = 11, 12
MANY = 50
TOKEN = "0123456789abcdef0123456789abcdef"
PARTS = (Part(content=Content(title="t", body="b")),)


async def test_an_owner_rewrites_his_own_record(store: Store, space: int, lookups: CachedLookups):
    """Key and data change together; another owner, another space and a key that is taken are refused."""
    made = await store.records.create(space, "pushplus", "pre", "one", owner=ALICE, data={"script": "a"})
    await store.records.create(space, "pushplus", "pre", "two", owner=ALICE)
    await store.records.rewrite(space, ALICE, made.id, "uno", {"script": "b"})
    found = await lookups.record(space, "pushplus", "pre", "uno", ALICE)

    assert found is not None
    assert (found.id, found.data) == (made.id, {"script": "b"})
    with pytest.raises(Conflict):
        await store.records.rewrite(space, ALICE, made.id, "two", {})
    for where, owner in ((space, BOB), (space + 1, ALICE)):
        with pytest.raises(NotFound):
            await store.records.rewrite(where, owner, made.id, "x", {})
        with pytest.raises(NotFound):
            await store.records.discard(where, owner, made.id)
    assert await store.records.owner_of(space, made.id) == ALICE
    await store.records.discard(space, ALICE, made.id)
    assert await store.records.owner_of(space, made.id) is None


async def test_settings_are_merged(store: Store, space: int, lookups: CachedLookups):
    """The record is made at the first switch; each further one changes its own key alone and keeps the secrets."""
    await store.records.merge(space, "pushplus", "account", "account", ALICE, {"is_send": 0})
    made = await lookups.record(space, "pushplus", "account", "account", ALICE)
    assert made is not None
    await store.records.set_secrets(space, made.id, {"secret_key": "s"})
    await store.records.merge(space, "pushplus", "account", "account", ALICE, {"extension": 1})
    await store.records.merge(space, "pushplus", "account", "account", BOB, {"extension": 0})
    found = await lookups.record(space, "pushplus", "account", "account", ALICE)

    assert await store.pushplus.refusing(space) == ()
    await store.records.merge(space, "pushplus", "account", "account", BOB, {"recevie_limit": 1, "note": "x"})
    await store.records.merge(space, "pushplus", "pre", "account", ALICE, {"recevie_limit": 1})
    assert await store.pushplus.refusing(space) == (BOB,)
    assert await store.pushplus.refusing(space + 1) == ()
    assert found is not None
    assert (found.id, found.data, found.secrets) == (made.id, {"is_send": 0, "extension": 1}, {"secret_key": "s"})


async def test_a_message_token_is_edited_and_revoked_by_its_owner(store: Store, space: int, lookups: CachedLookups):
    """Its default channel goes with it; a user token is nobody's to edit so."""
    made = await store.credentials.issue(space, "pushplus", "message", TOKEN, owner=ALICE)
    user = await store.credentials.issue(space, "pushplus", "user", TOKEN, owner=ALICE)
    await store.records.create(space, "pushplus", "default", str(made.id), owner=ALICE)
    await store.pushplus.edit_token(space, ALICE, made.id, name="new", expires_at=5)
    found = await lookups.credential_by_id(space, made.id)

    assert found is not None
    assert (found.name, found.expires_at) == ("new", 5)
    for owner, which in ((BOB, made.id), (ALICE, user.id)):
        with pytest.raises(NotFound):
            await store.pushplus.edit_token(space, owner, which, name="his", expires_at=0)
        with pytest.raises(NotFound):
            await store.pushplus.revoke_token(space, owner, which)
    await store.pushplus.revoke_token(space, ALICE, made.id)
    assert await lookups.credential("pushplus", "message", TOKEN) is None
    assert await lookups.records(space, "pushplus", "default", ALICE) == []


def _config(code: str, carrier: str) -> RecordDraft:
    return RecordDraft(key=code, data={"carrier": carrier}, secrets={"url": "https://x.example/KEY"})


def _account(carrier: str, kind: str = "hiflow") -> AccountDraft:
    fields = {"url": "https://x.example/KEY", "group": "g"}
    return AccountDraft(code=carrier, kind=kind, name="n", fields=fields, secret=frozenset({"url"}))


@pytest.mark.parametrize("kind", ["feeds", "records", "credentials", "configs"])
async def test_there_is_room_for_so_many_and_no_more(store: Store, space: int, kind: str):
    """Those that are made at once are counted one by one."""
    olga = await store.people.create(space, "olga")

    def make(no: int) -> Awaitable[object]:
        config, account = _config(f"c{no}", f"a-{no}"), _account(f"a-{no}")
        config.data["type"] = 7
        makers: dict[str, Callable[[], Awaitable[object]]] = {
            "feeds": lambda: store.feeds.create(space, "pushplus", FeedKind.TOPIC, f"c{no}", owner=olga.id, most=3),
            "records": lambda: store.records.create(space, "pushplus", "pre", f"c{no}", owner=olga.id, most=3),
            "credentials": lambda: store.credentials.issue(
                space, "pushplus", "message", f"{no:032x}", owner=olga.id, most=3
            ),
            "configs": lambda: store.pushplus.add_config(space, olga.id, config, account, 3),
        }
        return makers[kind]()

    made = await asyncio.gather(*map(make, range(8)), return_exceptions=True)

    assert sum(isinstance(one, TooMany) for one in made) == 5
    assert not [one for one in made if isinstance(one, Exception) and not isinstance(one, TooMany)]


async def test_a_config_and_its_account_come_and_go_together(store: Store, space: int, lookups: CachedLookups):
    """Made, changed in place and removed in one transaction each; a code that is taken leaves no account behind."""
    which = await store.pushplus.add_config(space, ALICE, _config("flow", "a-1"), _account("a-1"), MANY)
    made = await lookups.record(space, "pushplus", "webhook", "flow", ALICE)
    account = await lookups.carrier(space, "a-1")
    assert made is not None
    assert account is not None
    assert (made.id, made.secrets) == (which, {"url": "https://x.example/KEY"})
    assert (account.fields["url"], account.owner, account.is_foreign) == ("https://x.example/KEY", ALICE, True)
    with pytest.raises(Conflict):
        await store.pushplus.add_config(space, ALICE, _config("flow", "a-2"), _account("a-2"), MANY)
    assert await lookups.carrier(space, "a-2") is None

    await store.pushplus.edit_config(space, made, _config("bot", "a-1"), _account("a-1", "wecom_bot"))
    edited = await lookups.record(space, "pushplus", "webhook", "bot", ALICE)
    changed = await lookups.carrier(space, "a-1")
    assert edited is not None
    assert changed is not None
    assert (changed.id, changed.kind) == (account.id, "wecom_bot")

    await store.pushplus.drop_config(space, edited)
    assert await lookups.carrier(space, "a-1") is None
    with pytest.raises(NotFound):
        await store.pushplus.drop_config(space, edited)


async def test_an_operators_account_is_left_alone(store: Store, space: int, lookups: CachedLookups):
    """A config that named it gets an account of its own when it is edited; removing the config does not remove it."""
    await store.carrier_accounts.create(space, "shared", "hiflow", {"url": "https://op.example"}, {"url"}, owner=ALICE)
    await store.records.create(space, "pushplus", "webhook", "flow", owner=ALICE, data={"carrier": "shared"})
    old = await lookups.record(space, "pushplus", "webhook", "flow", ALICE)
    assert old is not None
    await store.pushplus.edit_config(space, old, _config("flow", "own"), _account("own"))
    shared, own = await lookups.carrier(space, "shared"), await lookups.carrier(space, "own")
    assert shared is not None
    assert own is not None
    assert (shared.fields["url"], shared.is_foreign, own.is_foreign) == ("https://op.example", False, True)

    new = await lookups.record(space, "pushplus", "webhook", "flow", ALICE)
    assert new is not None
    await store.pushplus.edit_config(space, new, _config("flow", "shared"), None)
    assert await lookups.carrier(space, "own") is None
    again = await lookups.record(space, "pushplus", "webhook", "flow", ALICE)
    assert again is not None
    await store.pushplus.drop_config(space, again)
    assert await lookups.carrier(space, "shared") == shared


async def test_a_foreign_account_knows_what_its_space_allows(store: Store, space: int, lookups: CachedLookups):
    """The origins are read with the account, so a change of the space's list is seen with the next message."""
    await store.pushplus.add_config(space, ALICE, _config("flow", "a-1"), _account("a-1"), MANY)
    await store.carrier_accounts.create(space, "shared", "hiflow", {"url": "https://op.example"}, {"url"})
    allowed = schema.space.update().where(schema.space.c.id == space).values(allow_callbacks=b'["http://in.example"]')
    await store.changes.write(space, lambda connection: connection.execute(allowed).rowcount)
    own, shared = await lookups.carrier(space, "a-1"), await lookups.carrier(space, "shared")

    assert own is not None
    assert shared is not None
    assert (own.allow_origins, shared.allow_origins) == (("http://in.example",), ())


@pytest.fixture
async def rows(database: Database) -> Rows:
    """Rows put as they are."""
    made = Rows(database)
    await made.space()
    return made


async def test_a_message_whose_audience_was_given_up_says_why(store: Store, rows: Rows):
    """It reached nobody, and no delivery can tell the reason."""
    which = await _sent(rows, b"{}")
    why = "defect in expanding the audience: KeyError (trace 0123456789abcdef)"
    await rows.put(schema.expansion, [{"space_id": SPACE, "message_id": which, "no": 0, "done": 1, "why": why}])
    _, (found,) = await store.pushplus.sent(SPACE, ALICE, SentFilter(), 0, 9)

    assert (found.is_reached, found.why) == (False, why)


async def _sent(rows: Rows, extra: bytes, sender: int = ALICE, **values: Any) -> int:
    return await rows.message(parts=PARTS, dialect="pushplus", sender=sender, extra=extra, **values)


async def _listed(store: Store, start: int = 0, size: int = 10, **wanted: Any) -> tuple[int, list[int]]:
    total, found = await store.pushplus.sent(SPACE, ALICE, SentFilter(**wanted), start, size)
    return total, [one.id for one in found]


async def test_a_senders_messages_newest_first(store: Store, rows: Rows):
    """Only his own of this dialect, without recalled and refused ones, in pages."""
    sent = [await _sent(rows, b'{"channel":"wechat"}') for _ in range(3)]
    await _sent(rows, b"{}", sender=BOB)
    await _sent(rows, b"{}", state="recalled")
    await _sent(rows, b"{}", state="refused")
    await rows.message(parts=PARTS, dialect="wecom", sender=ALICE)

    assert await _listed(store) == (3, sent[::-1])
    assert await _listed(store, start=1, size=1) == (3, [sent[1]])
    assert await _listed(store, start=9) == (3, [])


async def test_the_list_is_narrowed_by_what_was_remembered(store: Store, rows: Rows):
    """Channel and topic are read out of the packed memory; a title that looks like them is a title."""
    mail = await _sent(rows, b'{"owner":11,"title":"a","channel":"mail","template":"html"}')
    topic = await _sent(rows, b'{"owner":11,"title":"b","channel":"wechat","template":"html","topic":5}')
    odd = await _sent(rows, rb'{"owner":11,"title":"\"channel\":\"mail\",\"topic\":","channel":"wechat"}')

    assert await _listed(store, channel="mail") == (1, [mail])
    assert await _listed(store, channel="wechat") == (2, [odd, topic])
    assert await _listed(store, channel="\"%_'") == (0, [])
    assert await _listed(store, is_topic=True) == (1, [topic])
    assert await _listed(store, is_topic=False) == (2, [odd, mail])


async def test_the_list_is_narrowed_by_reading(store: Store, rows: Rows):
    """Read is what somebody has read, one by one or by the marker."""
    (alice, bob) = await rows.people(["alice", "bob"])
    one, marked, unread = [await _sent(rows, b"{}") for _ in range(3)]
    await rows.put(
        schema.entry,
        [
            {"space_id": SPACE, "mailbox_id": alice, "seq": 7, "message_id": one, "read_at": 1},
            {"space_id": SPACE, "mailbox_id": bob, "seq": 3, "message_id": marked, "read_at": 0},
            {"space_id": SPACE, "mailbox_id": bob, "seq": 4, "message_id": unread, "read_at": 0},
        ],
    )
    box = schema.mailbox.update().where(schema.mailbox.c.id == bob).values(read_up_to=3)
    await rows.db.write(lambda connection: connection.execute(box))

    assert await _listed(store, is_read=True) == (2, [marked, one])
    assert await _listed(store, is_read=False) == (1, [unread])
