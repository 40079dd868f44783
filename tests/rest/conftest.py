"""An app with the worked example E004 counted, and some queries of a host."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from stats_pipeline import current_stats
from tests.rest.host import make_app

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:50.0) Gecko/20100101 Firefox/50.0"
#: Time of 2016-12-18 (or -19), user, file: those events of E004 that count.
EVENTS = [
    ("18T10:00:09.900", "u1", 1),
    ("18T10:00:10", "u1", 1),
    ("18T10:00:05", "u2", 1),
    ("18T23:59:59", "u1", 1),
    ("19T00:00:04", "u1", 1),
    ("18T10:00:05", "u1", 2),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Give the app, with its events aggregated."""
    app = make_app(str(tmp_path_factory.mktemp("instance")))
    with app.app_context():
        current_stats.publish(
            "file-download",
            [
                {
                    "timestamp": f"2016-12-{time}Z",
                    "user_id": user,
                    "bucket_id": "20",
                    "file_id": f"f-{file}",
                    "file_key": f"file{file}.txt",
                    "user_agent": FIREFOX,
                }
                for time, user, file in EVENTS
            ],
        )
        assert current_stats.process_events().indexed == len(EVENTS)
        assert current_stats.update().is_complete
    yield app
    app.extensions["stats_pipeline"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Give a client of that app."""
    return app.test_client()
