"""Which file a URL names."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from stats_pipeline.errors import ConfigurationError


def database_path(url: str) -> Path:
    """Return the file that a URL names: ``sqlite:///FILE``, or ``sqlite://`` for a private one.

    The file is what follows the third slash, so an absolute path makes four.
    """
    if url == "sqlite://":
        return memory_path()
    prefix, separator, path = url.partition("sqlite:///")
    if prefix or not separator or not path:
        raise ConfigurationError(
            f"{url!r} names no SQLite file; write 'sqlite:///FILE' ('sqlite:////var/lib/stats.db' "
            "for an absolute path), or 'sqlite://' for one that is gone with the process"
        )
    return Path(path)


def memory_path() -> Path:
    """Return a new private file that is deleted when this process ends.

    A database that is truly in memory belongs to one connection, so threads and snapshots could
    not share it.
    """
    folder = Path(tempfile.mkdtemp(prefix="stats-pipeline-"))
    atexit.register(_remove, folder, os.getpid())
    return folder / "stats.db"


def _remove(folder: Path, pid: int) -> None:
    # A forked child runs this, too, when it ends.
    if pid == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)
