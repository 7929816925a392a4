"""Feeds, mailboxes and devices."""

import sqlalchemy as sa

from onebell.store.schema.columns import Big, big, own_id, packed, space_id, table, text

feed = table(
    "feed",
    space_id(),
    own_id(),
    text("kind"),  # FeedKind
    text("dialect"),
    text("code"),  # unique in (dialect, kind, owner)
    text("name"),
    big("owner_id"),  # party; 0 = the space
    packed("settings"),
    text("origin", "api"),
    big("created_at"),
    sa.UniqueConstraint("space_id", "dialect", "kind", "owner_id", "code", name="feed_by_code"),
)

member = table(
    "member",
    space_id(),
    sa.Column("feed_id", Big, primary_key=True, autoincrement=False),
    sa.Column("party_id", Big, primary_key=True, autoincrement=False),
    text("role", "member"),
    text("remark"),
    text("origin", "api"),
    big("joined_at"),
    sa.ForeignKeyConstraint(["space_id", "feed_id"], ["feed.space_id", "feed.id"], ondelete="CASCADE"),
    sa.Index("member_of", "space_id", "party_id", "feed_id"),
)

block = table(  # a black list: whom a feed or a person does not let (back) in
    "block",
    space_id(),
    own_id(),
    text("dialect"),
    big("owner_id"),  # feed or person
    big("party_id"),
    big("created_at"),
    sa.UniqueConstraint("space_id", "dialect", "owner_id", "party_id", name="block_once"),
    sa.Index("block_of_party", "space_id", "party_id"),
)

mailbox = table(  # a counted stream; has its owner's party id
    "mailbox",
    space_id(),
    own_id(),
    text("kind"),  # person | device | name | feed
    big("last"),  # last place given out; seq and rev both come from it
    big("last_public"),  # last numbered public id (sheet easemob §1.3)
    big("read_up_to"),  # the read marker of "read everything up to here": a seq
    big("read_rev"),  # where the marker moved last, so that readers meet it in order
    big("marked_at"),  # when
    big("taken_rev"),  # up to here a reader has acknowledged
    big("floor"),  # highest rev that a removed row had: a reader that stands below it has a gap
    big("expires_at"),  # 0 = never (names: 7 days after the last entry)
    sa.Index(
        "mailbox_by_expiry",
        "space_id",
        "expires_at",
        sqlite_where=sa.text("expires_at > 0"),
        postgresql_where=sa.text("expires_at > 0"),
    ),
    filled=70,
)

device = table(
    "device",
    space_id(),
    own_id(),
    big("mailbox_id"),
    text("dialect"),
    text("key"),  # what the device calls itself; unique in (dialect)
    text("name"),
    text("platform"),
    text("route"),  # private | apns | fcm | wns | webpush …
    packed("token"),  # encrypted: it is sent on
    packed("settings"),
    big("last_seen"),
    big("created_at"),
    sa.UniqueConstraint("space_id", "dialect", "key", name="device_by_key"),
)

device_position = table(  # cumulative readers: up to where a device has taken a feed
    "device_position",
    space_id(),
    sa.Column("device_id", Big, primary_key=True, autoincrement=False),
    sa.Column("feed_id", Big, primary_key=True, autoincrement=False),
    big("seq"),
    big("public_id"),
)

clearing = table(  # what a party has cleared away of a conversation; the other side keeps it
    "clearing",
    space_id(),
    sa.Column("party_id", Big, primary_key=True, autoincrement=False),
    sa.Column("feed_id", Big, primary_key=True, autoincrement=False),
    big("list_up_to"),  # public id: off his list of conversations until something newer comes
    big("roam_up_to"),  # public id: nothing up to here is looked back on
    big("cleared_at"),
)
