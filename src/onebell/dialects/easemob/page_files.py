"""Files that people send in the inbox page become chatfiles, which the other side's SDK loads by id and secret."""

import base64

import msgspec

from onebell.core.context import Context, StoredFile
from onebell.dialects.easemob.app import DIALECT, App
from onebell.dialects.easemob.chatfiles import BOX, KEEP_S
from onebell.dialects.easemob.file_access import digest, is_of, public_id
from onebell.dialects.easemob.file_ids import new_id
from onebell.errors import InvalidInput

_SECRET_BYTES = 24


class ChatFile(msgspec.Struct, frozen=True):
    """How clients find a file."""

    uuid: str
    secret: str


async def chatfile(context: Context, app: App, file: StoredFile) -> ChatFile:
    """A file of the page as a restricted chatfile of an app: the same one again when it is asked for again.

    Raises:
        InvalidInput: it is one of another app already.
        NotFound: it is gone.
        StoreUnavailable
    """
    now = context.clock.now_ms()
    secret = _secret(context, file)
    published = await context.files.publish(
        file,
        public_id=public_id(app.key, new_id(context.vault, app.key, now)),
        secret=digest(context.vault, secret),
        expires_at=now + KEEP_S * 1000,
        data={"box": list(BOX)},
    )
    if not is_of(published, app.key):
        raise InvalidInput("the file was sent elsewhere", "file")
    return ChatFile(published.public_id.removeprefix(public_id(app.key, "")), secret)


def _secret(context: Context, file: StoredFile) -> str:
    """Made from the file's id, so that a repeat after a crash finds it again: only its digest is kept."""
    raw = context.vault.digest(DIALECT, "page-file", f"{file.space}/{file.id}")
    return base64.urlsafe_b64encode(raw[:_SECRET_BYTES]).decode()
