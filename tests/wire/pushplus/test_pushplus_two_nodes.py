"""PushPlus' golden answers from two nodes behind a round robin."""

from pathlib import Path

import pytest
from tests.engines import Cluster
from tests.running import DemoStore
from tests.two_nodes import round_robin, running_pair
from tests.wire.pushplus.conftest import directory_text
from tests.wire.pushplus.support import Client, refusal
from tests.wire.pushplus.test_pushplus_golden import CASES, SHAPES, _answered

from onebell import directory
from onebell.app import SECTIONS

pytestmark = [pytest.mark.all, pytest.mark.postgres]


async def test_golden_on_two_nodes(
    tmp_path: Path, demo_store: DemoStore, cluster: Cluster, subtests: pytest.Subtests
) -> None:
    """Each request gets exactly its answer from whichever node it reaches."""
    async with (
        running_pair(demo_store, tmp_path, cluster, nats=False) as pair,
        round_robin(pair) as server,
    ):
        await directory.apply(
            pair.a.application.context.store, SECTIONS, directory_text("http://127.0.0.1:9"), dry_run=False
        )
        client = Client(server)
        for case in CASES:
            with subtests.test(case["id"]):
                answer = await _answered(client, case)
                row = case.get("answer", "OK")
                if row in SHAPES:
                    assert SHAPES[row].fullmatch(answer.body.decode()), answer.body.decode()
                else:
                    assert answer.body.decode() == refusal(row, case.get("insert", 200))
