"""An application by somebody who has read the documentation only, installed by pip and run.

What its four queries answer is compared with a plain count of the same visits.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support import Backend, MakePipeline

PROJECT = Path(__file__).parent / "museum"
HOST = Path(__file__).parent / "host.py"
TEMPLATES = PROJECT / "museum" / "stats_templates"
ZURICH = ZoneInfo("Europe/Zurich")
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
AGENTS = [f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0" for n in (1, 2)]
GATES = ["north", "south"]
EXHIBITS = ["squid", "whale"]
HOURS = ("2025-06-30T20", "2025-06-30T23")


@dataclass(frozen=True)
class Entry:
    """A ticket at a gate."""

    at: datetime
    ticket: str
    gate: str


@dataclass(frozen=True)
class Scan:
    """A telephone at an exhibit."""

    at: datetime
    agent: str
    exhibit: str
    seconds: int


@dataclass(frozen=True)
class Visits:
    """All that happens in the museum."""

    prices: dict[str, float]
    entries: list[Entry]
    scans: list[Scan]

    def requests(self) -> Iterable[tuple[str, dict[str, Any], str]]:
        """Give path, body and agent of each request, in no order of time."""
        for ticket, price in self.prices.items():
            yield f"/tickets/{ticket}", {"price": price, "day": "2025-06-30"}, "till"
        for entry in self.entries:
            body = {"ticket": entry.ticket, "at": entry.at.isoformat()}
            yield f"/gates/{entry.gate}", body, "turnstile"
        for scan in self.scans:
            seen = {"seconds": scan.seconds, "at": scan.at.isoformat()}
            yield f"/exhibits/{scan.exhibit}", seen, scan.agent


@pytest.fixture(scope="module")
def visits() -> Visits:
    """Give some hundred visits around the midnight that ends June."""
    chance = random.Random(20_250_630)
    start = datetime(2025, 6, 30, 20, 0, 0, 500_000, tzinfo=UTC)
    # Short gaps, so that there are repeat clicks, and none of exactly 10 or 45 seconds.
    times = [
        start + timedelta(seconds=group + seconds)
        for group in (0, 3_600, 7_200, 14_000, 110_000)
        for seconds in range(0, 600, 7)
    ]
    prices = {f"t{number}": chance.choice([0.0, 12.5, 25.0]) for number in range(12)}
    used = sorted(prices)[:9]
    agents = [*AGENTS, ROBOT]
    return Visits(
        prices,
        [Entry(at, chance.choice(used), chance.choice(GATES)) for at in chance.sample(times, 250)],
        [
            Scan(at, chance.choice(agents), chance.choice(EXHIBITS), chance.randrange(300))
            for at in chance.sample(times, 150)
        ],
    )


@pytest.fixture
def outcome(
    backend: Backend, visits: Visits, index_prefix: str, tmp_path: Path, make_pipeline: MakePipeline
) -> dict[str, Any]:
    """Install the museum, run it in a process of its own, and give what it says."""
    types = {name: {"templates": str(TEMPLATES)} for name in ("gate-entry", "exhibit-scan")}
    make_pipeline(backend, STATS_EVENTS=types)  # deletes the queues behind the host
    settings: dict[str, str | None] = {"STATS_INDEX_PREFIX": index_prefix, **backend.settings}
    questions = {
        "hours": _question("exhibit-hours", start_date=HOURS[0], end_date=HOURS[1]),
        "tickets": _question("ticket-use"),
        **{gate: _question("gate-days", gate=gate) for gate in GATES},
        **{exhibit: _question("exhibit-months", exhibit=exhibit) for exhibit in EXHIBITS},
    }
    done = subprocess.run(
        [sys.executable, str(HOST)],
        cwd=tmp_path,
        env={
            **os.environ,
            **{f"FLASK_{name}": value for name, value in settings.items() if value},
            "PYTHONPATH": str(_install(tmp_path)),
        },
        input=json.dumps({"requests": list(visits.requests()), "questions": questions}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_the_four_queries_answer_what_a_plain_count_gives(
    outcome: dict[str, Any], visits: Visits
) -> None:
    """Each number of each of the four queries is that of a loop over the visits."""
    processed, answers = outcome["processed"], outcome["answers"]
    assert processed["taken"] == len(visits.entries) + len(visits.scans)
    assert (processed["dead"], processed["dropped"]) == (0, 0)
    for gate in GATES:
        found = {
            bucket["date"][:10]: (bucket["value"], bucket["visitors"], bucket["revenue"])
            for bucket in answers[gate]["buckets"]
        }
        assert found == _gate_days(visits, gate)
    counted = _counted_scans(visits)
    for exhibit in EXHIBITS:
        months = {
            bucket["date"]: (bucket["value"], bucket["longest"], round(bucket["mean"], 9))
            for bucket in answers[exhibit]["buckets"]
        }
        assert months == _months(scan for scan in counted if scan.exhibit == exhibit)
    hours = {bucket["key"]: bucket["value"] for bucket in answers["hours"]["buckets"]}
    assert hours == _scans_in_hours(counted)
    used = {entry.ticket for entry in visits.entries}
    assert answers["tickets"] == {
        "sold": len(visits.prices),
        "used": len(used),
        "value": len(used) / len(visits.prices),
        "as_of": None,
    }


def test_the_visits_have_what_could_be_counted_wrongly(visits: Visits) -> None:
    """There are repeat clicks of both rules, robots, several days, and two months of Zurich."""
    people = [scan for scan in visits.scans if scan.agent != ROBOT]
    counted = _counted_scans(visits)
    assert 0 < len(counted) < len(people) < len(visits.scans)
    entries = sum(count for gate in GATES for count, _, _ in _gate_days(visits, gate).values())
    assert entries < len(visits.entries)
    assert len(_gate_days(visits, "north")) == 3
    assert list(_months(counted)) == ["2025-05-31T22:00:00.000Z", "2025-06-30T22:00:00.000Z"]


def test_a_second_update_changes_nothing(outcome: dict[str, Any]) -> None:
    """The three aggregations of the museum have nothing to do when nothing has happened."""
    aggregations = outcome["again"]["aggregations"]
    for name in ("gate-day-agg", "exhibit-hour-agg", "exhibit-month-agg"):
        assert [aggregations[name][key] for key in ("created", "updated", "deleted")] == [0, 0, 0]


@pytest.mark.parametrize("backend", ["embedded"], indirect=True)
def test_a_stranger_is_not_told_how_tickets_are_used(outcome: dict[str, Any]) -> None:
    """Several questions of an anonymous caller are refused by the label of the one in the way."""
    assert outcome["anonymous"] == [401, "tickets"]


@pytest.mark.parametrize("backend", ["embedded"], indirect=True)
def test_a_query_class_of_the_host_refuses_a_wrong_day_itself(outcome: dict[str, Any]) -> None:
    """What it raises as a wrong parameter is 400 and names the parameter."""
    assert outcome["wrong_day"] == [400, "start_date"]


@pytest.mark.parametrize("backend", ["embedded"], indirect=True)
def test_the_dashboard_has_a_chart_of_the_museum(outcome: dict[str, Any], visits: Visits) -> None:
    """The page shows the description of the host's query and the number of all entries."""
    total = sum(count for count, _, _ in _gate_days(visits, "north").values())
    assert "Entries, visitors and revenue of a gate by day" in outcome["dashboard"]
    assert f"{total} in total" in " ".join(outcome["dashboard"].split())


def _install(tmp_path: Path) -> Path:
    # A copy, since building leaves files beside what it builds.
    source = tmp_path / "source"
    shutil.copytree(PROJECT, source, ignore=shutil.ignore_patterns("__pycache__"))
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    done = subprocess.run(
        [*pip, *options, str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return site


def _question(stat: str, **params: str) -> dict[str, Any]:
    return {"stat": stat, "params": params}


def _gate_days(visits: Visits, gate: str) -> dict[str, tuple[int, int, float]]:
    """Count entries, tickets and money by day, where 10 seconds of one ticket count once."""
    clicks = {
        (entry.at.date().isoformat(), entry.ticket, entry.at.timestamp() // 10)
        for entry in visits.entries
        if entry.gate == gate
    }
    days = {}
    for day in sorted({day for day, _, _ in clicks}):
        tickets = [ticket for other, ticket, _ in clicks if other == day]
        days[day] = (len(tickets), len(set(tickets)), sum(visits.prices[t] for t in tickets))
    return days


def _counted_scans(visits: Visits) -> list[Scan]:
    """Leave out robots, and scans that are followed by another within 45 seconds."""
    counted, next_one = [], dict[tuple[str, str], datetime]()
    for scan in sorted(visits.scans, key=lambda scan: scan.at, reverse=True):
        item = (scan.agent, scan.exhibit)
        follower = next_one.get(item)
        if scan.agent != ROBOT and (follower is None or follower - scan.at > timedelta(seconds=45)):
            counted.append(scan)
        next_one[item] = scan.at
    return counted


def _months(scans: Iterable[Scan]) -> dict[str, tuple[int, int, float]]:
    """Count scans, the longest and the average by month of Zurich, named by its beginning."""
    seconds = defaultdict[datetime, list[int]](list)
    for scan in scans:
        begin = scan.at.astimezone(ZURICH).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        seconds[begin.astimezone(UTC)].append(scan.seconds)
    return {
        begin.strftime("%Y-%m-%dT%H:%M:%S.000Z"): (len(all_), max(all_), round(fmean(all_), 9))
        for begin, all_ in sorted(seconds.items())
    }


def _scans_in_hours(scans: Iterable[Scan]) -> dict[str, int]:
    numbers = defaultdict[str, int](int)
    for scan in scans:
        if HOURS[0] <= scan.at.strftime("%Y-%m-%dT%H") < HOURS[1]:
            numbers[scan.exhibit] += 1
    return dict(numbers)
