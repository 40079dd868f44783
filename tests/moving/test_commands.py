"""The commands that move things, in the stand-alone application; and an import that is killed."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.cli.conftest import Run, app, run, run_json, two_days

__all__ = ["app", "run", "run_json", "two_days"]

RunJson = Callable[..., Any]


def test_events_move_by_file_and_come_back_by_their_id(
    run: Run, run_json: RunJson, two_days: None, tmp_path: Path
) -> None:
    """Export, erase, import, undo: each says what it has done, and the totals follow."""
    run("events", "process")
    file = str(tmp_path / "events.ndjson.gz")
    assert run_json("events", "export", "access-log", "-o", file)["events"] == 3
    assert not Path(f"{file}.part").exists()
    lines = gzip.decompress(Path(file).read_bytes())
    assert run("events", "export", "access-log").stdout_bytes == lines
    assert run("events", "export", "access-log", "--json").exit_code == 2
    imported = run_json("events", "import", file)
    assert (imported["known"], imported["added"]) == (3, 0)
    assert imported["import_id"] == run_json("events", "import", file)["import_id"]

    more = json.loads(lines.splitlines()[0])
    more["event"] |= {"event_id": "another", "timestamp": "2016-12-18T12:00:00Z"}
    (tmp_path / "more").write_text(json.dumps(more) + "\n{\n")
    result = run("events", "import", str(tmp_path / "more"), "--import-id", "more")
    assert result.exit_code == 2
    assert "more, line 2: it is not JSON" in result.stdout
    assert "1 of 2 lines can't be imported; the others are" in result.stderr
    assert "undo-import more" in result.stdout
    assert [entry["events"] for entry in run_json("events", "imports")] == [0, 1]
    assert run_json("events", "undo-import", "more")["removed"] == 1
    assert "import id" in run("events", "imports").stdout
    assert "did you mean 'more'" in run("events", "undo-import", "mo").stderr

    found = run("events", "erase", "access-log", "--user-id", "u1", "--dry-run").stdout
    assert "2 events would be erased" in found
    assert run_json("events", "erase", "access-log", "--user-id", "u1")["events"] == 2
    assert "Give --user-id, or --session-id" in run("events", "erase", "access-log").stderr
    result = run("events", "erase", "access-log", "--user-id", "")
    assert (result.exit_code, "--user-id is empty" in result.stderr) == (2, True)


def test_rows_come_in_and_go_by_their_source(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    """What is wrong in the file is named, and then nothing is imported."""
    file = tmp_path / "rows"
    file.write_text('{"start": "2010-01-01", "path": "/a", "count": 5}\n')
    arguments = ("access-log-agg", str(file), "--source", "old")
    assert run_json("rows", "import", *arguments)["rows"] == 1
    assert run_json("query", "access-log-terms")["value"] == 5
    file.write_text('{"start": "2010-01-01"}\n')
    result = run("rows", "import", *arguments)
    assert result.exit_code == 2
    assert "line 1: it has no 'count'" in result.stdout
    result = run("rows", "delete", "access-log-agg", "--source", "odl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "has no rows of source 'odl'; did you mean 'old'?" in result.stderr
    assert run_json("rows", "delete", "access-log-agg", "--source", "old") == {"deleted": 1}


def test_what_can_be_read_only_once_is_imported_whole_or_refused(
    run: Run, run_json: RunJson, tmp_path: Path
) -> None:
    """A pipe in place of a file, as shells make them by `<(...)`: no line of it gets lost."""
    event = {"event_id": "1", "timestamp": "2016-12-18T12:00:00Z", "path": "/a"}
    with _pipe(json.dumps(event)) as pipe:
        report = run_json("events", "import", "--type", "access-log", pipe)
    assert (report["lines"], report["added"]) == (1, 1)
    assert report["import_id"].startswith("stdin-")
    with _pipe('{"start": "2010-01-01", "path": "/a", "count": 5}') as pipe:
        result = run("rows", "import", "access-log-agg", pipe, "--source", "old")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "can be read only once" in result.stderr


def test_an_import_that_breaks_off_says_how_it_is_taken_back(run: Run, tmp_path: Path) -> None:
    """Before the error, where something that could be read is imported; else there is nothing."""
    event = b'{"event_id": "1", "timestamp": "2016-12-18T12:00:00Z", "path": "/a"}\n'
    for lines, is_told in [(b"{}\n" * 1_000, False), (event * 1_000, True)]:
        (tmp_path / "cut.gz").write_bytes(gzip.compress(lines)[:-10])
        arguments = (str(tmp_path / "cut.gz"), "--type", "access-log", "--import-id", "mine")
        result = run("events", "import", *arguments)
        assert result.exit_code == 2
        assert ("stats events undo-import mine" in result.stderr) == is_told
        assert "damaged or cut off" in result.stderr


def test_bad_lines_of_several_files_are_named_with_theirs(run: Run, tmp_path: Path) -> None:
    """Where no line of them could be imported, nothing is said of others."""
    for name in ("one", "two"):
        (tmp_path / name).write_text("{\n")
    result = run("events", "import", str(tmp_path / "one"), str(tmp_path / "two"))
    assert [f"{name}, line 1: it is not JSON" in result.stdout for name in ("one", "two")]
    assert result.stderr == "Error: 2 of 2 lines can't be imported\n"


@contextmanager
def _pipe(line: str) -> Iterator[str]:
    reading, writing = os.pipe()
    try:
        os.write(writing, line.encode() + b"\n")
        os.close(writing)
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)


STATS = [sys.executable, "-c", "from stats_pipeline.cli import main; main()"]


def test_an_import_that_is_killed_again_and_again_counts_each_event_once(tmp_path: Path) -> None:
    """Killed when this many events are stored, then run to its end: all are there, none twice."""
    number = 4_000
    event = {"path": "/a", "unique_id": "/a", "is_robot": False}
    with (tmp_path / "events").open("w") as file:
        for each in range(number):
            moment = f"2016-12-{1 + each % 28:02d}T{each % 24:02d}:{each % 60:02d}:00Z"
            own = {"event_id": f"e{each}", "timestamp": moment, "visitor_id": f"v{each}"}
            line = {"event_type": "access-log", "event": {**event, **own}}
            file.write(json.dumps(line) + "\n")
    for enough in (1, 1_000, 2_500):
        with _start(tmp_path, "events", "import", "events") as process:
            _wait_until_stored(tmp_path, enough)
            process.kill()
    report = _run_json(tmp_path, "events", "import", "events")
    assert report["added"] + report["known"] == number
    _run_json(tmp_path, "update")
    assert _run_json(tmp_path, "query", "access-log-terms")["value"] == number


def _start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    return subprocess.Popen(
        [*STATS, *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _run_json(folder: Path, *arguments: str) -> Any:
    with _start(folder, *arguments, "--json") as process:
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads(output)


def _wait_until_stored(folder: Path, number: int) -> None:
    deadline = time.monotonic() + 60
    while _stored(folder) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _stored(folder: Path) -> int:
    for file in folder.rglob("stats.db"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(file, timeout=10)) as database:
            count = 'select count(*) from "documents:events-stats-access-log"'
            return int(database.execute(count).fetchone()[0])
    return 0
