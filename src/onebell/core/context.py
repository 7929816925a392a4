"""What a dialect, the native API and the background tasks are handed: the core's doors, wired once in ``app``."""

from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from onebell.clock import Clock
from onebell.core.bell import Bell
from onebell.core.directory import (
    Account,
    CarrierAccount,
    Credential,
    Feed,
    Membership,
    Person,
    Record,
    RouteTarget,
    Space,
)
from onebell.core.model import PartyKind, Receipt, Submission
from onebell.core.pictures import Pictures
from onebell.ids import IdMint
from onebell.settings import Settings

if TYPE_CHECKING:  # the store's verbs take words of this module
    from onebell.store.base import Store


ANY_SPACE = 0
"""The shelf that a change of any space empties."""


class Shelf(Protocol):
    """A bounded memory that is emptied when its space changes."""

    def get(self, key: Hashable, default: Any) -> Any: ...
    def put(self, key: Hashable, value: Any) -> None: ...


class Lookups(Protocol):
    """The directory as this node knows it: cached per space, never staler than a second.

    Every answer is frozen. ``None`` means: not there (or switched off, where the struct says so, it is returned).
    """

    async def spaces(self) -> Sequence[Space]: ...
    async def space(self, space: int) -> Space: ...
    async def credential(self, dialect: str, kind: str, value: str) -> Credential | None:
        """An issued credential, found by the HMAC of its value; disabled and expired ones are returned too."""
        ...

    async def credential_named(self, space: int, dialect: str, kind: str, name: str) -> Credential | None:
        """A credential found by its name (chosen passwords)."""
        ...

    async def credential_by_id(self, space: int, credential: int) -> Credential | None: ...
    async def credentials(
        self, space: int, dialect: str, kind: str, owner: int | None = None
    ) -> Sequence[Credential]: ...
    async def person(self, space: int, person: int) -> Person | None: ...
    async def people(self, space: int, ids: Sequence[int]) -> dict[int, Person]:
        """Found people by id, read together."""
        ...

    async def person_by_uid(self, space: int, uid: str) -> Person | None: ...
    async def people_by_uid(self, space: int, uids: Sequence[str]) -> dict[str, Person]:
        """Found people by lower-cased uid."""
        ...

    async def person_by_address(self, space: int, carrier: str, value: str) -> Person | None:
        """Who has this address of scope all (``carrier`` "phone", "email" or an account's code)."""
        ...

    async def routes(self, space: int, person: int) -> Sequence[RouteTarget]:
        """Where a person's messages go besides his inbox, in order."""
        ...

    async def routes_of(self, space: int, ids: Sequence[int]) -> dict[int, Sequence[RouteTarget]]:
        """The routes of each of these people, read together."""
        ...

    async def address_of(
        self, space: int, person: int, account: CarrierAccount, scopes: Sequence[str] = ("all",)
    ) -> str:
        """A person's address on an account, first scope that has one; empty = none.

        The account's own code comes first, then the person's "email" or "phone" where the kind's manifest says so.
        """
        ...

    async def feed(self, space: int, feed: int) -> Feed | None: ...
    async def feed_by_code(self, space: int, dialect: str, kind: str, code: str, owner: int = 0) -> Feed | None: ...
    async def feeds(self, space: int, dialect: str, kind: str, owner: int | None = None) -> Sequence[Feed]: ...
    async def membership(self, space: int, feed: int) -> Membership: ...
    async def carrier(self, space: int, code: str) -> CarrierAccount | None: ...
    async def carrier_by_id(self, space: int, account: int) -> CarrierAccount | None: ...
    async def record(self, space: int, dialect: str, kind: str, key: str, owner: int = 0) -> Record | None: ...
    async def records(self, space: int, dialect: str, kind: str, owner: int | None = None) -> Sequence[Record]: ...
    async def account(self, space: int, app: str, name: str) -> Account | None: ...
    async def accounts(self, space: int, app: str, names: Sequence[str]) -> dict[str, Account]:
        """Found accounts by lower-case name, read together."""
        ...

    async def party(self, space: int, kind: PartyKind, name: str) -> int:
        """The id of a bot, a system name or an unclaimed name; made at first use, with a mailbox for names."""
        ...

    async def parties(self, space: int, kind: PartyKind, names: Sequence[str]) -> dict[str, int]: ...
    async def direct(self, space: int, dialect: str, a: int, b: int, within: str = "") -> int:
        """The direct feed of two parties, in either order; made at first use.

        ``within`` is for dialects where the same two have one in each of several realms (Easemob apps).
        """
        ...

    async def directs(
        self, space: int, dialect: str, a: int, others: Sequence[int], within: str = ""
    ) -> dict[int, int]: ...
    async def targets(self, space: int, account: int, values: Sequence[str]) -> dict[str, int]:
        """Ids of addresses on an account; made at first use."""
        ...

    def shelf(self, space: int) -> Shelf:
        """Where to keep what was worked out from answers about a space, so that the next request finds it in one look.

        Take the shelf before you ask: what is put on one that was emptied meanwhile is never seen again.
        """
        ...

    def forget(self, space: int) -> None:
        """Drop what is cached: something changed on this node."""
        ...


class Vault(Protocol):
    """Secrets in their three classes (DESIGN §5)."""

    def digest(self, dialect: str, kind: str, value: str) -> bytes:
        """What an issued value is found by: HMAC-SHA256 under the server key."""
        ...

    def seal(self, text: str) -> bytes:
        """Encrypt."""
        ...

    def unseal(self, sealed: bytes) -> str:
        """Decrypt."""
        ...

    async def hash_password(self, password: str) -> str:
        """argon2id (19 MiB, t = 2), at most two at once."""
        ...

    def remembers(self, password_hash: str, password: str) -> bool:
        """Whether this password was right within the last 10 minutes; says nothing about others."""
        ...

    async def check_password(self, password_hash: str, password: str, throttle: str = "") -> bool:
        """Compare; a success is remembered in memory for 10 minutes as a keyed digest.

        Raises:
            TooManyFailures: ``throttle`` (who is asked, from where) failed too often; nothing was hashed.
        """
        ...


class Limits(Protocol):
    """Rates that all nodes share: each adds its own count every 200 ms and decides on the sum."""

    async def take(self, space: int, key: str, limit: int, window_s: int, amount: int = 1) -> bool:
        """Count ``amount`` if the sliding window then holds at most ``limit``; False = over, nothing counted."""
        ...

    def count(self, space: int, key: str, window_s: int) -> None:
        """Count one, whatever the window holds; needs no look into the store."""
        ...

    async def used(self, space: int, key: str, window_s: int) -> int:
        """How much the sliding window holds."""
        ...


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file's row."""

    id: int
    space: int
    name: str
    type: str
    size: int
    sha256: str
    owner: int
    secret: str
    public_id: str
    created_at: int
    expires_at: int
    message: int = 0  # the newest message that names it: while that is there, so is the file; 0 = none
    data: dict[str, Any] = {}  # what the dialect that took it remembers (Easemob: the thumbnail's box)


class Files(Protocol):
    """Bytes that do not belong into a row: written and synced before the row that names them."""

    async def put(
        self,
        space: int,
        name: str,
        media_type: str,
        body: bytes | AsyncIterator[bytes],
        *,
        owner: int = 0,
        secret: str = "",
        public_id: str = "",
        keep_s: int = 0,
        limit: int = 0,
        ended: Callable[[StoredFile], StoredFile] | None = None,
    ) -> StoredFile:
        """Store a file; ``ended`` adds to its row what only the end of the body tells.

        Raises ``InvalidInput`` when it is longer than ``limit`` bytes (0 = no limit).
        """
        ...

    async def publish(
        self, file: StoredFile, *, public_id: str, secret: str, expires_at: int, data: dict[str, Any]
    ) -> StoredFile:
        """Give a file without a public id one, with what belongs to it; the file as it is then.

        Whoever comes second gets what the first one wrote. Raises ``NotFound``.
        """
        ...

    async def find(self, space: int, file: int) -> StoredFile | None: ...
    async def find_public(self, public_id: str) -> StoredFile | None: ...
    def read(self, file: StoredFile, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]: ...
    async def remove(self, file: StoredFile) -> None: ...


class Scripts(Protocol):
    """Runs strangers' JavaScript where it harms nobody (``scripts/pool.py``)."""

    async def run(self, code: str, content: str, *, owner: int) -> str:
        """What the script's one global, ``content``, holds after the run, as text; ``owner`` is whose script it is.

        Raises:
            ScriptFailed: it gave no content; within 5 seconds.
        """
        ...


class AccountChecks(Protocol):
    """What an API asks before it keeps a carrier account that its caller configures (``carriers/accounts.py``)."""

    def secret_fields(self, account: CarrierAccount) -> frozenset[str]:
        """The names of the fields that are kept encrypted.

        Raises:
            InvalidInput: the fields do not fit the kind.
            OutOfReach: one names an address that this account may not reach.
            NotFound: no carrier of this kind is built in.
        """
        ...


class Acceptor(Protocol):
    """The only door in (``core/accept.py``)."""

    async def __call__(self, submission: Submission) -> Receipt:
        """Store a message durably.

        Raises:
            Refused: a guard or an interceptor said no; nothing is stored.
            Conflict: the idempotency key was used with another fingerprint.
            Busy: the first request with this key did not finish within 5 s.
            StoreUnavailable: nothing is stored; the dialect answers its own "system error".
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Context:
    """The core's doors."""

    settings: Settings
    clock: Clock
    mint: IdMint
    store: "Store"
    bell: Bell
    lookups: Lookups
    vault: Vault
    limits: Limits
    files: Files
    scripts: Scripts
    pictures: Pictures
    accounts: AccountChecks
    accept: Acceptor
