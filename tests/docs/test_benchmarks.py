"""The benchmarks run; how fast is not a matter for tests."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.elasticsearch import measure_elasticsearch
from benchmarks.embedded import measure_embedded
from benchmarks.measuring import Measured, make_events
from benchmarks.memory import measure_memory


def test_the_embedded_pair_is_measured_beside_its_bare_limit(tmp_path: Path) -> None:
    """Both lines of the table come out, with something done in some time."""
    check_speed(list(measure_embedded(make_events(1_000), tmp_path)))


def test_elasticsearch_is_measured_beside_requests_by_hand(
    tmp_path: Path, elasticsearch_url: str
) -> None:
    """Both lines come out, and the hand-written requests have found as many rows."""
    check_speed(list(measure_elasticsearch(make_events(1_000), tmp_path, elasticsearch_url)))


def check_speed(lines: Sequence[Measured]) -> None:
    """Check that a store has both lines, with something done in some time."""
    assert [line.unit for line in lines] == ["events", "rows"]
    assert lines[0].number == 1_000
    for line in lines:
        assert line.number > 0
        assert line.share > 0


def test_the_memory_of_updates_is_measured_for_few_and_for_many_values(tmp_path: Path) -> None:
    """Each of the three updates comes out, whatever it takes with so few values."""
    lines = list(measure_memory(tmp_path, "SQLite", {}, few=20, many=40))
    assert [line.what.removeprefix("SQLite: ") for line in lines] == [
        "first update",
        "update of rows",
        "all values gone",
    ]
