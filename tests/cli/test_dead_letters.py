"""`stats dead-letters` and `stats retention` say what there is, what they did, what is left."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from stats_pipeline.errors import StoreUnavailable
from tests.cli.conftest import Run
from tests.support import pipeline_of

BAD = {"status": "no number", "timestamp": "2016-12-18T10:00:00Z"}


@pytest.fixture
def letters(app: Flask, run_json: Callable[..., Any]) -> list[dict[str, Any]]:
    """Bury two events with a field of the wrong type, and list them."""
    pipeline_of(app).publish("access-log", [{**BAD, "path": path} for path in ("/a", "/b")])
    assert run_json("events", "process")["dead"] == 2
    found: list[dict[str, Any]] = run_json("dead-letters", "list")
    assert {letter["event"]["path"] for letter in found} == {"/a", "/b"}
    return found


def test_dead_letters_are_listed_by_filter_and_up_to_a_limit(
    run: Run, run_json: Callable[..., Any], letters: list[dict[str, Any]]
) -> None:
    """What is not shown is counted, on standard error, so that nobody takes a part for all."""
    assert run_json("dead-letters", "list", "--type", "access-log", "--kind", "invalid") == letters
    assert run_json("dead-letters", "list", "--kind", "too_late") == []
    assert run_json("dead-letters", "list", "--before", letters[0]["time"]) == []
    whole = run("dead-letters", "list", "--since", "2016-01-01")
    assert whole.stdout.count("invalid") == 2
    assert whole.stderr == ""
    part = run("dead-letters", "list", "--limit", "1", "--json")
    assert part.stdout.count('"kind"') == 1
    assert part.stderr == "Warning: 1 more are not shown; see --limit\n"


def test_letters_of_a_type_that_is_registered_no_more_are_found(
    app: Flask, run: Run, run_json: Callable[..., Any]
) -> None:
    """They outlive it; a type is unknown only where there are none of it either."""
    letters = pipeline_of(app).dead_letters
    letters.keep([letters.of("bygone", {"x": 1}, "invalid", "wrong", "validation")])
    assert [each["event_type"] for each in run_json("dead-letters", "list")] == ["bygone"]
    assert len(run_json("dead-letters", "list", "--type", "bygone")) == 1
    assert run_json("dead-letters", "list", "--type", "bygone", "--kind", "rejected") == []
    assert "did you mean 'bygone'?" in run("dead-letters", "list", "--type", "bygones").stderr
    assert run_json("dead-letters", "list", "--type", "file-download") == []
    assert run_json("dead-letters", "purge", "--type", "bygone") == {"purged": 1}
    assert run("dead-letters", "list", "--type", "bygone").exit_code == 2


def test_a_dead_letter_is_shown_whole(
    run: Run, run_json: Callable[..., Any], letters: list[dict[str, Any]]
) -> None:
    """With the event as it came in."""
    first = letters[0]
    assert run_json("dead-letters", "show", first["id"]) == first
    assert f"  path: {first['event']['path']}\n" in run("dead-letters", "show", first["id"]).stdout


def test_dead_letters_are_replayed_and_purged(
    app: Flask, run: Run, run_json: Callable[..., Any], letters: list[dict[str, Any]]
) -> None:
    """By id, by filter or all of them; what can't be replayed is named and stays."""
    replayed = run_json("dead-letters", "replay", letters[0]["id"])
    assert replayed == {"replayed": 1, "kept": {}}
    assert len(run_json("dead-letters", "list")) == 1
    assert run_json("events", "process")["dead"] == 1
    pipeline = pipeline_of(app)
    pipeline.queue.publish(pipeline.registries.event_type("access-log").queue_name, [b"garbage"])
    run("events", "process")
    assert run("dead-letters", "replay", "--all").stdout.splitlines() == [
        "2 replayed",
        "1 can't be replayed and stay: not an event",
    ]
    run("events", "process")
    assert run_json("dead-letters", "purge", "--kind", "invalid", "--type", "access-log") == {
        "purged": 2
    }
    assert run("dead-letters", "purge", "--all").stdout == "1 purged\n"
    assert run("dead-letters", "list").output == ""


@pytest.mark.usefixtures("letters")
def test_retention_prints_what_was_deleted(
    app: Flask, run: Run, run_json: Callable[..., Any]
) -> None:
    """A dry run first, which deletes nothing; and a line where there is nothing to delete."""
    settings = pipeline_of(app).settings
    assert run("retention", "apply").stdout.startswith("No dead letter, no spooled")
    settings["STATS_GRACE_DAYS"] = 1e-9
    dry = run("retention", "apply", "--dry-run").stdout.splitlines()
    assert [" ".join(line.split()) for line in dry] == [
        "what of would be deleted",
        "dead letters access-log 2",
        "keys of visitor ids events-stats-access-log 1",
    ]
    report = run_json("retention", "apply")
    assert (report["dead_letters"], report["errors"]) == ({"access-log": 2}, {})
    assert run_json("dead-letters", "list") == []


@pytest.mark.usefixtures("letters")
def test_retention_ends_with_1_where_a_part_of_it_failed(
    app: Flask, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron tells somebody; the other parts are done."""
    pipeline = pipeline_of(app)
    pipeline.settings["STATS_GRACE_DAYS"] = 1e-9

    def refuse() -> None:
        raise StoreUnavailable("not now")

    monkeypatch.setattr(pipeline.store.state, "expunge", refuse)
    result = run("retention", "apply")
    assert (result.exit_code, result.stderr) == (1, "Error: remains: not now\n")
    assert pipeline.dead_letters.count() == 0
