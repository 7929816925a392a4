"""Frames of MSYNC, read and written (sheet easemob-msync §3, §4, §6, §7)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from onebell.dialects.easemob.app import App
from onebell.dialects.easemob.msync.content import to_content
from onebell.dialects.easemob.msync.keyvalues import to_pairs
from onebell.dialects.easemob.msync.msync_pb2 import (
    JID,
    CommNotice,
    CommSyncDL,
    CommUnreadDL,
    Logout,
    MessageBody,
    Meta,
    MetaQueue,
    MSync,
    Provision,
    StatisticsBody,
    Status,
)

DOMAIN = "easemob.com"
BATCH = 50
"""Messages that one answer to a pull holds at most."""
M = TypeVar("M", bound=Message)


class Undecodable(Exception):
    """Bytes that are no message of the protocol."""


def read(shape: type[M], raw: bytes) -> M:
    """A message.

    Raises:
        Undecodable: the bytes are none of this shape, or hold text that is no UTF-8.
    """
    try:
        return shape.FromString(raw)
    except DecodeError as error:
        raise Undecodable(str(error)) from None


def frame(command: MSync.Command, payload: Message) -> bytes:
    """What one binary frame of the socket holds."""
    return MSync(version=MSync.MSYNC_V1, command=command, payload=payload.SerializeToString()).SerializeToString()


def user(app: App, name: str, resource: str = "") -> JID:
    """A user of an app; with ``resource`` one of his devices."""
    jid = JID(app_key=app.appkey, name=name, domain=DOMAIN)
    if resource:
        jid.client_resource = resource
    return jid


def status(code: Status.Code = Status.OK, reason: str = "") -> Status:
    """A status; its text is left out when there is none."""
    return Status(error_code=code, reason=reason) if reason else Status(error_code=code)


# ---------------------------------------------------------------- messages


def message_body(  # the wire's own fields
    kind: MessageBody.Type, sender: str, receiver: str, body: Mapping[str, Any] | None, ext: Mapping[str, Any]
) -> MessageBody:
    """A body with one entry in ``contents``: the SDK needs one in acks and recalls too (sheet §6)."""
    contents = [to_content(body) if body is not None else MessageBody.Content()]
    return MessageBody(type=kind, sender=JID(name=sender), to=JID(name=receiver), contents=contents, ext=to_pairs(ext))


def meta(number: int, sender: JID, receiver: JID, timestamp: int, body: MessageBody) -> Meta:
    """A message of a conversation under the id that REST shows too."""
    return Meta(
        id=number, sender=sender, to=receiver, timestamp=timestamp, ns=Meta.CHAT, payload=body.SerializeToString()
    )


# ---------------------------------------------------------------- frames to the client


def provisioned(resource: str, auth_token: str = "") -> bytes:
    """The sign-in is accepted. No compression is named, so that none is used (sheet §5)."""
    answer = Provision(status=status(), resource=resource)
    if auth_token:
        answer.auth_token = auth_token
    return frame(MSync.PROVISION, answer)


def not_provisioned(code: Status.Code, reason: str) -> bytes:
    """The sign-in is refused; the socket is closed behind it."""
    return frame(MSync.PROVISION, Provision(status=status(code, reason)))


def unread(counts: Iterable[tuple[JID, int]], now_ms: int) -> bytes:
    """Conversations with messages that this device has not acknowledged."""
    queues = [MetaQueue(queue=queue, n=count) for queue, count in counts]
    return frame(MSync.UNREAD, CommUnreadDL(status=status(), unread=queues, timestamp=now_ms))


def notice(queue: JID) -> bytes:
    """Something is new in a conversation."""
    return frame(MSync.NOTICE, CommNotice(queue=queue))


def batch(queue: JID, metas: Sequence[Meta], key: int, now_ms: int) -> bytes:
    """Messages of a conversation. Never ``isLast`` beside them: the client would not acknowledge (sheet §6)."""
    answer = CommSyncDL(status=status(), metas=metas, next_key=key, queue=queue, timestamp=now_ms)
    return frame(MSync.SYNC, answer)


def end_of(queue: JID, now_ms: int) -> bytes:
    """A conversation holds nothing more for this device."""
    return frame(MSync.SYNC, CommSyncDL(status=status(), queue=queue, is_last=True, timestamp=now_ms))


def taken(meta_id: int, server_id: int, now_ms: int, metas: Sequence[Meta] = ()) -> bytes:
    """What the client sent is stored under ``server_id``."""
    answer = CommSyncDL(status=status(), meta_id=meta_id, server_id=server_id, metas=metas, timestamp=now_ms)
    return frame(MSync.SYNC, answer)


def refused(meta_id: int, code: Status.Code, reason: str) -> bytes:
    """What the client sent is not taken."""
    return frame(MSync.SYNC, CommSyncDL(status=status(code, reason), meta_id=meta_id))


def kicked(queue: JID, number: int, operation: StatisticsBody.Operation, now_ms: int) -> bytes:
    """The server ends this sign-in; the socket must be closed behind it, or the SDK stays (sheet §6)."""
    payload = StatisticsBody(operation=operation).SerializeToString()
    one = Meta(id=number, timestamp=now_ms, ns=Meta.STATISTIC, payload=payload)
    answer = CommSyncDL(status=status(), metas=[one], next_key=number, queue=queue, is_last=True, timestamp=now_ms)
    return frame(MSync.SYNC, answer)


def signed_out(session: str) -> bytes:
    """The answer to a sign-out."""
    return frame(MSync.LOGOUT, Logout(session_id=session, status=status()))
