"""The page on moving from PushPlus: its file is applied, its commands are run, its certificate is trusted."""

import asyncio
import os
import re
import ssl
import sys
from pathlib import Path

from tests.process import ServerProcess

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "from-pushplus.md").read_text()
SECRETS = {"MY_PASSWORD": "my-long-password", "MY_SECRET_KEY": "my-secret-key"}
ACCEPTED = re.compile(r'\{"code":200,"msg":"请求成功","data":"[0-9a-f]{32}"\}')


def blocks(language: str) -> list[str]:
    """The page's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def shell(command: str, place: Path) -> str:
    """What a command of the page prints; ``onebell`` is the one under test."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        "bash", "-ec", command,
        cwd=place, env={**SECRETS, "PATH": path}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, wrong = await process.communicate()
    assert process.returncode == 0, wrong.decode()
    return said.decode()


async def test_the_file_and_the_commands(tmp_path: Path) -> None:
    """The directory file as printed makes the tokens work, directly and through ``http_proxy``."""
    (file,), (apply, proxied, _) = blocks("toml"), blocks("sh")
    (tmp_path / "space.toml").write_text(file)
    async with ServerProcess(tmp_path / "data", SECRETS, options=()) as server:
        applied = await shell(apply.replace("http://127.0.0.1:8080", server.url), tmp_path)
        through = await shell(proxied.replace("http://127.0.0.1:8080", server.url), tmp_path)
        await server.stop()

    assert "+ credential pushplus user me" in applied
    assert ACCEPTED.search(applied), applied
    assert ACCEPTED.fullmatch(through), through


async def test_the_certificate(tmp_path: Path) -> None:
    """Who trusts the authority that the commands make trusts the host, and strictly so."""
    await shell(blocks("sh")[2], tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "bell.pem", tmp_path / "bell.key")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bell")
        writer.close()
        await writer.wait_closed()
        answered.set_result(None)

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting, server_hostname="www.pushplus.plus"
        )
        assert await reader.read() == b"bell"
        writer.close()
        await answered
