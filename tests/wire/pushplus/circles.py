"""A running server whose people make topics, invite each other and open links, over HTTP alone."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.running import RunningServer, running
from tests.wire.pushplus.support import FORM, JSON, Client
from tests.wire.seeds.raw_http import RawAnswer

from onebell import directory
from onebell.app import SECTIONS
from onebell.clock import Clock
from onebell.settings import Settings

PUBLIC = "http://onebell.example"
TOKENS = {uid: f"{no:032x}" for no, uid in enumerate(("olga", "bob", "carol", "dave"), 1)}
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")

_HEAD = """
[space]
name = "main"
timezone = "UTC"
public_url = "http://onebell.example"
allow_callbacks = ["{sink}"]
[pushplus]
limits = "{limits}"
open_join = {open_join}
"""
_PERSON = """
[[people]]
uid = "{uid}"
name = "{name}"
password = "{uid}-password"
role = "{role}"
[[pushplus.users]]
person = "{uid}"
token = "{token}"
secret_key = "{uid}-secret"
callback_url = "{sink}/{uid}"
"""


def directory_text(sink: str, limits: str = "off", open_join: str = "true") -> str:
    """Four people, each with a token, an open API and a callback address, and nothing between them; olga operates."""
    people = [
        _PERSON.format(
            uid=uid, name=uid.capitalize(), token=token, sink=sink, role="owner" if uid == "olga" else "reader"
        )
        for uid, token in TOKENS.items()
    ]
    return _HEAD.format(limits=limits, open_join=open_join, sink=sink) + "".join(people)


@asynccontextmanager
async def circle(data: Path, text: str, clock: Clock | None = None) -> AsyncIterator["Circle"]:
    """A caller of a server on a free port with this directory."""
    async with running(Settings(data=str(data), port=0), clock) as server:
        await directory.apply(server.application.context.store, SECTIONS, text, dry_run=False)
        yield Circle(server)


class Circle(Client):
    """What people do with each other."""

    def __init__(self, server: RunningServer) -> None:
        super().__init__(server)
        self._keys: dict[str, str] = {}
        self._cookies: dict[str, str] = {}

    async def open(self, uid: str, method: str, path: str, body: object = None) -> str:
        """An open API call with the person's access key: the answer as text."""
        if uid not in self._keys:
            given = json.dumps({"token": TOKENS[uid], "secretKey": f"{uid}-secret"})
            answer = await self.raw("POST", "/api/common/openApi/getAccessKey", JSON, given)
            self._keys[uid] = json.loads(answer.body)["data"]["accessKey"]
        raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        answer = await self.raw(method, f"/api/open/{path}", (*JSON, ("access-key", self._keys[uid])), raw)
        assert answer.status == 200
        return answer.body.decode()

    async def data(self, uid: str, method: str, path: str, body: object = None) -> Any:
        """``data`` of a call that must succeed."""
        answer = json.loads(await self.open(uid, method, path, body))
        assert answer["code"] == 200, answer
        return answer["data"]

    async def topic(self, uid: str, code: str, **more: object) -> int:
        """The number of a new topic."""
        body = {"topicCode": code, "topicName": f"Topic {code}", "contact": "c", "introduction": "i", **more}
        return int(await self.data(uid, "POST", "topic/add", body))

    async def link(self, uid: str, topic: int = 0, **asked: object) -> str:
        """The path of a link: into a topic, or to be the person's friend."""
        path = "topic/qrCode" if topic else "friend/getQrCode"
        query = urlencode({**({"topicId": topic} if topic else {}), **asked})
        found = await self.data(uid, "GET", f"{path}?{query}")
        return path_of(found["qrCodeImgUrl"])

    async def press(self, uid: str, link: str, origin: str = PUBLIC) -> RawAnswer:
        """What the link's button answers to somebody who is signed in."""
        return await self.raw("POST", link, (*FORM, ("Origin", origin), ("Cookie", await self.cookie(uid))))

    async def join(self, uid: str, link: str) -> None:
        """Press, and be in."""
        answer = await self.press(uid, link)
        assert (answer.status, answer.headers.get("location")) == (303, f"{link}?done"), answer.body.decode()

    async def look(self, link: str, uid: str = "", language: str = "en") -> RawAnswer:
        """The link's page."""
        headers = [("Accept-Language", language)]
        if uid:
            headers.append(("Cookie", await self.cookie(uid)))
        return await self.raw("GET", link, tuple(headers))

    async def send_form(self, path: str, origin: str = PUBLIC, language: str = "en", **fields: str) -> RawAnswer:
        """A form of a page, sent by somebody who is not signed in."""
        headers = (*FORM, ("Origin", origin), ("Accept-Language", language))
        return await self.raw("POST", path, headers, urlencode(fields))

    async def cookie(self, uid: str) -> str:
        """The cookie of somebody's browser."""
        if uid not in self._cookies:
            token = await self.server.sign_in(uid, f"{uid}-password")
            self._cookies[uid] = f"onebell_session={token}"
        return self._cookies[uid]

    async def native(self, uid: str, method: str, path: str) -> Any:
        """A call of the native API as somebody who is signed in."""
        token = (await self.cookie(uid)).partition("=")[2]
        headers = {"Authorization": f"Bearer {token}"}
        async with self.server.session.request(method, self.server.url + path, headers=headers) as answer:
            assert answer.ok, await answer.text()
            return await answer.json() if answer.status == 200 else None

    async def befriend(self, uid: str, other: str) -> None:
        """``other`` opens the code of ``uid``."""
        await self.join(other, await self.link(uid))


def path_of(image_url: str) -> str:
    """The path of the link whose QR code this is."""
    place = urlsplit(image_url)
    assert f"{place.scheme}://{place.netloc}" == PUBLIC
    path, _, picture = place.path.rpartition("/")
    assert picture == "qr.png"
    return path


def without_times(text: str) -> str:
    """An answer whose moments are written as ``<time>``."""
    return TIME.sub("<time>", text)
