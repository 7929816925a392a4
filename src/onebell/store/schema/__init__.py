"""Every table, once, for both engines (SQLAlchemy Core).

Conventions: every key begins with ``space_id`` (DESIGN §10; ``credential_lookup`` and ``public_id`` are the only
exceptions); ids are 63-bit integers minted in Python (:mod:`onebell.ids`); instants are milliseconds UTC; a column
of type ``Packed`` holds compact JSON as bytes (bytes, because PostgreSQL's text refuses NUL, which callers may send);
``origin`` is ``file``, ``api`` or ``console``. Parts of a message live in its own row: a part is never read, changed
or addressed without its message, and one multi-row statement less is the dearest saving of the hot path.
"""

from onebell.store.schema.carriers import (
    attempt,
    callback,
    carrier_account,
    carrier_pause,
    carrier_token,
    delivery,
    event,
    receipt,
    recipient,
    target,
)
from onebell.store.schema.columns import Packed, metadata
from onebell.store.schema.feeds import block, clearing, device, device_position, feed, mailbox, member
from onebell.store.schema.files import audit, file, file_chunk, node, record, setting, shown_number
from onebell.store.schema.limits import counter, credential, credential_lookup, guard, plan, session
from onebell.store.schema.messages import entry, expansion, idempotency, interaction, message, public_id
from onebell.store.schema.people import (
    account,
    address,
    attribute,
    party,
    person,
    relation,
    route,
    space,
    tag,
)

__all__ = [
    "Packed",
    "account",
    "address",
    "attempt",
    "attribute",
    "audit",
    "block",
    "callback",
    "carrier_account",
    "carrier_pause",
    "carrier_token",
    "clearing",
    "counter",
    "credential",
    "credential_lookup",
    "delivery",
    "device",
    "device_position",
    "entry",
    "event",
    "expansion",
    "feed",
    "file",
    "file_chunk",
    "guard",
    "idempotency",
    "interaction",
    "mailbox",
    "member",
    "message",
    "metadata",
    "node",
    "party",
    "person",
    "plan",
    "public_id",
    "receipt",
    "recipient",
    "record",
    "relation",
    "route",
    "session",
    "setting",
    "shown_number",
    "space",
    "tag",
    "target",
]
