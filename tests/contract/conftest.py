"""A store on each engine, open, with no rows."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.engines import ENGINES, Cluster, postgres_cluster, settings_for

from onebell.clock import SystemClock
from onebell.core.bell import ConfigChanged
from onebell.ids import IdMint
from onebell.settings import Settings
from onebell.store.base import Store, build_store
from onebell.store.changes import Changes
from onebell.store.engine import Database, open_database
from onebell.vault import Argon2, ServerVault


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL server for the whole run."""
    with postgres_cluster() as running:
        yield running


@pytest.fixture(params=ENGINES)
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a fresh store, once per engine; open it more than once for several nodes (PostgreSQL)."""
    return settings_for(request.param, request, tmp_path)


@pytest.fixture
async def database(store_settings: Settings) -> AsyncIterator[Database]:
    """An opened database, once per engine."""
    opened = await open_database(store_settings, SystemClock())
    yield opened
    await opened.close()


@pytest.fixture
def announced() -> list[ConfigChanged]:
    """What ``store`` told the caches."""
    return []


@pytest.fixture
def changes(database: Database, announced: list[ConfigChanged]) -> Iterator[Changes]:
    """What changes the directory goes through; passwords are hashed cheaply."""
    vault = ServerVault([bytes(32)], SystemClock(), Argon2(memory_kib=64, passes=1))
    yield Changes(database, IdMint(SystemClock(), 0), SystemClock(), vault, announced.append)
    vault.close()


@pytest.fixture
def store(changes: Changes) -> Store:
    """All verb groups over ``database``."""
    return build_store(changes.database, changes)
