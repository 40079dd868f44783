"""The tests of the closest peer, as behaviours: queues, updates and the generator's numbers.

Where they speak of bookmarks, D20 holds: there are none, and the counts are what is tested.
"""

import json
from datetime import UTC, datetime

from stats_pipeline.clock import ManualClock
from stats_pipeline.model import Filter
from stats_pipeline.pipeline import Pipeline
from tests.acceptance.conftest import Make
from tests.acceptance.downloads import (
    count_by_day,
    download,
    downloads,
    row_documents,
    take,
    update,
)

FILE_1 = {"bucket_id": "20", "file_key": "f-1.pdf"}


def at(time: str) -> datetime:
    """Return this time of UTC."""
    return datetime.fromisoformat(time).replace(tzinfo=UTC)


def test_A004_05_B1_queues_exist_once_they_are_declared(make: Make, index_prefix: str) -> None:
    """Before `init` no event type has its queue, after it every active one has, and no other."""
    pipeline = make(STATS_EVENTS={"file-download": {}, "record-view": {}})
    registries = pipeline.registries
    queues = {name: f"{index_prefix}stats-{name}" for name in registries.event_items}
    assert "access-log" in queues, "which is registered, but not active"

    def existing() -> list[str]:
        return [name for name, queue in queues.items() if pipeline.queue.exists(queue)]

    assert existing() == []
    pipeline.init()
    assert sorted(existing()) == registries.active_event_types == ["file-download", "record-view"]


def test_A004_17_B2_what_is_published_comes_out_equal_and_in_order(pipeline: Pipeline) -> None:
    """Four payloads: two published on their own, two as a list."""
    payloads = [
        {"event_id": f"e{n}", "timestamp": f"2017-01-01T00:00:0{n}.000Z", "file_id": f"f-{n}"}
        for n in range(4)
    ]
    for batch in (payloads[:1], payloads[1:3], payloads[3:]):
        pipeline.publish("file-download", batch)
    queue_name = pipeline.registries.event_type("file-download").queue_name
    with pipeline.queue.consume(queue_name) as consumer:
        messages = [message for _ in payloads if (message := consumer.take())]
        assert consumer.take() is None
        consumer.acknowledge(messages)
    events = [event for message in messages for event in json.loads(message.body)["events"]]
    assert [{key: event[key] for key in payloads[0]} for event in events] == payloads


def test_B14_an_answer_says_when_its_update_began(make: Make) -> None:
    """D20: instead of a bookmark, `as_of`: 2017-01-07 at 11:10:09, and 7 days of 1.

    An event that came while the update went on may not be in it.
    """
    clock = ManualClock(at("2017-01-07T11:10:09"))

    def take_a_second(events: Filter) -> Filter:
        clock.advance(1)
        return events

    slow = {"aggregator_config": {"query_modifiers": [take_a_second]}}
    pipeline = make(clock=clock, STATS_AGGREGATIONS={"file-download-agg": slow})
    take(pipeline, downloads("2017-01-01", "2017-01-07"))
    assert update(pipeline)["created"] == 7
    answer = pipeline.query("bucket-file-download-histogram", **FILE_1)
    assert answer["as_of"] == "2017-01-07T11:10:09.000Z"
    assert [bucket["value"] for bucket in answer["buckets"]] == [1.0] * 7


def test_B15_an_update_recounts_the_days_that_have_changed_and_no_other(make: Make) -> None:
    """D20: the day that was incomplete is counted again, idle days and runs do nothing."""
    clock = ManualClock(at("2017-06-02T12:00:00"))
    pipeline = make(clock=clock)
    take(pipeline, [download("2017-06-01T10:00:00Z"), download("2017-06-02T10:00:00Z")])
    assert update(pipeline) == {"created": 2, "intervals": 2}
    clock.advance((at("2017-07-01T06:00:00") - clock.now()).total_seconds())
    take(pipeline, [download("2017-06-02T15:00:00Z"), download("2017-07-01T05:00:00Z")])
    assert update(pipeline) == {"created": 1, "updated": 1, "intervals": 2}
    assert count_by_day(pipeline) == {"2017-06-01": 1, "2017-06-02": 2, "2017-07-01": 1}
    clock.advance(3_600)
    assert update(pipeline) == {}


def test_B17_running_again_and_starting_afresh_give_the_same_rows(pipeline: Pipeline) -> None:
    """D20: a second update writes nothing; where they dropped bookmarks, `reset` starts afresh."""
    take(pipeline, downloads("2017-01-01", "2017-01-07"))
    assert update(pipeline)["created"] == 7
    before = count_by_day(pipeline)
    assert update(pipeline) == {}
    assert pipeline.reset(["file-download-agg"]).is_complete
    assert count_by_day(pipeline) == before == dict.fromkeys(before, 1)
    assert len(before) == 7


def test_B18_five_files_on_seven_days_are_35_rows_of_one(pipeline: Pipeline) -> None:
    """The counts of the first 30 of them add up to 30."""
    take(pipeline, downloads("2015-01-28", "2015-02-03", files=5))
    update(pipeline)
    rows = row_documents(pipeline)
    assert len(rows) == 35
    assert sum(row.body["count"] for row in rows[:30]) == 30


def test_B20_one_user_in_four_hours_is_one_visitor_in_four_sessions(make: Make) -> None:
    """12 downloads of 9,000 bytes; where the peer counts sessions, what we ship counts visitors."""
    sessions = {
        "event": "file-download",
        "aggregation_field": "unique_id",
        "metrics": {"unique_count": ("unique", "unique_session_id"), "volume": ("sum", "size")},
    }
    pipeline = make(STATS_AGGREGATIONS={"sessions-agg": {"aggregator_config": sessions}})
    times = [
        f"2017-01-01T{hour}:{minute}:00Z" for hour in (10, 11, 12, 13) for minute in (10, 20, 30)
    ]
    take(pipeline, [download(time) for time in times])
    assert pipeline.update(["file-download-agg", "sessions-agg"]).is_complete
    numbers = {}
    for name in ("file-download-agg", "sessions-agg"):
        (row,) = row_documents(pipeline, name)
        numbers[name] = [row.body[field] for field in ("count", "unique_count", "volume")]
    assert numbers == {"file-download-agg": [12, 1, 108_000], "sessions-agg": [12, 4, 108_000]}


def test_B26_B27_the_generators_downloads_come_out_of_the_queries(pipeline: Pipeline) -> None:
    """2 of each of two files a day are buckets of 2 by day, and of 14 by file."""
    take(pipeline, downloads("2017-01-01", "2017-01-07", files=2, per_day=2))
    update(pipeline)
    histogram = pipeline.query("bucket-file-download-histogram", **FILE_1)
    assert [bucket["value"] for bucket in histogram["buckets"]] == [2.0] * 7
    terms = pipeline.query("bucket-file-download-total", bucket_id="20")
    assert [(b["key"], b["value"], b["volume"]) for b in terms["buckets"]] == [
        ("f-1.pdf", 14.0, 126_000.0),
        ("f-2.pdf", 14.0, 126_000.0),
    ]


def test_B29_the_prefix_stands_before_rows_as_well(make: Make, index_prefix: str) -> None:
    """4 daily events: index and alias have the prefix, queries find the rows without naming it."""
    prefix = f"{index_prefix}test-"
    pipeline = make(STATS_INDEX_PREFIX=prefix)
    take(pipeline, downloads("2018-01-01", "2018-01-04"))
    update(pipeline)
    assert {row.index for row in row_documents(pipeline)} == {
        f"{prefix}stats-file-download-2018-01"
    }
    asked = {"start_date": "2018-01-01", "end_date": "2018-01-03", **FILE_1}
    histogram = pipeline.query("bucket-file-download-histogram", **asked)
    assert [bucket["value"] for bucket in histogram["buckets"]] == [1.0, 1.0, 1.0]
    (file_1,) = pipeline.query("bucket-file-download-total", bucket_id="20")["buckets"]
    assert file_1["value"] == 4.0
