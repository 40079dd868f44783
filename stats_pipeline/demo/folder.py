"""The demonstration's folder: new for each run, and for one run at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stats_pipeline.errors import ConfigurationError

LOCK = "demo.lock"


@contextmanager
def new_data_in(folder: Path) -> Iterator[None]:
    """Remove what the run before left in this folder, and keep other runs out of it meanwhile.

    Raises:
        ConfigurationError: it is in use, or can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise ConfigurationError(f"{folder} can't be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"Another demo is using {folder}: stop it, or give this one --data FOLDER"
            ) from None
        # Only files that the demo itself makes, whatever folder it was given.
        for file in folder.glob("stats.db*"):
            file.unlink()
        yield
