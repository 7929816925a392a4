"""The open API's calls, one file per group of the sheet's table (pushplus §2).

A file defines handlers (``Call`` in, ``Answer`` out) and lists them in ``CALLS`` by method and path; a refusal is
raised as ``OpenRefused``. Objects are shown under small numbers (``Call.shown``, ``Call.meant``).
"""

from collections.abc import Mapping

from onebell.dialects.pushplus.manage import (
    channels,
    defaults,
    friends,
    images,
    later,
    messages,
    scripts,
    settings,
    tokens,
    topic_users,
    topics,
    users,
    webhooks,
)
from onebell.dialects.pushplus.manage.call import Call, Calls, Handler

__all__ = ["CALLS", "Call", "Handler", "methods_of"]

_GROUPS: tuple[Calls, ...] = (
    messages.CALLS,
    users.CALLS,
    tokens.CALLS,
    defaults.CALLS,
    settings.CALLS,
    topics.CALLS,
    topic_users.CALLS,
    friends.CALLS,
    webhooks.CALLS,
    channels.CALLS,
    scripts.CALLS,
    images.CALLS,
    later.CALLS,
)


def _by_path() -> Mapping[str, dict[str, Handler]]:
    table: dict[str, dict[str, Handler]] = {}
    for group in _GROUPS:
        for (method, path), handler in group.items():
            methods = table.setdefault(path, {})
            assert method not in methods, f"{method} {path} stands in two groups"
            methods[method] = handler
    return table


CALLS = _by_path()
"""Handlers by path below ``/api/open/``, then by method."""


def methods_of(path: str) -> dict[str, Handler] | None:
    """The handlers of a path by method; None for a path that is nobody's."""
    return CALLS.get(path) or later.methods_of(path)
