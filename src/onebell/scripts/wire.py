"""What a worker and its parent say to each other: a line of JSON each, over the worker's standard input and output."""

import msgspec

from onebell.errors import ScriptFault


class Task(msgspec.Struct, frozen=True):
    """Run this code over this content."""

    code: str
    content: str


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """A fresh engine waits for its one task."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The content after the run."""

    content: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """No content; ``text`` is the engine's own words, empty where the fault says it all."""

    fault: ScriptFault
    text: str = ""


encode = msgspec.json.Encoder().encode
task_of = msgspec.json.Decoder(Task).decode
reply_of = msgspec.json.Decoder(Ready | Done | Failed).decode
