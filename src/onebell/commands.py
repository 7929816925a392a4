"""What the command line can ask for, done with the core's doors: in the running server, or in a process of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from onebell import directory, passwords
from onebell.api.tokens import create_token
from onebell.backup import backup
from onebell.control import Call, Reply
from onebell.core.carriage import Carriers, Checks
from onebell.core.context import Context
from onebell.core.directory import CarrierAccount, Space
from onebell.core.model import Content, Part, PartyKind, People, Sender, Submission
from onebell.core.outcomes import Sent
from onebell.directory_tables import is_email
from onebell.errors import InvalidInput, NotFound, StoreUnavailable
from onebell.ids import native_id

Arguments: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What commands need beside the core's doors."""

    sections: directory.Sections
    carriers: Carriers


Command: TypeAlias = Callable[[Context, Tools, Arguments], Awaitable[list[str]]]


async def execute(context: Context, tools: Tools, call: Call) -> Reply:
    """Run one command.

    Raises:
        OnebellError: it cannot be done; the text says why.
    """
    command = COMMANDS.get(call.command)
    if command is None:
        raise InvalidInput(f"there is no command {call.command}")
    return Reply(lines=tuple(await command(context, tools, call.arguments)))


async def find_space(context: Context, name: str) -> Space:
    """A space by its name. Raises ``NotFound``."""
    for space in await context.lookups.spaces():
        if space.name == name:
            return space
    raise NotFound(f"there is no space {name}; apply a directory file first")


async def apply(context: Context, tools: Tools, given: Arguments) -> list[str]:
    """Bring a space to what a directory file says."""
    report = await directory.apply(
        context.store,
        tools.sections,
        given["text"],
        dry_run=given.get("dry_run", False),
        base=Path(given.get("base", ".")),
        environment=given.get("environment", {}),
    )
    return [*(f"warning: {warning}" for warning in report.warnings), *report.lines]


async def send(context: Context, _: Tools, given: Arguments) -> list[str]:
    """Send a text to people."""
    space = await find_space(context, given["space"])
    if not (given["title"] or given["body"]):
        raise InvalidInput("a message has a title or a body")
    found = await context.lookups.people_by_uid(space.id, given["to"])
    missing = [uid for uid in given["to"] if uid.lower() not in found]
    if missing:
        raise NotFound(f"nobody has the uid {', '.join(missing)}")
    sender = await context.lookups.party(space.id, PartyKind.SYSTEM, "onebell")
    feeds = await context.lookups.directs(space.id, "native", sender, [person.id for person in found.values()])
    receipt = await context.accept(
        Submission(
            space=space.id,
            dialect="native",
            public_id=native_id(),
            sender=Sender(party=sender, kind=PartyKind.SYSTEM, name="onebell"),
            audience=tuple(People(feed=feed, ids=(person,)) for person, feed in feeds.items()),
            parts=(Part(content=Content(title=given["title"], body=given["body"])),),
        )
    )
    return [receipt.public_id]


async def token_create(context: Context, _: Tools, given: Arguments) -> list[str]:
    """Make an API token; this is the only time it is shown."""
    space = await find_space(context, given["space"])
    return [await create_token(context, space.id, given["name"], given["scope"])]


async def person_add(context: Context, _: Tools, given: Arguments) -> list[str]:
    """Add a person."""
    space = await find_space(context, given["space"])
    if given.get("email") and not is_email(given["email"]):
        raise InvalidInput(f"{given['email']} is no e-mail address")
    password = given.get("password", "")
    if password and not passwords.is_allowed(password):
        raise InvalidInput(f"a password has {passwords.LENGTH}", "password")
    password_hash = await context.vault.hash_password(password) if password else ""
    person = await context.store.people.create(
        space.id, given["uid"], name=given["name"] or given["uid"], role=given["role"], password_hash=password_hash
    )
    if given.get("email"):
        await context.store.belongings.set_address(space.id, person.id, "email", given["email"])
    return [f"+ person {person.uid}"]


async def person_list(context: Context, _: Tools, given: Arguments) -> list[str]:
    """One line a person."""
    space = await find_space(context, given["space"])
    lines: list[str] = []
    after = 0
    while page := await context.store.people.page(space.id, after):
        lines += [f"{person.uid}\t{person.role}\t{person.name}\t{person.email}" for person in page]
        after = page[-1].id
    return lines


async def person_remove(context: Context, _: Tools, given: Arguments) -> list[str]:
    """Remove a person."""
    space = await find_space(context, given["space"])
    person = await context.lookups.person_by_uid(space.id, given["uid"])
    if person is None:
        raise NotFound(f"nobody has the uid {given['uid']}")
    await context.store.people.remove(space.id, person.id)
    return [f"- person {person.uid}"]


async def doctor(context: Context, tools: Tools, _: Arguments) -> list[str]:
    """Try every part and say how it is: a line each, which begins with ``ok`` or ``bad``."""
    lines = [await _store(context), await _bell(context)]
    for space in await context.lookups.spaces():
        for account in await context.store.carrier_accounts.every(space.id):
            verdict, words = await _checked(tools.carriers, account)
            lines.append(f"{verdict:<4} carrier {account.code} ({account.kind}): {words}")
    return lines


async def _store(context: Context) -> str:
    began = time.perf_counter()
    try:
        await context.store.sessions.probe(context.clock.now_ms())  # a write: a read would not notice a full disk
    except StoreUnavailable as error:
        return f"bad  store ({context.store.db.kind}): {error}"
    return f"ok   store ({context.store.db.kind}, {(time.perf_counter() - began) * 1000:.1f} ms)"


async def _bell(context: Context) -> str:
    if not context.settings.nats_url:
        return "ok   bell (in process)"
    if await context.bell.reaches_others():
        return "ok   bell (nats)"
    return "bad  bell (nats): no connection; other nodes notice what happens here by polling only"


async def _checked(carriers: Carriers, account: CarrierAccount) -> tuple[str, str]:
    try:
        carrier = await carriers.open(account)
    except (InvalidInput, NotFound) as error:
        return "bad", str(error)
    if not isinstance(carrier, Checks):
        return "ok", "configured, cannot be tried without sending"
    outcome = await carrier.check()
    return ("ok", "answers") if isinstance(outcome, Sent) else ("bad", outcome.why)


async def write_backup(context: Context, _: Tools, given: Arguments) -> list[str]:
    """Write one archive of everything."""
    if context.settings.database_url:
        raise InvalidInput("with PostgreSQL use pg_dump, and keep server.key beside the dump")
    return [await asyncio.to_thread(backup, Path(context.settings.data), Path(given["file"]))]


COMMANDS: dict[str, Command] = {
    "apply": apply,
    "send": send,
    "token_create": token_create,
    "person_add": person_add,
    "person_list": person_list,
    "person_remove": person_remove,
    "doctor": doctor,
    "backup": write_backup,
}
"""By the name the command line uses."""
