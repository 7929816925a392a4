"""``setting/*``: switches of the caller's account; each takes effect with the next message (sheet pushplus §2)."""

from typing import Any

from onebell.dialects.pushplus import answer
from onebell.dialects.pushplus.manage.call import Call, Calls, Row
from onebell.dialects.pushplus.manage.defaults import CHANNEL_TEXTS, of_user_token
from onebell.dialects.pushplus.parse import DEFAULT_CHANNEL
from onebell.dialects.pushplus.senders import ACCOUNT_KEY, NAME
from onebell.http.exchange import Answer

_SWITCH = (0, 1)


class _Settings(Row):
    default_channel: str
    default_channel_txt: str
    default_webhook: str
    send_limit: int  # 0 none; onebell restricts no single channel of a user
    recevie_limit: int  # their spelling
    send_type: int  # 0 H5, 1 mini program
    is_send: int
    show_ip: int
    extension: int


async def user_settings(call: Call) -> Answer:
    """``getUserSettings``: the older form."""
    default, account = await of_user_token(call), call.sender.account
    channel = default.channel or DEFAULT_CHANNEL
    shown = _Settings(
        default_channel=channel,
        default_channel_txt=CHANNEL_TEXTS.get(channel, ""),
        default_webhook=default.option,
        send_limit=0,
        recevie_limit=int(account.get("recevie_limit", 0)),
        send_type=int(account.get("open_message_type", 0)),
        is_send=int(account.get("is_send", 1)),
        show_ip=0,
        extension=int(account.get("extension", 0)),
    )
    return answer.found(shown)


async def change_receive_limit(call: Call) -> Answer:
    """``changeRecevieLimit``: 1 = the caller receives nothing."""
    return await _set(call, recevie_limit=call.choice("recevieLimit", _SWITCH))


async def change_is_send(call: Call) -> Answer:
    """``changeIsSend``: 0 = the caller's tokens send nothing (E5)."""
    return await _set(call, is_send=call.choice("isSend", _SWITCH))


async def change_open_message_type(call: Call) -> Answer:
    """``changeOpenMessageType``: kept for who asks; onebell has one page."""
    return await _set(call, open_message_type=call.choice("openMessageType", _SWITCH))


async def extension(call: Call) -> Answer:
    """``extension``: 1 = what goes to wechat goes to the browser extension too."""
    return await _set(call, extension=call.choice("forward", _SWITCH))


async def _set(call: Call, **changes: Any) -> Answer:
    await call.context.store.records.merge(call.space.id, NAME, "account", ACCOUNT_KEY, call.me.id, changes)
    await call.note("changed", f"pushplus account {call.me.uid}", changes)
    return answer.done()


CALLS: Calls = {
    ("GET", "setting/getUserSettings"): user_settings,
    ("GET", "setting/changeRecevieLimit"): change_receive_limit,
    ("GET", "setting/changeIsSend"): change_is_send,
    ("GET", "setting/changeOpenMessageType"): change_open_message_type,
    ("GET", "setting/extension"): extension,
}
