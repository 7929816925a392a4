"""A person who reads his inbox over the native API."""

import asyncio
from collections import deque
from typing import Any

import aiohttp

WAIT_S = 30.0


class InboxReader:
    """Signed in; sees every entry once."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._after = 0
        self._found: deque[dict[str, Any]] = deque()  # of pages read, not yet looked at

    @classmethod
    async def sign_in(
        cls, session: aiohttp.ClientSession, url: str, uid: str, password: str, space: str = "main"
    ) -> "InboxReader":
        """Sign in and stand after what is there already."""
        body = {"space": space, "uid": uid, "password": password}
        async with session.post(f"{url}/api/v1/login", json=body) as answer:
            reader = cls(session, url, (await answer.json())["token"])
        while await reader._page(wait_s=0):
            pass
        return reader

    async def find(self, title: str) -> dict[str, Any]:
        """The next entry of this title; waits for it."""
        async with asyncio.timeout(WAIT_S):
            while True:
                while self._found:
                    item = self._found.popleft()
                    if item["kind"] == "entry" and item["title"] == title:
                        return item
                self._found.extend(await self._page(wait_s=2))

    async def _page(self, wait_s: int) -> list[dict[str, Any]]:
        query = {"after": str(self._after), "limit": "500", **({"wait": str(wait_s)} if wait_s else {})}
        async with self._session.get(f"{self._url}/api/v1/inbox", params=query, headers=self._headers) as answer:
            page = await answer.json()
        self._after = page["next"]
        items: list[dict[str, Any]] = page["items"]
        return items
