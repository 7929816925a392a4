"""In which words a client's message is refused (sheet easemob-msync §7)."""

from typing import Final

from onebell.dialects.easemob.msync.msync_pb2 import Status


class NotTaken(Exception):
    """What a client sent is not taken: error code and reason."""

    def __init__(self, code: Status.Code, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


FAIL: Final = Status.FAIL
DENIED: Final = Status.PERMISSION_DENIED

BLOCKED: Final = (FAIL, "blocked")
NOT_A_FRIEND: Final = (FAIL, "nonroster")
NO_USER: Final = (FAIL, "user does not exist")
NOT_INVITED: Final = (FAIL, "no such invitation")
TOO_MANY_BLOCKED: Final = (FAIL, "block list exceed limit")
UNREADABLE: Final = (FAIL, "message body is illegal")
NO_GROUPS: Final = (FAIL, "group does not exist")
UNSUPPORTED: Final = (FAIL, "not supported")
BROKEN: Final = (FAIL, "internal error")
TOO_LARGE: Final = (DENIED, "Sorry, data is too large")
TOO_FAST: Final = (DENIED, "traffic limit")
LATE_RECALL: Final = (FAIL, "exceed recall time limit")
NO_RECALL: Final = (FAIL, "message recall disabled")
NOTHING_TO_RECALL: Final = (FAIL, "not_found msg")
NO_MESSAGE: Final = (FAIL, "Sorry, message does not exist")
NOT_HIS: Final = (FAIL, "Sorry, You do not have permission")
NO_EDIT: Final = (FAIL, "Sorry, edit is not available")
NO_MORE_EDITS: Final = (FAIL, "Sorry, edit limit reached")
EXTERNAL: Final = Status.PERMISSION_DENIED_EXTERNAL
"""With the pre-send callback's own text."""
