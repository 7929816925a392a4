"""``Retry-After``: seconds, or an HTTP date (RFC 9110 §10.2.3)."""

from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_S = 86_400.0
"""A stranger's header must not silence an account for ever."""


def retry_after_s(value: str, now_ms: int) -> float | None:
    """Seconds to wait, at least 0 and at most a day; None when the header is absent or unreadable."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    at_ms = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000
    return min(max(0.0, (at_ms - now_ms) / 1000), LONGEST_S)
