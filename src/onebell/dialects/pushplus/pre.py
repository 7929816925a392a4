"""The preprocess script, which may change a content before its template sees it (sheet pushplus §1.5 E14, §4).

It is asked as an interceptor is (DESIGN §3): outside any transaction, with its own deadline, and with its verdict for
when it fails, which is the untouched content: an alert must not be lost.
"""

import msgspec
import structlog

from onebell.core.context import Context
from onebell.dialects.pushplus.answer import Fault, Rejected
from onebell.dialects.pushplus.parse import Asked
from onebell.dialects.pushplus.senders import NAME, SenderInfo
from onebell.errors import ScriptFailed, ScriptFault

log = structlog.get_logger()


class Preprocess:
    """Finds and runs a sender's scripts."""

    def __init__(self, context: Context) -> None:
        self._lookups = context.lookups
        self._scripts = context.scripts

    async def script(self, sender: SenderInfo, code: str) -> str:
        """The script of a code.

        Raises:
            Rejected: E14.
        """
        record = await self._lookups.record(sender.space.id, NAME, "pre", code, sender.person.id)
        if record is None:
            raise Rejected(Fault.PRE_UNKNOWN)
        return str(record.data.get("script", ""))

    async def apply(self, sender: SenderInfo, asked: Asked, script: str) -> Asked:
        """What is asked for after the script."""
        try:
            content = await self._scripts.run(script, asked.content, owner=sender.person.id)
            _check(content, sender.profile.content_chars)
        except ScriptFailed as failed:
            log.warning("script_failed", space=sender.space.id, pre=asked.pre, fault=failed.fault.value)
            return asked
        return msgspec.structs.replace(asked, content=content)


def _check(content: str, limit_chars: int) -> None:
    # What could not have been sent is not made by a script either (E6, E8).
    if not content.strip() or len(content) > limit_chars:
        raise ScriptFailed(ScriptFault.RESULT)
