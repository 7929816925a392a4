"""``Idempotency-Key``: what is sent again under the same one is stored once."""

import hashlib

from onebell.api.errors import ApiError
from onebell.api.operations import Call, Parameter
from onebell.core.model import IdempotencyKey

KEY_CHARACTERS = 255
KEEP_S = 86_400
"""How long a key is remembered (RELIABILITY §2.2)."""
ONCE = Parameter(
    name="Idempotency-Key",
    place="header",
    about="A repeat within 24 hours stores nothing and gets the first answer",
)


def key_of(call: Call, payload: bytes) -> IdempotencyKey | None:
    """The caller's key for what he sends, if he gave one.

    Raises:
        ApiError: bad_request, for one that is too long.
    """
    key = call.request.text_header(b"idempotency-key")
    if not key:
        return None
    if len(key) > KEY_CHARACTERS or not key.isprintable():
        raise ApiError("bad_request", f"an Idempotency-Key has at most {KEY_CHARACTERS} printable characters")
    caller = call.who
    return IdempotencyKey(
        scope=f"native:{caller.credential or caller.person}",
        key=key,
        keep_s=KEEP_S,
        fingerprint=hashlib.sha256(payload).hexdigest(),
    )
