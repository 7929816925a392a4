"""UMS over a real store; on one engine in the short run."""

from pathlib import Path

import pytest
from tests.contract.ums.support import DIRECTORY, K
from tests.engines import settings_for
from tests.service import ENGINES, Service, basic, context_over

from onebell.dialects.ums.directory import Section, wanted
from onebell.dialects.ums.routes import Ums
from onebell.settings import Settings
from onebell.store.base import Store
from onebell.store.lookups import CachedLookups


@pytest.fixture(params=ENGINES)
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A fresh store."""
    return settings_for(request.param, request, tmp_path)


@pytest.fixture
async def ums(store: Store, store_settings: Settings, lookups: CachedLookups) -> Service:
    """UMS over a store with the directory above; requests come from K."""
    context = context_over(store, store_settings, lookups)
    service = Service(context, Ums(context), (Section, wanted), headers=basic(K))
    await service.apply(DIRECTORY.replace("GROUP", ""))
    return service
