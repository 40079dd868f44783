"""An app with the worked example E004 counted, and some queries of a host."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from flask import Flask
from flask.testing import FlaskClient

from stats_pipeline import current_stats
from tests.rest.host import make_app
from tests.support import cleared

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


#: For modules that ask it of both stores: one app of each serves all tests of the module.
ON_BOTH_STORES = pytest.mark.parametrize(
    "app",
    ["sqlite", pytest.param("elasticsearch", marks=pytest.mark.servers)],
    indirect=True,
    scope="module",
)


@pytest.fixture(scope="module")
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """Give the app, with its events aggregated; on SQLite unless a module asks for more."""
    settings = {}
    with ExitStack() as stack:
        if getattr(request, "param", "sqlite") == "elasticsearch":
            url, prefix = request.getfixturevalue("elasticsearch_url"), f"t{secrets.token_hex(4)}-"
            stack.enter_context(cleared(url, prefix))
            settings = {"STATS_STORE_URL": url, "STATS_INDEX_PREFIX": prefix}
        app = make_app(str(tmp_path_factory.mktemp("instance")), **settings)
        stack.callback(app.extensions["stats_pipeline"].close)
        count_events(app)
        yield app


def count_events(app: Flask) -> None:
    """Publish, process and aggregate the events."""
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


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Give a client of that app."""
    return app.test_client()
