"""The benchmarks run; how fast is not a matter for tests."""

from pathlib import Path

from benchmarks.embedded import measure_embedded
from benchmarks.measuring import make_events
from benchmarks.memory import measure_memory


def test_the_embedded_pair_is_measured_beside_its_bare_limit(tmp_path: Path) -> None:
    """Both lines of the table come out, with something done in some time."""
    lines = list(measure_embedded(make_events(1_000), tmp_path))
    assert [line.unit for line in lines] == ["events", "rows"]
    assert lines[0].number == 1_000
    for line in lines:
        assert line.number > 0
        assert line.share > 0


def test_the_memory_of_updates_is_measured_for_few_and_for_many_values(tmp_path: Path) -> None:
    """Each of the three updates comes out, with what it took in both measurements."""
    lines = list(measure_memory(tmp_path, "SQLite", {}, few=20, many=40))
    assert len(lines) == 3
    for line in lines:
        assert line.few_bytes > 0
        assert line.many_bytes > 0
