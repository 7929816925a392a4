"""The words between the background tasks and the store: what is claimed, and what became of it."""

from typing import Any

import msgspec

from onebell.core.bell import Mark, StoredMessage
from onebell.core.model import Members, Part, PeopleQuery, Severity

TAKE_BACK = "take_back"
"""Kind of the timer that asks providers for a recalled message (core/recall.py)."""
LEASE_S = 45.0
"""How long a claim holds. A node that died or hangs costs one lease (RELIABILITY R19: taken over within 45 s)."""
LEASE_MS = round(LEASE_S * 1000)
WORDS_BYTES = 512
"""How much of a provider's or receiver's own words is kept (RELIABILITY §2.2)."""


def words(text: str) -> str:
    """At most ``WORDS_BYTES`` bytes of a stranger's text, without NUL, which PostgreSQL's text refuses."""
    clean = text.encode("utf-8", "replace").replace(b"\0", b"")
    return clean[:WORDS_BYTES].decode("utf-8", "ignore")


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One carrier account with open deliveries."""

    space: int
    account: int
    due_at: int  # of its earliest delivery; may lie ahead
    expires_at: int  # when the first of those that nobody holds expires; 0 = none does
    blocked_until: int  # the account is paused until then; 0 = it is not
    stopped: bool  # switched off, or stopped by Unauthorized


class LaneClaim(msgspec.Struct, frozen=True, kw_only=True):
    """How much a node wants from one account now."""

    space: int
    account: int
    limit: int
    but: tuple[int, ...] = ()  # deliveries this node still has in hand: a clock that jumped must not double them


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that this node holds under a lease; its attempt is already written."""

    space: int
    id: int
    message: int
    part: int
    account: int
    target: int
    address: str
    person: int
    attempt: int  # 1 = first
    was_due_at: int
    expires_at: int  # 0 = the carrier's max_age counts
    created_at: int
    lease_until: int


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing goes to an account (``target`` 0) or to one address before ``until``."""

    space: int
    account: int
    target: int
    until: int
    why: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one job, as the store writes it."""

    job: Job
    outcome: str  # of the attempt: sent | temporary | permanent | throttled | unauthorized | defect
    state: str  # of the delivery from now on: due | sent | failed | expired
    why: str = ""
    code: int = 0
    provider_ref: str = ""
    due_at: int = 0  # state due: when it is tried again
    expires_at: int = 0  # when its tries end; 0 = as it was
    poll_at: int = 0  # state sent: when the provider is asked; 0 = never
    expects_receipt: bool = False  # the provider reports later: the ref must find the delivery
    target_is_dead: bool = False
    pause: Pause | None = None
    stops_account: bool = False


class MessageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What rendering and sending need of a message."""

    id: int
    space: int
    dialect: str
    public_id: str
    state: str
    sender_name: str
    severity: Severity
    parts: tuple[Part, ...]
    watched: bool
    created_at: int
    expires_at: int


class PollJob(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery whose provider is asked for a receipt."""

    space: int
    id: int
    account: int
    provider_ref: str
    sent_at: int


class TakenDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of a recalled message that its provider has taken."""

    space: int
    id: int
    account: int
    person: int
    provider_ref: str


class ReceiptFact(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider said about a message it took."""

    space: int
    account: int
    provider_ref: str
    state: str  # delivered | undelivered | clicked
    address: str = ""  # when one ref covers many targets
    why: str = ""
    code: int = 0
    target_is_dead: bool = False


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """What a closing transaction made true besides its own rows."""

    finished: tuple[tuple[int, int], ...] = ()  # (space, message)
    watched: bool = False  # events wait to be packed


class Spread(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An audience too large for one batch, and how the message goes to it; ``expansion.audience`` as JSON."""

    audience: Members | PeopleQuery
    scopes: tuple[str, ...] = ("all",)  # Submission.scopes
    priority: int = 3  # of the deliveries
    is_silent: bool = False  # inbox only
    quiet_through: bool = False
    mentions: tuple[int, ...] = ()  # person ids


class ExpansionClaim(msgspec.Struct, frozen=True, kw_only=True):
    """An expansion that this node holds under a lease: what is known of it even if nobody can read the rest."""

    space: int
    message: int
    no: int
    dialect: str
    watched: bool
    defects: int  # how often our code failed on it so far


class ExpansionJob(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed expansion, read."""

    stored: StoredMessage
    no: int
    spread: Spread
    cursor: int
    keep: str
    watched: bool
    due_at: int
    is_alone: bool
    """Nobody can have an entry of the message yet but by this expansion, and it begins now."""

    @property
    def space(self) -> int:
        """The owner."""
        return self.stored.space

    @property
    def message(self) -> int:
        """Internal id."""
        return self.stored.id


class Addressing(msgspec.Struct, frozen=True, kw_only=True):
    """Which kinds of carriers reach a person how, when he has no address for the account itself."""

    email: tuple[str, ...] = ()  # by his own e-mail address
    phone: tuple[str, ...] = ()  # by his own number
    account: tuple[str, ...] = ()  # the account is the only place: everybody's address is its code


class PartPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Over which accounts an expansion sends a part besides the inbox."""

    part: int
    accounts: tuple[int, ...] = ()
    is_by_route: bool = False  # to each person over his own routes


class ExpansionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What every page of an expansion writes."""

    job: ExpansionJob
    has_entries: bool
    names_inbox: bool  # a part names the inbox as a carrier
    parts: tuple[PartPlan, ...]
    addressing: Addressing


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What one page of an expansion did."""

    count: int  # people in it
    cursor: int  # the last of them
    is_last: bool
    is_ours: bool = True  # False: another node took it over, or the message was recalled
    marks: tuple[Mark, ...] = ()  # entries in mailboxes that somebody reads now
    has_deliveries: bool = False
    watched: bool = False  # events wait to be packed


class CallbackDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A callback to store; ``request`` is sealed."""

    space: int
    dialect: str
    kind: str
    order_key: str
    message: int
    url: str
    verified: bool
    request: bytes
    timeout_s: int  # 0 = as the schedule says
    context: dict[str, Any]
    parked: str = ""  # why it is not sent


class CallbackJob(msgspec.Struct, frozen=True, kw_only=True):
    """A callback that this node holds under a lease."""

    space: int
    id: int
    dialect: str
    kind: str
    order_key: str
    message: int
    url: str
    verified: bool
    request: bytes  # sealed
    timeout_s: int
    context: dict[str, Any]
    attempt: int  # 1 = first since it was stored or replayed
    was_due_at: int


class CallbackResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one try."""

    job: CallbackJob
    state: str  # due | done | parked
    due_at: int = 0  # state due: when it is tried again
    status: int = 0  # 0 = no answer
    reply: str = ""


class PlanJob(msgspec.Struct, frozen=True, kw_only=True):
    """A durable timer that has come, held under a lease."""

    space: int
    id: int
    kind: str
    message: int
    person: int
    step: int
    data: bytes  # JSON, as its maker wrote it
    next_at: int
    defects: int  # how often our code failed on this step so far


class PlanDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A timer to set."""

    space: int
    kind: str
    next_at: int
    message: int = 0
    person: int = 0
    step: int = 0
    data: bytes = b"{}"


class EventDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An event to write in the transaction that makes it true."""

    space: int
    dialect: str
    message: int
    kind: str  # EventKind value
    at: int
    delivery: int = 0
    person: int = 0
    data: dict[str, Any] = {}
    watched: bool = False
