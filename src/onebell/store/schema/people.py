"""Spaces, people and what hangs on a person."""

import sqlalchemy as sa

from onebell.store.schema.columns import Big, big, key, own_id, packed, small, space_id, table, text

space = table(
    "space",
    sa.Column("id", Big, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    text("timezone", "UTC"),
    text("language", "en"),
    text("public_url"),
    packed("allow_callbacks"),  # list of origins that a callback URL in a request may name
    big("config_version"),  # rises with every change that caches must see
    big("created_at"),
)

party = table(  # whoever writes or is written to; a person's party has the person's id
    "party",
    space_id(),
    own_id(),
    text("kind"),  # PartyKind
    text("name"),  # as shown; for kind "name": the key other tables find it by, e.g. "acme/demo/ghost"
    sa.UniqueConstraint("space_id", "kind", "name", name="party_by_name"),
)

person = table(
    "person",
    space_id(),
    own_id(),
    text("uid"),  # as written
    text("uid_key"),  # lower case: unique
    text("name"),
    text("role", "reader"),  # owner | operator | sender | reader
    text("password_hash"),  # argon2id; empty = cannot sign in
    text("language"),
    text("timezone"),
    packed("quiet_hours"),  # {"from","to","timezone","through"} or null
    packed("settings"),
    text("origin", "api"),
    big("created_at"),
    big("updated_at"),
    sa.UniqueConstraint("space_id", "uid_key", name="person_by_uid"),
)


def _of_person() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["space_id", "person_id"], ["person.space_id", "person.id"], ondelete="CASCADE")


address = table(
    "address",
    space_id(),
    own_id(),
    big("person_id"),
    text("carrier"),  # code of a carrier account; or "email" / "phone": the person's own, for any account of that sort
    text("value"),
    text("scope", "all"),  # all | a ChannelKey | a channel code (sheet jpush-ums §2.1)
    small("verified", 1),
    text("origin", "api"),
    _of_person(),
    sa.UniqueConstraint("space_id", "person_id", "carrier", "scope", "value", name="address_once"),
    sa.Index("address_holders", "space_id", "carrier", "value"),
)

tag = table(
    "tag",
    space_id(),
    sa.Column("person_id", Big, primary_key=True, autoincrement=False),
    key("tag"),
    key("scope"),
    text("origin", "api"),
    _of_person(),
    sa.Index("tag_holders", "space_id", "tag", "scope", "person_id"),
)

attribute = table(
    "attribute",
    space_id(),
    sa.Column("person_id", Big, primary_key=True, autoincrement=False),
    key("key"),
    text("value"),
    _of_person(),
    sa.Index("attribute_holders", "space_id", "key", "value", "person_id"),
)

route = table(  # what a person gets besides the inbox when the sender does not choose
    "route",
    space_id(),
    sa.Column("person_id", Big, primary_key=True, autoincrement=False),
    key("carrier"),  # code of a carrier account
    small("position"),
    text("origin", "api"),
    _of_person(),
)

account = table(  # a person's identity in one Easemob app
    "account",
    space_id(),
    key("app"),  # "org/app"
    key("name"),  # lower case
    big("person_id"),
    text("uuid"),
    text("password_hash"),
    text("nickname"),
    small("active", 1),
    packed("settings"),  # device tokens, push style, do not disturb
    big("tokens_from"),  # ms: user tokens that were made before are dead (password changed, deactivated)
    text("origin", "api"),
    big("created_at"),
    big("updated_at"),
    _of_person(),
    sa.Index("account_of_person", "space_id", "person_id"),
    sa.Index("account_by_age", "space_id", "app", "created_at", "name"),
)

relation = table(  # what one account of an app is to another: contact | block | invitation
    "relation",
    space_id(),
    key("app"),
    key("name"),  # whose
    key("kind"),
    key("other"),  # an account's name
    big("created_at"),
    text("remark"),  # of a contact: what its owner calls him
    sa.Index("relation_of_other", "space_id", "app", "other"),
)
