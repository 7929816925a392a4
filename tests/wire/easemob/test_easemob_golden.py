"""Easemob's answers to the byte, over real HTTP."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.golden import Case, cases, play
from tests.running import RunningServer

from onebell.dialects.easemob.app import App

CASES = cases(Path(__file__).parent)
UUID = App(org="acme", app="demo", client_id="").uuid
GRANTS: dict[str, dict[str, Any]] = {
    "@app": {
        "grant_type": "client_credentials",
        "client_id": "YXA6-demo-client-id",
        "client_secret": "YXA6-demo-client-secret",
    },
    "@user": {"grant_type": "password", "username": "user1", "password": "user1-password"},
}


async def filled(server: RunningServer, case: Case) -> Case:
    """The case with a fresh token and the app's id written out."""
    given = case.headers.get("Authorization", "")
    headers = case.headers
    if given in GRANTS:
        async with server.session.post(f"{server.url}/acme/demo/token", json=GRANTS[given]) as got:
            headers = {**headers, "Authorization": f"Bearer {(await got.json())['access_token']}"}
    return msgspec.structs.replace(case, headers=headers, answer=case.answer.replace("@uuid", UUID))


async def test_golden(server: RunningServer, subtests: pytest.Subtests) -> None:
    """Each golden request gets its golden answer; one server for all, for they need nothing of each other."""
    for case in CASES:
        with subtests.test(case.name):
            await play(server.session, server.url, await filled(server, case))
