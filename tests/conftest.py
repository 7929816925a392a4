"""One fixture starts a real server; ``make test-all`` does so on both engines and on two nodes."""

import gc
import logging
import os
import shutil
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import hypothesis
import pytest
import structlog
from tests.engines import Cluster, postgres_cluster
from tests.running import DemoStore, RunningServer, running
from tests.two_nodes import round_robin, running_pair

from onebell.cli import YOUNG_OBJECTS

gc.set_threshold(YOUNG_OBJECTS)  # as a node does

# A traceback with all locals, as structlog draws it by default, takes seconds of the processor.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

_MEMORY = Path("/dev/shm")
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 6 << 30:
    # What a killed process has written stays written, here as on a disk: a disk would only add the waiting for it.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

ALL = os.environ.get("ONEBELL_TEST_ALL") == "1"

# The same examples in every run, and no deadline: a busy machine must not decide over a commit.
hypothesis.settings.register_profile("onebell", deadline=None, derandomize=True, max_examples=500 if ALL else 100)
hypothesis.settings.load_profile("onebell")

NO_SKIPS = os.environ.get("CI") == "true"
_ENGINES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgres),
    pytest.param("two-nodes", marks=pytest.mark.postgres),
    pytest.param("two-nodes-nats", marks=[pytest.mark.postgres, pytest.mark.nats]),
]


@pytest.fixture
def own_log() -> Iterator[None]:
    """The test, or a command that runs in its process, may configure logs; what follows logs as before."""
    kept, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    yield
    structlog.configure(**kept)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def pytest_collection_finish() -> None:
    """Seven thousand tests stay until the end: the collector need not look at them again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With ``CI=true`` everything must be there: a skipped test has failed, in one clear line."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So has a file that skips itself as a whole."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if NO_SKIPS and report.skipped:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and CI=true allows no skips: {why}"


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
    """Tests over a real server run on SQLite; with ``make test-all`` on PostgreSQL and behind a round robin too."""
    if "server_engine" in metafunc.fixturenames:
        metafunc.parametrize("server_engine", _ENGINES if ALL else _ENGINES[:1], indirect=False)


@pytest.fixture
async def server(
    server_engine: str, demo_store: DemoStore, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[RunningServer]:
    """A real server with the demo directory applied; or two, of which each connection reaches the next."""
    place = tmp_path / "server"
    async with AsyncExitStack() as stack:
        if server_engine.startswith("two-nodes"):
            cluster = request.getfixturevalue("cluster")
            nats = server_engine.endswith("nats")
            pair = await stack.enter_async_context(running_pair(demo_store, place, cluster, nats=nats))
            yield await stack.enter_async_context(round_robin(pair))
        elif server_engine == "postgresql":
            settings = await demo_store.postgres(place, request.getfixturevalue("cluster"))
            yield await stack.enter_async_context(running(settings))
        else:
            yield await stack.enter_async_context(running(await demo_store.sqlite(place)))
