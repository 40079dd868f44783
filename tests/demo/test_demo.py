"""The demo counts exactly, says so, and fails where it does not."""

import json
import shlex
import socket
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from stats_pipeline.demo import expected
from stats_pipeline.demo.__main__ import HOST, free_port, main
from tests.demo.conftest import DEMO, Served
from tests.support import BROWSER, ROBOT

LOG = f"""\
198.18.0.1 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 7 "-" "{BROWSER}"
198.18.0.1 - - [17/May/2015:10:05:04 +0000] "GET /a HTTP/1.1" 200 7 "-" "{BROWSER}"
198.18.0.2 - - [17/May/2015:10:05:04 +0000] "GET /a HTTP/1.1" 200 7 "-" "{BROWSER}"
198.18.0.2 - - [17/May/2015:10:05:04 +0000] "GET /b\\x1b[2J HTTP/1.1" 200 7 "-" "{BROWSER}"
198.19.0.1 - - [17/May/2015:10:05:05 +0000] "GET /a HTTP/1.1" 200 7 "-" "{ROBOT}"
198.18.0.1 - - [17/May
"""


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DEMO, *arguments], capture_output=True, text=True, check=False)


def test_a_month_is_counted_exactly_and_the_demo_exits_with_0(tmp_path: Path) -> None:
    """It says what was left out and why, compares with plain Python, and stops when asked to."""
    done = _run("--events", "3000", "--exit", "--data", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exact: all 190 numbers" in done.stdout
    for reason in ("sent as signals", "delivered once more", "repeat clicks", "robots", "counted"):
        assert reason in done.stdout


def test_a_number_that_is_not_exact_ends_the_demo_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where plain Python counts otherwise (here, in another window), it says where and fails."""
    monkeypatch.setattr(expected, "WINDOW_SECONDS", 60)
    done = CliRunner().invoke(main, ["--events", "1000", "--exit", "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "NOT EXACT" in done.output
    assert "repeat clicks merged: expected" in done.output


def test_each_run_begins_anew_and_leaves_other_files_alone(tmp_path: Path) -> None:
    """Two runs in one folder give the same numbers; what is not the demo's stays."""
    other = tmp_path / "other.txt"
    other.write_text("mine")
    arguments = ("--events", "500", "--exit", "--data", str(tmp_path))
    tables = [_run(*arguments).stdout.split("Ask for yourself")[0] for _ in range(2)]
    assert tables[0] == tables[1]
    assert "Exact" in tables[0]
    assert other.read_text() == "mine"


def test_a_log_of_the_users_own_is_counted(tmp_path: Path) -> None:
    """Malformed lines, repeat clicks and robots are named; the most wanted path comes first."""
    log = tmp_path / "access.log"
    log.write_text(LOG)
    done = _run("--exit", "--data", str(tmp_path / "data"), "--log", str(log))
    assert done.returncode == 0, done.stderr
    numbers = [line.split()[-1] for line in done.stdout.splitlines()[3:9]]
    assert numbers == ["6", "1", "0", "1", "1", "3"]
    assert "line 6 is malformed" in done.stdout
    ranking = done.stdout.split("The most wanted paths:")[1].split("Ask for")[0]
    assert ranking.split() == ["/a", "2", "/b\\x1b[2J", "1"]


def test_a_file_that_is_no_log_is_one_line(tmp_path: Path) -> None:
    """Nothing is served, and the user reads what is wrong."""
    log = tmp_path / "poem.txt"
    log.write_text("no log at all\n")
    done = _run("--data", str(tmp_path / "data"), "--log", str(log))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "none of its 1 lines is in common or combined log format" in done.stderr


def test_the_printed_curl_line_gives_the_printed_answer(served: Served) -> None:
    """What the user copies works, and answers what was shown."""
    line = next(line for line in served.output.splitlines() if line.startswith("  curl "))
    _curl, url, _header, header, _data, body = shlex.split(line)
    name, _, value = header.partition(": ")
    with urlopen(Request(url, body.encode(), {name: value})) as response:
        answer = json.load(response)
    shown = served.output.split(line)[1].split("The page with the charts")[0]
    assert _without_freshness(answer) == _without_freshness(json.loads(shown))
    assert len(answer["example"]["buckets"]) == 3


def test_a_second_demo_in_the_same_folder_is_refused(served: Served) -> None:
    """It would take the data away from the first one."""
    done = _run("--exit", "--data", str(served.data))
    assert done.returncode == 2
    assert "Another demo is using" in done.stderr


def test_a_port_in_use_is_said_and_the_next_one_is_taken() -> None:
    """The first free port from the wanted one on is chosen."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


def _without_freshness(answer: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    # The demo goes on updating, also when nothing has changed.
    return {
        label: {key: value for key, value in result.items() if key != "as_of"}
        for label, result in answer.items()
    }
