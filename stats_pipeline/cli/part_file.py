"""A file that grows beside the one that is wanted, and can be gone on with after a kill.

``FILE.part`` is what was written, ``FILE.part.state`` how much of it is sure: one line of JSON. The
bytes are on the disk before the state says so, and what stands behind them is cut off when somebody
goes on. So whatever is killed when, each line is there once.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from stats_pipeline.cli.errors import UserError

#: Lines between two states at least: some 500 kB, so that waiting for the disk costs little.
LINES_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class State:
    """Say how much is sure.

    Attributes:
        question: what the file is the answer to.
        done: the last part that is in it, by name; empty for none.
        lines: how many are in it.
        size_bytes: how long it is.
    """

    question: Mapping[str, Any]
    done: str = ""
    lines: int = 0
    size_bytes: int = 0


class PartFile:
    """Take parts of named lines, in order; made by `part_of`.

    Attributes:
        state: what is sure by now.
        lines: how many were written, sure or not.
    """

    def __init__(self, path: Path, file: IO[bytes], state: State, *, is_packed: bool) -> None:
        self.state = state
        self.lines = state.lines
        self._path = path
        self._file = file
        self._is_packed = is_packed
        self._member: gzip.GzipFile | None = None

    def take(self, name: str, lines: Iterable[bytes]) -> None:
        """Write all lines of a part; every now and then what was written is made sure."""
        for line in lines:
            self._writing().write(line)
            self.lines += 1
        if self.lines - self.state.lines >= LINES_AT_ONCE:
            self._make_sure(name)

    def finish(self, target: Path) -> None:
        """Let the file take the place of the one that is wanted."""
        if not self.state.size_bytes:
            self._writing()  # an empty gzip file is not one of no bytes
        self._end_member()
        self._path.replace(target)
        state_path(self._path).unlink(missing_ok=True)

    def give_up(self) -> None:
        """Leave what is sure for the next one; what stands behind it is worth nothing."""
        with suppress(OSError):
            if self._member is not None:
                self._member.close()
        if not self.state.done:
            with suppress(OSError):
                self._path.unlink()

    def _writing(self) -> IO[bytes] | gzip.GzipFile:
        if not self._is_packed:
            return self._file
        if self._member is None:
            self._member = packed(self._file)
        return self._member

    def _end_member(self) -> None:
        if self._member is not None:
            self._member.close()
            self._member = None
        self._file.flush()
        os.fsync(self._file.fileno())

    def _make_sure(self, name: str) -> None:
        self._end_member()
        self.state = State(self.state.question, name, self.lines, self._file.tell())
        path = state_path(self._path)
        new = path.with_name(f"{path.name}.new")
        with new.open("w", encoding="utf-8") as file:
            file.write(f"{json.dumps(asdict(self.state))}\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


@contextmanager
def part_of(target: Path, question: Mapping[str, Any], *, is_packed: bool) -> Iterator[PartFile]:
    """Open the part file of a target; it takes the place of that when all is written.

    Goes on with what was begun for the same question, and begins anew otherwise. Where it fails, it
    stays as far as something of it is sure.

    Raises:
        UserError: another process writes it, or it can't be opened.
    """
    path = target.with_name(f"{target.name}.part")
    question = {**question, "is_packed": is_packed}
    with _locked(path, target) as file:
        state = _begun(path, file, question)
        part = PartFile(path, file, state, is_packed=is_packed)
        try:
            if target.exists():
                shutil.copymode(target, path)
            yield part
            part.finish(target)
        except BaseException:
            part.give_up()
            raise


def packed(file: IO[bytes]) -> gzip.GzipFile:
    """Return what packs into a file; without the time: the same lines are the same bytes."""
    return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)


def state_path(path: Path) -> Path:
    """Return where the state of a part file is."""
    return path.with_name(f"{path.name}.state")


@contextmanager
def _locked(path: Path, target: Path) -> Iterator[IO[bytes]]:
    """Open the file for reading and writing, so that no other process does the same."""
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Where the other one has just finished, this is the wanted file, and to be left alone.
            is_ours = path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno()))
        except BlockingIOError:
            is_ours = False
        if not is_ours:
            raise UserError(f"{target} is being written by another process")
        yield file


def _begun(path: Path, file: IO[bytes], question: Mapping[str, Any]) -> State:
    """Return what can be gone on with, and cut off what is not sure; of nothing else nothing."""
    state = State(question)
    try:
        found = State(**json.loads(state_path(path).read_text(encoding="utf-8")))
        if found.question == question and found.size_bytes <= os.fstat(file.fileno()).st_size:
            state = found
    except (OSError, ValueError, TypeError):
        pass  # there is none
    if not state.done:
        state_path(path).unlink(missing_ok=True)
    file.truncate(state.size_bytes)
    file.seek(state.size_bytes)
    return state
