"""A value that does not fit in its row is said by updates and resets, and then is done."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from stats_pipeline.app import create_app
from tests.cli.conftest import Run
from tests.support import pipeline_of


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Give the stand-alone application with downloads of files, which have a size."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.py"
    path.write_text("STATS_EVENTS = {'file-download': {}}")
    app = create_app(config_file=path)
    yield app
    pipeline_of(app).close()


def test_an_update_and_a_reset_say_which_value_does_not_fit(run: Run, app: Flask) -> None:
    """In one line, with exit code 1, since a person must act; the next update is silent."""
    file = {"bucket_id": "b", "file_id": "f", "file_key": "k", "size": 2**62}
    events = [
        {**file, "timestamp": "2017-01-10T10:00:00Z", "user_id": str(user)} for user in range(2)
    ]
    pipeline_of(app).publish("file-download", events)
    run("events", "process")
    for command in ("update", "reset"):
        result = run(command, "file-download-agg")
        assert result.exit_code == 1
        said = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
        assert len(said) == 1
        assert "file-download-agg: 2017-01-10T00:00:00.000Z: in the row of" in said[0]
        assert "unique_id='b_f'" in said[0]
        assert f"volume is {2**63 - 1}, since a long can't hold '{2**63}'" in said[0]
        assert "not in effect" not in result.stderr
        result = run("update")
        assert (result.exit_code, result.stderr) == (0, "")
