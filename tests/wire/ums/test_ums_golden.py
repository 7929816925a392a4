"""UMS' answers to the byte, over real HTTP."""

from base64 import b64encode
from pathlib import Path

import msgspec
import pytest
from tests.golden import Case, cases, play
from tests.running import RunningServer

PAIRS = {
    "@K": "7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1",
    "@access": "ums-access-key:ums-access-secret",
}
CASES = cases(Path(__file__).parent)


def authorised(case: Case) -> Case:
    """The case with its Basic header written out."""
    given = case.headers.get("Authorization", "")
    if given not in PAIRS:
        return case
    header = "Basic " + b64encode(PAIRS[given].encode()).decode()
    return msgspec.structs.replace(case, headers={**case.headers, "Authorization": header})


async def test_golden(server: RunningServer, subtests: pytest.Subtests) -> None:
    """Each golden request gets its golden answer; one server for all, for they need nothing of each other."""
    for case in CASES:
        with subtests.test(case.name):
            await play(server.session, server.url, authorised(case))
