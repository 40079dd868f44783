"""Memory: an interval may have any number of values, and is aggregated in what a few need."""

from pathlib import Path

import pytest

from benchmarks.memory import measure_memory
from tests.support import Backend

#: For ten times the values: memory that grows with them would give up to 10, constant memory gives
#: 1 and some noise.
MOST_RATIO = 1.5


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_ten_times_the_values_of_an_interval_take_no_more_memory(
    backend: Backend, index_prefix: str, tmp_path: Path
) -> None:
    """10,000 and 100,000 values of a day, written first, compared, and taken away again."""
    settings = {"STATS_STORE_URL": backend.store_url, "STATS_INDEX_PREFIX": index_prefix}
    for used in measure_memory(tmp_path, "day", settings):
        figures = f"{used.few_bytes:,} bytes, then {used.many_bytes:,}"
        assert used.ratio < MOST_RATIO, f"{used.what}: {figures}"
