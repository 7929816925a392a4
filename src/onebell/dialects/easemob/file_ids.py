"""Ids of uploaded files: they look like UUIDs and say when we gave them out.

So a file that has expired is told from one that never was, long after its row is gone (sheet easemob §2.2: two errors).
Of the 122 free bits 32 are seconds, 42 random and 48 a keyed digest; nobody can guess or make one.
"""

import hmac
import re
import secrets

from onebell.core.context import Vault
from onebell.dialects.easemob.app import DIALECT

FORM = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3})-([0-9a-f]{12})")
_KIND = "chatfile"


def new_id(vault: Vault, app: str, now_ms: int) -> str:
    """The id of a new file of an app."""
    digits = secrets.token_hex(5)
    variant = "89ab"[secrets.randbelow(4)]
    head = f"{now_ms // 1000:08x}-{digits[:4]}-8{digits[4:7]}-{variant}{digits[7:]}"
    return f"{head}-{_digest(vault, app, head)}"


def issued_ms(vault: Vault, app: str, file_id: str) -> int | None:
    """When an id was given out in this app; None = it never was."""
    found = FORM.fullmatch(file_id)
    if found is None:
        return None
    head = file_id.rpartition("-")[0]
    if not hmac.compare_digest(_digest(vault, app, head), found[3]):
        return None
    return int(found[1], 16) * 1000


def _digest(vault: Vault, app: str, head: str) -> str:
    return vault.digest(DIALECT, _KIND, f"{app}/{head}").hex()[:12]
