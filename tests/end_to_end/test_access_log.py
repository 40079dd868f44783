"""The main job on real input: a log of a web server becomes the numbers that are known of it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.celery.workers import call_task, environment, running_worker, worker_settings
from tests.real_log import RealLog
from tests.support import Backend

UPDATE = "stats_pipeline.tasks.update_aggregations"


def run_stats(folder: Path, settings: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """Run the program `stats` in a folder; return its result."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("stats")), *arguments, "--json"],
        cwd=folder,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def import_log(folder: Path, settings: Mapping[str, str], log: Path) -> dict[str, Any]:
    """Import what people have successfully fetched."""
    choice = ("--method", "GET", "--status", "200")
    return run_stats(folder, settings, "events", "import-log", *choice, str(log))


def requests_by_path(folder: Path, settings: Mapping[str, str]) -> dict[str, int]:
    """Return the answer of `access-log-terms`: path -> requests."""
    answer = run_stats(folder, settings, "query", "access-log-terms")
    return {bucket["key"]: bucket["value"] for bucket in answer["buckets"]}


def requests_by_day(folder: Path, settings: Mapping[str, str]) -> dict[str, int]:
    """Return the answer of `access-log-histogram`: day -> requests."""
    answer = run_stats(folder, settings, "query", "access-log-histogram", "interval=day")
    return {bucket["date"][:10]: bucket["value"] for bucket in answer["buckets"]}


def days_in(facts: Mapping[str, Any], rule: str = "win10") -> dict[str, int]:
    """Return what is known: day -> requests of people by a rule for double clicks."""
    return {day: known[rule] for day, known in facts["human_get_200_per_day"].items()}


def check_answers(
    folder: Path, settings: Mapping[str, str], facts: Mapping[str, Any], rule: str = "win10"
) -> None:
    """Compare both answers with what is known."""
    by_path = requests_by_path(folder, settings)
    known = {path["path"]: path[rule] for path in facts["human_top_paths_by_win10"]}
    assert {path: by_path.get(path) for path in known} == known
    assert sum(by_path.values()) == facts["human_get_200"][rule]
    assert requests_by_day(folder, settings) == days_in(facts, rule)


def test_a_real_log_gives_the_known_numbers(real_log: RealLog, tmp_path: Path) -> None:
    """Import and update are all it takes, without a server; a second import changes nothing."""
    first = import_log(tmp_path, {}, real_log.path)
    assert first["lines"] == real_log.facts["lines"]["all"]
    assert first["accepted"] == real_log.facts["good_get_200"]
    assert run_stats(tmp_path, {}, "update")["is_complete"]
    check_answers(tmp_path, {}, real_log.facts)

    second = import_log(tmp_path, {}, real_log.path)
    assert second["events"]["indexed"] == 0
    updated = run_stats(tmp_path, {}, "update")["aggregations"]["access-log-agg"]
    assert (updated["created"], updated["updated"], updated["deleted"]) == (0, 0, 0)
    check_answers(tmp_path, {}, real_log.facts)


def test_W12_a_real_log_gives_the_known_numbers_of_the_sliding_rule(
    real_log: RealLog, tmp_path: Path
) -> None:
    """30 s, chains, the last click kept: the rule of COUNTER, across the change of salts too."""
    config = {"double_click_rule": "sliding", "double_click_window": 30}
    settings = {"STATS_EVENTS": json.dumps({"access-log": {"processor_config": config}})}
    import_log(tmp_path, settings, real_log.path)
    assert run_stats(tmp_path, settings, "update")["is_complete"]
    check_answers(tmp_path, settings, real_log.facts, "dc30")


def test_a_real_log_gives_the_known_numbers_on_servers_with_a_worker(
    distributed: Backend, index_prefix: str, real_log: RealLog, tmp_path: Path
) -> None:
    """Command and worker may share the events; the worker brings the numbers up to date."""
    with (
        worker_settings(distributed, index_prefix, "access-log") as settings,
        running_worker(tmp_path, settings) as worker,
    ):
        import_log(tmp_path, settings, real_log.path)

        def is_counted() -> bool:
            call_task(tmp_path, settings, UPDATE)
            return requests_by_day(tmp_path, settings) == days_in(real_log.facts)

        worker.wait_until(is_counted)
        check_answers(tmp_path, settings, real_log.facts)
