"""The command line: `flask stats ...` in a host, `stats ...` for the stand-alone application.

Both are the same commands, imported when they are asked for. `stats_command`, `Output`,
`files_argument` and `open_lines` are there for the commands of other packages too; nothing else
here may be relied on.
"""

from stats_pipeline.cli.commands import stats
from stats_pipeline.cli.lines import OpenFile, files_argument, open_lines, size_bytes
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output
from stats_pipeline.cli.script import main

__all__ = [
    "OpenFile",
    "Output",
    "files_argument",
    "main",
    "open_lines",
    "size_bytes",
    "stats",
    "stats_command",
]
