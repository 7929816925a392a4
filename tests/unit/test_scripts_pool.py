"""Strangers' scripts in real worker processes: what they may do, and that they harm nobody (sheet pushplus §4)."""

import asyncio
import os
import signal
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from tests.wire.pushplus.support import eventually

from onebell.errors import ScriptFailed, ScriptFault
from onebell.scripts.limits import Limits
from onebell.scripts.pool import ScriptPool

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOSTILE = tomllib.loads((Path(__file__).parents[1] / "corpus" / "scripts.toml").read_text())["scripts"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[ScriptPool]:
    """Workers for all tests of this file: none may spoil it for the next. On a busy machine they start slowly."""
    shared = ScriptPool(Limits(answer_s=60))
    yield shared
    await shared.close()


async def ended(pool: ScriptPool, code: str, owner: int = 1) -> str:
    """How a run ended: a fault, or ``done``."""
    try:
        await pool.run(code, "abc", owner=owner)
    except ScriptFailed as failed:
        return failed.fault.value
    return "done"


async def test_the_documented_vector(pool):
    """``content = content + 123`` over ``this is content`` (docs openApi, pre/test)."""
    assert await pool.run("content = content + 123", "this is content", owner=1) == "this is content123"


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("", "a\nb\u2028\"'</script>"),
        ("content = content.replace('a', 'b')", "b\nb\u2028\"'</script>"),
        ("content = 1.5", "1.5"),
        ("content = null", "null"),
        ("content = undefined", "undefined"),
        ("content = [1, [2, 3]]", "1,2,3"),
        ("content = {}", "[object Object]"),
        ("content = { toString: () => 'own' }", "own"),
        ("content = Symbol('q')", "Symbol(q)"),
        ("let content = 'declared'", "declared"),
        ("var content = content + 'x' // no line end", "a\nb\u2028\"'</script>x"),
        ("'use strict'; content += '\U0001f514\\u0000'", "a\nb\u2028\"'</script>\U0001f514\0"),
        ("content = 'a\\ud800b'", "a\ufffdb"),
    ],
)
async def test_what_content_holds_is_the_result(pool, code, content):
    """Non-strings by ``String()``; a script may change it or declare its own."""
    assert await pool.run(code, "a\nb\u2028\"'</script>", owner=1) == content


async def test_an_unstorable_content_is_readable(pool):
    """A lone surrogate is no text: it does not stop the run."""
    assert await pool.run("content += 1", "a\ud800", owner=1) == "a?1"


async def test_a_script_has_the_language_and_content_only(pool):
    """No timers, no console, no modules, no network, no files."""
    names = ("setTimeout", "console", "require", "process", "fetch", "XMLHttpRequest", "WebAssembly", "print", "load")
    code = f"content = [{','.join(f'typeof {name}' for name in names)}]"

    assert set((await pool.run(code, "", owner=1)).split(",")) == {"undefined"}


async def test_nothing_stays_for_the_next(pool):
    """Each run has its own engine: neither globals nor prototypes outlive it."""
    await pool.run("left = 1; String.prototype.concat = () => 'hacked'; const c = 1", "", owner=1)

    assert await pool.run("content = 'a'.concat(typeof left); const c = 1", "", owner=1) == "aundefined"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("a.b", "ReferenceError: a is not defined (line 1)"),
        ("\n\nthrow new TypeError('mine: yes')", "TypeError: mine: yes (line 3)"),
        ("throw 'bare'", "bare (line 1)"),
    ],
)
async def test_an_error_is_told_in_one_line(pool, code, text):
    """The engine's own words and the line, for who tries his script."""
    with pytest.raises(ScriptFailed) as failed:
        await pool.run(code, "", owner=1)

    assert (failed.value.fault, failed.value.text) == (ScriptFault.ERROR, text)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda script: script["name"])
async def test_a_hostile_script_ends_and_the_next_runs(pool, hostile):
    """It ends as it must; whoever comes next, also its own owner, is served."""
    assert await ended(pool, hostile["code"]) in hostile["ends"]
    assert await pool.run("content += 1", "a", owner=1) == "a1"
    assert await pool.run("content += 1", "a", owner=2) == "a1"


async def test_a_huge_error_is_cut(pool):
    """Nobody's log or answer is filled by a script."""
    with pytest.raises(ScriptFailed) as failed:
        await pool.run("throw 'x'.repeat(1e6)", "", owner=1)

    assert len(failed.value.text) == Limits().error_chars


async def test_one_owner_cannot_hold_all_workers(pool):
    """While an owner's loops run one after the other, another's script is served at once."""
    await asyncio.gather(*(pool.run("", "a", owner=owner) for owner in (1, 2)))  # both workers are there
    loops = [asyncio.create_task(ended(pool, "while (1) {}", owner=1)) for _ in range(3)]

    assert await pool.run("content += 1", "a", owner=2) == "a1"
    assert not all(loop.done() for loop in loops)
    assert await asyncio.gather(*loops) == ["time"] * 3


async def test_a_dead_worker_is_replaced(pool):
    """Killed while it rests, and killed while it runs: only the one it died over fails."""
    await pool.run("", "a", owner=1)
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)
    await eventually(lambda: _async(not pool.pids))
    assert await pool.run("content += 1", "a", owner=1) == "a1"

    running = asyncio.create_task(ended(pool, "while (1) {}"))
    while not running.done():
        await asyncio.sleep(0)
        for pid in pool.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert await running == "crashed"
    assert await pool.run("content += 1", "a", owner=1) == "a1"


async def test_a_worker_knows_nothing_of_ours(pool):
    """The environment may hold the server key; the worker's has none of it."""
    await pool.run("", "a", owner=1)
    (pid, *_) = pool.pids
    environment = Path(f"/proc/{pid}/environ").read_bytes()

    assert [pair.partition(b"=")[0] for pair in environment.split(b"\0") if pair] == [b"PYTHONPATH"]
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")


async def test_there_is_no_worker_before_the_first_script_and_after_a_quiet_while():
    """At rest it costs no memory; the next script starts a new worker."""
    pool = ScriptPool(Limits(idle_s=0))
    assert pool.pids == []
    for _ in range(2):
        assert await pool.run("content += 1", "a", owner=1) == "a1"
        await eventually(lambda: _async(not pool.pids))
    await pool.close()


async def test_who_gets_no_worker_in_time_hears_so():
    """Overload is an answer, not a wait."""
    pool = ScriptPool(Limits(answer_s=0))
    with pytest.raises(ScriptFailed) as failed:
        await pool.run("", "a", owner=1)
    await pool.close()

    assert failed.value.fault is ScriptFault.OVERLOADED


async def test_closing_ends_running_scripts():
    """No worker outlives the pool, whatever it does."""
    pool = ScriptPool()
    running = asyncio.create_task(ended(pool, "while (1) {}"))
    await eventually(lambda: _async(pool.pids))
    (pid,) = pool.pids
    await pool.close()
    running.cancel()

    assert not Path(f"/proc/{pid}").exists()


_PARENT = """
import asyncio, sys
from onebell.scripts.pool import ScriptPool

async def main():
    pool = ScriptPool()
    await pool.run("", "a", owner=1)
    running = asyncio.create_task(pool.run("while (1) {}", "a", owner=1))
    print(*pool.pids, flush=True)
    await running

asyncio.run(main())
"""


async def test_a_worker_dies_with_its_parent():
    """``kill -9`` of the server leaves nothing behind, not even a script in its endless loop."""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", _PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()

    await eventually(lambda: _async(_is_gone(pid)))


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; nobody may be there to collect it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def _async(value: object) -> object:
    return value
