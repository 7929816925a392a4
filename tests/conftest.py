"""One fixture starts a real server; ``make test-all`` does so on both engines."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.engines import Cluster, postgres_cluster
from tests.running import DemoStore, RunningServer, running

ALL = os.environ.get("ONEBELL_TEST_ALL") == "1"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL server for the whole run."""
    with postgres_cluster() as started:
        yield started


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> DemoStore:
    """The demo space to copy from."""
    return DemoStore(tmp_path_factory.mktemp("demo"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests over a real server run on SQLite; with ``make test-all`` on PostgreSQL too."""
    if "server_engine" in metafunc.fixturenames:
        engines = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)] if ALL else ["sqlite"]
        metafunc.parametrize("server_engine", engines, indirect=False)


@pytest.fixture
async def server(
    server_engine: str, demo_store: DemoStore, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[RunningServer]:
    """A real server with the demo directory applied."""
    data = tmp_path / "server"
    if server_engine == "sqlite":
        settings = await demo_store.sqlite(data)
    else:
        settings = await demo_store.postgres(data, request.getfixturevalue("cluster"))
    async with running(settings) as started:
        yield started
