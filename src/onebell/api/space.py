"""The space as the console sees it: people, carriers and their forms."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from onebell.api.errors import ApiError
from onebell.api.guard import number_of
from onebell.api.operations import Call, Operation, Parameter, Right
from onebell.clock import iso
from onebell.core.carriage import Carriers, Checks
from onebell.core.context import Context
from onebell.core.outcomes import Sent
from onebell.core.work import words

LIMIT = 100
_VIEW = frozenset({Right.VIEW})
_OPERATE = frozenset({Right.OPERATE})


class PersonItem(msgspec.Struct, frozen=True, kw_only=True):
    """A person."""

    id: str
    uid: str
    name: str
    role: str
    email: str
    phone: str
    language: str
    timezone: str
    can_sign_in: bool
    created_at: str


class PersonList(msgspec.Struct, frozen=True, kw_only=True):
    """People in the order they were made."""

    items: tuple[PersonItem, ...]
    next: str | None  # ``after`` of the following page


class CarrierItem(msgspec.Struct, frozen=True, kw_only=True):
    """A configured way out. Secret fields are not shown."""

    code: str
    kind: str
    name: str
    fields: dict[str, Any]
    enabled: bool
    stopped_why: str  # the provider refused the credential: nothing is sent before somebody looks at it


class CarrierList(msgspec.Struct, frozen=True, kw_only=True):
    """Carrier accounts, and what kinds there are: names, fields, limits, abilities, as their manifests say."""

    items: tuple[CarrierItem, ...]
    kinds: tuple[Any, ...]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider said to a credential."""

    ok: bool
    outcome: str  # sent | temporary | permanent | throttled | unauthorized | split
    why: str  # ≤ 512 bytes


class KindWords(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier's kind as a form needs it."""

    kind: str
    secret_fields: frozenset[str]
    manifest: Any  # what the form is built of


class SpaceApi:
    """Operations on the directory."""

    def __init__(self, context: Context, carriers: Carriers, kinds: Callable[[], Sequence[KindWords]]) -> None:
        self._context = context
        self._carriers = carriers
        self._kinds = kinds

    def operations(self) -> list[Operation]:
        """Rows of the table."""
        return [
            Operation(
                method="GET",
                path="/people",
                rights=_VIEW,
                do=self.people,
                tag="space",
                answer=PersonList,
                parameters=(
                    Parameter(name="after", about="The id that the last page called next", is_number=True),
                    Parameter(name="limit", about="Items in the page, 1 to 500 (100)", is_number=True),
                ),
                about="People of the space.",
            ),
            Operation(
                method="GET",
                path="/carriers",
                rights=_VIEW,
                do=self.carriers,
                tag="space",
                answer=CarrierList,
                about="Carrier accounts, and the forms of every kind there is.",
            ),
            Operation(
                method="POST",
                path="/carriers/{}/check",
                names=("code",),
                rights=_OPERATE,
                do=self.check,
                tag="space",
                answer=Checked,
                about="Ask a provider whether an account's credentials are good, without sending anything.",
            ),
        ]

    async def people(self, call: Call) -> PersonList:
        """A page of people."""
        limit = number_of(call.request, "limit", LIMIT, least=1, most=500)
        after = number_of(call.request, "after", 0)
        found = await self._context.store.people.page(call.who.space, after, limit)
        items = tuple(
            PersonItem(
                id=str(person.id),
                uid=person.uid,
                name=person.name,
                role=person.role,
                email=person.email,
                phone=person.phone,
                language=person.language,
                timezone=person.timezone,
                can_sign_in=bool(person.password_hash),
                created_at=iso(person.created_at),
            )
            for person in found
        )
        return PersonList(items=items, next=items[-1].id if len(items) == limit else None)

    async def carriers(self, call: Call) -> CarrierList:
        """All accounts and kinds."""
        kinds = {kind.kind: kind for kind in self._kinds()}
        accounts = await self._context.store.carrier_accounts.every(call.who.space)
        items = []
        for account in accounts:
            # A kind that is not built in any more: its secrets are unknown, so nothing is shown.
            hidden = kinds[account.kind].secret_fields if account.kind in kinds else frozenset(account.fields)
            items.append(
                CarrierItem(
                    code=account.code,
                    kind=account.kind,
                    name=account.name,
                    fields={name: value for name, value in account.fields.items() if name not in hidden},
                    enabled=account.enabled,
                    stopped_why=account.stopped_why,
                )
            )
        return CarrierList(items=tuple(items), kinds=tuple(kind.manifest for kind in kinds.values()))

    async def check(self, call: Call) -> Checked:
        """Try an account."""
        account = await self._context.lookups.carrier(call.who.space, call.path[0])
        if account is None:
            raise ApiError("not_found", "there is no such carrier")
        carrier = await self._carriers.open(account)
        if not isinstance(carrier, Checks):
            raise ApiError("conflict", f"a {account.kind} cannot be checked without sending")
        outcome = await carrier.check()
        why = outcome.detail if isinstance(outcome, Sent) else outcome.why
        return Checked(ok=isinstance(outcome, Sent), outcome=type(outcome).__name__.lower(), why=words(why))
