"""A host's package that registers through real entry points, installed by pip."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import Backend, MakePipeline

DISTRIBUTION = Path(__file__).parent / "distribution"
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder into which the package was installed."""
    # A copy, since building leaves files beside what it builds.
    source = tmp_path_factory.mktemp("source") / "my_app"
    shutil.copytree(DISTRIBUTION, source, ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    done = subprocess.run(
        [*pip, *options, str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture
def outcome(
    backend: Backend,
    site_folder: Path,
    index_prefix: str,
    tmp_path: Path,
    make_pipeline: MakePipeline,
) -> dict[str, Any]:
    """Run the host with the installed package and give what it says."""
    make_pipeline(backend)  # deletes the queues behind the host
    configuration = {
        "instance_path": str(tmp_path),
        "STATS_INDEX_PREFIX": index_prefix,
        "STATS_EVENTS": {
            "file-download": {
                "signal": "my_app.signals.file_downloaded",
                "event_builders": ["my_app.builders.add_file", "my_app.builders:add_visitor"],
            }
        },
        **backend.settings,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.registry.host", json.dumps(configuration)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(site_folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def test_A004_01_02_03_08_the_example_of_the_design_counts_e004_in_an_installed_package(
    outcome: dict[str, Any],
) -> None:
    """Signals become 7 documents, 3 rows and the very numbers of E004, with nothing adapted."""
    assert outcome["flushed"] is True
    assert outcome["owner"] == "my-app", "what is shipped yields to another owner"
    shipped = ["access-log", "device-report", "file-download", "record-view"]
    assert outcome["other_event_types"] == shipped
    processed = outcome["processed"]
    assert [processed[key] for key in ("taken", "indexed", "duplicates")] == [10, 7, 3]
    first, second = outcome["updates"]
    assert (first["created"], first["error"]) == (3, "")
    assert [second[key] for key in ("created", "updated", "deleted")] == [0, 0, 0]


def test_A004_51_52_the_query_of_the_example_answers_with_the_numbers_of_e004(
    outcome: dict[str, Any],
) -> None:
    """`POST /stats` gives 4 and 1 by day, and what follows from that for longer intervals."""
    answers = outcome["answers"]
    expected = {
        "day": [("2016-12-18", 4), ("2016-12-19", 1)],
        "week": [("2016-12-12", 4), ("2016-12-19", 1)],
        "month": [("2016-12-01", 5)],
        "quarter": [("2016-10-01", 5)],
        "year": [("2016-01-01", 5)],
    }
    for interval, numbers in expected.items():
        buckets = answers[f"mystat-{interval}"]["buckets"]
        assert [(bucket["date"][:10], bucket["value"]) for bucket in buckets] == numbers
        assert {(b["bucket_id"], b["file_key"]) for b in buckets} == {("20", "file1.txt")}
    totals = {b["key"]: (b["value"], b["volume"]) for b in answers["total"]["buckets"]}
    assert totals == {"file1.txt": (5, 5_000), "file2.txt": (1, 1_000)}


def test_A004_53_58_a_missing_filter_and_an_unknown_statistic_are_refused_by_name(
    outcome: dict[str, Any],
) -> None:
    """Both are 400, saying what is missing or unknown."""
    status, message = outcome["without_file_key"]
    assert (status, "file_key" in message) == (400, True), message
    status, message = outcome["unknown"]
    assert (status, "Unknown statistic 'nope'" in message) == (400, True), message
