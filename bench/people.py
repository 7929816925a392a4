"""Spaces with many people: some with a token to read by, or a million made inside the database."""

import asyncio
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import sqlalchemy as sa

from onebell import directory
from onebell.api.callers import DIALECT, TOKEN
from onebell.app import SECTIONS, Application
from onebell.settings import Settings
from onebell.store.changes import Changes
from onebell.store.credentials import NewCredential, insert

CHANNEL = "06J0FZG1Y8XGG14VTQ4Y3G10MR"
_HEAD = """
[space]
name = "main"
[pushgo]
[[pushgo.channels]]
channel_id = "{channel}"
name = "NAS"
password = "channel-password"
subscribers = [{subscribers}]
"""
_UMS = """
[ums]
access_key = "ums-access-key"
access_secret = "ums-access-secret"
[[ums.channel_groups]]
channel_key = "7d431e42dfa6a6d693ac2d04"
master_secret = "5e987ac6d2e04d95a9d8f0d1"
carriers = [{ type = "app", channel_code = "app1", carrier = "inbox" }]
"""
FIRST_ID = 1_000_000_000
"""Of people made inside the database: far from all that is minted."""


def readers(data: Path, count: int, environment: dict[str, str]) -> list[str]:
    """A channel with ``count`` subscribers; a token for each of them."""
    names = [f"reader{number:05d}" for number in range(count)]
    text = _HEAD.format(channel=CHANNEL, subscribers=", ".join(f'"{name}"' for name in names))
    text += "".join(f'[[people]]\nuid = "{name}"\n' for name in names)
    return asyncio.run(_readers(_settings(data, environment), text, names))


async def _readers(settings: Settings, text: str, names: list[str]) -> list[str]:
    async with Application(settings) as application:
        context = application.context
        report = await directory.apply(context.store, SECTIONS, text, dry_run=False)
        people = await context.lookups.people_by_uid(report.space, names)
        return await _issue(context.store.changes, report.space, [people[name].id for name in names])


async def _issue(changes: Changes, space: int, owners: Sequence[int]) -> list[str]:
    """Tokens that read, all in one transaction: thousands of commits would take longer than what is measured."""
    tokens = [
        NewCredential(
            id=changes.mint.mint(),
            dialect=DIALECT,
            kind=TOKEN,
            name="bench",
            owner=owner,
            value=f"ob_{secrets.token_urlsafe(32)}",
            settings={"scope": "read"},
        )
        for owner in owners
    ]

    def work(connection: sa.Connection) -> None:
        for token in tokens:
            insert(connection, changes.vault, space, token, changes.clock.now_ms())

    await changes.write(space, work)
    return [token.value for token in tokens]


def crowd(data: Path, count: int, environment: dict[str, str]) -> None:
    """A UMS channel group, a PushGo channel with one reader, and ``count`` people that are only rows."""
    space = asyncio.run(_crowd_space(_settings(data, environment)))
    if url := environment.get("ONEBELL_DATABASE_URL"):
        with psycopg.connect(url) as connection:
            for statement in _crowd_statements(space, f"SELECT i FROM generate_series(1, {count}) AS i"):
                connection.execute(statement)
        return
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n"
    with closing(sqlite3.connect(data / "onebell.db")) as file:
        for statement in _crowd_statements(space, numbers):
            file.execute(statement)
        file.commit()


def _crowd_statements(space: int, numbers: str) -> list[str]:
    person = f"SELECT {space}, {FIRST_ID} + i"
    return [
        f"INSERT INTO party (space_id, id, kind, name) {person}, 'person', 'p' || i FROM ({numbers}) AS n",
        "INSERT INTO person (space_id, id, uid, uid_key, name, origin) "
        f"{person}, 'p' || i, 'p' || i, 'P', 'api' FROM ({numbers}) AS n",
        f"INSERT INTO mailbox (space_id, id, kind) {person}, 'person' FROM ({numbers}) AS n",
    ]


async def _crowd_space(settings: Settings) -> int:
    async with Application(settings) as application:
        text = _HEAD.format(channel=CHANNEL, subscribers='"reader"') + _UMS + '[[people]]\nuid = "reader"\n'
        return (await directory.apply(application.context.store, SECTIONS, text, dry_run=False)).space


def _settings(data: Path, environment: dict[str, str]) -> Settings:
    return Settings(data=str(data), database_url=environment.get("ONEBELL_DATABASE_URL", ""), log_level="error")
