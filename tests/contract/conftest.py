"""A store on each engine, open, with no rows."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.engines import ENGINES, Cluster, postgres_cluster, settings_for

from onebell.clock import SystemClock
from onebell.settings import Settings
from onebell.store.base import Store, build_store
from onebell.store.engine import Database, open_database


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
def store(database: Database) -> Store:
    """All verb groups over ``database``."""
    return build_store(database)
