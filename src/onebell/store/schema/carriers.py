"""Carrier accounts, deliveries, events and callbacks."""

import sqlalchemy as sa

from onebell.store.schema.columns import Big, big, key, own_id, packed, small, space_id, table, text

carrier_account = table(
    "carrier_account",
    space_id(),
    own_id(),
    text("code"),
    text("kind"),
    text("name"),
    packed("fields"),  # what the manifest names, without its secret fields
    packed("secrets"),  # the secret fields, encrypted
    packed("allow_networks"),  # CIDRs that the operator allows this account to reach
    big("max_age_s"),  # how long a delivery is worth trying; 0 = as long as the kind's manifest says
    big("owner_id"),  # person; 0 = the space
    small("enabled", 1),
    text("stopped_why"),  # Unauthorized: why it stopped
    small("is_foreign"),  # 1 = made through an API by its owner: reaches public addresses and space.allow_callbacks
    text("origin", "api"),
    big("created_at"),
    big("updated_at"),
    sa.UniqueConstraint("space_id", "code", name="carrier_by_code"),
)

carrier_pause = table(
    "carrier_pause",
    space_id(),
    sa.Column("account_id", Big, primary_key=True, autoincrement=False),
    sa.Column("target_id", Big, primary_key=True, autoincrement=False),  # 0 = the whole account
    big("until"),
    text("why"),
)

carrier_token = table(  # provider tokens: one row per account, refreshed under its lock
    "carrier_token",
    space_id(),
    sa.Column("account_id", Big, primary_key=True, autoincrement=False),
    key("name"),
    packed("value"),  # encrypted
    big("expires_at"),
    big("lease_until"),  # who refreshes holds it until then
)

target = table(
    "target",
    space_id(),
    own_id(),
    big("account_id"),
    text("value"),
    big("dead_at"),  # 0 = alive
    text("dead_why"),
    sa.UniqueConstraint("space_id", "account_id", "value", name="target_by_value"),
)

delivery = table(  # part × target
    "delivery",
    space_id(),
    own_id(),
    big("message_id"),
    small("part"),
    big("account_id"),
    big("target_id"),
    big("person_id"),  # the one behind it; 0 = none or many (recipient rows)
    text("state", "due"),  # held | due | sent | delivered | undelivered | failed | expired | cancelled
    small("priority", 3),
    small("attempts"),
    big("due_at"),
    big("lease_until"),
    big("node"),
    big("expires_at"),
    text("why"),  # the provider's last words, ≤ 512 bytes
    small("code"),  # the provider's last code
    text("provider_ref"),
    big("poll_at"),
    big("created_at"),
    big("closed_at"),
    sa.Index("delivery_of_message", "space_id", "message_id", "state"),
    sa.Index("delivery_of_target", "space_id", "target_id", "message_id"),  # one per message and shared address
    sa.Index(  # by account: a paused or busy one costs the others nothing, however much waits for it
        "delivery_due",
        "account_id",
        "due_at",
        "priority",
        sqlite_where=sa.text("state = 'due'"),
        postgresql_where=sa.text("state = 'due'"),
    ),
    sa.Index(  # what expires while its account or address is paused
        "delivery_expiring",
        "account_id",
        "expires_at",
        sqlite_where=sa.text("state = 'due' AND expires_at > 0"),
        postgresql_where=sa.text("state = 'due' AND expires_at > 0"),
    ),
    sa.Index(
        "delivery_poll",
        "poll_at",
        sqlite_where=sa.text("poll_at > 0"),
        postgresql_where=sa.text("poll_at > 0"),
    ),
)

recipient = table(  # the people behind a shared target
    "recipient",
    space_id(),
    sa.Column("delivery_id", Big, primary_key=True, autoincrement=False),
    sa.Column("person_id", Big, primary_key=True, autoincrement=False),
)

attempt = table(
    "attempt",
    space_id(),
    sa.Column("delivery_id", Big, primary_key=True, autoincrement=False),
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    big("node"),
    big("started_at"),
    big("ended_at"),
    text("outcome"),  # "" while it runs; then the outcome's name
    text("why"),
    text("provider_ref"),
)

receipt = table(  # finds a delivery by the provider's id, for receipts that come in
    "receipt",
    space_id(),
    sa.Column("account_id", Big, primary_key=True, autoincrement=False),
    key("provider_ref"),
    sa.Column("delivery_id", Big, primary_key=True, autoincrement=False),
    text("state"),  # what the provider said last
    big("at"),
)

event = table(  # what happened: for timelines, and for callbacks when packed = 0
    "event",
    space_id(),
    own_id(),
    text("dialect"),
    big("message_id"),
    big("delivery_id"),
    big("person_id"),
    text("kind"),  # see core/events.py
    packed("data"),
    small("packed", 1),  # 0 = waits to be packed into a callback
    big("created_at"),
    sa.Index("event_of_message", "space_id", "message_id", "id"),
    sa.Index(
        "event_to_pack",
        "dialect",
        "id",
        sqlite_where=sa.text("packed = 0"),
        postgresql_where=sa.text("packed = 0"),
    ),
)

callback = table(
    "callback",
    space_id(),
    own_id(),
    text("dialect"),
    text("kind"),
    text("order_key"),  # callbacks of one key go out one after the other
    big("message_id"),
    text("url"),
    small("verified"),  # 1: the operator named this address; 0: it came in a request
    packed("request"),  # headers and body, encrypted where they hold secrets
    small("timeout_s"),  # how long its receiver is waited for; 0 = as the dialect's schedule says
    packed("context"),  # what the dialect's on_answer needs
    text("state", "due"),  # due | done | parked | cancelled
    small("attempts"),
    big("due_at"),
    big("lease_until"),
    big("node"),
    small("last_status"),
    text("last_reply"),  # ≤ 512 bytes
    big("created_at"),
    big("closed_at"),
    sa.Index(
        "callback_due",
        "due_at",
        sqlite_where=sa.text("state = 'due'"),
        postgresql_where=sa.text("state = 'due'"),
    ),
    sa.Index(  # who is first in a queue: only what is still due, never its history
        "callback_order",
        "space_id",
        "order_key",
        "id",
        sqlite_where=sa.text("state = 'due'"),
        postgresql_where=sa.text("state = 'due'"),
    ),
)
