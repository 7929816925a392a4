"""``user/*``: the caller himself (sheet pushplus §2)."""

from onebell.clock import shanghai_day
from onebell.dialects.pushplus import answer, points
from onebell.dialects.pushplus.limits import PROFILES, Counters
from onebell.dialects.pushplus.manage.call import Call, Calls, Row
from onebell.dialects.pushplus.senders import NAME
from onebell.dialects.pushplus.showing import NO_SEX, email_status, nick_name, open_id
from onebell.http.exchange import Answer

_DAY_MS = 86_400_000
_NO_LIMIT, _SHORT_LIMIT = 1, 2
_ALWAYS = "2999-12-31"


class _Vip(Row):
    is_vip: int
    last_day: str


class _Info(Row):
    open_id: str
    union_id: str
    nick_name: str
    head_img_url: str
    user_sex: int
    token: str
    phone_number: str
    email: str
    email_status: int
    birthday: str
    points: int
    verify_status: int
    vip_info: _Vip


class _LimitTime(Row):
    send_limit: int
    user_limit_time: str


class _SendCount(Row):
    wechat_send_count: int
    cp_send_count: int
    webhook_send_count: int
    mail_send_count: int
    qq_bot_send_count: int


async def token(call: Call) -> Answer:
    """``user/token``: the one user token."""
    return answer.found(await user_token(call))


async def user_token(call: Call) -> str:
    """The caller's user token; empty when it was taken from him."""
    owned = await call.context.lookups.credentials(call.space.id, NAME, "user", call.me.id)
    return owned[0].value if owned else ""


async def my_info(call: Call) -> Answer:
    """``myInfo``. A profile with the member's limits shows a member."""
    me, is_vip = call.me, call.sender.profile is PROFILES["off"]
    shown = _Info(
        open_id=open_id(me.space, me.id),
        union_id="",
        nick_name=nick_name(me),
        head_img_url="",
        user_sex=NO_SEX,
        token=await user_token(call),
        phone_number=me.phone,
        email=me.email,
        email_status=email_status(me),
        birthday="",
        points=await points.left(call.context, call.sender),
        verify_status=int(bool(call.sender.account.get("verified", True))),
        vip_info=_Vip(int(is_vip), _ALWAYS if is_vip else ""),
    )
    return answer.found(shown)


async def limit_time(call: Call) -> Answer:
    """``userLimitTime``: a quota that is used up holds until the day ends (E4)."""
    counters = Counters(call.context.limits, call.context.clock)
    quotas = call.sender.profile.per_day
    spent = [
        channel
        for channel, limit in quotas.items()
        if await counters.used_today(call.space.id, call.me.id, channel) >= limit
    ]
    if not spent:
        return answer.found(_LimitTime(_NO_LIMIT, ""))
    return answer.found(_LimitTime(_SHORT_LIMIT, f"{shanghai_day(call.now_ms + _DAY_MS)} 00:00:00"))


async def send_count(call: Call) -> Answer:
    """``sendCount``: today's requests, refused ones too."""
    counters = Counters(call.context.limits, call.context.clock)

    async def used(channel: str) -> int:
        return await counters.used_today(call.space.id, call.me.id, channel)

    shown = _SendCount(
        wechat_send_count=await used("wechat"),
        cp_send_count=await used("cp"),
        webhook_send_count=await used("webhook"),
        mail_send_count=await used("mail"),
        qq_bot_send_count=await used("qq"),
    )
    return answer.found(shown)


CALLS: Calls = {
    ("GET", "user/token"): token,
    ("GET", "user/myInfo"): my_info,
    ("GET", "user/userLimitTime"): limit_time,
    ("GET", "user/sendCount"): send_count,
}
