"""The control socket ``DATA/control.sock`` (0600): how a command line reaches the server that holds the lock.

One JSON line each way: ``{"command": name, "arguments": {…}}`` → ``{"lines": […], "failed": bool}``.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import structlog

from onebell.errors import OnebellError

log = structlog.get_logger()

_LINE_BYTES = 64 * 1024 * 1024  # a directory file travels in one line


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A command and what it was given."""

    command: str
    arguments: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line prints."""

    lines: tuple[str, ...]
    failed: bool = False


class NotListening(OnebellError):
    """Who holds the data directory does not listen: it is starting or stopping, or it is no server."""


Commands: TypeAlias = Callable[[Call], Awaitable[Reply]]


def socket_path(data: Path) -> Path:
    """Where the control socket of a data directory is."""
    return data / "control.sock"


class ControlServer:
    """Listens while the server runs."""

    def __init__(self, data: Path, commands: Commands) -> None:
        self._path = socket_path(data)
        self._commands = commands
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Start to listen; a socket left over by a killed server is replaced."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=_LINE_BYTES)
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            reply = await self._run(await reader.readline())
            writer.write(msgspec.json.encode(reply) + b"\n")
            await writer.drain()
        writer.close()

    async def _run(self, line: bytes) -> Reply:
        try:
            return await self._commands(msgspec.json.decode(line, type=Call))
        except (OnebellError, msgspec.DecodeError) as error:
            return Reply(lines=(str(error),), failed=True)
        except Exception as error:
            log.exception("command_failed")
            return Reply(lines=(f"internal error: {error}",), failed=True)


async def call(data: Path, wanted: Call) -> Reply:
    """Run a command in the server that holds this data directory.

    Raises:
        NotListening: nobody does, or it went away before it answered.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket_path(data)), limit=_LINE_BYTES)
        writer.write(msgspec.json.encode(wanted) + b"\n")
        await writer.drain()
        line = await reader.readline()
        writer.close()
    except OSError as error:
        raise NotListening(f"{data} is held by a process that does not listen ({error}); try again") from error
    if not line:
        raise NotListening(f"the server of {data} went away before it answered")
    return msgspec.json.decode(line, type=Reply)
