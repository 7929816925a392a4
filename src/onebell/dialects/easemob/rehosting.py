"""Files elsewhere that become chatfiles of ours: ``need_download`` of an import (sheet easemob §1.5)."""

from typing import Any

import msgspec
import structlog

from onebell.core.context import Context, StoredFile
from onebell.core.fetching import Fetcher, NotFetched
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.chatfiles import BOX, FILE_BYTES, KEEP_S, file_name, media_type, new_secret
from onebell.dialects.easemob.file_access import digest, find_named, public_id
from onebell.dialects.easemob.file_ids import new_id
from onebell.dialects.easemob.visit import Visit
from onebell.errors import InvalidInput

log = structlog.get_logger()


class Rehosting:
    """Fetches what a body's ``url`` names and lets the body name the copy."""

    def __init__(self, context: Context, fetcher: Fetcher) -> None:
        self._context = context
        self._fetcher = fetcher

    async def __call__(self, visit: Visit, body: dict[str, Any]) -> dict[str, Any]:
        """The body with the copy's address, secret and length; as it was where there is nothing to fetch.

        Raises:
            Rejected: nobody gave the file, or it is too long; nothing is stored.
            StoreUnavailable
        """
        url = body.get("url")
        if not url or await find_named(self._context, visit.space, url) is not None:
            return body
        # With a secret, as the SDK's own uploads: whoever guesses at ids finds nothing.
        file_id, secret = new_id(self._context.vault, visit.app.key, self._context.clock.now_ms()), new_secret()
        file = await self._copied(visit, url, file_id, str(body.get("filename", "")), secret)
        address = f"{visit.origin}/{visit.app.key}/chatfiles/{file_id}"
        return {**body, "url": address, "secret": secret, "file_length": file.size}

    async def _copied(self, visit: Visit, url: str, file_id: str, name: str, secret: str) -> StoredFile:
        allow = (await self._context.lookups.space(visit.space)).allow_callbacks
        try:
            async with self._fetcher.fetch(url, allow, FILE_BYTES) as fetched:
                return await self._context.files.put(
                    visit.space,
                    file_name(name),
                    media_type(fetched.type),
                    fetched.pieces,
                    secret=digest(self._context.vault, secret),
                    public_id=public_id(visit.app.key, file_id),
                    keep_s=KEEP_S,
                    limit=FILE_BYTES,
                    ended=_boxed,
                )
        except NotFetched as why:
            log.info("import_file_not_fetched", app=visit.app.key, why=str(why))
            raise answer.not_fetched() from None
        except InvalidInput:
            raise answer.file_too_large() from None


def _boxed(row: StoredFile) -> StoredFile:
    return msgspec.structs.replace(row, data={"box": list(BOX)})
