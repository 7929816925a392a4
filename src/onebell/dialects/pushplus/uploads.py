"""The two doors for pictures: the upload host, which speaks as the real one, and ``file/uploadImage`` (sheet §2)."""

import msgspec

from onebell.core.context import Context
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import OpenFault, OpenRefused, UploadFault
from onebell.dialects.pushplus.images import BadUpload, Images, Kept, TooManyImages, read_form
from onebell.dialects.pushplus.manage.call import base_of
from onebell.dialects.pushplus.manage.images import url_of
from onebell.dialects.pushplus.openapi import OpenApi
from onebell.http.exchange import Answer, BodyTooLarge, Request


class _Uploaded(msgspec.Struct):
    errno: int
    ext: str
    fname: str
    fsize: int
    hash: str
    key: str
    mimeType: str  # noqa: N815 - the wire's word
    msg: str
    thumbnail: str
    url: str


class Uploads:
    """Handlers whose bodies come in pieces."""

    def __init__(self, context: Context, open_api: OpenApi) -> None:
        self._context = context
        self._images = Images(context)
        self._open_api = open_api

    async def by_token(self, request: Request, _in_path: tuple[str, ...]) -> Answer:
        """The upload host: ``token``, then ``file``; any refusal is an ``errno``."""
        try:
            token, part = await read_form(request)
            owner = await self._images.bearer(token)
            if owner is None:
                return UploadFault.BAD_TOKEN.answer
            kept = await self._images.keep(owner, part)
        except BadUpload:
            return UploadFault.NO_PICTURE.answer
        except BodyTooLarge:
            return UploadFault.TOO_LARGE.answer
        except TooManyImages:
            return UploadFault.TOO_MANY.answer
        space = await self._context.lookups.space(owner.space)
        return answer.uploaded(_uploaded(base_of(space, request), kept))

    async def by_access_key(self, request: Request, _in_path: tuple[str, ...]) -> Answer:
        """``file/uploadImage``: the picture's address."""
        try:
            sender = await self._open_api.caller(request)
            _, part = await read_form(request)
            kept = await self._images.keep(sender.person, part)
        except OpenRefused as why:
            return why.answer
        except BadUpload:
            return OpenFault.NO_PICTURE.answer
        except BodyTooLarge:
            return OpenFault.PICTURE_TOO_LARGE.answer
        except TooManyImages:
            return OpenFault.TOO_MANY.answer
        return answer.found(url_of(base_of(sender.space, request), kept.public_id))


def _uploaded(base: str, kept: Kept) -> _Uploaded:
    return _Uploaded(
        errno=0,
        ext=kept.extension,
        fname=kept.name,
        fsize=kept.size,
        hash=kept.sha256,
        key=kept.public_id,
        mimeType=kept.type,
        msg="ok",
        thumbnail=url_of(base, kept.thumbnail),
        url=url_of(base, kept.public_id),
    )
