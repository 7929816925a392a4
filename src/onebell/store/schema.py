"""Every table, once, for both engines (SQLAlchemy Core).

Conventions: every key begins with ``space_id`` (DESIGN §10; ``credential_lookup`` and ``public_id`` are the only
exceptions); ids are 63-bit integers minted in Python (:mod:`onebell.ids`); instants are milliseconds UTC; a column
of type ``Packed`` holds compact JSON as bytes (bytes, because PostgreSQL's text refuses NUL, which callers may send);
``origin`` is ``file``, ``api`` or ``console``. Parts of a message live in its own row: a part is never read, changed
or addressed without its message, and one multi-row statement less is the dearest saving of the hot path.
"""

import sqlalchemy as sa

metadata = sa.MetaData()

Packed = sa.LargeBinary
_Big = sa.BigInteger


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    # Rows are clustered by their key: SQLite then keeps one tree instead of two.
    return sa.Table(name, metadata, *columns, sqlite_with_rowid=False)


def _space() -> sa.Column[int]:
    return sa.Column("space_id", _Big, primary_key=True, autoincrement=False)


def _id(name: str = "id") -> sa.Column[int]:
    return sa.Column(name, _Big, primary_key=True, autoincrement=False)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _big(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, _Big, nullable=False, server_default=sa.text(str(default)))


def _small(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default=sa.text(str(default)))


def _packed(name: str) -> sa.Column[bytes]:
    return sa.Column(name, Packed, nullable=True)


# ---------------------------------------------------------------- spaces and people

space = _table(
    "space",
    sa.Column("id", _Big, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _text("timezone", "UTC"),
    _text("language", "en"),
    _text("public_url"),
    _packed("allow_callbacks"),  # list of origins that a callback URL in a request may name
    _big("config_version"),  # rises with every change that caches must see
    _big("created_at"),
)

party = _table(  # whoever writes or is written to; a person's party has the person's id
    "party",
    _space(),
    _id(),
    _text("kind"),  # PartyKind
    _text("name"),  # as shown; for kind "name": the key other tables find it by, e.g. "acme/demo/ghost"
    sa.UniqueConstraint("space_id", "kind", "name", name="party_by_name"),
)

person = _table(
    "person",
    _space(),
    _id(),
    _text("uid"),  # as written
    _text("uid_key"),  # lower case: unique
    _text("name"),
    _text("role", "reader"),  # owner | operator | sender | reader
    _text("password_hash"),  # argon2id; empty = cannot sign in
    _text("language"),
    _text("timezone"),
    _packed("quiet_hours"),  # {"from","to","timezone","through"} or null
    _packed("settings"),
    _text("origin", "api"),
    _big("created_at"),
    _big("updated_at"),
    sa.UniqueConstraint("space_id", "uid_key", name="person_by_uid"),
)


def _of_person() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["space_id", "person_id"], ["person.space_id", "person.id"], ondelete="CASCADE"
    )


address = _table(
    "address",
    _space(),
    _id(),
    _big("person_id"),
    _text(
        "carrier"
    ),  # code of a carrier account; or "email" / "phone": the person's own, for any account of that sort
    _text("value"),
    _text("scope", "all"),  # all | a ChannelKey | a channel code (sheet jpush-ums §2.1)
    _small("verified", 1),
    _text("origin", "api"),
    _of_person(),
    sa.UniqueConstraint("space_id", "person_id", "carrier", "scope", "value", name="address_once"),
)

tag = _table(
    "tag",
    _space(),
    sa.Column("person_id", _Big, primary_key=True, autoincrement=False),
    _key("tag"),
    _key("scope"),
    _text("origin", "api"),
    _of_person(),
    sa.Index("tag_holders", "space_id", "tag", "scope", "person_id"),
)

attribute = _table(
    "attribute",
    _space(),
    sa.Column("person_id", _Big, primary_key=True, autoincrement=False),
    _key("key"),
    _text("value"),
    _of_person(),
    sa.Index("attribute_holders", "space_id", "key", "value", "person_id"),
)

route = _table(  # what a person gets besides the inbox when the sender does not choose
    "route",
    _space(),
    sa.Column("person_id", _Big, primary_key=True, autoincrement=False),
    _key("carrier"),  # code of a carrier account
    _small("position"),
    _text("origin", "api"),
    _of_person(),
)

account = _table(  # a person's identity in one Easemob app
    "account",
    _space(),
    _key("app"),  # "org/app"
    _key("name"),  # lower case
    _big("person_id"),
    _text("uuid"),
    _text("password_hash"),
    _text("nickname"),
    _small("active", 1),
    _packed("settings"),  # device tokens, push style, do not disturb
    _text("origin", "api"),
    _big("created_at"),
    _big("updated_at"),
    _of_person(),
    sa.Index("account_of_person", "space_id", "person_id"),
)

# ---------------------------------------------------------------- feeds, mailboxes, devices

feed = _table(
    "feed",
    _space(),
    _id(),
    _text("kind"),  # FeedKind
    _text("dialect"),
    _text("code"),  # unique in (dialect, kind, owner)
    _text("name"),
    _big("owner_id"),  # party; 0 = the space
    _packed("settings"),
    _text("origin", "api"),
    _big("created_at"),
    sa.UniqueConstraint("space_id", "dialect", "kind", "owner_id", "code", name="feed_by_code"),
)

member = _table(
    "member",
    _space(),
    sa.Column("feed_id", _Big, primary_key=True, autoincrement=False),
    sa.Column("party_id", _Big, primary_key=True, autoincrement=False),
    _text("role", "member"),
    _text("remark"),
    _text("origin", "api"),
    _big("joined_at"),
    sa.ForeignKeyConstraint(["space_id", "feed_id"], ["feed.space_id", "feed.id"], ondelete="CASCADE"),
    sa.Index("member_of", "space_id", "party_id", "feed_id"),
)

mailbox = _table(  # a counted stream; has its owner's party id
    "mailbox",
    _space(),
    _id(),
    _text("kind"),  # person | device | name | feed
    _big("last"),  # last place given out; seq and rev both come from it
    _big("last_public"),  # last numbered public id (sheet easemob §1.3)
    _big("read_up_to"),  # the read marker of "read everything up to here"
    _big("expires_at"),  # 0 = never (names: 7 days after the last entry)
)

device = _table(
    "device",
    _space(),
    _id(),
    _big("mailbox_id"),
    _text("dialect"),
    _text("key"),  # what the device calls itself; unique in (dialect)
    _text("name"),
    _text("platform"),
    _text("route"),  # private | apns | fcm | wns | webpush …
    _packed("token"),  # encrypted: it is sent on
    _packed("settings"),
    _big("last_seen"),
    _big("created_at"),
    sa.UniqueConstraint("space_id", "dialect", "key", name="device_by_key"),
)

device_position = _table(  # cumulative readers: up to where a device has taken a feed
    "device_position",
    _space(),
    sa.Column("device_id", _Big, primary_key=True, autoincrement=False),
    sa.Column("feed_id", _Big, primary_key=True, autoincrement=False),
    _big("seq"),
    _big("public_id"),
)

# ---------------------------------------------------------------- messages

message = _table(
    "message",
    _space(),
    _id(),
    _text("dialect"),
    _text("public_id"),
    _big("sender"),  # party
    _text("sender_kind"),
    _text("sender_name"),
    _big("credential_id"),
    _big("feed_id"),  # the first audience's feed
    _big("parent_id"),
    _small("severity", 3),
    _text("keep", "stored"),
    _text("state", "accepted"),  # held | accepted | expanding | finished | recalled | refused
    _small("watched"),
    _packed("parts"),  # tuple[Part, ...]
    _packed("extra"),  # Submission.extra
    _packed("callback"),  # CallbackTarget or null
    _big("due_at"),
    _big("expires_at"),
    _big("created_at"),
    _big("finished_at"),
    sa.Index("message_by_time", "space_id", "dialect", "created_at"),
)

entry = _table(  # one message in one mailbox: the delivery of the carrier inbox
    "entry",
    _space(),
    sa.Column("mailbox_id", _Big, primary_key=True, autoincrement=False),
    sa.Column("seq", _Big, primary_key=True, autoincrement=False),
    _big("rev"),
    _big("message_id"),
    _big("feed_id"),
    _small("direction"),  # 0 in, 1 out
    _big("public_id"),  # numbered submissions: the id this receiver sees; else 0
    _small("mentioned"),
    _small("severity", 3),
    _big("created_at"),
    _big("expires_at"),
    _big("read_at"),
    _big("taken_at"),  # first reader acknowledged it
    _big("recalled_at"),
    _big("deleted_at"),  # tombstone for 30 days
    sa.Index("entry_by_rev", "space_id", "mailbox_id", "rev"),
    sa.Index("entry_of_message", "space_id", "message_id", "mailbox_id"),
)

public_id = _table(
    "public_id",
    _key("dialect"),
    _key("public_id"),
    _big("space_id"),
    _big("message_id"),
)

idempotency = _table(
    "idempotency",
    _space(),
    _key("scope"),
    _key("key"),
    _text("fingerprint"),
    _big("message_id"),
    _text("public_id"),
    _packed("receipt"),  # entries and extra of the first receipt
    _big("expires_at"),
    sa.Index("idempotency_by_expiry", "expires_at"),
)

expansion = _table(  # an audience too large for one batch, expanded in pages
    "expansion",
    _space(),
    sa.Column("message_id", _Big, primary_key=True, autoincrement=False),
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    _packed("audience"),  # Members or PeopleQuery
    _big("cursor"),  # party ids up to here are done
    _big("count"),
    _small("done"),
    _big("lease_until"),
    _big("node"),
)

interaction = _table(
    "interaction",
    _space(),
    sa.Column("message_id", _Big, primary_key=True, autoincrement=False),
    sa.Column("party_id", _Big, primary_key=True, autoincrement=False),
    _key("key"),
    _packed("value"),
    _big("created_at"),
)

# ---------------------------------------------------------------- carriers and deliveries

carrier_account = _table(
    "carrier_account",
    _space(),
    _id(),
    _text("code"),
    _text("kind"),
    _text("name"),
    _packed("fields"),  # what the manifest names, without its secret fields
    _packed("secrets"),  # the secret fields, encrypted
    _packed("allow_networks"),  # CIDRs that the operator allows this account to reach
    _big("owner_id"),  # person; 0 = the space
    _small("enabled", 1),
    _text("stopped_why"),  # Unauthorized: why it stopped
    _text("origin", "api"),
    _big("created_at"),
    _big("updated_at"),
    sa.UniqueConstraint("space_id", "code", name="carrier_by_code"),
)

carrier_pause = _table(
    "carrier_pause",
    _space(),
    sa.Column("account_id", _Big, primary_key=True, autoincrement=False),
    sa.Column("target_id", _Big, primary_key=True, autoincrement=False),  # 0 = the whole account
    _big("until"),
    _text("why"),
)

carrier_token = _table(  # provider tokens: one row per account, refreshed under its lock
    "carrier_token",
    _space(),
    sa.Column("account_id", _Big, primary_key=True, autoincrement=False),
    _key("name"),
    _packed("value"),  # encrypted
    _big("expires_at"),
    _big("lease_until"),  # who refreshes holds it until then
)

target = _table(
    "target",
    _space(),
    _id(),
    _big("account_id"),
    _text("value"),
    _big("dead_at"),  # 0 = alive
    _text("dead_why"),
    sa.UniqueConstraint("space_id", "account_id", "value", name="target_by_value"),
)

delivery = _table(  # part × target
    "delivery",
    _space(),
    _id(),
    _big("message_id"),
    _small("part"),
    _big("account_id"),
    _big("target_id"),
    _big("person_id"),  # the one behind it; 0 = none or many (recipient rows)
    _text("state", "due"),  # held | due | sent | delivered | failed | expired | cancelled
    _small("priority", 3),
    _small("attempts"),
    _big("due_at"),
    _big("lease_until"),
    _big("node"),
    _big("expires_at"),
    _text("why"),  # the provider's last words, ≤ 512 bytes
    _small("code"),  # the provider's last code
    _text("provider_ref"),
    _big("poll_at"),
    _big("created_at"),
    _big("closed_at"),
    sa.Index("delivery_of_message", "space_id", "message_id", "state"),
    sa.Index(
        "delivery_due",
        "due_at",
        "priority",
        sqlite_where=sa.text("state = 'due'"),
        postgresql_where=sa.text("state = 'due'"),
    ),
    sa.Index(
        "delivery_poll",
        "poll_at",
        sqlite_where=sa.text("poll_at > 0"),
        postgresql_where=sa.text("poll_at > 0"),
    ),
)

recipient = _table(  # the people behind a shared target
    "recipient",
    _space(),
    sa.Column("delivery_id", _Big, primary_key=True, autoincrement=False),
    sa.Column("person_id", _Big, primary_key=True, autoincrement=False),
)

attempt = _table(
    "attempt",
    _space(),
    sa.Column("delivery_id", _Big, primary_key=True, autoincrement=False),
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    _big("node"),
    _big("started_at"),
    _big("ended_at"),
    _text("outcome"),  # "" while it runs; then the outcome's name
    _text("why"),
    _text("provider_ref"),
)

receipt = _table(  # finds a delivery by the provider's id, for receipts that come in
    "receipt",
    _space(),
    sa.Column("account_id", _Big, primary_key=True, autoincrement=False),
    _key("provider_ref"),
    sa.Column("delivery_id", _Big, primary_key=True, autoincrement=False),
    _text("state"),  # what the provider said last
    _big("at"),
)

event = _table(  # what happened: for timelines, and for callbacks when packed = 0
    "event",
    _space(),
    _id(),
    _text("dialect"),
    _big("message_id"),
    _big("delivery_id"),
    _big("person_id"),
    _text("kind"),  # see core/events.py
    _packed("data"),
    _small("packed", 1),  # 0 = waits to be packed into a callback
    _big("created_at"),
    sa.Index("event_of_message", "space_id", "message_id", "id"),
    sa.Index(
        "event_to_pack",
        "dialect",
        "id",
        sqlite_where=sa.text("packed = 0"),
        postgresql_where=sa.text("packed = 0"),
    ),
)

callback = _table(
    "callback",
    _space(),
    _id(),
    _text("dialect"),
    _text("kind"),
    _text("order_key"),  # callbacks of one key go out one after the other
    _big("message_id"),
    _text("url"),
    _small("verified"),  # 1: the operator named this address; 0: it came in a request
    _packed("request"),  # headers and body, encrypted where they hold secrets
    _packed("context"),  # what the dialect's on_answer needs
    _text("state", "due"),  # due | done | parked | cancelled
    _small("attempts"),
    _big("due_at"),
    _big("lease_until"),
    _big("node"),
    _small("last_status"),
    _text("last_reply"),  # ≤ 512 bytes
    _big("created_at"),
    _big("closed_at"),
    sa.Index(
        "callback_due",
        "due_at",
        sqlite_where=sa.text("state = 'due'"),
        postgresql_where=sa.text("state = 'due'"),
    ),
    sa.Index("callback_order", "space_id", "order_key", "id"),
)

# ---------------------------------------------------------------- credentials, sessions, limits

credential = _table(
    "credential",
    _space(),
    _id(),
    _text("dialect"),
    _text("kind"),
    _text("name"),
    _big("owner_id"),  # person, feed or 0
    _packed("value"),  # issued: the value, encrypted, where its API shows or sends it
    _text("password_hash"),  # chosen: argon2id
    _packed("settings"),
    _small("enabled", 1),
    _big("expires_at"),
    _text("origin", "api"),
    _big("created_at"),
    sa.Index("credential_of", "space_id", "dialect", "kind", "owner_id"),
)

credential_lookup = _table(
    "credential_lookup",
    sa.Column(
        "digest", sa.LargeBinary, primary_key=True
    ),  # HMAC-SHA256 of dialect, kind and value under the server key
    _big("space_id"),
    _big("credential_id"),
)

session = _table(  # sockets and sign-ins
    "session",
    _space(),
    _id(),
    _text("kind"),  # inbox | msync | pushgo …
    _big("mailbox_id"),
    _big("device_id"),
    _big("node"),
    _big("lease_until"),  # sockets: 60 s, renewed
    _text("kicked"),  # why another node wants it gone
    _packed("info"),
    _big("created_at"),
    sa.Index("session_of", "space_id", "mailbox_id", "lease_until"),
)

guard = _table(  # exact limits, charged in the accepting transaction
    "guard",
    _space(),
    _key("key"),
    _big("used"),
    _big("expires_at"),
)

counter = _table(  # rates: each node adds its own count every 200 ms and decides on the sum
    "counter",
    _space(),
    _key("key"),
    sa.Column("bucket", _Big, primary_key=True, autoincrement=False),
    _big("count"),
    _big("expires_at"),
)

plan = _table(  # durable timers: strategy steps, review holds
    "plan",
    _space(),
    _id(),
    _text("kind"),
    _big("message_id"),
    _big("person_id"),
    _small("step"),
    _packed("data"),
    _big("next_at"),
    _big("lease_until"),
    _small("done"),
    sa.Index("plan_due", "next_at", sqlite_where=sa.text("done = 0"), postgresql_where=sa.text("done = 0")),
    sa.Index("plan_of_message", "space_id", "message_id", "person_id"),
)

# ---------------------------------------------------------------- files, configuration, audit

file = _table(
    "file",
    _space(),
    _id(),
    _text("name"),
    _text("type"),
    _big("size"),
    _text("sha256"),
    _text("store"),  # disk | database
    _big("owner_id"),
    _text("secret"),  # share-secret; empty = open to who knows the id
    _text("public_id"),
    _big("message_id"),  # 0 = not referenced by a message
    _big("created_at"),
    _big("expires_at"),
    sa.Index("file_by_public_id", "public_id"),
)

file_chunk = _table(
    "file_chunk",
    _space(),
    sa.Column("file_id", _Big, primary_key=True, autoincrement=False),
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("bytes", sa.LargeBinary, nullable=False),
    sa.ForeignKeyConstraint(["space_id", "file_id"], ["file.space_id", "file.id"], ondelete="CASCADE"),
)

record = _table(  # a dialect's own configuration objects (webhook codes, strategies, lists, rules …)
    "record",
    _space(),
    _id(),
    _text("dialect"),
    _text("kind"),
    _text("key"),  # unique in (dialect, kind, owner)
    _big("owner_id"),
    _packed("data"),
    _packed("secrets"),  # encrypted
    _text("origin", "api"),
    _big("created_at"),
    _big("updated_at"),
    sa.UniqueConstraint("space_id", "dialect", "kind", "owner_id", "key", name="record_by_key"),
)

setting = _table(
    "setting",
    _space(),
    _key("key"),
    _packed("value"),
)

audit = _table(
    "audit",
    _space(),
    _id(),
    _text("who"),
    _text("what"),
    _text("object"),
    _packed("detail"),
    _big("created_at"),
)

node = _table(  # who writes to this store; gives each its number for ids
    "node",
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    _text("name"),
    _big("lease_until"),
)
