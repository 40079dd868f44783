"""Events that invenio-stats has stored go through the real pipeline and mean what they meant."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from stats_pipeline import current_stats
from stats_pipeline.cli import stats
from stats_pipeline.events.salts import KIND as SALT
from stats_pipeline.pipeline.intake import ROUND_EVENTS
from tests.support import BROWSER, ROBOT, pipeline_of, stored_events

#: Time, user and file of what invenio-stats has stored of E004 (the later one of each window),
#: and whether it was a robot.
E004_STORED = [
    ("2016-12-18T10:00:09", "u1", "f-1", False),
    ("2016-12-18T10:00:10", "u1", "f-1", False),
    ("2016-12-18T10:00:05", "u2", "f-1", False),
    ("2016-12-18T10:00:05", "u1", "f-2", False),
    ("2016-12-18T10:00:20", "robot", "f-1", True),
    ("2016-12-18T23:59:59", "u1", "f-1", False),
    ("2016-12-19T00:00:04", "u1", "f-1", False),
]


def source(time: str, user: str, file_id: str, is_robot: bool) -> dict[str, Any]:
    """Write an event as invenio-stats keeps it: without anybody's address, agent or name."""
    return {
        "timestamp": time,
        "updated_timestamp": "2016-12-20T03:00:00.123456+00:00",
        "bucket_id": "20",
        "file_id": file_id,
        "file_key": {"f-1": "file1.txt", "f-2": "file2.txt"}[file_id],
        "size": 1_000,
        "referrer": None,
        "country": "CH",
        "is_robot": is_robot,
        "is_machine": False,
        "visitor_id": sha1(f"{user}{time[:10]}".encode()).hexdigest(),
        "unique_session_id": sha1(f"{user}{time[:13]}".encode()).hexdigest(),
        "unique_id": f"20_{file_id}",
    }


def hit(event: dict[str, Any]) -> dict[str, Any]:
    """Write it as elasticdump exports it."""
    click = sha1(f"{event['unique_id']}{event['visitor_id']}".encode()).hexdigest()
    return {
        "_index": f"my-site-events-stats-file-download-{event['timestamp'][:7]}",
        "_type": "_doc",
        "_id": f"{event['timestamp'][:-1]}0-{click}",
        "_score": 1,
        "_source": event,
    }


E004_HITS = [hit(source(*stored)) for stored in E004_STORED]
E004_SOURCES = [each["_source"] for each in E004_HITS]


def run(app: Flask, *arguments: str | Path, stdin: bytes | None = None) -> Result:
    """Run `flask stats migrate invenio-events file-download` in the app."""
    command = ["migrate", "invenio-events", *map(str, arguments)]
    return app.test_cli_runner().invoke(stats, command, input=stdin)


def imported(app: Flask, *arguments: str | Path, stdin: bytes | None = None) -> dict[str, Any]:
    """Import downloads and give what the command says."""
    result = run(app, "--json", "file-download", *arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def lines(documents: list[dict[str, Any]]) -> bytes:
    """Write one document in each line."""
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def write(tmp_path: Path, documents: list[dict[str, Any]]) -> Path:
    """Write an export."""
    path = tmp_path / "export.ndjson"
    path.write_bytes(lines(documents))
    return path


def downloads(file_key: str) -> dict[str, float]:
    """Bring the statistics up to date and ask how often a file was downloaded on each day."""
    current_stats.update()
    answer = current_stats.query(
        "bucket-file-download-histogram", bucket_id="20", file_key=file_key
    )
    return {bucket["date"][:10]: bucket["value"] for bucket in answer["buckets"]}


@pytest.mark.parametrize("documents", [E004_HITS, E004_SOURCES], ids=["hits", "sources"])
def test_E004_imported_twice_gives_the_numbers_of_the_example(
    app: Flask, tmp_path: Path, documents: list[dict[str, Any]]
) -> None:
    """As hits and as bare sources; the second time everything is a duplicate."""
    path = write(tmp_path, documents)
    first, second = imported(app, path), imported(app, path)
    assert first["events"] == {"indexed": 7, "duplicates": 0, "dropped": 0, "dead": 0}
    assert second["events"] == {"indexed": 0, "duplicates": 7, "dropped": 0, "dead": 0}
    assert downloads("file1.txt") == {"2016-12-18": 4, "2016-12-19": 1}
    assert downloads("file2.txt") == {"2016-12-18": 1}
    assert len(stored_events(pipeline_of(app), "file-download")) == 7


def test_what_was_anonymous_and_flagged_stays_as_it_was(app: Flask, tmp_path: Path) -> None:
    """Visitors and sessions keep their ids, robots their flags, events their country."""
    imported(app, write(tmp_path, E004_HITS))
    kept = ("visitor_id", "unique_session_id", "is_robot", "country", "unique_id", "file_key")

    def facts(event: dict[str, Any]) -> tuple[Any, ...]:
        moment = datetime.fromisoformat(event["timestamp"]).replace(tzinfo=None)
        return (moment.isoformat(), *(event[name] for name in kept))

    stored = stored_events(pipeline_of(app), "file-download")
    assert sorted(map(facts, stored)) == sorted(map(facts, E004_SOURCES))
    alias = pipeline_of(app).registries.event_type("file-download").alias
    assert not list(pipeline_of(app).store.state.find(SALT, group=alias))


def test_an_event_with_raw_fields_is_made_anonymous(app: Flask, tmp_path: Path) -> None:
    """Where a host had kept addresses, they are gone here, whatever visitor id stood beside."""
    event = {**E004_SOURCES[0], "ip_address": "192.0.2.7", "user_agent": "curl/8.0"}
    imported(app, write(tmp_path, [event]))
    (stored,) = stored_events(pipeline_of(app), "file-download")
    assert "ip_address" not in stored
    assert "user_agent" not in stored
    assert stored["visitor_id"] != event["visitor_id"]
    assert stored["is_robot"] is True


def test_packed_and_piped_exports_are_one_import(app: Flask, tmp_path: Path) -> None:
    """Whether a file is gzip is seen from its bytes, not from its name."""
    (tmp_path / "one").write_bytes(gzip.compress(lines(E004_HITS[:3])))
    found = imported(app, tmp_path / "one", "-", stdin=lines(E004_HITS[3:]))
    assert (found["lines"], found["accepted"], found["events"]["indexed"]) == (7, 7, 7)


def test_a_dry_run_imports_nothing(app: Flask, tmp_path: Path) -> None:
    """It counts."""
    found = imported(app, "--dry-run", write(tmp_path, E004_HITS))
    assert (found["accepted"], found["events"]) == (7, None)
    assert current_stats.process_events().taken == 0


def test_bad_lines_are_counted_and_the_first_are_shown(app: Flask, tmp_path: Path) -> None:
    """With file, number and reason; the others are imported."""
    path = tmp_path / "export.ndjson"
    bad = [
        b"noise",
        b"[1]",
        b'{"_id": "1"}',
        b'{"timestamp": "yesterday"}',
        b'{"timestamp": 1703880355592}',
        b'{"timestamp": "2016-12-18T10:00:00", "size": NaN}',
        b'{"timestamp": "0001-01-01T00:00:00+14:00"}',
        b'{"timestamp": "2016-12-18", "path": "' + b"x" * 70_000 + b'"}',
    ]
    path.write_bytes(b"\n".join([*bad, b"", lines(E004_HITS[:1])]))
    found = imported(app, path)
    assert (found["lines"], found["accepted"], found["malformed"]) == (9, 1, 8)
    assert [(each["line"], each["reason"]) for each in found["first_malformed"]] == [
        (1, "it is not JSON"),
        (2, "it is not a JSON object"),
        (3, "its _source is missing (was the export made without sources?)"),
        (4, "its timestamp 'yesterday' is not ISO 8601"),
        (5, "its timestamp '1703880355592' is not ISO 8601"),
    ]
    shown = run(app, "file-download", path).stdout
    assert "8 malformed\n" in shown
    assert f"{path}, line 2: it is not a JSON object\n" in shown


def test_lines_with_unknown_fields_are_refused_and_the_fields_named(
    app: Flask, tmp_path: Path
) -> None:
    """Nothing is lost without a word: exit code 2, both ways out, and the others imported."""
    odd = {**E004_SOURCES[0], "via_api": False, "recid": "1", "revision": 3}
    path = write(tmp_path, [odd, {**E004_SOURCES[1], "via_api": True}, *E004_SOURCES[2:]])
    result = run(app, "file-download", path)
    assert result.exit_code == 2
    assert "2 lines have fields that file-download does not know: recid, revision, via_api" in (
        result.stderr
    )
    assert "--drop-unknown" in result.stderr
    assert "2 with the unknown field via_api\n" in result.stdout
    assert len(stored_events(pipeline_of(app), "file-download")) == 5


def test_unknown_fields_are_left_out_where_that_is_asked_for(app: Flask, tmp_path: Path) -> None:
    """What was imported before is the same event, and is not counted again."""
    odd = [{**event, "via_api": False} for event in E004_SOURCES]
    found = imported(app, "--drop-unknown", write(tmp_path, odd))
    assert found["unknown_fields"] == {"via_api": 7}
    assert (found["refused"], found["events"]["indexed"]) == (0, 7)
    assert all("via_api" not in each for each in stored_events(pipeline_of(app), "file-download"))
    assert imported(app, "--drop-unknown", write(tmp_path, odd))["events"]["duplicates"] == 7


def test_equal_sources_without_an_id_are_different_events(
    make_standalone: Callable[..., Flask], tmp_path: Path
) -> None:
    """Told apart by their place among the equal ones, however their fields are ordered."""
    no_window = {"file-download": {"processor_config": {"double_click_window": 0}}}
    app = make_standalone(STATS_EVENTS=no_window)
    backwards = dict(reversed(E004_SOURCES[0].items()))
    assert imported(app, write(tmp_path, [E004_SOURCES[0]] * 3))["events"]["indexed"] == 3
    assert imported(app, write(tmp_path, [backwards] * 3))["events"]["duplicates"] == 3
    assert downloads("file1.txt") == {"2016-12-18": 3}


def test_a_long_id_is_an_identity_too(
    make_standalone: Callable[..., Flask], tmp_path: Path
) -> None:
    """Two documents of one time whose ids differ far behind are two events, once imported."""
    no_window = {"file-download": {"processor_config": {"double_click_window": 0}}}
    app = make_standalone(STATS_EVENTS=no_window)
    long = [{"_id": "x" * 300 + end, "_source": E004_SOURCES[0]} for end in "ab"]
    assert imported(app, write(tmp_path, long))["events"]["indexed"] == 2
    assert imported(app, write(tmp_path, long))["events"]["duplicates"] == 2


def test_text_that_is_no_unicode_costs_its_own_line_only(app: Flask, tmp_path: Path) -> None:
    """Half a character in a field or in an id is kept aside or stored; the others are imported."""
    half = (
        b'{"_id": "\\ud800", "_source": {"timestamp": "2016-12-18T10:00:00", "unique_id": "x"}}\n'
    )
    path = tmp_path / "export.ndjson"
    path.write_bytes(half + half.replace(b'"x"', b'"\\ud800"') + lines(E004_HITS))
    events = imported(app, path)["events"]
    assert events["indexed"] + events["dead"] == 9
    assert events["indexed"] >= 7


def test_aware_times_are_taken_as_they_are_meant(app: Flask, tmp_path: Path) -> None:
    """Newer versions of invenio-stats write an offset; without one, times are UTC."""
    event = {**E004_SOURCES[0], "timestamp": "2016-12-19T01:30:00.250+02:00"}
    imported(app, write(tmp_path, [event]))
    assert downloads("file1.txt") == {"2016-12-18": 1}


def test_implausible_times_are_dead_letters_as_always(app: Flask, tmp_path: Path) -> None:
    """An event of 1970 is kept aside, with the reason."""
    event = {**E004_SOURCES[0], "timestamp": "1970-01-01T00:00:00"}
    assert imported(app, write(tmp_path, [event]))["events"]["dead"] == 1
    (letter,) = current_stats.dead_letters.list()
    assert "STATS_EARLIEST" in letter.error


def test_more_than_one_round_is_imported_whole(app: Flask, tmp_path: Path) -> None:
    """Events are processed in between, and none is lost at the seams."""
    number = ROUND_EVENTS + 700
    events = [{**E004_SOURCES[0], "visitor_id": f"v{n}"} for n in range(number)]
    assert imported(app, write(tmp_path, events))["events"]["indexed"] == number


def test_a_file_that_breaks_off_keeps_what_came_before(app: Flask, tmp_path: Path) -> None:
    """One line says so, and the next import counts nothing twice."""
    (tmp_path / "good").write_bytes(lines(E004_HITS[:2]))
    (tmp_path / "cut").write_bytes(gzip.compress(lines(E004_HITS))[:-20])
    result = run(app, "file-download", tmp_path / "good", tmp_path / "cut")
    assert result.exit_code == 2
    assert "cut: the gzip data is damaged" in result.stderr
    assert len(stored_events(pipeline_of(app), "file-download")) >= 2
    assert imported(app, tmp_path / "good")["events"]["duplicates"] == 2


def test_an_event_type_that_is_not_active_is_refused(app: Flask, tmp_path: Path) -> None:
    """The nearest one is named."""
    result = run(app, "file-downloads", write(tmp_path, E004_HITS))
    assert result.exit_code == 2
    assert "did you mean 'file-download'?" in result.stderr


@pytest.mark.parametrize(
    ("agent", "flag", "expected"),
    [
        (None, True, True),
        (None, False, False),
        (None, None, False),
        (BROWSER, True, False),
        (ROBOT, False, True),
    ],
)
def test_a_flag_stays_only_where_there_is_no_agent_to_judge_by(
    app: Flask, tmp_path: Path, agent: str | None, flag: bool | None, expected: bool
) -> None:
    """An event with an agent is judged by it, whatever flag it came with."""
    event = {**E004_SOURCES[0], "is_robot": flag, "user_agent": agent}
    imported(app, write(tmp_path, [event]))
    (stored,) = stored_events(pipeline_of(app), "file-download")
    assert stored["is_robot"] is expected
