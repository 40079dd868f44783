"""Foreign text can neither begin a line of a log nor give a terminal commands."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

import stats_pipeline
from stats_pipeline.cli.script import script
from stats_pipeline.text import get_logger, json_lines, one_line
from tests.support import Backend, MakeApp, pipeline_of

#: A line of a log that never was, and orders: clear the screen, set the title, turn the direction.
HOSTILE = (
    "x\n2026-01-01 00:00:00,000 CRITICAL forged\r\x1b[2J\x1b]0;title\x07\x9b31m\u2028\u202e\udc80"
)

SOURCES = Path(stats_pipeline.__file__).parent


def assert_harmless(text: str, *, lines: int | None = None) -> None:
    """Check that there is nothing in it but lines of ours that print."""
    for line in text.rstrip("\n").split("\n"):
        assert line.isprintable(), line
        assert not line.startswith("2026-01-01 00:00"), line
    assert lines is None or text.rstrip("\n").count("\n") + 1 == lines, text


def _refuse(event: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError(event["path"])


def file_handler(path: Path) -> logging.Handler:
    """Give a handler as hosts have it, in the most usual form."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    return handler


@given(st.text())
def test_one_line_is_one_line_and_can_be_encoded(text: str) -> None:
    """Whatever it is; doing it twice changes nothing, and what prints stays as it is."""
    shown = one_line(text)
    assert shown.isprintable()
    assert one_line(shown) == shown
    assert shown == text or not text.isprintable()
    shown.encode()


@given(st.recursive(st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=5))
def test_json_lines_hold_the_same_value_and_nothing_that_a_terminal_obeys(value: Any) -> None:
    """Programs read the same value, halves of characters too."""
    text = json_lines(value)
    assert json.loads(text) == value
    assert_harmless(text)
    text.encode()


def test_a_record_of_a_log_is_one_line_and_its_traceback_is_indented(tmp_path: Path) -> None:
    """Neither an argument nor the text of an exception begins a line as a record does."""
    logger = get_logger("stats_pipeline.tests.hostile")
    handler = file_handler(tmp_path / "log")
    logger.addHandler(handler)
    try:
        logger.warning("%s took %d s, %.1f %%", HOSTILE, 3, 0.5)
        try:
            _refuse({"path": HOSTILE})
        except RuntimeError:
            logger.exception("Failed: %s", HOSTILE)
    finally:
        logger.removeHandler(handler)
        handler.close()
    text = (tmp_path / "log").read_text()
    assert_harmless(text)
    records = [line for line in text.splitlines() if not line.startswith(("  ", "Traceback"))]
    assert len(records) == 2
    assert "took 3 s, 0.5 %" in records[0]
    assert "RuntimeError: x\n  2026-01-01" in text, "what is raised stands there as well"


def test_every_module_of_ours_logs_through_it() -> None:
    """Nobody has to remember which argument comes from a stranger."""
    own = {SOURCES / "text.py", SOURCES / "cli" / "output.py"}
    for path in set(SOURCES.rglob("*.py")) - own:
        assert "getLogger" not in path.read_text(), f"{path}: use stats_pipeline.text.get_logger"


def _raise(event: Any, sender: Any, **_: Any) -> Any:
    raise RuntimeError(HOSTILE)


EVENTS = {"access-log": {"processor_config": {"preprocessors": [_refuse]}}}


def test_what_a_host_raises_while_it_builds_an_event_can_not_forge_a_record(
    embedded: Backend, make_app: MakeApp, tmp_path: Path
) -> None:
    """The builder quotes the request in its exception."""
    events = {"file-download": {"event_builders": [_raise]}}
    app = make_app(embedded.store_url, STATS_EVENTS=events)
    handler = file_handler(tmp_path / "log")
    logging.getLogger("stats_pipeline").addHandler(handler)
    try:
        pipeline_of(app)._receivers[0].receive(None)
    finally:
        logging.getLogger("stats_pipeline").removeHandler(handler)
        handler.close()
    text = (tmp_path / "log").read_text()
    assert "Error building event" in text
    assert_harmless(text)


def test_the_error_of_a_dead_letter_can_not_reach_the_terminal(
    embedded: Backend, make_app: MakeApp
) -> None:
    """Its error and its event hold what a stranger asked for; both forms of output are safe."""
    app = make_app(embedded.store_url, STATS_EVENTS=EVENTS)
    pipeline = pipeline_of(app)
    pipeline.publish("access-log", [{"path": HOSTILE, "user_agent": HOSTILE}])
    assert pipeline.process_events().dead == 1
    text = app.test_cli_runner().invoke(args=["stats", "dead-letters", "list"])
    assert text.exit_code == 0, text.output
    assert_harmless(text.output)
    assert "forged" in text.output
    listed = app.test_cli_runner().invoke(args=["stats", "dead-letters", "list", "--json"])
    assert_harmless(listed.output)
    assert json.loads(listed.output)[0]["event"]["path"] == HOSTILE


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", HOSTILE.replace("\udc80", "")],
        ["query", "access-log-terms", f"{HOSTILE}=x"],
        ["query", "access-log-terms", HOSTILE.replace("\udc80", "")],
        ["update", HOSTILE],
        ["update", "--start", HOSTILE],
        [HOSTILE],
        ["events", "import-log", HOSTILE],
    ],
)
def test_what_a_command_is_given_comes_back_in_one_line(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Arguments of cron jobs and scripts come from elsewhere, too."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(script, arguments)
    assert result.exit_code == 2, result.output
    assert_harmless(result.stderr, lines=1)


def test_a_line_of_a_log_that_is_refused_is_shown_harmless(tmp_path: Path) -> None:
    """`import-log` shows the first malformed lines, and their request is a stranger's."""
    log = tmp_path / "access.log"
    log.write_bytes(b'::1 - - [01/Jan/2026:00:00:00 +0000] "\x1b[2J\x9b forged" 200 1\n')
    result = CliRunner().invoke(script, ["events", "import-log", "--dry-run", str(log)])
    assert_harmless(result.output)


def test_a_request_that_fails_can_not_forge_a_record(
    embedded: Backend, make_app: MakeApp, tmp_path: Path
) -> None:
    """The path of a request and what a host's query raises stand in the log in one line."""

    class Broken:
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, **params: Any) -> Any:
            raise RuntimeError(params["what"])

    query = {"broken": {"query_class": Broken, "permission": lambda *_: True}}
    app: Flask = make_app(embedded.store_url, STATS_QUERIES=query)
    handler = file_handler(tmp_path / "log")
    logging.getLogger("stats_pipeline").addHandler(handler)
    try:
        answer = app.test_client().get("/stats/broken", query_string={"what": HOSTILE[:-1]})
    finally:
        logging.getLogger("stats_pipeline").removeHandler(handler)
        handler.close()
    assert answer.status_code == 500
    assert "forged" not in answer.text
    assert_harmless((tmp_path / "log").read_text())
