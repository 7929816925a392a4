"""The pages on moving from WeCom, PushGo and UMS: each file is applied and each command run, as printed."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.process import ServerProcess

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
SECRETS = {"MY_PASSWORD": "my-long-password", "NAS_PASSWORD": "nas-password", "UMS_SECRET": "5e987ac6d2e04d95a9d8f0d1"}
PAGES = {
    "from-wecom.md": '{"errcode":0,"errmsg":"ok"}',
    "from-pushgo.md": '"accepted":true',
    "from-jpush-ums.md": '{"code":0,"msgid":"',
}


def block(page: str, language: str) -> str:
    """The only code block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", (HOWTO / page).read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


async def test_the_file_and_the_command_of_each_page(tmp_path: Path) -> None:
    """A reader who copies both blocks has his credentials taken and his first message stored."""
    environment = {**SECRETS, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    said = {}
    async with ServerProcess(tmp_path / "data", SECRETS, options=()) as server:
        for page in PAGES:
            (tmp_path / "space.toml").write_text(block(page, "toml"))
            command = block(page, "sh").replace("http://127.0.0.1:8080", server.url)
            process = await asyncio.create_subprocess_exec(
                "bash", "-ec", command, cwd=tmp_path, env=environment, stdout=asyncio.subprocess.PIPE
            )
            said[page] = (await process.communicate())[0].decode()
        await server.stop()

    assert {page: answer for page, answer in said.items() if PAGES[page] not in answer} == {}
