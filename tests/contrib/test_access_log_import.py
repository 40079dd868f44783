"""Log files go through the real pipeline, and every line is accounted for."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from stats_pipeline import current_stats
from stats_pipeline.cli import stats
from stats_pipeline.pipeline.intake import ROUND_EVENTS
from tests.real_log import RealLog
from tests.support import BROWSER, pipeline_of, stored_events


def line(*, method: str = "GET", path: str = "a", status: int = 200) -> str:
    """Write one line of a log."""
    return (
        f'192.0.2.113 - - [17/May/2015:10:05:00 +0000] "{method} /{path} HTTP/1.1" {status} 10 '
        f'"-" "{BROWSER}"\n'
    )


def run(app: Flask, *arguments: str, stdin: bytes | None = None) -> Result:
    """Run `flask stats events import-log` in the app."""
    arguments = ("events", "import-log", *arguments)
    return app.test_cli_runner().invoke(stats, arguments, input=stdin)


def imported(app: Flask, *arguments: str, stdin: bytes | None = None) -> dict[str, Any]:
    """Import and give what the command says."""
    result = run(app, "--json", *arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def requests_by_path(app: Flask) -> dict[str, float]:
    """Bring the statistics up to date and ask how often each path was requested."""
    current_stats.update()
    answer = current_stats.query("access-log-terms")
    return {bucket["key"]: bucket["value"] for bucket in answer["buckets"]}


def test_the_real_log_is_read_as_the_facts_say(app: Flask, real_log: RealLog) -> None:
    """Line counts are those of the facts file, which was computed independently."""
    facts, log = real_log.facts, str(real_log.path)
    everything = imported(app, "--dry-run", log)
    assert everything["lines"] == facts["lines"]["all"]
    assert everything["accepted"] == facts["lines"]["accepted"]
    assert [each["line"] for each in everything["first_malformed"]] == facts["lines"][
        "first_not_accepted"
    ]
    wanted = imported(app, "--dry-run", "--method", "get", "--status", "200", log)
    assert wanted["accepted"] == facts["good_get_200"]
    for status, number in facts["status"].items():
        assert imported(app, "--dry-run", "--status", status, log)["accepted"] == number
    assert wanted["events"] is None
    assert requests_by_path(app) == {}


def test_the_real_log_gives_the_numbers_of_the_facts(app: Flask, real_log: RealLog) -> None:
    """Imported twice, its human GET 200 requests by day and path are those of 10 s windows."""
    facts = real_log.facts
    arguments = ("--method", "GET", "--status", "200", str(real_log.path))
    first, second = imported(app, *arguments), imported(app, *arguments)
    assert sum(first["events"].values()) == facts["good_get_200"]
    assert second["events"] == {
        "indexed": 0,
        "duplicates": facts["good_get_200"],
        "dropped": 0,
        "dead": 0,
    }
    by_path = requests_by_path(app)
    for top in facts["human_top_paths_by_win10"]:
        assert by_path[top["path"]] == top["win10"], top["path"]
    assert sum(by_path.values()) == facts["human_get_200"]["win10"]
    by_day = current_stats.query("access-log-histogram")["buckets"]
    assert {bucket["date"][:10]: bucket["value"] for bucket in by_day} == {
        day: numbers["win10"] for day, numbers in facts["human_get_200_per_day"].items()
    }


def test_every_line_is_accounted_for(app: Flask, tmp_path: Path) -> None:
    """Lines = accepted + left out by method + left out by status + malformed."""
    (tmp_path / "log").write_text(
        line() + line(method="POST") + line(status=404) + "noise\n" + line(status=206) + "\n"
    )
    found = imported(app, "--method", "GET", "--status", "2xx", str(tmp_path / "log"))
    counts = [found[n] for n in ("lines", "accepted", "other_method", "other_status", "malformed")]
    assert counts == [5, 2, 1, 1, 1]
    assert found["first_malformed"] == [
        {
            "file": str(tmp_path / "log"),
            "line": 4,
            "reason": "it is not in common or combined log format",
        }
    ]


def test_several_files_and_standard_input_are_one_import(app: Flask, tmp_path: Path) -> None:
    """Plain, packed and piped lines all count."""
    (tmp_path / "one").write_text(line(path="one"))
    (tmp_path / "two.gz").write_bytes(gzip.compress(line(path="two").encode()))
    files = (str(tmp_path / "one"), str(tmp_path / "two.gz"), "-")
    assert imported(app, *files, stdin=line(path="three").encode())["accepted"] == 3
    assert requests_by_path(app) == {"/one": 1, "/two": 1, "/three": 1}


def test_equal_lines_are_different_events(
    make_standalone: Callable[..., Flask], tmp_path: Path
) -> None:
    """Without a window, a line that stands there three times counts three times, once imported."""
    no_window = {"access-log": {"processor_config": {"double_click_window": 0}}}
    app = make_standalone(STATS_EVENTS=no_window)
    (tmp_path / "log").write_text(line() * 3)
    imported(app, str(tmp_path / "log"))
    imported(app, str(tmp_path / "log"))
    assert requests_by_path(app) == {"/a": 3}


def test_a_log_of_more_than_one_round_is_imported_whole(app: Flask, tmp_path: Path) -> None:
    """Events are processed in between, and none is lost at the seams."""
    number = ROUND_EVENTS + 700
    (tmp_path / "log").write_text("".join(line(path=str(n)) for n in range(number)))
    found = imported(app, str(tmp_path / "log"))
    assert found["events"]["indexed"] == number
    assert len(requests_by_path(app)) == number


def test_a_file_that_is_no_log_imports_nothing(app: Flask, tmp_path: Path) -> None:
    """One line says so, with exit code 2."""
    (tmp_path / "letter").write_text("Dear Sir,\nnothing here.\n")
    result = run(app, str(tmp_path / "letter"))
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: {tmp_path / 'letter'}: none of its 2 lines is in common or combined log format. "
        "Nothing was imported\n"
    )


def test_files_before_an_unreadable_one_are_kept(app: Flask, tmp_path: Path) -> None:
    """What was read is imported and the error says so; importing again counts nothing twice."""
    (tmp_path / "good").write_text(line())
    (tmp_path / "cut.gz").write_bytes(gzip.compress(line(path="b").encode())[:-4])
    result = run(app, str(tmp_path / "good"), str(tmp_path / "cut.gz"))
    assert result.exit_code == 2
    assert "cut.gz: the gzip data is damaged" in result.stderr
    assert "accepted before are imported" in result.stderr
    assert requests_by_path(app)["/a"] == 1
    (tmp_path / "cut.gz").write_bytes(gzip.compress(line(path="b").encode()))
    imported(app, str(tmp_path / "good"), str(tmp_path / "cut.gz"))
    assert requests_by_path(app) == {"/a": 1, "/b": 1}


def test_a_missing_file_is_noticed_before_anything_is_imported(app: Flask, tmp_path: Path) -> None:
    """A typo in the second name does not leave half an import."""
    (tmp_path / "good").write_text(line())
    for name in ("gone", "."):
        result = run(app, str(tmp_path / "good"), str(tmp_path / name))
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
    assert requests_by_path(app) == {}


def test_nothing_that_identifies_a_visitor_is_stored(app: Flask, tmp_path: Path) -> None:
    """Neither address nor user nor agent nor query string is in a stored event."""
    (tmp_path / "log").write_text(line(path="a?secret=1").replace("- - [", "- carla ["))
    imported(app, str(tmp_path / "log"))
    (stored,) = stored_events(pipeline_of(app), "access-log")
    for word in ("192.0.2.113", BROWSER, "carla", "secret"):
        assert word not in str(stored), word
    assert {"user_id", "ip_address", "user_agent", "session_id"}.isdisjoint(stored)


def test_a_dry_run_needs_no_active_event_type(
    make_standalone: Callable[..., Flask], tmp_path: Path
) -> None:
    """It only reads, so a host can look at a log before it decides to count it."""
    log = tmp_path / "access.log"
    log.write_text(line())
    app = make_standalone(STATS_EVENTS={"record-view": {}})
    assert imported(app, "--dry-run", str(log))["accepted"] == 1


def test_a_host_in_which_it_is_not_active_is_told_how_to_activate_it(
    make_standalone: Callable[..., Flask], tmp_path: Path
) -> None:
    """The error names the setting."""
    app = make_standalone(STATS_EVENTS={})
    (tmp_path / "log").write_text(line())
    result = run(app, str(tmp_path / "log"))
    assert result.exit_code == 2
    assert "'access-log': {} in STATS_EVENTS" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--status", "2x"), "'2x' is neither"), (("--method", "G T"), "'G T' is not a method")],
)
def test_a_wrong_option_is_refused(
    app: Flask, tmp_path: Path, arguments: tuple[str, str], said: str
) -> None:
    """The value and an example are named."""
    (tmp_path / "log").write_text(line())
    result = run(app, *arguments, str(tmp_path / "log"))
    assert result.exit_code == 2
    assert said in result.stderr


def test_what_happened_is_said_in_words(app: Flask, tmp_path: Path) -> None:
    """Without --json, every count stands on a line of its own, malformed lines with their place."""
    (tmp_path / "log").write_text(line() + "noise\n" * 7)
    result = run(app, str(tmp_path / "log"))
    assert "1 accepted\n" in result.stdout
    assert "7 malformed\n" in result.stdout
    assert result.stdout.count("not in common or combined") == 5
    assert "8 lines read\n" in result.stdout
    assert "1 event indexed\n" in result.stdout
    assert "0 duplicates\n" in result.stdout
