"""PushGo's answers to the byte, over real HTTP."""

from pathlib import Path

import pytest
from tests.golden import Case, cases, play

CASES = cases(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_golden(server, case: Case) -> None:  # type: ignore[no-untyped-def]
    """Each golden request gets its golden answer."""
    await play(server.session, server.url, case)
