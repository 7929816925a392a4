"""Stored files: attachments only, with a fixed type, so that no browser runs what a stranger uploaded."""

import hmac
import re
from functools import partial

from onebell.api.errors import ApiError
from onebell.api.operations import Route
from onebell.core.context import Context, StoredFile
from onebell.core.sanitize import one_line
from onebell.http.downloads import Download, file_answer
from onebell.http.exchange import Answer, Request, StreamAnswer

_SIGNED = re.compile(r"^(\d{1,19})-(\d{1,19})-([0-9a-f]{32})$")
_CACHE = (b"cache-control", b"private, max-age=3600")
_HEADERS = ((b"cross-origin-resource-policy", b"same-origin"), _CACHE)
_OPEN_HEADERS = ((b"cross-origin-resource-policy", b"cross-origin"), _CACHE)
"""A file with an address of its own is meant to be shown in messages: in mails, and in pages without an origin."""


class FilesApi:
    """``/f/…``: a signed name (space, id and their HMAC), or a file's own public id."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def url(self, space: int, file: int) -> str:
        """The address of a stored file: who has it may read it."""
        return f"/f/{space}-{file}-{self._signature(space, file)}"

    def _signature(self, space: int, file: int) -> str:
        return self._context.vault.digest("native", "file", f"{space}/{file}").hex()[:32]

    def routes(self) -> list[Route]:
        """Their path."""
        return [Route(("GET",), "/f/{}", self.read)]

    async def read(self, request: Request, path: tuple[str, ...]) -> Answer | StreamAnswer:
        """A file, whole or a range of it."""
        file = await self._find(request, path[0])
        if file is None:
            return ApiError("not_found", "there is no such file").answer()
        download = Download(
            name=one_line(file.name),
            type=file.type,
            size=file.size,
            read=partial(self._context.files.read, file),
            headers=_HEADERS if _SIGNED.match(path[0]) else _OPEN_HEADERS,
        )
        return await file_answer(request, download)

    async def _find(self, request: Request, name: str) -> StoredFile | None:
        signed = _SIGNED.match(name)
        if signed is None:
            file = await self._context.files.find_public(name)
            # A secret file is opened by its own dialect, which knows how the secret is shown.
            file = None if file is not None and file.secret else file
        else:
            space, number = int(signed.group(1)), int(signed.group(2))
            if not hmac.compare_digest(self._signature(space, number), signed.group(3)):
                return None
            file = await self._context.files.find(space, number)
        if file is not None and not file.message and 0 < file.expires_at <= self._context.clock.now_ms():
            return None
        return file
