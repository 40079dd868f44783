"""The console script as a program: exit codes, streams, signals, and help for every command."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import click
import pytest

from scripts.services.server import wait_until
from stats_pipeline.cli import stats
from tests.support import BROWSER

Stats = Callable[..., subprocess.CompletedProcess[str]]

LINE = f'192.0.2.7 - - [17/May/2015:10:05:00 +0000] "GET /a HTTP/1.1" 200 10 "-" "{BROWSER}"\n'
SCRIPT = [str(Path(sys.executable).with_name("stats"))]


def environment(**settings: str) -> dict[str, str]:
    """Give an environment with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STATS_")}
    return {**kept, **settings}


@pytest.fixture
def run_stats(tmp_path: Path) -> Stats:
    """Give a function that runs the script in an empty folder."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*SCRIPT, *arguments],
            cwd=tmp_path,
            env=environment(**settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_a_log_becomes_an_answer_on_the_command_line(run_stats: Stats, tmp_path: Path) -> None:
    """Three commands in an empty folder, each a process of its own."""
    (tmp_path / "access.log").write_text(LINE)
    assert run_stats("events", "import-log", "access.log").returncode == 0
    updated = run_stats("update")
    assert (updated.returncode, updated.stdout, updated.stderr) == (0, "", "")
    answer = json.loads(run_stats("query", "access-log-terms", "--json").stdout)
    assert [(bucket["key"], bucket["value"]) for bucket in answer["buckets"]] == [("/a", 1.0)]


def test_a_configuration_file_is_read(run_stats: Stats, tmp_path: Path) -> None:
    """--config stands before the command and is Python."""
    (tmp_path / "stats.py").write_text("STATS_STORE_URL = f'sqlite:///{7}.db'\n")
    made = run_stats("--config", "stats.py", "init", "-v")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "7.db").exists()


@pytest.mark.parametrize("command", [["update"], ["query", "access-log-terms"]])
def test_a_store_that_is_away_is_one_line_and_exit_code_1(
    run_stats: Stats, command: list[str]
) -> None:
    """It may be there later, so it is not the user's error; the address is named."""
    failed = run_stats(*command, STATS_STORE_URL="http://127.0.0.1:1")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.count("\n") == 1
    assert "http://127.0.0.1:1" in failed.stderr


def test_a_broker_that_is_away_is_one_line_and_exit_code_1(run_stats: Stats) -> None:
    """The password of its URL is not shown."""
    url = "amqp://me:secret@127.0.0.1:1//"
    failed = run_stats("events", "process", STATS_BROKER_URL=url)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "127.0.0.1:1" in failed.stderr
    assert "secret" not in failed.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"STATS_STORE_URL": "ftp://x"}, "STATS_STORE_URL='ftp://x'"),
        ({"STATS_STORE_ULR": "sqlite://"}, "did you mean 'STATS_STORE_URL'?"),
        ({"STATS_EVENTS": '{"acess-log": {}}'}, "did you mean 'access-log'?"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    run_stats: Stats, settings: dict[str, str], said: str
) -> None:
    """The setting and what is allowed are named."""
    failed = run_stats("status", **settings)
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert said in failed.stderr


def test_A004_07_a_module_that_can_not_run_is_one_line_and_exit_code_2(
    run_stats: Stats, tmp_path: Path
) -> None:
    """At start for what the host's configuration names; event type, path and cause are said."""
    (tmp_path / "shop.py").write_text("undefined_name\n")
    events = {"file-download": {"signal": "shop.sold"}}
    failed = run_stats("status", STATS_EVENTS=json.dumps(events), PYTHONPATH=str(tmp_path))
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert "event type 'file-download' of stats_pipeline: 'shop.sold'" in failed.stderr
    assert "NameError(\"name 'undefined_name' is not defined\")" in failed.stderr


def test_the_version_is_said(run_stats: Stats) -> None:
    """For reports of bugs."""
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run_stats("--version").stdout)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_processes_and_stops_cleanly(
    run_stats: Stats, tmp_path: Path, number: signal.Signals
) -> None:
    """What waits when it starts is counted without a further command; a signal ends it with 0."""
    (tmp_path / "access.log").write_text(LINE)
    run_stats("events", "import-log", "access.log")
    with subprocess.Popen(
        [*SCRIPT, "serve", "--port", "0"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            match = re.fullmatch(
                r"Listening at (http://127\.0\.0\.1:\d+/)\n", server.stdout.readline()
            )
            assert match is not None
            page = f"{match[1]}stats/dashboard"
            assert server.stdout.readline() == f"Charts are at {page}\n"
            with urlopen(page) as answer:
                assert answer.headers.get_content_type() == "text/html"

            def is_counted() -> bool:
                with urlopen(f"{match[1]}stats/access-log-terms") as answer:
                    return [b["value"] for b in json.load(answer)["buckets"]] == [1.0]

            wait_until(is_counted, timeout_seconds=30)
            server.send_signal(number)
            out, err = server.communicate(timeout=30)
        finally:
            server.kill()
    assert (server.returncode, out, err) == (0, "", "")


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, (*path, name))


@pytest.mark.parametrize(("path", "command"), list(_commands(stats, ("stats",))))
def test_every_command_and_option_has_help(path: str, command: click.Command) -> None:
    """Nothing is left to be guessed; every command also has --json and -v."""
    assert command.help
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert all(option.help for option in options), path
    if not isinstance(command, click.Group):
        assert {"as_json", "verbosity"} <= {option.name for option in options}, path
