"""The worked example E000 with its numbers, and what else can be read in its story.

On both stores: any number of updates gives what a reset gives.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from stats_pipeline.clock import format_time, parse_time
from tests.contrib.crash_reports import (
    COUNTERS,
    E000_FIRST,
    E000_SECOND,
    FIELDS,
    NAMES,
    Make,
    clock_at,
    counts,
    days,
    receive,
    totals,
    update,
)
from tests.contrib.crash_reports_story import AFTER_FIRST, AFTER_SECOND, Stage, Story, tell
from tests.support import Backend

# Elasticsearch makes thirty indices, which takes a while where others do the same.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def told() -> dict[str, Story]:
    """Give the stories that were told so far, by their stores."""
    return {}


@pytest.fixture
def story(backend: Backend, make: Make, told: dict[str, Story]) -> Story:
    """Give what happens in E000 and after it."""
    store = urlsplit(backend.store_url).scheme
    if store not in told:
        clock = clock_at("2019-03-01T10:00")
        # Threads would wait for each other at each index that is made.
        told[store] = tell(make(clock, STATS_UPDATE_THREADS=1), clock)
    return told[store]


def shown(stage: Stage) -> dict[str, Any]:
    """Return all that the table of E000 shows."""
    return {
        "builds": stage.totals["build"],
        "build days": stage.days["build"],
        "radios": stage.totals["radio"],
        "radio days": stage.days["radio"],
        "first seen": {key: bucket["first_seen"] for key, bucket in stage.versions.items()},
    }


def released(stage: Stage) -> dict[str, tuple[str, bool]]:
    """Return version -> the day on which it was released, and whether it is official."""
    return {key: (b["released_on"], b["is_official"]) for key, b in stage.versions.items()}


def test_E000_A000_10_two_updates_and_a_reset_give_the_numbers_of_the_table(story: Story) -> None:
    """T000-01: after the reset there are the very rows that were there before it."""
    assert shown(story.first) == AFTER_FIRST
    assert shown(story.second) == AFTER_SECOND
    assert shown(story.reset) == AFTER_SECOND
    assert story.reset.rows == story.second.rows


def test_E000_A000_10_one_update_after_all_of_it_gives_the_same_rows(
    make_embedded: Make, story: Story
) -> None:
    """How many updates there were, between which reports, and where makes no difference."""
    clock = clock_at("2019-03-01T10:00")
    # Apart from the story, which may be told on the same store.
    pipeline = make_embedded(clock, STATS_INDEX_PREFIX="once-")
    receive(pipeline, clock, [*E000_FIRST, *E000_SECOND])
    update(pipeline)
    assert totals(pipeline) == story.second.totals["build"]
    assert days(pipeline, "radio") == story.second.days["radio"]


def test_A000_01_an_unknown_action_is_refused_and_the_two_are_named(story: Story) -> None:
    """Exit code 2, and nothing is read or written; without an action as well."""
    for result in (story.refused, story.without_action):
        assert (result.exit_code, result.stdout) == (2, "")
        assert "reset" in result.stderr
        assert "update" in result.stderr
    assert not any(story.rows_at_first.values())


def test_A000_02_A000_03_the_first_update_counts_all_and_the_next_what_is_new(
    story: Story,
) -> None:
    """What was counted is kept, and not even written again: H6 is a copy, so H7 alone is new."""
    assert sum(map(sum, story.first.totals["build"].values())) == 7
    assert story.second.touches("build")[0].endswith(" / 2+0")
    before, after = (stage.days["build"] for stage in (story.first, story.second))
    assert after["B1", "2019-03-01"] == before["B1", "2019-03-01"]
    assert set(after) - set(before) == {("B1", "2019-02-20"), ("B2", "2019-02-25")}


def test_A000_07_A000_09_an_update_without_new_reports_changes_and_prints_nothing(
    story: Story,
) -> None:
    """The answers are as fresh as this run; without -v a success is silent, as cron likes it."""
    assert story.idle.rows == story.first.rows
    assert story.idle.printed == ""
    as_of = [stage.answers["build"]["as_of"] for stage in (story.first, story.idle)]
    assert as_of == ["2019-03-02T12:00:00.000Z", "2019-03-02T12:30:00.000Z"]


def test_A000_08_no_run_touches_the_reports(story: Story) -> None:
    """Neither an update nor a reset."""
    assert story.idle.events == story.first.events
    assert story.reset.events == story.second.events
    assert all(event in story.reset.events for event in story.first.events)


def test_A000_12_A000_13_a_report_of_the_moment_of_an_update_counts_exactly_once(
    story: Story,
) -> None:
    """D20: C3 came when the first update began, the only one that counts as `other`."""
    received = [event["received_at"] for event in story.first.events]
    assert max(received) == story.first.answers["build"]["as_of"]
    for stage in (story.first, story.idle, story.second, story.reset):
        assert stage.totals["build"]["B2"][3] == 1


def test_A000_14_A000_37_receipt_selects_what_is_new_and_its_own_time_places_it(
    story: Story,
) -> None:
    """H7 came ten days late, H4 after midnight (UTC): each is in the row of its own day."""
    assert story.second.days["build"]["B1", "2019-02-20"] == (1, 0, 0, 0)
    assert story.first.days["build"]["B1", "2019-03-01"] == (3, 0, 0, 0)


def test_A000_18_each_run_that_did_something_is_kept(story: Story) -> None:
    """D20: n runs are n reports, and a reset removes none of them."""
    assert story.kept == {"update": 4, "reset": 1}


def test_A000_20_every_time_is_aware_utc(story: Story) -> None:
    """Of events and of rows, as they are stored."""
    times = [
        document[name]
        for documents, names in (
            ([story.withdrawn.events], ("timestamp", "received_at")),
            (story.withdrawn.rows.values(), ("start", "end", "timestamp")),
        )
        for found in documents
        for document in found
        for name in names
    ]
    assert len(times) > 50
    assert all(time == format_time(parse_time(time)) for time in times)


def test_A000_22_A000_31_A000_32_a_report_lacks_a_dimension_in_that_rollup_only(
    story: Story,
) -> None:
    """Every heartbeat counts, by build and by radio on their own; H4 says no radio.

    Of the two newer ones, one says no build.
    """
    assert story.first.totals["build"]["B1"][0] == 3
    assert story.first.days["radio"]["R1", "2019-03-01"] == (2, 0, 0, 0)
    added = {
        value: story.newer.totals[dimension][value][0] - story.reset.totals[dimension][value][0]
        for dimension, value in (("build", "B1"), ("radio", "R1"))
    }
    assert added == {"B1": 1, "R1": 2}
    assert set(story.newer.totals["build"]) == {"B1", "B2", "B9"}


def test_A000_33_A000_35_A000_36_days_add_up_to_all_time(story: Story) -> None:
    """A row of all time per value, one per value and day, and only where something happened.

    A000-26: a report is in one of the counters, which add up to the number of reports.
    """
    for dimension, by_value in story.newer.totals.items():
        by_day = story.newer.days[dimension]
        assert all(map(any, by_day.values()))
        for value, of_all_time in by_value.items():
            of_value = [each for (of, _), each in by_day.items() if of == value]
            assert of_all_time == tuple(map(sum, zip(*of_value, strict=True)))
    for name, found in story.newer.rows.items():
        places = [(row["start"], *map(row.get, FIELDS.values())) for row in found]
        assert len(set(places)) == len(places), name
        assert [sum(counts(row)) for row in found] == [row["count"] for row in found]


def test_A000_36_a_counter_without_reports_reads_0(story: Story) -> None:
    """In the row and in the table; totals are the sums of all versions."""
    bucket, answer = story.second.versions["R2"], story.second.answers["build"]
    names = ("heartbeats", "prob_crashes", "smpl", "other")
    assert [bucket[name] for name in names] == [1.0, 0.0, 0.0, 0.0]
    assert story.second.totals["radio"]["R2"] == (1, 0, 0, 0)
    assert [version["key"] for version in answer["buckets"]] == ["B1", "B2"]
    for name in ("value", *names):
        assert answer[name] == sum(version[name] for version in answer["buckets"])


def test_A000_41_A000_42_A000_43_an_older_report_moves_both_days_back(story: Story) -> None:
    """As long as nobody has said when it was released; a new version has both on its first day."""
    days = [
        (stage.versions["B1"]["first_seen"], stage.versions["B1"]["released_on"])
        for stage in (story.first, story.second)
    ]
    assert days == [("2019-03-01", "2019-03-01"), ("2019-02-20", "2019-02-20")]


def test_A000_44_A000_48_no_run_changes_what_people_have_set(story: Story) -> None:
    """T000-08: neither an update that moves the first day nor a reset; flags begin as false."""
    assert released(story.first)["B2"] == ("2019-03-02", False)
    assert released(story.second) == {
        "B1": ("2019-02-20", False),
        "B2": ("2019-02-01", True),
        "R1": ("2019-02-20", False),
        "R2": ("2019-02-25", False),
    }
    assert released(story.reset) == released(story.second)


def test_A000_45_A000_46_A000_47_the_earliest_of_several_days_counts_in_any_order(
    story: Story,
) -> None:
    """Newer reports change nothing, and no day comes from the clock, which says March."""
    days = {key: bucket["first_seen"] for key, bucket in story.newer.versions.items()}
    assert days == AFTER_SECOND["first seen"] | {"B9": "2019-02-01", "R9": "2019-02-01"}


def test_A000_49_A000_50_A000_51_every_counter_has_its_lines_at_vv(story: Story) -> None:
    """Two dimensions x two intervals x four counters x created and updated: 32 lines.

    A reset begins with what was deleted of each rollup, an update where something was. D20: there
    are no bookmarks to delete.
    """
    assert story.newer.lines == []
    outcomes = [line.split()[2] for line in story.reset.lines]
    assert outcomes == ["deleted"] * 4 + ["created", "updated"] * 16
    for stage in (story.first, story.second):
        assert [line.split()[2] for line in stage.lines] == ["created", "updated"] * 16
    assert [line.split()[1] for line in story.reset.lines[:4]] == NAMES
    of_builds = [line.split()[-1] for line in story.reset.lines if "build-day-agg created" in line]
    assert of_builds == list(COUNTERS)


def test_E000_A000_52_A000_53_the_lines_of_the_worked_example(story: Story) -> None:
    """The report of E000, to the number: heartbeats, crashes, SMPL and other of both tables.

    Each day of a version touches its row of all time. What an earlier counter has created is
    updated by the later ones.
    """
    assert story.first.touches("build") == ["2+0 / 2+0", "0+1 / 1+0", "0+1 / 0+1", "0+1 / 0+1"]
    assert story.first.touches("radio") == ["1+1 / 2+0", "0+1 / 0+1", "0+1 / 0+1", "0+1 / 0+1"]
    assert story.second.touches("build") == ["0+2 / 2+0", "0+1 / 0+1", "0+0 / 0+0", "0+0 / 0+0"]
    assert story.second.touches("radio") == ["1+1 / 2+0", "0+1 / 0+1", "0+0 / 0+0", "0+0 / 0+0"]
    assert story.reset.touches("build") == ["2+2 / 4+0", "0+1 / 1+0", "0+1 / 0+1", "0+1 / 0+1"]
    assert story.reset.deleted == {"build-all": 2, "build-day": 5, "radio-all": 2, "radio-day": 4}


def test_A000_54_deletions_are_reported_by_rollup(story: Story) -> None:
    """A version of which every report was withdrawn is gone from all of them; T000-06."""
    assert story.withdrawn.deleted == {
        "build-all": 1,
        "build-day": 3,
        "radio-all": 1,
        "radio-day": 3,
    }
    assert set(story.withdrawn.totals["build"]) == {"B1", "B2"}
