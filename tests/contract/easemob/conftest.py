"""Easemob over a real store; on one engine in the short run."""

from pathlib import Path

import pytest
from tests.contract.conftest import Announced
from tests.contract.easemob.support import dialect, directory, sign_in
from tests.engines import settings_for
from tests.fakes.clock import MovedClock
from tests.service import ENGINES, Service, context_over

from onebell.dialects.easemob.directory import Section, wanted
from onebell.ids import IdMint
from onebell.settings import Settings
from onebell.store.base import Store
from onebell.store.changes import Changes
from onebell.store.engine import Database
from onebell.store.lookups import CachedLookups
from onebell.vault import ServerVault


@pytest.fixture(params=ENGINES)
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A fresh store."""
    return settings_for(request.param, request, tmp_path)


@pytest.fixture
def changes(database: Database, announced: Announced, vault: ServerVault) -> Changes:
    """As everywhere, on a clock that stands still: what counts by the second must not depend on how fast a test is."""
    clock = MovedClock()
    return Changes(database, IdMint(clock, 0), clock, vault, announced)


@pytest.fixture
async def easemob(store: Store, store_settings: Settings, lookups: CachedLookups) -> Service:
    """Easemob over a store with the directory above; requests carry an app token."""
    context = context_over(store, store_settings, lookups)
    service = Service(context, dialect(context), (Section, wanted))
    await service.apply(directory())
    await sign_in(service)
    return service
