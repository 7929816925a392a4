"""The bare WebSocket server: on ``POST /`` it sends the body to everyone connected. Run as a program: ``PORT``."""

import sys
from typing import Any

import uvicorn


class BareServer:
    """No store, no rights, no order: the ceiling of what this machine fans out with the same parts."""

    def __init__(self) -> None:
        self._sends: set[Any] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._hold(receive, send)
        else:
            await self._fan_out(receive, send)

    async def _hold(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self._sends.add(send)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self._sends.discard(send)

    async def _fan_out(self, receive: Any, send: Any) -> None:
        text = (await receive())["body"].decode()
        message = {"type": "websocket.send", "text": text}
        for reader in list(self._sends):
            await reader(message)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve on the port that is the first argument."""
    uvicorn.run(
        BareServer(),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="error",
    )


if __name__ == "__main__":
    main()
