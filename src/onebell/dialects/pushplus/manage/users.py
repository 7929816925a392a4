"""``user/*``: the caller himself (sheet pushplus §2)."""

from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.manage.call import Call, Calls
from onebell.dialects.pushplus.senders import NAME
from onebell.http.exchange import Answer


async def token(call: Call) -> Answer:
    """``user/token``: the one user token."""
    return answer.found(await user_token(call))


async def user_token(call: Call) -> str:
    """The caller's user token; empty when it was taken from him."""
    owned = await call.context.lookups.credentials(call.space.id, NAME, "user", call.me.id)
    return owned[0].value if owned else ""


CALLS: Calls = {
    ("GET", "user/token"): token,
}
