"""What PushPlus has and onebell does not: answered with a reason that clients show (sheet pushplus §2, prio 3)."""

from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.manage.call import Call, Calls, Handler
from onebell.http.exchange import Answer

_AREAS = ("clawBot/", "qqBot/", "cmcc/", "forwardRule/", "forwardLog/", "pay/")
_METHODS = ("GET", "POST", "PUT", "DELETE")


async def not_built(_call: Call) -> Answer:
    """999 with the reason in ``data``."""
    return OpenFault.NOT_BUILT.answer


def methods_of(path: str) -> dict[str, Handler] | None:
    """Every method of a path in one of these areas."""
    return dict.fromkeys(_METHODS, not_built) if path.startswith(_AREAS) else None


CALLS: Calls = {
    ("POST", "topic/isOpen"): not_built,
}
