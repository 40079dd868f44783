"""The command line: `flask stats ...` in a host, `stats ...` for the stand-alone application.

Both are the same commands, imported when they are asked for. What is exported here is there for the
commands of other packages too; nothing else may be relied on.
"""

from stats_pipeline.cli.commands import stats
from stats_pipeline.cli.lines import OpenFile, files_argument, open_lines, size_bytes
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, amount, processed_lines
from stats_pipeline.cli.script import main

__all__ = [
    "OpenFile",
    "Output",
    "amount",
    "files_argument",
    "main",
    "open_lines",
    "processed_lines",
    "size_bytes",
    "stats",
    "stats_command",
]
