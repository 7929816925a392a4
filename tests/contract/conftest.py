"""A store on each engine, open, with no rows."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.engines import ENGINES, Cluster, postgres_cluster, settings_for

from onebell.clock import SystemClock
from onebell.core.bell import ConfigChanged
from onebell.core.directory import Space
from onebell.ids import IdMint
from onebell.settings import Settings
from onebell.store import spaces
from onebell.store.base import Store, build_store
from onebell.store.changes import Changes
from onebell.store.engine import Database, open_database
from onebell.store.lookups import CachedLookups
from onebell.store.routing import Addressed
from onebell.vault import Argon2, ServerVault

_ABOVE_THE_STORE = {
    "test_apply",
    "test_callbacks_packing",
    "test_callbacks_sending",
    "test_deliveries_dispatch",
    "test_expansion_carriers",
    "test_files_s3",
    "test_inbox_hub",
    "test_join_links",
    "test_pushgo_node",
    "test_wecom_node",
}
"""Modules whose rules do not depend on the engine: the short run proves them on one, ``make test-all`` on both."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark their tests over PostgreSQL."""
    for item in items:
        if item.path.stem in _ABOVE_THE_STORE and item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.all)


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


_NODE = 1000
"""No test writes as this one: two mints of one number make the same id in the same millisecond."""
_ADDRESSED = {
    "http_template": Addressed.ACCOUNT,
    "smtp": Addressed.EMAIL,
    "sms": Addressed.PHONE,
    "webhook": Addressed.ACCOUNT,
    "wecom_bot": Addressed.ACCOUNT,
    "wecom_app": Addressed.OWN,
}


class Announced:
    """What ``store`` told the caches, and who hears it."""

    def __init__(self) -> None:
        self.notes: list[ConfigChanged] = []
        self.listeners: list[Callable[[ConfigChanged], None]] = []

    def __call__(self, note: ConfigChanged) -> None:
        self.notes.append(note)
        for heard in self.listeners:
            heard(note)


@pytest.fixture
def announced() -> Announced:
    """What ``store`` told the caches."""
    return Announced()


@pytest.fixture
def vault() -> Iterator[ServerVault]:
    """Secrets under a fixed key; passwords are hashed cheaply."""
    opened = ServerVault([bytes(32)], SystemClock(), Argon2(memory_kib=64, passes=1))
    yield opened
    opened.close()


@pytest.fixture
def changes(database: Database, announced: Announced, vault: ServerVault) -> Changes:
    """What changes the directory goes through."""
    return Changes(database, IdMint(SystemClock(), _NODE), SystemClock(), vault, announced)


@pytest.fixture
def store(changes: Changes) -> Store:
    """All verb groups over ``database``."""
    return build_store(changes.database, changes)


@pytest.fixture
async def space(database: Database) -> int:
    """A space with nobody in it."""
    made = Space(id=7, name="main", timezone="UTC", language="en", public_url="", allow_callbacks=(), config_version=0)
    await database.write(lambda connection: spaces.insert(connection, made, 1))
    return made.id


@pytest.fixture
def lookups(changes: Changes, announced: Announced) -> CachedLookups:
    """One node's caches, which hear of every change through ``store``."""
    cached = CachedLookups(changes.database, changes.vault, changes.mint, changes.clock, _ADDRESSED.__getitem__)
    announced.listeners.append(cached.hear)
    return cached
