"""The worker process: one fresh engine per script, until its parent goes away.

A script may leave nothing behind: not in the engine (each gets its own), not in the process (it can reach none of it).
It is killed from outside when it does not answer.
"""

import os
import queue
import resource
import sys
import threading
import time
from typing import BinaryIO

import msgspec
from py_mini_racer import (
    JSEvalException,
    JSFunction,
    JSOOMException,
    JSTimeoutException,
    MiniRacer,
    init_mini_racer,
)

from onebell.errors import ScriptFault
from onebell.scripts.limits import Limits
from onebell.scripts.wire import Done, Failed, Ready, Task, encode, task_of

_FLAGS = (
    "--single-threaded",
    "--jitless",  # no machine code is made of foreign scripts: the smaller target, and they run for microseconds
    "--max-semi-space-size=1",  # MiB; with the default the heap outgrows its limit six times before that is looked at
)
_NICENESS = 5
"""The server and its database come first, three to one."""

# What engine and library add to the language: a script has that, ``content``, and nothing else (sheet §4).
_BARE = "delete globalThis.console; setTimeout = clearTimeout = __timer_manager = __TimerManager = undefined;"

# Made before the script runs, from functions that it can no longer replace. A lone surrogate is no text: U+FFFD.
_READER = """
((string, apply, wellFormed, limit) => () => {
  const text = string(content);
  return text.length <= limit ? apply(wellFormed, text, []) : null;
})(String, Reflect.apply, String.prototype.toWellFormed, %d)
"""


class Engine:
    """A fresh V8 isolate, for one script."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._racer = MiniRacer()
        self._racer.set_hard_memory_limit(limits.heap_bytes)
        self._racer.eval(_BARE)
        reader = self._racer.eval(_READER % limits.result_chars)
        assert isinstance(reader, JSFunction), "the reader is a function"
        self._read = reader

    def run(self, task: Task) -> Done | Failed:
        """The content after the script."""
        try:
            content = self._content_after(task)
        except JSTimeoutException:
            return Failed(ScriptFault.TIME)
        except JSOOMException:
            return Failed(ScriptFault.MEMORY)
        except JSEvalException as error:
            return Failed(ScriptFault.ERROR, words_of(str(error))[: self._limits.error_chars])
        return Done(content) if isinstance(content, str) else Failed(ScriptFault.RESULT)

    def close(self) -> None:
        """Give its memory back."""
        self._racer.close()

    def _content_after(self, task: Task) -> object:
        # A property of the global object, so that a script may also declare its own ``let content``.
        self._racer.eval(f"globalThis.content = {encode(task.content).decode()};")
        end = time.monotonic() + self._limits.run_s
        # The value of the last line would be handed over whole, however long it is.
        self._racer.eval(f"{task.code}\n;undefined", timeout_sec=self._limits.run_s)
        return self._read(timeout_sec=max(0.001, end - time.monotonic()))


def words_of(error: str) -> str:
    """The engine's first line, ``<anonymous>:3: TypeError: …``, as a person reads it."""
    line = error.partition("\n")[0]
    place, _, what = line.removeprefix("<anonymous>:").partition(": ")
    return f"{what} (line {place})" if what and place.isdigit() else line


def main(limits: Limits) -> None:
    """Serve tasks from standard input."""
    os.nice(_NICENESS)
    init_mini_racer(flags=_FLAGS)
    _limit_itself(limits)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, tasks), daemon=True).start()
    while True:
        engine = Engine(limits)
        _say(Ready())
        _say(engine.run(tasks.get()))
        engine.close()


def _limit_itself(limits: Limits) -> None:
    for what, limit in (
        (resource.RLIMIT_DATA, limits.process_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def _listen(pipe: BinaryIO, tasks: "queue.SimpleQueue[Task]") -> None:
    for line in pipe:
        tasks.put(task_of(line))
    # The parent is gone, however it went: nothing may survive it, not even a script that is running.
    os._exit(0)


def _say(reply: Ready | Done | Failed) -> None:
    sys.stdout.buffer.write(encode(reply) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main(msgspec.json.decode(sys.argv[1], type=Limits))
    finally:
        # Whatever went wrong, no thread of the engine may keep a worker that does not answer.
        os._exit(1)
