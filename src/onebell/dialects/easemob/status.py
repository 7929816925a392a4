"""Signing in and out, told to an app's own server (sheet easemob §4.3)."""

import msgspec

from onebell.core.bell import Due
from onebell.core.context import Context
from onebell.core.events import EventKind
from onebell.core.work import EventDraft
from onebell.dialects.easemob.app import DIALECT, App
from onebell.dialects.easemob.callback import rules_of
from onebell.dialects.easemob.happenings import LOGIN


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Whose connection it is, and of what."""

    user: str  # account name
    resource: str
    os: str = ""  # webim, android, ios …
    ip: str = ""
    version: str = ""  # of the SDK


async def tell_status(context: Context, space: int, app: App, device: Device, reason: str) -> None:
    """Say that a device has signed in (``login``), out (``logout``), or was put out (``replaced``)."""
    rules = await rules_of(context.lookups, space, app.key, "post")
    if not any(reason in rule.events for rule, _ in rules):
        return
    kind = EventKind.ONLINE if reason == LOGIN else EventKind.OFFLINE
    draft = EventDraft(
        space=space,
        dialect=DIALECT,
        message=0,
        kind=kind.value,
        at=context.clock.now_ms(),
        data={"app": app.key, "reason": reason, **msgspec.structs.asdict(device)},
        watched=True,
    )
    await context.store.callbacks.announce(draft, context.mint)
    context.bell.ring(Due(space=space, queue="events"))
