"""An app and what hangs on it, as the directory keeps them (sheet easemob §1.1, §3.2, §4, §5).

Record ``app``: key = ``org/app``, data = :class:`App`. Credential ``client``: name = client_id, value =
``client_id:client_secret`` (unique over all apps and shown again to the operator), settings = ``{"app"}``.
Credential ``token``: settings = ``{"app","user"}``, owner = the user's person. Record ``callback``: key =
``org/app/name``, data = :class:`Rule`, secret ``secret``. Record ``template``: key = ``org/app/name``, data =
``push_text.Template``.
"""

import re
import uuid

import msgspec

DIALECT = "easemob"
APP = "app"
CLIENT = "client"
TOKEN = "token"
CALLBACK = "callback"
TEMPLATE = "template"

MSYNC = "msync"
"""Kind of the session rows of client sockets; ``info`` = {"realm" (org/app), "resource", "device_name", …}."""
KICKED_REMOVED = "removed"
KICKED_PASSWORD = "password changed"
KICKED = "kicked"
"""Why a client's socket ends; the protocol has a word for each."""

ACCOUNT_NAME = re.compile(r"[a-z0-9_.\-]{1,64}")  # after lowering (sheet §3.2)
RESERVED_NAME = "admin"  # the default sender
_NAMESPACE = uuid.UUID("6e2a7f5c-2c5d-5d0f-9c57-0d6a5f0b7d11")

CALLS_PER_SECOND = 100
MESSAGES_PER_MINUTE = 6000
TOKENS_PER_SECOND = 300
MESSAGE_BYTES = 3072
HISTORY_OFFSET_MIN = 480  # the Java SDK asks in +8 (sheet §1.7)
TOKEN_TTL_S = 5_184_000  # 60 days
RECALL_WINDOW_S = 120
UPLINK_BYTES = 5120
"""Of content and ``ext`` as compact JSON, in what a user writes himself."""
UPLINK_PER_SECOND = 100
"""Frames of one user, and what he writes in his inbox; they scale with ``calls_per_second``."""
NEVER_S = 315_360_000  # "never expires": the Java SDK reads a 32-bit integer (sheet §3.1)


class App(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of an app."""

    org: str
    app: str
    client_id: str
    open_registration: bool = False
    create_people: bool = True
    token_ttl_s: int = TOKEN_TTL_S
    lenient_body: bool = False  # D1
    message_bytes: int = MESSAGE_BYTES  # of body and ext; up to 5120
    calls_per_second: int = CALLS_PER_SECOND  # 0 = off
    messages_per_minute: int = MESSAGES_PER_MINUTE  # 0 = off
    contacts_only: bool = False  # clients may write only to those who have them as a contact
    recall_window_s: int = RECALL_WINDOW_S  # how long a message can be taken back; 0 = never
    history_offset_min: int = HISTORY_OFFSET_MIN  # east of UTC: the clock that names hours of history

    @property
    def key(self) -> str:
        """``org/app``."""
        return f"{self.org}/{self.app}"

    @property
    def appkey(self) -> str:
        """``org#app``, as clients write it."""
        return f"{self.org}#{self.app}"

    @property
    def uuid(self) -> str:
        """The app's id in answers, always the same one."""
        return str(uuid.uuid5(_NAMESPACE, self.key))


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A callback rule of an app (sheet §4)."""

    app: str  # "org/app"
    name: str
    kind: str  # pre | post
    url: str
    events: tuple[str, ...]  # what it is told of; a pre rule is asked about every message
    types: tuple[str, ...] = ()  # message types it is for; empty = all
    env: str = "default"
    enabled: bool = True
    wait_ms: int = 200  # pre: how long the answer is waited for
    default_policy: str = "allow"  # pre: allow | deny, when no usable answer comes

    def takes(self, kind: str) -> bool:
        """Whether it is for messages of a type; what has no type is for all."""
        return not kind or not self.types or kind in self.types


def user_uuid(app: App, name: str) -> str:
    """The id of an account in answers: always the same one, and another one in every app."""
    return str(uuid.uuid5(_NAMESPACE, f"{app.key}/{name}"))
