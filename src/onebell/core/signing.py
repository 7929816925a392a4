"""Standard Webhooks 1.0.0 signatures: three headers on every callback, the body untouched (RELIABILITY §2.2)."""

import base64
import binascii
import hashlib
import hmac
import secrets

from onebell.errors import InvalidInput

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification allows 24 to 64."""


def new_secret() -> str:
    """A signing secret as it is shown: ``whsec_<base64>``."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(callback_id: str, at_s: int, body: bytes, keys: tuple[str, ...]) -> dict[str, str]:
    """``webhook-id`` (the same on every retry), ``webhook-timestamp`` (of this try) and ``webhook-signature``.

    Several keys sign side by side while one replaces the other.

    Raises:
        InvalidInput: a key is not of the form ``whsec_<base64>``.
    """
    signed = f"{callback_id}.{at_s}.".encode() + body
    signatures = " ".join(f"v1,{_signature(key, signed)}" for key in keys)
    return {"webhook-id": callback_id, "webhook-timestamp": str(at_s), "webhook-signature": signatures}


def _signature(key: str, signed: bytes) -> str:
    try:
        secret = base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise InvalidInput("a signing secret is whsec_ and base64") from error
    return base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
