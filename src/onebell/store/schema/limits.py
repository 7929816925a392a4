"""Credentials, sessions, limits and timers."""

import sqlalchemy as sa

from onebell.store.schema.columns import Big, big, key, own_id, packed, small, space_id, table, text

credential = table(
    "credential",
    space_id(),
    own_id(),
    text("dialect"),
    text("kind"),
    text("name"),
    big("owner_id"),  # person, feed or 0
    big("holder_id"),  # the only person who may show it; 0 = whoever knows it
    packed("value"),  # issued: the value, encrypted, where its API shows or sends it
    text("password_hash"),  # chosen: argon2id
    packed("settings"),
    small("enabled", 1),
    big("expires_at"),
    text("origin", "api"),
    big("created_at"),
    sa.Index("credential_of", "space_id", "dialect", "kind", "owner_id"),
    sa.Index("credential_by_name", "space_id", "dialect", "kind", "name"),
    sa.Index(
        "credential_of_holder",
        "space_id",
        "holder_id",
        "id",
        sqlite_where=sa.text("holder_id > 0"),
        postgresql_where=sa.text("holder_id > 0"),
    ),
    sa.Index(
        "credential_by_expiry",
        "space_id",
        "expires_at",
        sqlite_where=sa.text("expires_at > 0"),
        postgresql_where=sa.text("expires_at > 0"),
    ),
)

credential_lookup = table(
    "credential_lookup",
    sa.Column(
        "digest", sa.LargeBinary, primary_key=True
    ),  # HMAC-SHA256 of dialect, kind and value under the server key
    big("space_id"),
    big("credential_id"),
    sa.Index("lookup_of_credential", "space_id", "credential_id"),
)

session = table(  # sockets and sign-ins
    "session",
    space_id(),
    own_id(),
    text("kind"),  # inbox | msync | pushgo …
    big("mailbox_id"),
    big("device_id"),
    big("node"),
    big("lease_until"),  # sockets: 60 s, renewed
    text("kicked"),  # why another node wants it gone
    packed("info"),
    big("created_at"),
    sa.Index("session_of", "space_id", "mailbox_id", "lease_until"),
)

guard = table(  # exact limits, charged in the accepting transaction
    "guard",
    space_id(),
    key("key"),
    big("used"),
    big("expires_at"),
)

counter = table(  # rates: each node adds its own count every 200 ms and decides on the sum
    "counter",
    space_id(),
    key("key"),
    sa.Column("bucket", Big, primary_key=True, autoincrement=False),
    big("count"),
    big("expires_at"),
    sa.Index("counter_by_expiry", "expires_at"),
)

plan = table(  # durable timers: strategy steps, review holds
    "plan",
    space_id(),
    own_id(),
    text("kind"),
    big("message_id"),
    big("person_id"),
    small("step"),
    packed("data"),
    big("next_at"),
    big("lease_until"),
    small("done"),
    small("defects"),  # how often our code failed on this step
    text("why"),  # why it was given up
    sa.Index("plan_due", "next_at", sqlite_where=sa.text("done = 0"), postgresql_where=sa.text("done = 0")),
    sa.Index("plan_of_message", "space_id", "message_id", "person_id"),
)
