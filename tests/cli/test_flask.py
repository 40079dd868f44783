"""`flask stats`: the same commands in a host's application, also where that is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

HOST = """
from flask import Flask
from stats_pipeline import StatsPipeline

def create_app():
    app = Flask(__name__, instance_path={instance!r})
    {lines}
    return app
"""


def flask_stats(folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Run `flask stats query --list` in an app that these lines of code set up."""
    host = HOST.format(instance=str(folder), lines="\n    ".join(lines) or "pass")
    (folder / "shop.py").write_text(host)
    program = str(Path(sys.executable).with_name("flask"))
    return subprocess.run(
        [program, "--app", "shop", "stats", "query", "--list"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_hosts_statistics_are_asked(tmp_path: Path) -> None:
    """The app is found as Flask finds it."""
    result = flask_stats(tmp_path, "StatsPipeline(app)")
    assert (result.returncode, result.stderr) == (0, "")
    assert "record-view-total" in result.stdout


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["app.config['STATS_EVNTS'] = {}", "StatsPipeline(app)"], "did you mean 'STATS_EVENTS'?"),
        ([], "The app 'shop' has no statistics: call StatsPipeline(app)"),
    ],
)
def test_a_wrong_host_is_one_line(tmp_path: Path, lines: list[str], said: str) -> None:
    """What is wrong with its configuration is said without a traceback."""
    result = flask_stats(tmp_path, *lines)
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
