"""Which uploaded files there are, and who may open them (sheet easemob §1.3 row 14, §2.2)."""

import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from onebell.core.context import Context, StoredFile, Vault
from onebell.dialects.easemob.answer import is_illegal
from onebell.dialects.easemob.app import DIALECT
from onebell.dialects.easemob.file_ids import FORM

_PLACE = re.compile(r"/([^/]+)/([^/]+)/chatfiles/([0-9a-fA-F\-]{36})/?")
_NAMED = (("url", "secret"), ("thumb", "thumb_secret"))
"""Fields of a message's body that name a file, each with the field of its secret."""


def public_id(app: str, file_id: str) -> str:
    """What a file's row is found by; the slashes keep it out of the native API's ``/f/{public id}``."""
    return f"{DIALECT}/{app}/{file_id}"


def thumbnail_id(file: StoredFile) -> str:
    """What the row of a file's thumbnail is found by."""
    return f"{file.public_id}/thumbnail"


def is_of(file: StoredFile, app: str) -> bool:
    """Whether a file was uploaded to this app."""
    return file.public_id.startswith(public_id(app, ""))


def digest(vault: Vault, secret: str) -> str:
    """What a share-secret is kept as."""
    return vault.digest(DIALECT, "share-secret", secret).hex()


def opens(vault: Vault, file: StoredFile, secret: str) -> bool:
    """Whether this secret opens the file, as any does an unrestricted one."""
    return not file.secret or hmac.compare_digest(file.secret, digest(vault, secret))


async def find(context: Context, space: int, app: str, file_id: str) -> StoredFile | None:
    """An uploaded file of an app that has not expired."""
    if not FORM.fullmatch(file_id):
        return None
    file = await context.files.find_public(public_id(app, file_id))
    if file is None or file.space != space or file.expires_at <= context.clock.now_ms():
        return None
    return file


async def find_named(context: Context, space: int, url: str) -> StoredFile | None:
    """The file of ours that a URL in a message names, whatever its host."""
    try:
        place = _PLACE.fullmatch(unquote(urlsplit(url).path))
    except ValueError:
        return None
    return None if place is None else await find(context, space, f"{place[1]}/{place[2]}", place[3].lower())


async def remove(context: Context, file: StoredFile) -> None:
    """Forget a file, and what was made of it.

    Raises:
        StoreUnavailable: its bytes are out of reach; it ends with its time.
    """
    if (small := await context.files.find_public(thumbnail_id(file))) is not None:
        await context.files.remove(small)
    await context.files.remove(file)


async def check_files(context: Context, space: int, body: Mapping[str, Any]) -> None:
    """A message's body shows the secret of each restricted file of ours that it names.

    Raises:
        Rejected: it does not.
    """
    for url, secret in _NAMED:
        named = body.get(url)
        file = await find_named(context, space, named) if isinstance(named, str) and named else None
        if file is not None and not opens(context.vault, file, str(body.get(secret, ""))):
            raise is_illegal(f"body.{secret}")
