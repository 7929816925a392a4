"""Logs are events with fields, one JSON line each (or coloured lines on a terminal); secrets never reach them."""

import contextlib
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

_SECRET_NAMES = re.compile(
    r"(token|secret|password|authorization|cookie|access_key|aes_key|api_key|^key$)", re.IGNORECASE
)
_SECRET_IN_TEXT = re.compile(r"(?i)\b(key|token|access_token|secret|password|authorization)=([^&\s\"']+)")
_REDACTED = "[redacted]"


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor that blanks fields whose names mean secrets, and ``key=…`` inside texts."""
    for name, value in event.items():
        if name != "event" and _SECRET_NAMES.search(name):
            event[name] = _REDACTED
        elif isinstance(value, str) and "=" in value:
            event[name] = _SECRET_IN_TEXT.sub(rf"\1={_REDACTED}", value)
    return event


class _Lossy:
    """A stream that drops what it cannot write: a log on a full disk must not cost an answer (RELIABILITY R4).

    One that was closed says so by a ``ValueError``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or not."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush what can be."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def configure(level: str) -> None:
    """Send all logs, ours and the libraries', through structlog to standard error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    is_terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Lossy(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_Lossy(sys.stderr))
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
