"""Files become numbered lines, whatever they are packed in."""

import gzip
import io
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.contrib.access_log.identity import LineIdentities
from stats_pipeline.contrib.access_log.parser import LONGEST_LINE_BYTES
from stats_pipeline.contrib.access_log.reading import open_log
from stats_pipeline.errors import UnreadableFile


def lines_of(path: Path) -> list[tuple[int, bytes]]:
    """Give all lines of a file."""
    with open_log(str(path)) as log:
        return list(log.lines())


def test_gzip_is_known_by_its_first_bytes_not_by_its_name(tmp_path: Path) -> None:
    """A packed file without .gz, a plain one with it and one of several members read alike."""
    (tmp_path / "packed.log").write_bytes(gzip.compress(b"a\nb\n"))
    (tmp_path / "plain.gz").write_bytes(b"a\nb\n")
    (tmp_path / "members").write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    for name in ("packed.log", "plain.gz", "members"):
        assert lines_of(tmp_path / name) == [(1, b"a"), (2, b"b")], name


def test_blank_lines_are_left_out_but_numbered(tmp_path: Path) -> None:
    """Numbers are those that an editor shows; ends of line of either kind are cut off."""
    (tmp_path / "log").write_bytes(b"a\r\n\n  \nb")
    assert lines_of(tmp_path / "log") == [(1, b"a"), (4, b"b")]


def test_of_a_line_without_end_only_the_beginning_is_held(tmp_path: Path) -> None:
    """A file of many megabytes without a newline can't fill the memory; the next line is read."""
    (tmp_path / "log").write_bytes(b"x" * 5_000_000 + b"\nnext\n")
    (first, too_long), second = lines_of(tmp_path / "log")
    assert (first, second) == (1, (2, b"next"))
    assert LONGEST_LINE_BYTES < len(too_long) < 2 * LONGEST_LINE_BYTES


@pytest.mark.parametrize("cut", [5, 30, -9, -1])
def test_gzip_that_breaks_off_is_unreadable(tmp_path: Path, cut: int) -> None:
    """Wherever the file was cut, the error names it and says what is wrong."""
    packed = gzip.compress(b"".join(b"line %d\n" % number for number in range(500)))
    (tmp_path / "cut.gz").write_bytes(packed[:cut])
    with pytest.raises(UnreadableFile, match=r"cut\.gz: the gzip data is damaged or cut off"):
        lines_of(tmp_path / "cut.gz")


def test_damaged_gzip_is_unreadable(tmp_path: Path) -> None:
    """A flipped byte is noticed."""
    packed = bytearray(gzip.compress(b"line\n" * 500))
    packed[len(packed) // 2] ^= 255
    (tmp_path / "bad.gz").write_bytes(packed)
    with pytest.raises(UnreadableFile, match=r"bad\.gz"):
        lines_of(tmp_path / "bad.gz")


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    """The name and the system's reason are said."""
    with pytest.raises(UnreadableFile, match="gone: No such file"):
        lines_of(tmp_path / "gone")


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads what is piped in, packed or not, and closes nothing that it didn't open."""
    stream = io.BytesIO(gzip.compress(b"a\n"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    with open_log("-") as log:
        assert list(log.lines()) == [(1, b"a")]
        assert log.position_bytes() > 0
    assert not stream.closed


@given(st.lists(st.sampled_from([b"a", b"b", b"c"])))
def test_equal_lines_are_told_apart_and_nothing_else(lines: list[bytes]) -> None:
    """All ids of a file differ; they are the same ones whenever the file is read."""

    def ids() -> list[str]:
        identities = LineIdentities()
        try:
            return [identities.of(line, "2015-05-17T10:05:03+00:00") for line in lines]
        finally:
            identities.close()

    first = ids()
    assert len(set(first)) == len(lines)
    assert first == ids()
    assert Counter(id_.split("-")[0] for id_ in first).total() == len(lines)
    assert len({id_.split("-")[0] for id_ in first}) == len(set(lines))
