"""No command and no part of the pipeline says the password of a server that it can't reach."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scripts.services.server import free_ports
from stats_pipeline.app import create_app
from stats_pipeline.cli.script import script
from tests.celery.workers import environment, run_celery
from tests.security.conftest import ESCAPED_PASSWORD, assert_no_password


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give variables of two servers with passwords, at ports where nobody listens."""
    monkeypatch.chdir(tmp_path)
    store, broker = free_ports(2)
    user = f"stats:{ESCAPED_PASSWORD}@127.0.0.1"
    return {
        "STATS_STORE_URL": f"http://{user}:{store}",
        "STATS_BROKER_URL": f"amqp://{user}:{broker}//",
        "STATS_EVENTS": json.dumps({"file-download": {}}),
    }


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """Give all that any library logs, at any level, in the usual form."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield said
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "-vv"],
        ["status", "--json"],
        ["init", "-vv"],
        ["init", "--json"],
        ["update", "-vv", "--json"],
        ["events", "process", "-vv"],
        ["doctor", "-vv", "--wait", "0"],
        ["doctor", "--json", "--wait", "0"],
        ["query", "access-log-terms", "-vv"],
        ["dead-letters", "list", "-vv"],
    ],
)
def test_a_command_says_where_a_server_is_and_no_password(
    arguments: list[str],
    nowhere: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    everything_logged: io.StringIO,
) -> None:
    """Neither do the libraries below, at any level."""
    with monkeypatch.context() as patched:
        for name, value in nowhere.items():
            patched.setenv(name, value)
        result = CliRunner().invoke(script, arguments)
    assert result.exit_code == 1, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "stats:***@127.0.0.1" in result.output
    assert_no_password(result.output + everything_logged.getvalue())


@pytest.mark.parametrize("way", ["environment", "secret file", "config", "config file"])
def test_the_configuration_of_the_app_shows_no_password(
    way: str, nowhere: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools that report errors show it, however it came in; what connects gets all of it."""
    name = "STATS_BROKER_URL"
    url, file = nowhere[name], tmp_path / "file"
    options: dict[str, Any] = {}
    if way == "environment":
        monkeypatch.setenv(name, url)
    elif way == "secret file":
        file.write_text(url)
        monkeypatch.setenv(f"{name}_FILE", str(file))
    elif way == "config":
        options["config"] = {name: url}
    else:
        file.write_text(f"{name} = {url!r}")
        options["config_file"] = file
    app = create_app(**options)
    assert_no_password(repr(app.config))
    assert "stats:***@127.0.0.1" in repr(app.config)
    assert app.config[name] == url


def test_celery_report_and_the_banner_of_a_worker_show_no_password(
    nowhere: dict[str, str], tmp_path: Path
) -> None:
    """Celery shows its configuration in both; beat too, before it finds no broker."""
    report = run_celery(tmp_path, nowhere, "report")
    assert report.returncode == 0, report.stderr
    assert_no_password(report.stdout + report.stderr)
    code = "from stats_pipeline.worker import app; print(app, app.conf.humanize())"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(nowhere),
        capture_output=True,
        text=True,
        check=True,
    )
    assert_no_password(shown.stdout + shown.stderr)


@pytest.mark.parametrize("name", ["STATS_STORE_URL", "STATS_BROKER_URL"])
def test_a_worker_that_can_not_be_configured_says_so_in_one_line_without_the_password(
    name: str, nowhere: dict[str, str], tmp_path: Path
) -> None:
    """A URL of another scheme, and a file that is not there."""
    for settings, said in (
        ({**nowhere, name: f"ftp://x:{ESCAPED_PASSWORD}@host"}, "expected a complete URL"),
        ({**nowhere, f"{name}_FILE": "/nowhere"}, "are both set; unset one of them"),
    ):
        done = run_celery(tmp_path, settings, "report")
        assert done.returncode != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert_no_password(done.stdout + done.stderr)
