"""What the PushPlus wire tests share: tokens, a client, and the reader's view through the native API."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from tests.wire.seeds.raw_http import RawAnswer, send

from onebell.dialects.pushplus.answer import Fault, Rejected
from onebell.errors import ScriptFailed

UT = "a11ce000000000000000000000000001"
MT = "a11ce000000000000000000000000002"
UTB = "b0b00000000000000000000000000001"
UTC = "ca501000000000000000000000000001"
FB = "f0000000000000000000000000000b0b"

OK = re.compile(r'\{"code":200,"msg":"请求成功","data":"([0-9a-f]{32})"\}')
JSON = (("Content-Type", "application/json"),)
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
_BY_ROW = {fault.row: fault for fault in Fault}


def filled(text: str) -> str:
    """Placeholders of the golden file replaced."""
    values = {
        "UT": UT,
        "MT": MT,
        "UTB": UTB,
        "FB": FB,
        "soon": int(time.time() * 1000) + 60_000,
        "t201": "t" * 201,
        "c100001": "文" * 100_001,
    }
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def refusal(row: str, insert: object = 200) -> str:
    """The exact body of a row of the table of failures."""
    why = Rejected(_BY_ROW[row], insert)
    return f'{{"code":{why.code},"msg":"{why.text}","data":null}}'


class Client:
    """A caller of the API and its readers."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self._readers: dict[str, str] = {}

    async def raw(self, method: str, target: str, headers=(), body: str | bytes = b"") -> RawAnswer:
        """One request, byte by byte."""
        return await send(self.server.url, method, target, headers, body.encode() if isinstance(body, str) else body)

    async def post(self, path: str = "/send", token: str = UT, **fields: Any) -> RawAnswer:
        """A JSON request."""
        body = json.dumps({"token": token, **fields}, ensure_ascii=False)
        return await self.raw("POST", path, JSON, body)

    async def accepted(self, path: str = "/send", token: str = UT, **fields: Any) -> str:
        """The shortCode of a message that must be accepted."""
        return code_of(await self.post(path, token, **fields))

    async def inbox(self, uid: str) -> list[dict[str, Any]]:
        """A person's entries, oldest first."""
        return [item for item in await self.changes(uid) if item["kind"] == "entry"]

    async def changes(self, uid: str) -> list[dict[str, Any]]:
        """All items of a person's inbox in the order of their rev."""
        if uid not in self._readers:
            signed = await self._native("POST", "/api/v1/login", json={"uid": uid, "password": f"{uid}-password"})
            self._readers[uid] = signed["token"]
        headers = {"Authorization": f"Bearer {self._readers[uid]}"}
        found = await self._native("GET", "/api/v1/inbox?after=0&limit=500", headers=headers)
        return found["items"]

    async def entry(self, uid: str, code: str) -> dict[str, Any]:
        """The entry of a message, which must be in a person's inbox."""
        (found,) = [item for item in await self.inbox(uid) if item["message_id"] == code]
        return found

    async def has(self, uid: str, code: str) -> bool:
        """Whether a person got a message."""
        return any(item["message_id"] == code for item in await self.inbox(uid))

    async def page(self, code: str) -> str:
        """The text of a message's detail page."""
        answer = await self.raw("GET", f"/shortMessage/{code}")
        assert answer.status == 200
        return answer.body.decode()

    async def access_key(self, token: str = UT, secret: str = "alice-secret") -> str:
        """A new access key of a user, alice unless said."""
        answer = await self.raw(
            "POST",
            "/api/common/openApi/getAccessKey",
            JSON,
            json.dumps({"token": token, "secretKey": secret}),
        )
        return json.loads(answer.body)["data"]["accessKey"]

    async def result(self, code: str, at_least: int = 2) -> dict[str, Any]:
        """``sendMessageResult`` of one of alice's messages once its status is so far; 2 and 3 are the end."""
        headers = (("access-key", await self.access_key()),)

        async def asked() -> dict[str, Any] | None:
            answer = await self.raw("GET", f"/api/open/message/sendMessageResult?shortCode={code}", headers)
            data = json.loads(answer.body)["data"]
            return data if data["status"] >= at_least else None

        return await eventually(asked)

    async def native_send(self, uid: str, message: dict[str, Any]) -> int:
        """The status of sending through the native API as a person."""
        await self.changes(uid)
        headers = {"Authorization": f"Bearer {self._readers[uid]}"}
        url = f"{self.server.url}/api/v1/messages"
        async with self.server.session.post(url, json=message, headers=headers) as answer:
            return answer.status

    async def _native(self, method: str, path: str, **arguments: Any) -> Any:
        async with self.server.session.request(method, self.server.url + path, **arguments) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


class User:
    """Calls of one user of the open API."""

    def __init__(self, client: Client, token: str, secret: str) -> None:
        self._client, self._token, self._secret = client, token, secret

    async def __call__(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The whole answer to a call below ``/api/open/``."""
        key = await self._client.access_key(self._token, self._secret)
        raw = b"" if body is None else json.dumps(body, ensure_ascii=False)
        answer = await self._client.raw(method, f"/api/open/{path}", (*JSON, ("access-key", key)), raw)
        assert answer.status == 200, (method, path, answer)
        return json.loads(answer.body)

    async def data(self, method: str, path: str, body: Any = None) -> Any:
        """The data of a success."""
        said = await self(method, path, body)
        assert said["code"] == 200, (method, path, said)
        return said["data"]


def code_of(answer: RawAnswer) -> str:
    """The shortCode of an acceptance: HTTP 200 and exactly three keys."""
    found = OK.fullmatch(answer.body.decode())
    assert answer.status == 200
    assert found is not None, answer.body.decode()
    return found[1]


async def scripts_run(client: Client) -> None:
    """Wait until a script has run: on a busy machine a first worker's start may take longer than a script may."""

    async def ran() -> str:
        with suppress(ScriptFailed):
            return str(await client.server.application.context.scripts.run("", "ran", owner=0))
        return ""

    await eventually(ran)


async def eventually(ask: Callable[[], Awaitable[Any]]) -> Any:
    """What ``ask`` answers once it answers something, within 20 seconds."""
    async with asyncio.timeout(20):
        while True:
            if found := await ask():
                return found
            await asyncio.sleep(0.05)
