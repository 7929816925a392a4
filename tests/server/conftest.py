"""A listener of its own for every test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.native_server import Native, native_server

from onebell.settings import Settings


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """Where the built web app would lie; empty."""
    return tmp_path / "web"


@pytest.fixture
async def native(tmp_path: Path, web: Path) -> AsyncIterator[Native]:
    """The native API on SQLite, with people of every role."""
    async with native_server(Settings(data=str(tmp_path / "data"), poll_s=0.2), web) as running:
        yield running
