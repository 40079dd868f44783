"""Lines of log files."""

from __future__ import annotations

from contextlib import AbstractContextManager

from stats_pipeline.cli import OpenFile, open_lines
from stats_pipeline.contrib.access_log.parser import LONGEST_LINE_BYTES


def open_log(name: str) -> AbstractContextManager[OpenFile]:
    """Open a log, ``-`` for standard input; see `stats_pipeline.cli.open_lines`."""
    return open_lines(name, longest_bytes=LONGEST_LINE_BYTES)
