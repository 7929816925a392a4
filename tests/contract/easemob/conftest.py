"""Easemob over a real store; on one engine in the short run."""

from pathlib import Path

import pytest
from tests.contract.easemob.support import dialect, directory, sign_in
from tests.engines import settings_for
from tests.service import ENGINES, Service, context_over

from onebell.dialects.easemob.directory import Section, wanted
from onebell.settings import Settings
from onebell.store.base import Store
from onebell.store.lookups import CachedLookups


@pytest.fixture(params=ENGINES)
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A fresh store."""
    return settings_for(request.param, request, tmp_path)


@pytest.fixture
async def easemob(store: Store, store_settings: Settings, lookups: CachedLookups) -> Service:
    """Easemob over a store with the directory above; requests carry an app token."""
    context = context_over(store, store_settings, lookups)
    service = Service(context, dialect(context), (Section, wanted))
    await service.apply(directory())
    await sign_in(service)
    return service
