"""``setting/*UserDefault``: what each token sends over when a request names no channel (sheet pushplus §1.7, §2)."""

from onebell.clock import shanghai_text
from onebell.core.directory import Record
from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.answer import OpenFault
from onebell.dialects.pushplus.manage.call import Call, Calls, Row, refuse
from onebell.dialects.pushplus.manage.owned import TOKEN, id_of, my_record, my_token, records_of
from onebell.dialects.pushplus.manage.pages import newest
from onebell.dialects.pushplus.manage.tokens import message_tokens
from onebell.dialects.pushplus.parse import CHANNELS
from onebell.dialects.pushplus.senders import NAME, USER_TOKEN_KEY, Default
from onebell.errors import Conflict
from onebell.http.exchange import Answer

_DEFAULT = "default"
_USER_TOKEN = "用户token"
_CODED = ("webhook", "cp", "mail")
"""Channels whose option is the code of one of the caller's configs."""
CHANNEL_TEXTS = {
    "wechat": "微信公众号",
    "cp": "企业微信应用",
    "webhook": "第三方webhook",
    "mail": "邮件",
    "sms": "短信",
    "voice": "语音",
    "extension": "插件",
    "qq": "QQ机器人",
    "app": "App",
}
"""The last one is ours: the sheet names the others."""


class _Item(Row):
    id: int
    channel: str
    channel_txt: str
    update_time: str
    name: str


class _Detail(Row):
    id: int
    channel: str
    option: str
    pre: str
    update_time: str
    name: str
    token_id: int


async def list_defaults(call: Call) -> Answer:
    """``listUserDefault``."""
    names = await _names(call)

    def shown(number: int, record: Record) -> _Item:
        channel = _channel(record)
        when = shanghai_text(record.updated_at)
        return _Item(number, channel, CHANNEL_TEXTS.get(channel, ""), when, names.get(record.key, ""))

    return answer.found(await newest(call, _DEFAULT, await records_of(call, _DEFAULT), id_of, shown))


async def detail(call: Call) -> Answer:
    """``detailUserDefault``."""
    record = await my_record(call, _DEFAULT, "id", OpenFault.NO_DEFAULT)
    is_user = record.key == USER_TOKEN_KEY
    shown = _Detail(
        await call.shown_one(_DEFAULT, record.id),
        _channel(record),
        str(record.data.get("option", "")),
        str(record.data.get("pre", "")),
        shanghai_text(record.updated_at),
        (await _names(call)).get(record.key, ""),
        0 if is_user else await call.shown_one(TOKEN, int(record.key)),
    )
    return answer.done(shown)


async def add(call: Call) -> Answer:
    """``addUserDefault``."""
    key, data = await _token_key(call), await _data(call)
    try:
        await call.context.store.records.create(call.space.id, NAME, _DEFAULT, key, owner=call.me.id, data=data)
    except Conflict:
        refuse(OpenFault.DEFAULT_TAKEN)
    await call.note("created", "pushplus default", data)
    return answer.found(None)


async def edit(call: Call) -> Answer:
    """``editUserDefault``; what is not given stays."""
    record = await my_record(call, _DEFAULT, "id", OpenFault.NO_DEFAULT)
    key = await _token_key(call) if call.has("tokenId") else record.key
    data = await _data(call, record.data)
    try:
        await call.context.store.records.rewrite(call.space.id, call.me.id, record.id, key, data)
    except Conflict:
        refuse(OpenFault.DEFAULT_TAKEN)
    await call.note("changed", "pushplus default", data)
    return answer.done(answer.EDITED)


async def delete(call: Call) -> Answer:
    """``deleteUserDefault``."""
    record = await my_record(call, _DEFAULT, "id", OpenFault.NO_DEFAULT)
    await call.context.store.records.discard(call.space.id, call.me.id, record.id)
    await call.note("removed", "pushplus default")
    return answer.found(answer.DEFAULT_DELETED)


async def change_channel(call: Call) -> Answer:
    """``changeDefaultChannel``: the older form, for the user token alone."""
    channel = await checked(call, call.required("defaultChannel"), call.text("defaultWebhook"))
    data = {"channel": channel, "option": call.text("defaultWebhook")}
    await call.context.store.records.merge(call.space.id, NAME, _DEFAULT, USER_TOKEN_KEY, call.me.id, data)
    await call.note("changed", "pushplus default", data)
    return answer.done()


async def of_user_token(call: Call) -> Default:
    """What the caller's user token sends over."""
    found = next((one for one in await records_of(call, _DEFAULT) if one.key == USER_TOKEN_KEY), None)
    return Default(channel=_channel(found), option=str(found.data.get("option", ""))) if found else Default()


async def checked(call: Call, channel: str, option: str) -> str:
    """The channel's canonical name.

    Raises:
        OpenRefused: it is unknown, or its option is not the code of one of the caller's configs.
    """
    found = CHANNELS.get(channel.lower()) or refuse(OpenFault.NO_CHANNEL)
    if found.code_required and not option:
        refuse(OpenFault.CODE_ABSENT)
    if option and found.name in _CODED and option not in {one.key for one in await records_of(call, "webhook")}:
        refuse(OpenFault.NO_CODE)
    return found.name


def _channel(record: Record) -> str:
    return str(record.data.get("channel", ""))


async def _names(call: Call) -> dict[str, str]:
    """Names of the caller's tokens by the key of their default."""
    return {USER_TOKEN_KEY: _USER_TOKEN} | {str(token.id): token.name for token in await message_tokens(call)}


async def _token_key(call: Call) -> str:
    return str((await my_token(call, "tokenId")).id) if call.number("tokenId") else USER_TOKEN_KEY


async def _data(call: Call, old: dict[str, str] | None = None) -> dict[str, str]:
    given = {name: call.text(name) for name in ("channel", "option", "pre") if call.has(name)}
    data = {"channel": "", "option": "", "pre": "", **(old or {}), **given}
    if not data["channel"]:
        refuse(OpenFault.ABSENT, "channel")
    data["channel"] = await checked(call, data["channel"], data["option"])
    if data["pre"] and data["pre"] not in {one.key for one in await records_of(call, "pre")}:
        refuse(OpenFault.NO_PRE)
    return data


CALLS: Calls = {
    ("POST", "setting/listUserDefault"): list_defaults,
    ("GET", "setting/detailUserDefault"): detail,
    ("POST", "setting/addUserDefault"): add,
    ("POST", "setting/editUserDefault"): edit,
    ("DELETE", "setting/deleteUserDefault"): delete,
    ("POST", "setting/changeDefaultChannel"): change_channel,
}
