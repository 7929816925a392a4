"""Join links behind QR codes (sheet pushplus §2): their images are served at ``/j/{code}/qr.png``."""

import msgspec

from onebell.core.directory import Feed
from onebell.core.joining import JoinLink
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.manage.call import Call, refuse
from onebell.dialects.pushplus.senders import NAME
from onebell.ids import hex32

SECONDS, MAX_SECONDS = 604_800, 2_592_000
MAX_SCANS = 999
UNLIMITED = -1


async def issue(call: Call, link: JoinLink) -> str:
    """Make a link as ``second`` and ``scanCount`` ask; where the image of its code is.

    Raises:
        OpenRefused: they are no numbers, or ``scanCount`` is out of bounds.
    """
    code = hex32()
    asked = call.number("second")
    # More than the service gives is what it gives: a script that asks for a year still gets its code.
    life_s = min(asked, MAX_SECONDS) if asked > 0 else SECONDS
    ends = msgspec.structs.replace(link, expires_at=call.now_ms + life_s * 1000, left=_scans(call))
    await call.context.store.joining.issue(NAME, ends, code)
    return _image(call, code)


async def lasting(call: Call, topic: Feed) -> str:
    """Where the image of a topic's link is that neither expires nor is used up; made at first use."""
    joining = call.context.store.joining
    code = await joining.lasting_code(NAME, call.space.id, topic.id)
    if not code:
        code = await joining.make_lasting(NAME, JoinLink(space=call.space.id, feed=topic.id), hex32())
    return _image(call, code)


def _scans(call: Call) -> int:
    scans = call.number("scanCount", UNLIMITED)
    if scans != UNLIMITED and not 1 <= scans <= MAX_SCANS:
        refuse(OpenFault.MALFORMED, "scanCount")
    return scans


def _image(call: Call, code: str) -> str:
    return f"{call.base}/j/{code}/qr.png"
