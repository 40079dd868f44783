"""An export to a file that was killed goes on where it was, and ends in the very same file."""

from __future__ import annotations

import fcntl
import gzip
import json
import random
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.pipeline import Pipeline
from stats_pipeline.pipeline.moving.event_lines import write_line
from tests.cli.conftest import Run, app, run
from tests.moving.conftest import Make
from tests.moving.host import bring
from tests.moving.test_commands import STATS
from tests.support import pipeline_of

__all__ = ["app", "run"]

EXPORT = ("events", "export", "access-log")
DAYS, EVENTS_A_DAY = 30, 400

Identity = tuple[str, str]


def line(event_id: str, day: int, second: int = 0) -> bytes:
    """Return the line of an event on a day, counted from the first of November on."""
    date = f"2016-{11 + day // 30}-{1 + day % 30:02d}"
    moment = f"{date}T10:{second // 60:02d}:{second % 60:02d}Z"
    own = {"event_id": event_id, "timestamp": moment, "visitor_id": event_id, "is_robot": False}
    return json.dumps({"event_type": "access-log", "event": {"path": "/a", **own}}).encode()


def add(pipeline: Pipeline, lines: Iterable[bytes], import_id: str) -> None:
    """Store these events; all of them are new."""
    report = bring(pipeline, lines, import_id)
    assert report.added == report.lines


@pytest.fixture
def pipeline(app: Any) -> Pipeline:
    """Give the stand-alone application's pipeline, with events on thirty days of two months."""
    pipeline = pipeline_of(app)
    lines = (
        line(f"{day}-{number}", day + 15, number)
        for day in range(DAYS)
        for number in range(EVENTS_A_DAY)
    )
    add(pipeline, lines, "all")
    return pipeline


def content(file: Path) -> bytes:
    """Return what is in a file, unpacked."""
    data = file.read_bytes()
    return gzip.decompress(data) if file.suffix == ".gz" else data


def identities(file: Path) -> list[Identity]:
    """Return which events are in a file, in their order."""
    events = [json.loads(each)["event"] for each in content(file).splitlines()]
    return [(event["timestamp"], event["event_id"]) for event in events]


def killed_at(file: Path, size_bytes: int) -> bool:
    """Export, and kill the process as soon as the part is so long; tell whether it was killed."""
    part = file.with_name(f"{file.name}.part")
    before = file.exists()
    with subprocess.Popen([*STATS, *EXPORT, "-o", str(file)], stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            if part.exists() and part.stat().st_size >= size_bytes:
                process.kill()
                break
        process.communicate()
    assert file.exists() == before or process.returncode == 0
    return process.returncode != 0


@pytest.mark.parametrize("name", ["events", "events.gz"])
def test_an_export_that_is_killed_anywhere_ends_in_the_file_of_one_that_is_not(
    pipeline: Pipeline, run: Run, tmp_path: Path, name: str
) -> None:
    """Byte by byte, each event once, whatever was half written; and no part is left."""
    undisturbed, file = tmp_path / f"undisturbed-{name}", tmp_path / name
    assert run(*EXPORT, "-o", str(undisturbed)).exit_code == 0
    size_bytes = undisturbed.stat().st_size
    points = sorted(random.sample(range(size_bytes), 4))
    kills = sum(killed_at(file, point) for point in points)
    assert kills, points
    result = run(*EXPORT, "-o", str(file), "--json")
    assert result.exit_code == 0, points
    assert json.loads(result.stdout)["events"] == DAYS * EVENTS_A_DAY
    assert file.read_bytes() == undisturbed.read_bytes(), points
    assert not list(tmp_path.glob("*.part*"))
    assert len(set(identities(file))) == DAYS * EVENTS_A_DAY


def interrupt(monkeypatch: pytest.MonkeyPatch, run: Run, file: Path, after: int) -> Any:
    """Export, and let the disk be full after so many lines; return the result."""
    written = 0

    def fail(*arguments: Any) -> bytes:
        nonlocal written
        written += 1
        if written > after:
            raise OSError(28, "No space left on device")
        return write_line(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr("stats_pipeline.pipeline.moving.export.write_line", fail)
        result = run(*EXPORT, "-o", str(file))
    assert result.exit_code == 1
    return result


@pytest.mark.parametrize("name", ["events", "events.gz"])
def test_events_that_come_in_between_are_there_once_or_not(
    pipeline: Pipeline, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Those of days that are written already are not, as if they had come after the export."""
    file = tmp_path / name
    result = interrupt(monkeypatch, run, file, 5_000)
    assert f"The same command goes on with {file}.part: 4,000 events" in result.stderr
    with file.with_name(f"{name}.part").open("ab") as part:
        part.write(b"what a kill may leave, longer than what is to come" * 50_000)
    early, late = line("early", 15), line("late", 15 + DAYS - 1)
    add(pipeline, [early, late], "more")
    result = run(*EXPORT, "-o", str(file))
    assert result.exit_code == 0
    assert f"Going on with {file}.part: 4,000 events, through 2016-11-25" in result.stderr
    found = identities(file)
    assert len(found) == len(set(found)) == DAYS * EVENTS_A_DAY + 1
    assert found == sorted(found)
    assert "late" in {event_id for _, event_id in found}


def test_what_was_begun_for_another_question_or_store_is_begun_anew(
    pipeline: Pipeline, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another range, another store at that address, or a state that says nothing of the part."""
    file = tmp_path / "events"
    part, state = tmp_path / "events.part", tmp_path / "events.part.state"

    def of_another_store() -> object:
        return state.write_text(state.read_text().replace('"oldest": "', '"oldest": "x'))

    spoils: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: None, ["--start", "2016-11-17"]),
        (of_another_store, []),
        (lambda: state.write_text("{"), []),
        (lambda: part.write_bytes(b""), []),
        (part.unlink, []),
    ]
    for spoil, options in spoils:
        file.write_bytes(b"before")
        interrupt(monkeypatch, run, file, 3_000)
        assert file.read_bytes() == b"before"
        assert state.exists()
        spoil()
        result = run(*EXPORT, "-o", str(file), *options)
        assert (result.exit_code, "Going on" in result.stderr) == (0, False)
        found = identities(file)
        days = DAYS - 1 if options else DAYS
        assert len(found) == len(set(found)) == days * EVENTS_A_DAY
        assert not list(tmp_path.glob("events.part*"))


def test_two_processes_do_not_write_one_file(run: Run, tmp_path: Path) -> None:
    """The second one is refused, and the first one not disturbed."""
    part = tmp_path / "events.part"
    with part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b"written by another process")
        other.flush()
        result = run(*EXPORT, "-o", str(tmp_path / "events"))
    assert (result.exit_code, "is being written by another process" in result.stderr) == (2, True)
    assert part.read_bytes() == b"written by another process"
    assert run(*EXPORT, "-o", str(tmp_path / "events.gz")).exit_code == 0
    assert content(tmp_path / "events.gz") == b""
    assert (tmp_path / "events.gz").stat().st_size > 0


def test_days_come_one_after_the_other_and_may_be_left_out(make: Make) -> None:
    """On both stores, over the borders of indices and of the asked range."""
    pipeline = make(index_interval="week")
    lines = [
        json.dumps({"event_id": time, "timestamp": time, "page": "/a"}).encode()
        for time in (
            "2017-01-01T23:59Z",
            "2017-01-02T00:00Z",
            "2017-01-02T12:00Z",
            "2017-01-09T00:00Z",
        )
    ]
    bring(pipeline, lines, event_type="visit")

    def days(*asked: str, after: str = "") -> dict[str, int]:
        exporting = pipeline.moving.exporting("visit", *asked)
        found = exporting.days(lambda _done, _total: None, after)
        return {day: len(list(lines)) for day, lines in found}

    everything = {"2017-01-01": 1, "2017-01-02": 2, "2017-01-09": 1}
    assert days() == everything
    assert days(after="2017-01-01") == {"2017-01-02": 2, "2017-01-09": 1}
    assert days("2017-01-02T06:00Z", after="2017-01-01") == {"2017-01-02": 1, "2017-01-09": 1}
    assert days("2017-01-01", "2017-01-02", after="2017-01-02") == {}
    assert days(after="2017-01-09") == {}
    questions = [
        pipeline.moving.exporting("visit", *asked).question
        for asked in ((), ("2017-01-01",), ("2017-01-01", "2017-01-02"), ("2017-01-02",))
    ]
    assert len({json.dumps(question) for question in questions}) == 4
