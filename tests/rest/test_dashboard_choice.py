"""Which query the page with charts shows, and what it says where that can't be shown."""

from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask

from stats_pipeline import DateHistogramQuery, TermsQuery, current_stats
from stats_pipeline.errors import DefinitionError, StoreUnavailable
from stats_pipeline.model import Event
from stats_pipeline.permissions import allow_everyone, deny_all
from tests.rest.test_dashboard import PAGE, Outline, open_page
from tests.support import BROWSER, E004_EVENTS, Backend, MakeApp

BOTH: dict[str, Any] = {"access-log": {}, "file-download": {}}
REQUEST: Event = {"path": "/a", "unique_id": "/a", "user_id": "u1", "user_agent": BROWSER}


def of_downloads(query_class: type, permission: Any = allow_everyone, **config: Any) -> Any:
    """Return the registration of a query that reads the rows of downloads."""
    config = {"index": "stats-file-download", **config}
    return {"query_class": query_class, "query_config": config, "permission": permission}


def failing(error: Exception) -> type[DateHistogramQuery]:
    """Return a host's own kind of chart, which fails."""

    class FailingChart(DateHistogramQuery):
        def run(self, /, **_params: Any) -> Any:
            raise error

    return FailingChart


#: By their names they come before all others.
BROKEN: dict[str, Any] = {
    "a-wrong-chart": of_downloads(failing(DefinitionError("private detail"))),
    "a-crashing-chart": of_downloads(failing(ZeroDivisionError("private detail"))),
    "a-chart-of-another-store": of_downloads(failing(StoreUnavailable("http://me:secret@host"))),
    "a-secret": of_downloads(DateHistogramQuery, deny_all),
}
TOP_FILES = {"top-files": of_downloads(TermsQuery, aggregated_fields=["file_key"])}
ALL_FILES = {"all-files": of_downloads(DateHistogramQuery)}


def counted(app: Flask, event_type: str, events: Sequence[Event]) -> Flask:
    """Return the app, in which these events have been counted."""
    with app.app_context():
        current_stats.publish(event_type, events)
        current_stats.process_events()
        assert current_stats.update().is_complete
    return app


def page_of(app: Flask, **params: str) -> Outline:
    """Return the page."""
    return open_page(app.test_client(), **params)


def test_what_this_application_does_not_use_is_left_out(
    make_app: MakeApp, backend: Backend
) -> None:
    """Queries of event types that are not active would always be empty."""
    app = make_app(backend.store_url, backend.broker_url)
    page = page_of(app)
    assert page.options == ["bucket-file-download-histogram", "bucket-file-download-total"]
    assert "access-log" not in page.text


def test_what_was_counted_before_is_still_there(make_app: MakeApp, backend: Backend) -> None:
    """An event type that is not active any more keeps its numbers."""
    before = make_app(backend.store_url, backend.broker_url, STATS_EVENTS=BOTH)
    counted(before, "access-log", [REQUEST])
    app = make_app(backend.store_url, backend.broker_url)
    assert "access-log-histogram" in page_of(app).options
    assert "record-view-histogram" not in page_of(app).options


def test_a_histogram_with_numbers_comes_first(make_app: MakeApp, embedded: Backend) -> None:
    """Others that need nothing either come before it by name, but are empty or can't work."""
    app = make_app(embedded.store_url, STATS_EVENTS=BOTH, STATS_QUERIES={**BROKEN, **ALL_FILES})
    counted(app, "file-download", E004_EVENTS)
    page = page_of(app)
    assert page.chosen == "all-files"
    assert "2016-12-18: 5" in page.text


def test_then_a_ranking_with_numbers(make_app: MakeApp, embedded: Backend) -> None:
    """As in an application whose histograms all need something."""
    app = make_app(embedded.store_url, STATS_EVENTS=BOTH, STATS_QUERIES=TOP_FILES)
    page = page_of(counted(app, "file-download", E004_EVENTS))
    assert page.chosen == "top-files"
    assert "file1.txt 5 file2.txt 1" in page.text


def test_then_what_needs_something(make_app: MakeApp, embedded: Backend) -> None:
    """Rather than a chart of nothing: here the downloads are all that was counted."""
    app = make_app(embedded.store_url, STATS_EVENTS=BOTH)
    page = page_of(counted(app, "file-download", E004_EVENTS))
    assert page.chosen == "bucket-file-download-histogram"
    assert "This query needs bucket_id , file_key" in page.text
    assert "nothing" not in page.text


def test_where_nothing_was_counted_it_is_said_of_the_query_and_what_to_do(
    make_app: MakeApp, embedded: Backend
) -> None:
    """Three steps, and the way to import a log only where that would be counted."""
    page = page_of(make_app(embedded.store_url, STATS_EVENTS=BOTH))
    assert "access-log-histogram has counted nothing yet" in page.text
    assert "stats events import-log" in page.text
    page = page_of(make_app(embedded.store_url, STATS_QUERIES=ALL_FILES))
    assert "all-files has counted nothing yet" in page.text
    assert "stats events import-log" not in page.text


def test_where_no_event_type_is_active_it_says_where_to_name_one(
    make_app: MakeApp, embedded: Backend
) -> None:
    """There is nothing to choose from."""
    page = page_of(make_app(embedded.store_url, STATS_EVENTS={}))
    assert "No event type is active in this application" in page.text
    assert page.options == []


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("nope", 404, "Unknown statistic 'nope'"),
        ("a-secret", 401, "You are not allowed to run the statistic 'a-secret'"),
        ("a-wrong-chart", 500, "The server failed to answer this; its log says why"),
        ("a-crashing-chart", 500, "The server failed to answer this; its log says why"),
        ("a-chart-of-another-store", 503, "The statistics can't be read now"),
    ],
)
def test_a_query_that_can_not_be_shown_is_a_page_that_says_so(
    make_app: MakeApp, embedded: Backend, name: str, status: int, said: str
) -> None:
    """No numbers of another query, the status that REST has, and a way to the others."""
    app = make_app(embedded.store_url, STATS_QUERIES={**BROKEN, **ALL_FILES})
    counted(app, "file-download", E004_EVENTS)
    response = app.test_client().get(PAGE, query_string={"query": name})
    assert (response.status_code, response.mimetype) == (status, "text/html")
    page = Outline(response.text)
    assert said in page.text
    assert not page.having("svg")
    assert page.having("a", href=PAGE)
    assert "all-files" in page.options
    assert "private detail" not in response.text
    assert "me:secret" not in response.text


def test_a_store_that_is_away_is_a_page_that_says_so(make_app: MakeApp) -> None:
    """Whichever query was meant."""
    response = make_app("http://127.0.0.1:1").test_client().get(PAGE)
    assert (response.status_code, response.mimetype) == (503, "text/html")
    assert response.headers["Retry-After"]
    assert "The statistics can't be read now" in Outline(response.text).text
