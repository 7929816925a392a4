"""The first pages that anybody reads: their commands are run as printed."""

import asyncio
import re
import sys
from pathlib import Path

from tests.process import ServerProcess

ROOT = Path(__file__).parents[2]
ANSWERS = ('"code":200', '"errcode":0', '"accepted":true', '"code":0,"msgid"', '"action":"post"', '"message_id":"')
"""Of PushPlus, WeCom, PushGo, UMS, Easemob and the native API, in the order of the page."""


async def test_the_commands_of_both_pages(tmp_path: Path) -> None:
    """Whoever pastes them into a checkout with ``make run`` beside it gets six successes, in either language."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    said: dict[str, list[str]] = {}
    async with ServerProcess(tmp_path / "data") as server:
        for page in ("README.md", "README.zh-CN.md"):
            (_, block) = re.findall(r"^```sh\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
            process = await asyncio.create_subprocess_exec(
                "bash", "-ec", block.replace("http://127.0.0.1:8080", server.url),
                cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            answers = (await process.communicate())[0].decode()
            said[page] = [answer for answer in ANSWERS if answer not in answers]
        await server.stop()

    assert said == {"README.md": [], "README.zh-CN.md": []}
