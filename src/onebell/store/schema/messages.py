"""Messages, entries and what acceptance needs to decide."""

import sqlalchemy as sa

from onebell.store.schema.columns import Big, big, key, own_id, packed, small, space_id, table, text

message = table(
    "message",
    space_id(),
    own_id(),
    text("dialect"),
    text("public_id"),
    big("sender"),  # party
    text("sender_kind"),
    text("sender_name"),
    big("credential_id"),
    big("feed_id"),  # the first audience's feed
    big("parent_id"),
    small("severity", 3),
    text("keep", "stored"),
    text("state", "accepted"),  # held | accepted | expanding | finished | recalled | refused
    small("watched"),
    packed("parts"),  # tuple[Part, ...]
    packed("extra"),  # Submission.extra
    packed("callback"),  # CallbackTarget; empty or null = none
    big("due_at"),
    big("expires_at"),
    big("created_at"),
    big("finished_at"),
    big("device_id"),  # it was written on this device; 0 = on none, -1 = by a person in the inbox page
    sa.Index("message_by_time", "space_id", "dialect", "created_at"),
    sa.Index(  # PushPlus lists a user's own messages; the others do not pay for it
        "message_of_sender",
        "space_id",
        "sender",
        "id",
        sqlite_where=sa.text("dialect = 'pushplus'"),
        postgresql_where=sa.text("dialect = 'pushplus'"),
    ),
    sa.Index(  # an Easemob name that nobody has stays as long as what it wrote
        "message_of_name",
        "space_id",
        "sender",
        sqlite_where=sa.text("sender_kind = 'name'"),
        postgresql_where=sa.text("sender_kind = 'name'"),
    ),
    sa.Index(  # what the keeper takes away after a minute
        "message_passing",
        "created_at",
        sqlite_where=sa.text("keep = 'while_online'"),
        postgresql_where=sa.text("keep = 'while_online'"),
    ),
)

entry = table(  # one message in one mailbox: the delivery of the carrier inbox
    "entry",
    space_id(),
    sa.Column("mailbox_id", Big, primary_key=True, autoincrement=False),
    sa.Column("seq", Big, primary_key=True, autoincrement=False),
    big("rev"),
    big("message_id"),
    big("feed_id"),
    small("direction"),  # 0 in, 1 out
    big("public_id"),  # numbered submissions: the id this receiver sees; else 0
    small("mentioned"),
    small("severity", 3),
    big("created_at"),
    big("expires_at"),
    big("read_at"),
    big("taken_at"),  # first reader acknowledged it
    big("recalled_at"),
    big("delivered_at"),  # outgoing: a device of the other side has it
    big("seen_at"),  # outgoing: the other side has read it
    big("deleted_at"),  # tombstone for 30 days
    small("shown"),  # core.model.Shown: 0 = to a person, 1 = to programs only, 2 = a signal about another message
    sa.Index(  # the rev of all others is their seq (store/revisions.py)
        "entry_changed",
        "space_id",
        "mailbox_id",
        "rev",
        sqlite_where=sa.text("rev <> seq"),
        postgresql_where=sa.text("rev <> seq"),
    ),
    sa.Index("entry_of_message", "space_id", "message_id", "mailbox_id"),
    sa.Index(
        "entry_deleted",
        "deleted_at",
        sqlite_where=sa.text("deleted_at > 0"),
        postgresql_where=sa.text("deleted_at > 0"),
    ),
)

public_id = table(
    "public_id",
    key("dialect"),
    key("public_id"),
    big("space_id"),
    big("message_id"),
)

idempotency = table(
    "idempotency",
    space_id(),
    key("scope"),
    key("key"),
    text("fingerprint"),
    big("message_id"),
    text("public_id"),
    packed("receipt"),  # entries and extra of the first receipt
    big("expires_at"),
    sa.Index("idempotency_by_expiry", "expires_at"),
)

expansion = table(  # an audience too large for one batch, expanded in pages
    "expansion",
    space_id(),
    sa.Column("message_id", Big, primary_key=True, autoincrement=False),
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    packed("audience"),  # core/work.py Spread: Members or PeopleQuery, and how it is sent
    big("cursor"),  # party ids up to here are done
    big("count"),
    small("done"),
    big("lease_until"),
    big("node"),
    small("defects"),  # how often our code failed on it
    text("why"),  # why it was given up before its end
    sa.Index(
        "expansion_due",
        "lease_until",
        sqlite_where=sa.text("done = 0"),
        postgresql_where=sa.text("done = 0"),
    ),
)

interaction = table(
    "interaction",
    space_id(),
    sa.Column("message_id", Big, primary_key=True, autoincrement=False),
    sa.Column("party_id", Big, primary_key=True, autoincrement=False),
    key("key"),
    packed("value"),
    big("created_at"),
)
