"""Easemob: an offline user's phone rings through Bark (sheet easemob §6, §7)."""

import asyncio
from typing import Any

from tests.fakes.http_service import HttpService, answer, http_service
from tests.running import RunningServer
from tests.wire.easemob.test_easemob_wire import bearer

from onebell import demo, directory
from onebell.app import SECTIONS

PHONE = """
[[carriers]]
code = "the-phone"
kind = "bark"
base_url = "BASE"
device_key = "the-device-key"
allow_networks = ["127.0.0.0/8"]

[[routes]]
person = "user1"
carriers = ["the-phone"]
"""


async def heard(bark: HttpService, count: int) -> list[Any]:
    """What Bark was sent, once so much has come."""
    async with asyncio.timeout(20):
        while len(bark.received) < count:
            await asyncio.sleep(0.02)
    return [one.json for one in bark.received]


async def test_case_62_bark(server: RunningServer) -> None:
    """Bark gets the title and body of em_apns_ext; a message that says so rings nowhere."""
    ok = {"code": 200, "message": "success", "timestamp": 1}
    async with http_service(answer(200, ok)) as bark:
        text = demo.directory() + PHONE.replace("BASE", bark.base)
        await directory.apply(server.application.context.store, SECTIONS, text, dry_run=False)
        headers = await bearer(server)

        async def send(ext: dict[str, Any]) -> None:
            message = {"from": "alice", "to": ["user1"], "type": "txt", "body": {"msg": "m"}, "ext": ext}
            url = f"{server.url}/acme/demo/messages/users"
            async with server.session.post(url, json=message, headers=headers) as got:
                assert got.status == 200

        await send({"em_ignore_notification": True, "em_apns_ext": {"em_push_title": "never"}})
        await send({"em_apns_ext": {"em_push_title": "Title", "em_push_content": "Content"}})
        await send({"em_apns_ext": {"em_push_title": "T", "em_push_content": "C", "em_push_sound": "bell.caf"}})
        told = await heard(bark, 2)

    shown = sorted((one["title"], one["body"], one.get("sound")) for one in told)
    assert shown == [("T", "C", "bell.caf"), ("Title", "Content", None)]
    assert {one["device_key"] for one in told} == {"the-device-key"}
