"""Who is connected, and ending connections (sheet easemob §3.2, §3.3)."""

from collections.abc import Sequence

from onebell.core.context import Context
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import Rejected, illegal
from onebell.dialects.easemob.app import KICKED
from onebell.dialects.easemob.devices import devices_of, end, online
from onebell.dialects.easemob.offline import is_delivered, offline_count
from onebell.dialects.easemob.visit import Call, Gate, Path, Rate, Visit, object_of
from onebell.http.exchange import Answer

ONLINE = Rate("online", 100)
STATUSES = 100
"""Names in one batch."""
BATCHES = Rate("status:batch", 50)
WORDS = {True: "online", False: "offline"}


class Online:
    """Status, devices, forced logout."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """Before those with places: ``/users/batch/status`` is nobody's status."""
        gate, one = self._gate, "/users/{}"
        presence = dict.fromkeys(("GET", "POST", "PUT", "DELETE"), Call(self._presence, ONLINE))
        return (
            gate.route(Path("/users/batch/status", gate.app_token, {"POST": Call(self._statuses, BATCHES)})),
            gate.route(Path(one + "/status", gate.own_token, {"GET": Call(self._status, ONLINE)})),
            gate.route(Path(one + "/offline_msg_count", gate.own_token, {"GET": Call(self._count, ONLINE)})),
            gate.route(Path(one + "/offline_msg_status/{}", gate.own_token, {"GET": Call(self._delivered, ONLINE)})),
            gate.route(Path(one + "/resources", gate.own_token, {"GET": Call(self._resources, ONLINE)})),
            gate.route(Path(one + "/disconnect", gate.app_token, {"GET": Call(self._end_all, ONLINE)})),
            gate.route(Path(one + "/disconnect/{}", gate.app_token, {"GET": Call(self._end_one, ONLINE)})),
            gate.route(Path(one + "/presence", gate.own_token, presence)),
            gate.route(Path(one + "/presence/{*}", gate.own_token, presence)),
        )

    async def _status(self, visit: Visit) -> Answer:
        account = await self._gate.account(visit, visit.values[0])
        is_online = bool(await online(self._context, visit.space, [account]))
        data = {account.name: WORDS[is_online]}
        return answer.brief(self._gate.scene(visit), entities=[], data=data, count=0)

    async def _statuses(self, visit: Visit) -> Answer:
        names = object_of(visit.request).get("usernames")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise illegal(answer.INVALID_REQUEST)
        if len(names) > STATUSES:
            raise illegal(f"request body exceeds maximum limit, maximum limit is {STATUSES}")
        keys = list(dict.fromkeys(name.lower() for name in names if "\x00" not in name))
        accounts = await self._context.store.accounts.find(visit.space, visit.app.key, keys)
        there = await online(self._context, visit.space, list(accounts.values()))
        data = [{name: WORDS[name.lower() in there]} for name in dict.fromkeys(names)]
        return answer.bare(self._gate.scene(visit), "get batch user status", data=data)

    async def _count(self, visit: Visit) -> Answer:
        account = await self._gate.account(visit, visit.values[0])
        count = await offline_count(self._context, visit.space, visit.app, account.person)
        return answer.brief(self._gate.scene(visit), entities=[], data={account.name: count}, count=0)

    async def _delivered(self, visit: Visit) -> Answer:
        account, number = await self._gate.account(visit, visit.values[0]), visit.values[1]
        is_there = await is_delivered(self._context, visit.space, account.person, number)
        data = {number: "delivered" if is_there else "undelivered"}
        return answer.brief(self._gate.scene(visit), entities=[], data=data, count=0)

    async def _resources(self, visit: Visit) -> Answer:
        devices = await devices_of(self._context, await self._gate.account(visit, visit.values[0]))
        data = [
            {
                "res": one.info.get("resource", ""),
                "device_uuid": one.info.get("device_uuid", ""),
                "device_name": one.info.get("device_name", ""),
            }
            for one in devices
        ]
        return answer.full(self._gate.scene(visit), entities=[], data=data)

    async def _end_all(self, visit: Visit) -> Answer:
        devices = await devices_of(self._context, await self._gate.account(visit, visit.values[0]))
        await end(self._context, visit.space, devices, KICKED)
        return self._ended(visit)

    async def _end_one(self, visit: Visit) -> Answer:
        devices = await devices_of(self._context, await self._gate.account(visit, visit.values[0]))
        mine = [one for one in devices if one.info.get("resource") == visit.values[1]]
        await end(self._context, visit.space, mine, KICKED)
        return self._ended(visit)

    def _ended(self, visit: Visit) -> Answer:
        return answer.brief(self._gate.scene(visit), entities=[], data={"result": True}, count=0)

    async def _presence(self, visit: Visit) -> Answer:
        """Subscriptions to others' presence are not offered."""
        raise Rejected(400, "service_open_exception", "the app not open presence")
