"""Each command does what its help says, in words and as JSON."""

from collections.abc import Callable
from typing import Any

import pytest

from stats_pipeline.cli import stats
from stats_pipeline.permissions import allow_everyone
from tests.cli.conftest import Run
from tests.support import Backend, MakeApp


def test_events_become_an_answer(run: Run, run_json: Callable[..., Any], two_days: None) -> None:
    """Process, update, query: the numbers are those of the events."""
    processed = run_json("events", "process", "access-log")
    assert (processed["taken"], processed["indexed"]) == (3, 3)
    updated = run_json("update", "access-log-agg")
    assert updated["is_complete"] is True
    assert updated["aggregations"]["access-log-agg"]["created"] == 3
    answer = run_json("query", "access-log-terms")
    assert [(bucket["key"], bucket["value"]) for bucket in answer["buckets"]] == [
        ("/a", 2.0),
        ("/b", 1.0),
    ]


def test_jobs_that_are_fit_for_cron_print_nothing(run: Run, two_days: None) -> None:
    """Where there is no terminal and all is well, process, update, reset and init are silent."""
    for arguments in (["init"], ["events", "process"], ["update"], ["reset"]):
        result = run(*arguments)
        assert (result.exit_code, result.output) == (0, ""), arguments


def test_with_v_they_say_what_they_have_done(run: Run, two_days: None) -> None:
    """One line for each event type or aggregation."""
    assert "access-log" in run("events", "process", "-v").stdout
    lines = run("update", "-v").stdout.splitlines()
    assert lines[0].split() == [
        "aggregation",
        "intervals",
        "created",
        "updated",
        "unchanged",
        "deleted",
        "pending",
    ]
    assert lines[1].split()[:3] == ["access-log-agg", "2", "3"]


def test_a_range_limits_an_update(run: Run, run_json: Callable[..., Any], two_days: None) -> None:
    """A bare date as the end means through its end; the rest is done by the next update."""
    run("events", "process")
    day = ("--start", "2016-12-18", "--end", "2016-12-18")
    first = run_json("update", "access-log-agg", *day)["aggregations"]["access-log-agg"]
    rest = run_json("update", "access-log-agg")["aggregations"]["access-log-agg"]
    assert (first["created"], rest["created"]) == (1, 2)


def test_a_reset_gives_the_same_numbers(
    run: Run, run_json: Callable[..., Any], two_days: None
) -> None:
    """Recomputing changes nothing where nothing was wrong."""
    run("events", "process")
    run("update")
    before = run_json("query", "access-log-terms")["buckets"]
    run_json("reset", "access-log-agg")
    assert run_json("query", "access-log-terms")["buckets"] == before


def test_a_key_given_twice_takes_either_value(
    run: Run, run_json: Callable[..., Any], two_days: None
) -> None:
    """One value is that value, several are a list."""
    run("events", "process")
    run("update")

    def total(*parameters: str) -> float:
        buckets = run_json("query", "access-log-terms", *parameters)["buckets"]
        return float(sum(bucket["value"] for bucket in buckets))

    assert total("path=/b") == 1
    assert total("path=/a", "path=/b") == 3
    assert total("path=/a", "start_date=2016-12-19", "end_date=2016-12-19") == 1


def test_an_answer_in_words_is_a_table(run: Run, two_days: None) -> None:
    """Buckets are lines, numbers stand to the right, and the freshness is said."""
    run("events", "process")
    run("update")
    shown = run("query", "access-log-terms").stdout
    assert "as_of: 2" in shown
    assert shown.splitlines()[-3:] == [
        "path  value  volume",
        "/a        2      20",
        "/b        1      10",
    ]
    histogram = run("query", "access-log-histogram").stdout
    assert histogram.splitlines()[-1].split() == ["2016-12-19T00:00:00.000Z", "2", "20"]


def test_queries_are_listed_with_their_parameters(run: Run, run_json: Callable[..., Any]) -> None:
    """What is required is seen before it is asked for."""
    listed = {entry["name"]: entry for entry in run_json("query", "--list")}
    assert {"access-log-terms", "record-view-total"} <= set(listed)
    text = run("query", "--list").stdout
    assert "bucket-file-download-total  Downloads of each file of a bucket" in text
    assert "  bucket_id (value or list of values, required)" in text


def test_everything_that_is_registered_is_listed_with_its_owner(
    run: Run, run_json: Callable[..., Any]
) -> None:
    """Kind, name, owner, and whether an event type is recorded."""
    listed = run_json("list")
    assert {
        "kind": "event type",
        "name": "access-log",
        "owner": "stats_pipeline",
        "active": True,
    } in listed
    assert {entry["kind"] for entry in listed} == {"event type", "aggregation", "query"}
    assert "file-download-agg" in run("list").stdout


def test_the_status_says_what_waits(run: Run, run_json: Callable[..., Any], two_days: None) -> None:
    """Waiting messages before processing, intervals to be computed after, nothing at the end."""
    assert run_json("status")["events"]["access-log"]["waiting_messages"] == 1
    run("events", "process")
    assert run_json("status")["aggregations"]["access-log-agg"]["dirty_intervals"] == 2
    run("update")
    found = run_json("status")
    assert found["aggregations"]["access-log-agg"]["dirty_intervals"] == 0
    assert "dead_letters: 0" in run("status").stdout


def test_init_may_be_repeated(run_json: Callable[..., Any]) -> None:
    """It says what there is, and the second time the same."""
    first = run_json("init")
    assert "events-stats-access-log" in first["templates"]
    assert run_json("init") == first


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["query"], "Give the name of a query, or --list"),
        (["query", "access-log-terms", "--list"], "Give the name of a query, or --list"),
        (["query", "nope"], "Unknown statistic 'nope'"),
        (["query", "access-log-term"], "did you mean 'access-log-terms'?"),
        (["query", "access-log-terms", "path"], "'path' is not KEY=VALUE"),
        (["query", "access-log-terms", "colour=red"], "'colour' is unknown"),
        (["query", "access-log-terms", "name=x"], "'name' is unknown"),
        (["query", "access-log-terms", "start_date=x"], "start_date"),
        (["query", "bucket-file-download-total"], "'bucket_id' is missing"),
        (["update", "nope"], "Unknown aggregation 'nope'"),
        (["update", "--start", "yesterday"], "start must be an ISO 8601 date"),
        (["reset", "nope"], "Unknown aggregation 'nope'"),
        (["events", "process", "nope"], "Error: Invalid event type(s): nope; known: access-log,"),
        (["events", "process", "nope", "access-log", "no"], "event type(s): nope, no; known: acc"),
        (["events", "process", "acess-log"], "type(s): acess-log; did you mean 'access-log'?"),
        (["events", "export", "nope"], "Error: Invalid event type(s): nope; known: access-log,"),
        (["balance", "nope", "no"], "Error: Invalid event type(s): nope, no; known: access-log,"),
        (["dead-letters", "list", "--type", "nope"], "Error: Invalid event type(s): nope; known: "),
        (["dead-letters", "list", "--type", "acess-log"], "did you mean 'access-log'?"),
        (["dead-letters", "replay", "--type", "nope"], "Error: Invalid event type(s): nope; known"),
        (["dead-letters", "purge", "--type", "nope"], "Error: Invalid event type(s): nope; known:"),
        (["events", "process", "--time-limit", "0"], "time-limit"),
        (["dead-letters", "purge"], "Give the ids of dead letters, or --all"),
        (["dead-letters", "replay", "x", "--all"], "Give the ids of dead letters, or --all"),
        (["dead-letters", "replay", "--all", "--kind", "invalid"], "Give the ids of dead letters"),
        (["dead-letters", "purge", "nope"], "Unknown dead letter 'nope'"),
        (["dead-letters", "show", "nope"], "Unknown dead letter 'nope'"),
        (["dead-letters", "list", "--kind", "odd"], "'odd'"),
        (["dead-letters", "list", "--since", "odd"], "since: 'odd' is not an ISO 8601 time"),
        (["serve", "--port", "70000"], "70000"),
        (["serve", "--host", "192.0.2.1", "--port", "0"], "Can't listen at 192.0.2.1:0"),
        (["updaet"], "did you mean 'update'?"),
        (["events", "process-all"], "did you mean 'process'?"),
        (["update", "--nope"], "--nope"),
    ],
)
def test_a_user_error_is_one_line_and_exit_code_2(
    run: Run, arguments: list[str], said: str
) -> None:
    """Whatever is wrong with a command is said on standard error, never as a traceback."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


class Tickets:
    """Be a host's query that describes a part of what it takes, or nothing."""

    def __init__(self, name: str, parameters: Any = None) -> None:
        self.name, self.parameters = name, parameters

    def run(self, year: int, shop: str = "") -> dict[str, Any]:
        """Return what it was asked."""
        return {"year": year, "shop": shop}


def test_queries_of_a_host_are_listed_however_little_they_say(
    make_app: MakeApp, embedded: Backend
) -> None:
    """What is not said of a parameter is left out."""
    query = {"query_class": Tickets, "permission": allow_everyone}
    described = {**query, "query_config": {"parameters": [{"name": "year"}]}}
    app = make_app(embedded.store_url, STATS_QUERIES={"bare": query, "tickets": described})
    lines = app.test_cli_runner().invoke(stats, ["query", "--list"]).stdout.splitlines()
    assert lines[(bare := lines.index("bare")) : bare + 3] == [
        "bare",
        "  year (any, required)",
        "  shop (any, optional)",
    ]
    assert lines[lines.index("tickets") + 1] == "  year (any, optional)"


class Answering:
    """Be a host's query that answers what it is told."""

    def __init__(self, name: str, answer: Any) -> None:
        self.name, self.answer = name, answer

    def run(self) -> Any:
        """Answer."""
        return self.answer


#: What a host's class may answer, and the last lines that are shown of it.
HOSTS_ANSWERS: list[tuple[Any, list[str]]] = [
    (
        {"buckets": [{"station": "Harbour", "free": 0}]},
        ["as_of: -", "", "station  free", "Harbour     0"],
    ),
    (
        {"field": "station", "buckets": [{"key": "Harbour", "type": "sea", "free": 0}]},
        ["as_of: -", "", "station  type  free", "Harbour  sea      0"],
    ),
    (
        {
            "field": "station",
            "buckets": [
                {"key": "Harbour", "n": 3, "field": "bike", "buckets": [{"key": "b1", "n": 2}]},
                {"key": "Station", "n": 1, "field": "bike", "buckets": []},
            ],
        },
        ["station  bike  n", "Harbour  b1    2", "Station  -     1"],
    ),
    ({"buckets": {"a": 1}}, ["buckets:", "  a: 1", "as_of: -"]),
    ({"buckets": [1, 2]}, ["buckets:", "  - 1", "  - 2", "as_of: -"]),
    ({"sold": 1}, ["sold: 1", "as_of: -"]),
    ([{"sold": 1}], ["value:", "  -", "    sold: 1"]),
    ("sold out", ["value: sold out"]),
    (None, ["value: -"]),
]


def test_A004_62_every_answer_of_a_hosts_class_is_shown(
    make_app: MakeApp, embedded: Backend
) -> None:
    """Buckets as a table of the innermost ones, whatever is in them, anything else as it is."""
    queries = {
        f"q{number}": {
            "query_class": Answering,
            "query_config": {"answer": answer},
            "permission": allow_everyone,
        }
        for number, (answer, _) in enumerate(HOSTS_ANSWERS)
    }
    app = make_app(embedded.store_url, STATS_QUERIES=queries)
    for number, (_, shown) in enumerate(HOSTS_ANSWERS):
        result = app.test_cli_runner().invoke(stats, ["query", f"q{number}"])
        assert result.exit_code == 0, result.exception
        assert result.stdout.splitlines()[-len(shown) :] == shown
