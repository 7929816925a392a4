"""Clients of the protocol as the API sees them: session rows of an account, on any node (sheet easemob §3.2, §3.3)."""

from collections.abc import Iterable, Sequence

from onebell.core.context import Context
from onebell.core.directory import Account
from onebell.core.presence import Session, kick
from onebell.dialects.easemob.app import MSYNC

INBOX = "inbox"


async def devices_of(context: Context, account: Account) -> list[Session]:
    """The client sockets of an account, oldest first."""
    now_ms = context.clock.now_ms()
    found = await context.store.sessions.of_mailboxes(account.space, [account.person], now_ms)
    return [one for one in found if _is_client(one, account)]


async def online(context: Context, space: int, accounts: Sequence[Account]) -> set[str]:
    """Names of those who have an open connection: a client's, or an inbox page's."""
    people = [account.person for account in accounts]
    found = await context.store.sessions.of_mailboxes(space, people, context.clock.now_ms())
    by_person: dict[int, list[Session]] = {}
    for one in found:
        by_person.setdefault(one.mailbox, []).append(one)
    return {
        account.name
        for account in accounts
        if any(one.kind == INBOX or _is_client(one, account) for one in by_person.get(account.person, ()))
    }


async def end(context: Context, space: int, sessions: Iterable[Session], why: str) -> None:
    """Force a logout."""
    await kick(context.store.sessions, context.bell, space, [one.id for one in sessions], why)


def _is_client(session: Session, account: Account) -> bool:
    # The person may have an account in another app: those are other devices.
    return session.kind == MSYNC and session.info.get("realm") == account.app
