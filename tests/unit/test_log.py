"""Logs never cost an answer (RELIABILITY R4)."""

import io
import logging

import pytest
import structlog

from onebell import log


@pytest.mark.usefixtures("own_log")
def test_what_cannot_be_written_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an event of ours nor a library's raises when the stream was closed."""
    closed = io.StringIO()
    monkeypatch.setattr("sys.stderr", closed)
    log.configure("info")
    closed.close()

    structlog.get_logger().info("ours")
    logging.getLogger("theirs").warning("theirs")
