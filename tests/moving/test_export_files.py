"""Where `stats events export` writes: to regular files when all is there, to others at once."""

import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Run, app, run, two_days

__all__ = ["app", "run", "two_days"]

#: Takes no byte, as a full disk.
FULL = Path("/dev/full")

EXPORT = ("events", "export", "access-log")


@pytest.fixture
def lines(run: Run, two_days: None) -> bytes:
    """Process three events; give the lines of their export."""
    run("events", "process")
    exported = run(*EXPORT).stdout_bytes
    assert exported.count(b"\n") == 3
    return exported


def test_what_is_no_regular_file_is_written_to_and_stays_what_it_is(
    run: Run, lines: bytes, tmp_path: Path
) -> None:
    """A named pipe passes it on, packed by its name as well; a device is no file afterwards."""
    fifo = tmp_path / "fifo.gz"
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    assert run(*EXPORT, "-o", str(fifo)).exit_code == 0
    reader.join()
    assert gzip.decompress(read[0]) == lines
    assert fifo.is_fifo()
    link = tmp_path / "device"
    link.symlink_to(os.devnull)
    assert run(*EXPORT, "-o", str(link)).exit_code == 0
    assert link.is_char_device()
    assert link.is_symlink()


def test_of_a_link_the_file_behind_it_is_replaced(run: Run, lines: bytes, tmp_path: Path) -> None:
    """Also where there is none yet; who may read a file stays as it was."""
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "events", tmp_path / "link"
    link.symlink_to(target)
    for mode in (0o600, 0o640):
        assert run(*EXPORT, "-o", str(link)).exit_code == 0
        assert link.is_symlink()
        assert target.read_bytes() == lines
        assert list(target.parent.iterdir()) == [target]
        target.chmod(mode)
    assert run(*EXPORT, "-o", str(link)).exit_code == 0
    assert target.stat().st_mode & 0o777 == 0o640


def test_an_export_that_fails_leaves_the_file_as_it_was(
    run: Run, lines: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no part of another one beside it."""
    file = tmp_path / "events"
    file.write_bytes(b"before")
    others = set(tmp_path.iterdir())
    result = run(*EXPORT, "-o", str(file), "--start", "2016-12-19", "--end", "2016-12-18")
    assert (result.exit_code, "is after the end" in result.stderr) == (2, True)

    def fail(_number: object, _line: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stats_pipeline.pipeline.moving.export.write_line", fail)
    result = run(*EXPORT, "-o", str(file))
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {file} can't be written to its end: No space left on device\n"
    )
    assert file.read_bytes() == b"before"
    assert set(tmp_path.iterdir()) == others
    result = run(*EXPORT, "-o", str(tmp_path / "no" / "file"))
    assert (result.exit_code, "No such file or directory" in result.stderr) == (2, True)


def test_a_full_disk_behind_standard_output_is_said_in_one_line(lines: bytes) -> None:
    """With exit code 1, and nothing more when Python ends."""
    code = "from stats_pipeline.cli import main; main()"
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, *EXPORT],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    assert done.stderr == (
        "Error: standard output can't be written to its end: No space left on device\n"
    )
    assert done.returncode == 1
