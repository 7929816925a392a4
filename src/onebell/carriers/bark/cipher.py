"""Bark's end-to-end encryption: AES over the parameters, so that neither Bark's nor Apple's servers read them."""

import secrets
import string
from base64 import b64encode

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.padding import PKCS7

IV_CHARS = {"CBC": 16, "GCM": 12}
_ALPHABET = string.ascii_letters + string.digits


def seal(plain: bytes, key: str, mode: str, iv: str = "") -> dict[str, str]:
    """``ciphertext``, and the ``iv`` where the mode has one: text whose bytes are used, made anew for each message.

    ``key`` has 16, 24 or 32 ASCII characters; ``mode`` is CBC, ECB or GCM (the tag follows the ciphertext).
    """
    iv = iv or "".join(secrets.choice(_ALPHABET) for _ in range(IV_CHARS.get(mode, 0)))
    sealed = {"ciphertext": b64encode(_encrypted(plain, key.encode(), mode, iv.encode())).decode()}
    return {**sealed, "iv": iv} if iv else sealed


def _encrypted(plain: bytes, key: bytes, mode: str, iv: bytes) -> bytes:
    if mode == "GCM":
        return AESGCM(key).encrypt(iv, plain, None)
    padder = PKCS7(AES.block_size).padder()
    # ECB shows which blocks are alike, but the app offers it: who chose it there could read nothing else.
    encryptor = Cipher(AES(key), modes.CBC(iv) if mode == "CBC" else modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
