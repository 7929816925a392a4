"""What a stored entry looks like to a client (sheet easemob-msync §6)."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from onebell.core.conversations import Queued
from onebell.core.inbox import shown_part, unpack
from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.msync import codec
from onebell.dialects.easemob.msync.keyvalues import to_pairs
from onebell.dialects.easemob.msync.msync_pb2 import MessageBody, Meta, RosterBody
from onebell.dialects.easemob.signals import ROSTER

_encode = msgspec.json.Encoder().encode

SIGNALS: Final[Mapping[str, MessageBody.Type]] = {
    "read_ack": MessageBody.READ_ACK,
    "deliver_ack": MessageBody.DELIVER_ACK,
    "recall": MessageBody.RECALL,
    "channel_ack": MessageBody.CHANNEL_ACK,
    "edit": MessageBody.EDIT,
}
"""By the name under which they are stored (``Content.data["signal"]``)."""
SCOPES: Final = {"body": MessageBody.BODY, "body_and_ext": MessageBody.BODY_AND_EXT}


def to_meta(app: App, me: str, peer: str, queued: Queued) -> Meta | None:
    """An entry of the conversation with ``peer``; None = nothing that a client could show."""
    part = shown_part(unpack(queued.parts))
    data: Mapping[str, Any] = part.content.data if part is not None else {}
    if "signal" not in data and "type" not in data:
        return None
    # A signal that is for one's own clients only is no copy of anything.
    is_own = queued.is_copy or ("signal" in data and data["from"] == me)
    sender, receiver = (me, peer) if is_own else (str(data.get("from", peer)), me)
    ends = (codec.user(app, sender), codec.user(app, receiver))
    if data.get("signal") == ROSTER:
        return _roster(app, ends, queued, data)
    body = _body(sender, receiver, data)
    meta = codec.meta(queued.public_id, *ends, queued.created_at, body)
    if info := data.get("info"):
        meta.ext.extend(to_pairs({"recallMessageExtensionInfo": info}))
    return meta


def _body(sender: str, receiver: str, data: Mapping[str, Any]) -> MessageBody:
    signal = data.get("signal")
    kind = SIGNALS[signal] if signal else MessageBody.CHAT
    body = codec.message_body(kind, sender, receiver, data.get("body"), data.get("ext", {}))
    if edited := data.get("edited"):
        body.meta = _encode({"edit_msg": edited}).decode()
    if signal == "edit":
        body.edit_message_id = int(data["of"])
        body.edit_scope = SCOPES[data["scope"]]
    elif of := data.get("of"):
        body.ack_message_id = int(of)
    return body


def _roster(app: App, ends: tuple[Any, Any], queued: Queued, data: Mapping[str, Any]) -> Meta:
    """A change of the contact list that the other side has made."""
    body = RosterBody(
        operation=data["operation"],
        sender=ends[0],
        to=[ends[1]],
        reason=str(data.get("reason", "")),
        status=RosterBody.RosterStatus(error_code=RosterBody.RosterStatus.OK),
    )
    return Meta(
        id=queued.public_id,
        sender=ends[0],
        to=ends[1],
        timestamp=queued.created_at,
        ns=Meta.ROSTER,
        payload=body.SerializeToString(),
    )
