"""Looking back: pages of a conversation and the list of conversations, as the client SDKs ask (sheet easemob §1.8)."""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from onebell.core.context import Context
from onebell.core.conversations import Channel, Queued, Roam
from onebell.core.directory import Account
from onebell.core.inbox import unpack
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import illegal
from onebell.dialects.easemob.app import NEVER_S, App
from onebell.dialects.easemob.bodies import documented
from onebell.dialects.easemob.conversations import conversations, peers
from onebell.dialects.easemob.digits import MOST, whole
from onebell.dialects.easemob.msync.codec import DOMAIN
from onebell.dialects.easemob.msync.down import to_meta
from onebell.dialects.easemob.parse import read_body
from onebell.dialects.easemob.send import parties_of
from onebell.dialects.easemob.visit import Call, Gate, Path, Rate, Visit, must_be_json
from onebell.http.exchange import Answer

ROAMING = Rate("roaming", 100)
"""What clients ask for holds up nobody who administers users (sheet §5)."""
PAGE = 20
MOST_AT_ONCE = 50
CHANNELS = 50
_encode = msgspec.json.Encoder().encode


class _Asked(msgspec.Struct, frozen=True):
    """The SDK's question for a page; cursors are ids, as numbers or text, -1 = none."""

    queue: str
    start: int | str | None = None
    pull_number: int | None = None
    is_positive: bool | None = None
    msgType: str | None = None  # noqa: N815 - the wire's name
    startTime: int | None = None  # noqa: N815
    endTime: int | None = None  # noqa: N815
    userId: str | None = None  # noqa: N815


class _Channel(msgspec.Struct, frozen=True):
    channel: str
    type: str = "chat"
    delete_roam: bool | None = None


class Roaming:
    """What a user's clients show of the past."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """A user's own, for him and for the app."""
        gate = self._gate
        roam, drop = {"POST": Call(self._roam, ROAMING)}, {"DELETE": Call(self._drop, ROAMING)}
        return (
            gate.route(Path("/users/{}/messageroaming", gate.own_token, roam)),
            gate.route(Path("/users/{}/user_channel", gate.own_token, drop)),
            gate.route(Path("/sdk/user/{}/user_channels/list", gate.own_token, {"GET": Call(self._channels, ROAMING)})),
            gate.route(Path("/sdk/users/{}/token/expires", gate.own_token, {"GET": Call(self._expires, ROAMING)})),
        )

    # ------------------------------------------------------------ pages

    async def _roam(self, visit: Visit) -> Answer:
        must_be_json(visit.request)
        asked = read_body(visit.request.body, _Asked)
        account = await self._gate.account(visit, visit.values[0])
        limit = min(asked.pull_number or PAGE, MOST_AT_ONCE)
        if limit < 1:
            raise illegal(answer.INVALID_REQUEST)
        name = _peer(visit.app, asked.queue)
        place = await self._place(visit, account, name)
        found = []
        if place is not None:
            found = await self._context.store.easemob.roam(_question(visit, account, place, asked, limit))
        page = found[:limit]
        msgs = [
            {"msg": base64.b64encode(meta.SerializeToString()).decode()}
            for one in page
            if _is_wanted(one, account.name, asked)
            if (meta := to_meta(visit.app, account.name, name, one)) is not None
        ]
        is_last = len(found) <= limit
        data = {"msgs": msgs, "is_last": is_last, "next_key": "" if is_last else str(page[-1].public_id)}
        return answer.full(self._gate.scene(visit), data=data)

    async def _place(self, visit: Visit, account: Account, name: str) -> tuple[int, int] | None:
        """The other side's party and the conversation; None = the two never had one."""
        party = (await parties_of(self._context, visit.space, visit.app, [name])).get(name)
        if party is None or party == account.person:
            return None
        feeds = await conversations(self._context, visit.space, visit.app, account.person, [party])
        return party, feeds[party]

    # ------------------------------------------------------------ the list

    async def _channels(self, visit: Visit) -> Answer:
        account = await self._gate.account(visit, visit.values[0])
        limit, before = _number(visit, "limit", CHANNELS) or CHANNELS, _number(visit, "cursor", 0)
        found = await self._context.store.easemob.channels(visit.space, account.person, visit.app.key)
        found = [one for one in found if not before or one.last.public_id < before]
        page = found[: min(limit, CHANNELS)]
        names = await peers(self._context, visit.space, visit.app, account.person, [one.feed for one in page])
        infos = [_info(visit.app, account.name, names[one.feed], one) for one in page if one.feed in names]
        cursor = str(page[-1].last.public_id) if len(found) > len(page) else ""
        return answer.full(self._gate.scene(visit), data={"cursor": cursor, "channel_infos": infos})

    async def _drop(self, visit: Visit) -> Answer:
        must_be_json(visit.request)
        asked = read_body(visit.request.body, _Channel)
        account = await self._gate.account(visit, visit.values[0])
        place = await self._place(visit, account, _peer(visit.app, asked.channel)) if asked.type == "chat" else None
        if place is not None:
            store = self._context.store.easemob
            drop = store.clear_history if asked.delete_roam else store.clear_channel
            await drop(visit.space, account.person, place[1])
        return answer.full(self._gate.scene(visit), path="/users/user_channel", entities=[], data={"result": "ok"})

    # ------------------------------------------------------------ beside it

    async def _expires(self, visit: Visit) -> Answer:
        ends_at = visit.caller.ends_at or self._context.clock.now_ms() + NEVER_S * 1000
        return answer.plain({"expire_timestamp": ends_at})


def _peer(app: App, queue: str) -> str:
    """``org#app_name@easemob.com``, or less of it."""
    return queue.removesuffix(f"@{DOMAIN}").removeprefix(f"{app.appkey}_").lower()


def _question(visit: Visit, account: Account, place: tuple[int, int], asked: _Asked, limit: int) -> Roam:
    peer, feed = place
    return Roam(
        space=visit.space,
        me=account.person,
        peer=peer,
        feed=feed,
        start=_cursor(asked.start),
        is_forward=asked.is_positive is True,
        since=_instant(asked.startTime),
        until=_instant(asked.endTime),
        limit=limit,
    )


def _instant(value: int | None) -> int:
    """Milliseconds; 0 = not bounded."""
    return min(max(value or 0, 0), MOST)


def _cursor(value: int | str | None) -> int:
    text = str(value if value is not None else "")
    if text in ("", "-1"):
        return 0
    return _whole(text)


def _number(visit: Visit, name: str, default: int) -> int:
    text = visit.request.query_value(name) or ""
    return _whole(text) if text else default


def _whole(text: str) -> int:
    if (number := whole(text)) is None:
        raise illegal(answer.INVALID_REQUEST)
    return number


def _is_wanted(one: Queued, me: str, asked: _Asked) -> bool:
    if me in msgspec.json.decode(one.extra).get("roam_ignore", ()) if one.extra else False:
        return False
    data = unpack(one.parts)[0].content.data
    if asked.msgType and data.get("type") not in asked.msgType.split(","):
        return False
    return not asked.userId or str(data.get("from", "")).lower() == asked.userId.lower()


def _info(app: App, me: str, peer: str, channel: Channel) -> dict[str, Any]:
    last = channel.last
    data = unpack(last.parts)[0].content.data
    sender, receiver = (me, peer) if last.is_copy else (peer, me)
    payload = {
        "bodies": [documented(data.get("body", {}))],
        "ext": data.get("ext", {}),
        "from": sender,
        "to": receiver,
        "type": "chat",
    }
    return {
        "session_to": peer,
        "session_type": "chat",
        "is_top": False,
        "unread_num": channel.unread,
        "meta": {
            "id": str(last.public_id),
            "from": f"{app.appkey}_{sender}@{DOMAIN}",
            "to": f"{app.appkey}_{receiver}@{DOMAIN}",
            "timestamp": last.created_at,
            "payload": _encode(payload).decode(),
        },
    }
