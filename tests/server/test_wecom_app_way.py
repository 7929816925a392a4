"""From a UMS call to a WeCom member, over the demo directory's own account."""

import asyncio
from pathlib import Path

from tests.fakes.http_service import HttpService, Received, answer, http_service
from tests.running import running

from onebell import demo, directory
from onebell.app import SECTIONS
from onebell.settings import Settings

ELEMENT = {
    "msgtype": "news",
    "news": {
        "articles": [{"title": "中秋节礼品领取", "description": "今年中秋节公司有豪礼相送", "url": "https://x.test"}]
    },
    "enable_id_trans": 0,
    "enable_duplicate_check": 1,
    "duplicate_check_interval": 1800,
}


async def wecom(request: Received, writer: asyncio.StreamWriter) -> None:
    said = {"errcode": 0, "errmsg": "ok", "access_token": "t1", "expires_in": 7200, "msgid": "m1"}
    await answer(200, said)(request, writer)


async def call_of(service: HttpService) -> Received:
    """The message that reached the service, within 20 s."""
    async with asyncio.timeout(20):
        while True:
            for request in service.received:
                if request.target.startswith("/cgi-bin/message/send"):
                    return request
            await asyncio.sleep(0.02)


async def test_an_element_of_msg_wechatwk_goes_out_as_it_is(tmp_path: Path) -> None:
    """alice's own address on the account, the account's application, and the element as its caller wrote it."""
    async with http_service(wecom) as service, running(Settings(data=str(tmp_path), port=0)) as server:
        text = demo.directory().replace("http://127.0.0.1:9099", service.base)
        await directory.apply(server.application.context.store, SECTIONS, text, dry_run=False)
        async with server.session.post(
            f"{server.url}/v1/sent",
            json={"aud_userid": ["alice"], "msg_wechatwk": [{**ELEMENT, "touser": "everybody", "agentid": 7}]},
            headers={"Authorization": "Basic N2Q0MzFlNDJkZmE2YTZkNjkzYWMyZDA0OjVlOTg3YWM2ZDJlMDRkOTVhOWQ4ZjBkMQ=="},
        ) as said:
            assert said.status == 200, await said.text()
        request = await call_of(service)

    assert request.target == "/cgi-bin/message/send?access_token=t1"
    assert request.json == {"touser": "alice.w", "agentid": 1000002, **ELEMENT}
