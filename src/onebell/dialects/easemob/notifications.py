"""Templates, do-not-disturb and push addresses over REST (sheet easemob §6)."""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from onebell.core.accounts import ChangeSettings
from onebell.core.context import Context
from onebell.core.directory import Account, Record
from onebell.dialects.base import Route
from onebell.dialects.easemob import answer
from onebell.dialects.easemob.answer import Rejected
from onebell.dialects.easemob.app import ACCOUNT_NAME, DIALECT, TEMPLATE
from onebell.dialects.easemob.disturb import INTERVAL, MOST_MS, NOTIFICATION, TYPES
from onebell.dialects.easemob.push import BINDINGS, CHOSEN
from onebell.dialects.easemob.push_text import TEMPLATE_NAME
from onebell.dialects.easemob.visit import Call, Gate, Path, Rate, Visit, object_of
from onebell.errors import Conflict, NotFound
from onebell.http.exchange import Answer

TEMPLATES, SETTINGS = Rate("templates", 10), Rate("notifications", 100)
PATTERN_CHARS = 1000
DEVICES = 20
"""Push addresses of one account; the oldest go."""
TOKEN_CHARS = 4096
CHAT_TYPES = ("user", "chatgroup")
CONVERSATIONS = 500
"""That one account has settings of its own for."""


class Notifications:
    """What concerns offline pushes."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def routes(self) -> Sequence[Route]:
        """The app's templates, and a user's own settings."""
        gate, user, template = self._gate, "/users/{}", "/notification/template"
        calls = {"GET": self._show, "PUT": self._edit, "DELETE": self._remove}
        one = {method: Call(call, TEMPLATES) for method, call in calls.items()}
        chosen = {"GET": Call(self._chosen, SETTINGS), "PUT": Call(self._choose, SETTINGS)}
        quiet = {"GET": Call(self._quiet, SETTINGS), "PUT": Call(self._set_quiet, SETTINGS)}
        bound = {"GET": Call(self._bound, SETTINGS), "PUT": Call(self._bind, SETTINGS)}
        return (
            gate.route(Path(template, gate.app_token, {"POST": Call(self._create, TEMPLATES)})),
            gate.route(Path(template + "/{}", gate.app_token, one)),
            gate.route(Path(user + "/notification/template", gate.own_token, chosen)),
            gate.route(Path(user + "/notification/{}/{}", gate.own_token, quiet)),
            gate.route(Path(user + "/push/binding", gate.own_token, bound)),
        )

    # ------------------------------------------------------------ templates

    async def _create(self, visit: Visit) -> Answer:
        body = object_of(visit.request)
        name = _text(body, "name", 64)
        if not TEMPLATE_NAME.fullmatch(name):
            raise _invalid("name")
        data = {field: _text(body, field, PATTERN_CHARS) for field in ("title_pattern", "content_pattern")}
        try:
            await self._context.store.records.create(visit.space, DIALECT, TEMPLATE, _key(visit, name), data=data)
        except Conflict:
            raise answer.illegal(f"{name} template is exist") from None
        return self._template(visit, await self._record(visit, name))

    async def _show(self, visit: Visit) -> Answer:
        return self._template(visit, await self._record(visit, visit.values[0]))

    async def _edit(self, visit: Visit) -> Answer:
        record, body = await self._record(visit, visit.values[0]), object_of(visit.request)
        change = {field: _text(body, field, PATTERN_CHARS) for field in record.data if body.get(field) is not None}
        try:
            await self._context.store.records.set_data(visit.space, record.id, {**record.data, **change})
        except NotFound:  # removed at this moment
            raise _no_template(visit.values[0]) from None
        return self._template(visit, await self._record(visit, visit.values[0]))

    async def _remove(self, visit: Visit) -> Answer:
        record = await self._record(visit, visit.values[0])
        await self._context.store.records.remove(visit.space, record.id)
        return self._template(visit, record)

    async def _record(self, visit: Visit, name: str) -> Record:
        found = None
        if TEMPLATE_NAME.fullmatch(name):
            found = await self._context.lookups.record(visit.space, DIALECT, TEMPLATE, _key(visit, name))
        if found is None:
            raise _no_template(name)
        return found

    def _template(self, visit: Visit, record: Record) -> Answer:
        times = {"createAt": record.created_at, "updateAt": record.updated_at}
        return self._said(visit, {"name": record.key.rpartition("/")[2], **times, **record.data})

    async def _chosen(self, visit: Visit) -> Answer:
        account = await self._gate.account(visit, visit.values[0])
        return self._said(visit, {"templateName": account.settings.get(CHOSEN, "")})

    async def _choose(self, visit: Visit) -> Answer:
        account = await self._gate.account(visit, visit.values[0])
        name = _text(object_of(visit.request), "templateName", 64)
        await self._change(visit, account, lambda kept: {**kept, CHOSEN: name})
        return self._said(visit, {"templateName": name})

    # ------------------------------------------------------------ do not disturb

    async def _quiet(self, visit: Visit) -> Answer:
        account, key = await self._place(visit)
        return self._said(visit, account.settings.get(NOTIFICATION, {}).get(key, {}))

    async def _set_quiet(self, visit: Visit) -> Answer:
        account, key = await self._place(visit)
        body = object_of(visit.request)
        kept: dict[str, Any] = {}
        if (kind := body.get("type")) is not None:
            kept["type"] = kind if kind in TYPES else _refuse("type")
        if (interval := body.get("ignoreInterval")) is not None:
            is_legal = interval == "" or (isinstance(interval, str) and INTERVAL.fullmatch(interval))
            kept["ignoreInterval"] = interval if is_legal else _refuse("ignoreInterval")
        if (lasts := body.get("ignoreDuration")) is not None:
            is_legal = isinstance(lasts, int) and not isinstance(lasts, bool) and 0 <= lasts <= MOST_MS
            kept["ignoreDuration"] = lasts if is_legal else _refuse("ignoreDuration")
            kept["ignoreDuration"] += self._context.clock.now_ms() if lasts else 0

        def change(settings: dict[str, Any]) -> dict[str, Any]:
            before = settings.get(NOTIFICATION, {})
            if key not in before and len(before) >= CONVERSATIONS:
                raise answer.illegal(f"the settings exceed maximum limit, maximum limit is {CONVERSATIONS}")
            return {**settings, NOTIFICATION: {**before, key: {**before.get(key, {}), **kept}}}

        changed = await self._change(visit, account, change)
        return self._said(visit, changed.settings[NOTIFICATION][key])

    async def _place(self, visit: Visit) -> tuple[Account, str]:
        name, chat_type, key = visit.values
        if chat_type not in CHAT_TYPES or not ACCOUNT_NAME.fullmatch(key.lower()):
            raise answer.no_service()
        return await self._gate.account(visit, name), f"{chat_type}/{key.lower()}"

    # ------------------------------------------------------------ push addresses

    async def _bound(self, visit: Visit) -> Answer:
        account = await self._gate.account(visit, visit.values[0])
        return self._addresses(visit, account.settings.get(BINDINGS, []))

    async def _bind(self, visit: Visit) -> Answer:
        account, body = await self._gate.account(visit, visit.values[0]), object_of(visit.request)
        device, notifier = _text(body, "device_id", 256), _text(body, "notifier_name", 256, may_be_empty=True)
        token = _text(body, "device_token", TOKEN_CHARS, may_be_empty=True)
        fresh = []
        if token and notifier:
            # It is sent on: sealed (DESIGN §5).
            sealed = b64encode(self._context.vault.seal(token)).decode()
            fresh.append({"device_id": device, "notifier_name": notifier, "device_token": sealed})

        def change(settings: dict[str, Any]) -> dict[str, Any]:
            kept = [one for one in settings.get(BINDINGS, []) if not _replaces(one, device, notifier)]
            return {**settings, BINDINGS: [*kept, *fresh][-DEVICES:]}

        changed = await self._change(visit, account, change)
        return self._addresses(visit, [one for one in changed.settings[BINDINGS] if one["device_id"] == device])

    def _addresses(self, visit: Visit, kept: Sequence[Mapping[str, str]]) -> Answer:
        unseal = self._context.vault.unseal
        shown = [
            {
                "device_id": one["device_id"],
                "device_token": unseal(b64decode(one["device_token"])),
                "notifier_name": one["notifier_name"],
            }
            for one in kept
        ]
        return answer.bare(self._gate.scene(visit), visit.request.method.lower(), entities=shown)

    # ------------------------------------------------------------ what they share

    async def _change(self, visit: Visit, account: Account, change: ChangeSettings) -> Account:
        store = self._context.store.accounts
        return await store.change_settings(visit.space, visit.app.key, account.name, change)

    def _said(self, visit: Visit, data: Mapping[str, Any]) -> Answer:
        return answer.full(self._gate.scene(visit), data=data)


def _no_template(name: str) -> Rejected:
    return Rejected(400, "entity_not_found", f"{name} template is not exist")


def _key(visit: Visit, name: str) -> str:
    return f"{visit.app.key}/{name}"


def _replaces(kept: Mapping[str, str], device: str, notifier: str) -> bool:
    """A device has one address per notifier; no notifier means all of them (sheet §6: empty unbinds)."""
    return kept["device_id"] == device and notifier in ("", kept["notifier_name"])


def _text(body: Mapping[str, Any], name: str, limit: int, *, may_be_empty: bool = False) -> str:
    value = body.get(name)
    if not isinstance(value, str) or len(value) > limit or not (value or may_be_empty) or "\0" in value:
        raise _invalid(name)
    return value


def _invalid(name: str) -> Rejected:
    return answer.illegal(f"parameters is invalid : {name}")


def _refuse(name: str) -> Any:
    raise _invalid(name)
