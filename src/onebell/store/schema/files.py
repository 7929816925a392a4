"""Files, configuration, audit and nodes."""

import sqlalchemy as sa

from onebell.store.schema.columns import Big, big, key, own_id, packed, space_id, table, text

file = table(
    "file",
    space_id(),
    own_id(),
    text("name"),
    text("type"),
    big("size"),
    text("sha256"),
    text("store"),  # disk | database | s3
    big("owner_id"),
    text("secret"),  # digest of the share-secret; empty = open to who knows the id
    text("public_id"),
    big("message_id"),  # 0 = not referenced by a message
    packed("data"),  # what the dialect that took it remembers
    big("created_at"),
    big("expires_at"),
    sa.Index("file_by_public_id", "public_id"),
    sa.Index("file_of_message", "space_id", "message_id"),
    sa.Index(  # what no message keeps goes by its own time
        "file_over",
        "expires_at",
        sqlite_where=sa.text("message_id = 0"),
        postgresql_where=sa.text("message_id = 0"),
    ),
)

file_chunk = table(
    "file_chunk",
    space_id(),
    sa.Column("file_id", Big, primary_key=True, autoincrement=False),
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("bytes", sa.LargeBinary, nullable=False),
    sa.ForeignKeyConstraint(["space_id", "file_id"], ["file.space_id", "file.id"], ondelete="CASCADE"),
)

record = table(  # a dialect's own configuration objects (webhook codes, strategies, lists, rules …)
    "record",
    space_id(),
    own_id(),
    text("dialect"),
    text("kind"),
    text("key"),  # unique in (dialect, kind, owner)
    big("owner_id"),
    packed("data"),
    packed("secrets"),  # encrypted
    text("origin", "api"),
    big("created_at"),
    big("updated_at"),
    sa.UniqueConstraint("space_id", "dialect", "kind", "owner_id", "key", name="record_by_key"),
)

shown_number = table(  # small numbers that an API shows for objects of ours (store/numbers.py)
    "shown_number",
    space_id(),
    key("kind"),
    sa.Column("no", Big, primary_key=True, autoincrement=False),
    text("object"),  # id of the row, or several joined by ":"
    sa.UniqueConstraint("space_id", "kind", "object", name="number_of_object"),
)

setting = table(
    "setting",
    space_id(),
    key("key"),
    packed("value"),
)

audit = table(
    "audit",
    space_id(),
    own_id(),
    text("who"),
    text("what"),
    text("object"),
    packed("detail"),
    big("created_at"),
)

node = table(  # who writes to this store; gives each its number for ids
    "node",
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    text("name"),
    big("lease_until"),
)
