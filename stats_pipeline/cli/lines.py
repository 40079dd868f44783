"""Files of lines, plain or gzip, read in constant memory; for commands that import."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import click

from stats_pipeline.errors import UnreadableFile

GZIP_MAGIC = b"\x1f\x8b"
STANDARD_INPUT = "-"

#: For commands that read such files, as ``files``.
files_argument = click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True),
)

ByteReader: TypeAlias = "io.BufferedReader[Any]"


@dataclass(frozen=True, slots=True)
class OpenFile:
    """Be a file that is being read; its name is for messages.

    Attributes:
        name: as it was given.
        raw: the bytes of the file as it lies there.
        content: its bytes, unpacked.
        longest_bytes: of a line.
    """

    name: str
    raw: ByteReader
    content: ByteReader
    longest_bytes: int

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of each line that is not blank, without its end-of-line.

        Of a line that is too long, just enough is yielded to see that.

        Raises:
            UnreadableFile: the file breaks off or is damaged.
        """
        number = 0
        try:
            while line := self.content.readline(self.longest_bytes + 2):
                number += 1
                if len(line) > self.longest_bytes and not line.endswith(b"\n"):
                    self._skip_to_next_line()
                line = line.rstrip(b"\r\n")
                if line.strip():
                    yield number, line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise UnreadableFile(
                f"{self.name}: the gzip data is damaged or cut off after line {number}"
            ) from None
        except OSError as error:
            raise UnreadableFile(
                f"{self.name}: can't be read after line {number}: {error.strerror}"
            ) from error

    def position_bytes(self) -> int:
        """Return how far the file has been read."""
        return self.raw.tell() if self.raw.seekable() else 0

    def _skip_to_next_line(self) -> None:
        while rest := self.content.readline(self.longest_bytes):
            if rest.endswith(b"\n"):
                return


@contextmanager
def open_lines(name: str, *, longest_bytes: int) -> Iterator[OpenFile]:
    """Open a file, ``-`` for standard input; whether it is gzip is seen from its first bytes."""
    if name == STANDARD_INPUT:
        # A buffer of our own, since not every standard input lets one look ahead.
        raw: ByteReader = io.BufferedReader(cast(Any, sys.stdin.buffer))
        try:
            yield OpenFile("standard input", raw, _unpacked(raw), longest_bytes)
        finally:
            raw.detach()
    else:
        with _open_file(name) as file:
            yield OpenFile(name, file, _unpacked(file), longest_bytes)


def is_readable_once(name: str) -> bool:
    """Tell whether what was read of it is gone: of standard input or a pipe, as `<(...)`."""
    return name == STANDARD_INPUT or not Path(name).is_file()


def size_bytes(name: str) -> int:
    """Return how large the file is; 0 for what can be read only once."""
    if is_readable_once(name):
        return 0
    try:
        return Path(name).stat().st_size
    except OSError as error:
        raise UnreadableFile(f"{name}: {error.strerror}") from error


def _open_file(name: str) -> ByteReader:
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise UnreadableFile(f"{name}: {error.strerror}") from error


def _unpacked(raw: ByteReader) -> ByteReader:
    if raw.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)] == GZIP_MAGIC:
        return io.BufferedReader(cast(Any, gzip.GzipFile(fileobj=raw)))
    return raw
