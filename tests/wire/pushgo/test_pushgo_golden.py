"""PushGo's answers to the byte, over real HTTP."""

from pathlib import Path

import pytest
from tests.golden import cases, play
from tests.running import RunningServer


async def test_golden(server: RunningServer, subtests: pytest.Subtests) -> None:
    """Each golden request gets its golden answer."""
    for case in cases(Path(__file__).parent):
        with subtests.test(case.name, rule=case.rule):
            await play(server.session, server.url, case)
