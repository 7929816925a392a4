"""``limit`` and ``cursor`` of the user lists (sheet easemob §3.2)."""

import base64
import binascii
from dataclasses import dataclass

from onebell.core.directory import Account
from onebell.dialects.easemob.answer import INVALID_REQUEST, illegal
from onebell.dialects.easemob.digits import whole
from onebell.http.exchange import Request

DEFAULT = 10
MOST = 100


@dataclass(frozen=True)
class Paging:
    """Which page is asked for."""

    after: tuple[int, str]  # when the last one shown was made, and its name
    limit: int
    params: dict[str, list[str]]  # the query, echoed as the service does


def read_paging(request: Request) -> Paging:
    """The query.

    Raises:
        Rejected: a limit that is no number, or a cursor that is none of ours.
    """
    params: dict[str, list[str]] = {}
    for key, value in request.query_pairs():
        params.setdefault(key, []).append(value)
    limit = whole(params.get("limit", [str(DEFAULT)])[0])
    if not limit:
        raise illegal(INVALID_REQUEST)
    return Paging(_after(params.get("cursor", [""])[0]), min(limit, MOST), params)


def cursor_of(account: Account) -> str:
    """Where the next page begins."""
    return base64.urlsafe_b64encode(f"{account.created_at}:{account.name}".encode()).decode().rstrip("=")


def _after(cursor: str) -> tuple[int, str]:
    if not cursor:
        return 0, ""
    try:
        when, _, name = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
    except (binascii.Error, ValueError):
        raise illegal(INVALID_REQUEST) from None
    made = whole(when)
    if made is None or "\x00" in name:
        raise illegal(INVALID_REQUEST)
    return made, name
