"""``userImage/*`` and ``file/uploadImage``: a user's pictures (sheet pushplus §2)."""

from onebell.clock import shanghai_text
from onebell.core.directory import Record
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.images import IMAGE, TOKEN_S, Images
from onebell.dialects.pushplus.manage.call import Call, Calls, Row
from onebell.dialects.pushplus.manage.owned import id_of, my_record
from onebell.dialects.pushplus.manage.pages import newest
from onebell.http.exchange import Answer

UPLOAD = "/api/common/userImage/upload"
"""Below it no access key is asked for: the upload token lets in."""
_BUCKET = "onebell"


class _UploadToken(Row):
    upload_token: str
    upload_host: str
    upload_url: str
    bucket: str
    expires_in: int


class _Item(Row):
    id: int
    img_url: str
    thumbnail: str
    create_time: str


async def upload_token(call: Call) -> Answer:
    """``userImage/uploadToken``."""
    token = await Images(call.context).token(call.me)
    return answer.done(_UploadToken(token, call.base, f"{call.base}{UPLOAD}", _BUCKET, TOKEN_S))


async def list_images(call: Call) -> Answer:
    """``userImage/list``."""

    def shown(number: int, record: Record) -> _Item:
        image, thumbnail = record.data["files"]
        when = shanghai_text(record.created_at)
        return _Item(number, url_of(call.base, image), url_of(call.base, thumbnail), when)

    return answer.done(await newest(call, IMAGE, await Images(call.context).of(call.me), id_of, shown))


async def delete(call: Call) -> Answer:
    """``userImage/delete``."""
    record = await my_record(call, IMAGE, "id", OpenFault.NO_IMAGE)
    await Images(call.context).forget(call.me, record)
    await call.note("removed", f"pushplus image {record.data['name']}")
    return answer.done()


def url_of(base: str, public_id: str) -> str:
    """Where a picture is."""
    return f"{base}/f/{public_id}"


CALLS: Calls = {
    ("GET", "userImage/uploadToken"): upload_token,
    ("POST", "userImage/list"): list_images,
    ("DELETE", "userImage/delete"): delete,
}
