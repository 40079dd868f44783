"""When a row begins and ends: intervals, time zones, and the forms of timestamps."""

import pytest

from tests.aggregations.conftest import Make
from tests.aggregations.host import table, take, update, visits


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (
            "hour",
            {("2017-01-01T10:00", "a"): 2, ("2017-01-01T11:00", "a"): 1, ("2017-03-31", "a"): 1},
        ),
        ("day", {("2017-01-01", "a"): 3, ("2017-03-31", "a"): 1}),
        ("week", {("2016-12-26", "a"): 3, ("2017-03-27", "a"): 1}),
        ("month", {("2017-01-01", "a"): 3, ("2017-03-01", "a"): 1}),
        ("quarter", {("2017-01-01", "a"): 4}),
        ("year", {("2017-01-01", "a"): 4}),
        ("all", {("1970-01-01", "a"): 4}),
    ],
)
def test_A004_42_W4_every_interval_works(
    make: Make, interval: str, expected: dict[tuple[str, str], int]
) -> None:
    """Rows can be as long as an hour or as all time."""
    config = {"aggregation_interval": interval, "index_interval": "year"}
    pipeline = make(aggregations={"pages-agg": config})
    take(
        pipeline,
        visits(
            ("2017-01-01T10:00:00Z", "a"),
            ("2017-01-01T10:59:59.999Z", "a"),
            ("2017-01-01T11:00:00Z", "a"),
        ),
    )
    update(pipeline)
    pipeline.clock.advance(70 * 86_400)  # type: ignore[attr-defined]
    take(pipeline, visits(("2017-03-31T00:00:00Z", "a")))
    update(pipeline)
    assert table(pipeline) == expected


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Zurich", "America/St_Johns"])
def test_days_begin_at_midnight_of_the_aggregations_zone(make: Make, zone: str) -> None:
    """Also where a UTC hour belongs to two days; late events of that hour heal both."""
    pipeline = make(aggregations={"pages-agg": {"time_zone": zone, "aggregation_interval": "day"}})
    midnight = {"Asia/Kolkata": "18:30", "Europe/Zurich": "23:00", "America/St_Johns": "03:30"}[
        zone
    ]
    hour, minute = midnight.split(":")
    before = f"2017-01-02T{hour}:{minute}:00Z"
    take(pipeline, visits((before, "a"), (f"2017-01-02T{hour}:{int(minute) + 5:02d}:00Z", "a")))
    just_before = (
        f"2017-01-02T{hour}:{int(minute) - 1:02d}:59Z"
        if int(minute)
        else f"2017-01-02T{int(hour) - 1:02d}:59:59Z"
    )
    take(pipeline, visits((just_before, "a")))
    update(pipeline)
    assert sorted(table(pipeline).values()) == [1, 2]
    take(pipeline, visits((just_before, "a"), (before, "a")))
    assert update(pipeline) == {"updated": 2}
    assert sorted(table(pipeline).values()) == [2, 3]
    assert update(pipeline) == {}


def test_W3_any_iso_timestamp_is_aggregated_on_its_utc_day(make: Make) -> None:
    """Offsets and fractions neither stop an aggregation nor move an event to another day.

    Each has a page of its own: two that went to the wrong days could make up for each other.
    """
    pipeline = make()
    take(
        pipeline,
        visits(
            ("2017-01-01T23:30:00-05:00", "west"),
            ("2017-01-02T00:30:00.123456+01:00", "east"),
            ("2017-01-02T05:29:59+05:30", "half an hour"),
            ("2017-01-02", "date"),
            ("20170103T101010Z", "basic"),
        ),
    )
    update(pipeline)
    assert table(pipeline) == {
        ("2017-01-01", "east"): 1,
        ("2017-01-01", "half an hour"): 1,
        ("2017-01-02", "date"): 1,
        ("2017-01-02", "west"): 1,
        ("2017-01-03", "basic"): 1,
    }
