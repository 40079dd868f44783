"""The page with charts."""

import re
from datetime import UTC
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.dashboard.chart import (
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    date_label,
    draw,
    round_step,
)
from tests.rest.test_posting import problem

PAGE = "/stats/dashboard"
FILE_1 = {
    "query": "bucket-file-download-histogram",
    "bucket_id": "20",
    "file_key": "file1.txt",
}


class Outline(HTMLParser):
    """Collect the tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Take a text."""
        self.words += data.split()

    @property
    def text(self) -> str:
        """Return the text with single spaces."""
        return " ".join(self.words)

    @property
    def options(self) -> list[str | None]:
        """Return the queries to choose from."""
        return [option["value"] for option in self.having("option") if option.get("value")]

    @property
    def chosen(self) -> str | None:
        """Return the query that is shown."""
        shown = (option for option in self.having("option") if "selected" in option)
        return next((option["value"] for option in shown), None)

    def having(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """Return the attributes of the tags that have these."""
        return [a for t, a in self.tags if t == tag and attributes.items() <= a.items()]


def open_page(client: FlaskClient, **params: str) -> Outline:
    """Return the outline of the page with these fields filled in."""
    response = client.get(PAGE, query_string=params)
    assert response.status_code == 200, response.text
    return Outline(response.text)


def test_a_chosen_histogram_is_bars_and_numbers(client: FlaskClient) -> None:
    """One bar per bucket, the same numbers in a table, the total, and how fresh they are."""
    page = open_page(client, **FILE_1)
    (chart,) = page.having("svg", role="img")
    assert chart["aria-labelledby"] == "chart-title chart-description"
    assert "2016-12-18: 4" in page.text
    assert "2016-12-18 4 2016-12-19 1" in page.text
    assert "complete as of" in page.text


def test_the_most_frequent_values_are_below(client: FlaskClient) -> None:
    """A terms query that the filled fields answer is shown as a ranking."""
    assert "file1.txt 5 file2.txt 1" in open_page(client, **FILE_1).text


def test_the_same_numbers_are_one_click_away_in_other_forms(client: FlaskClient) -> None:
    """Each link answers, with what is on the page."""
    links = [a["href"] for a in open_page(client, **FILE_1).having("a") if a["href"]]
    forms = {link.rsplit("format=", 1)[1]: link for link in links if "file1.txt" in link}
    assert forms.keys() == {"html", "json", "csv", "text"}
    assert client.get(forms["json"]).json["buckets"][0]["value"] == 4.0  # type: ignore[index]


def test_a_query_that_needs_more_says_what(client: FlaskClient) -> None:
    """Without its required filters there are fields for them, and no error."""
    page = open_page(client, query="bucket-file-download-histogram")
    assert "needs bucket_id , file_key" in page.text
    assert "required" in page.having("input", name="bucket_id")[0]


def test_a_terms_query_is_a_ranking(client: FlaskClient) -> None:
    """The numbers, their sum, and how fresh they are, on a page of its own."""
    page = open_page(client, query="bucket-file-download-total", bucket_id="20")
    assert "file1.txt 5 file2.txt 1" in page.text
    assert page.text.count("file1.txt") == 1, "and not once more below"
    assert page.having("p", **{"class": "total"})
    assert "complete as of" in page.text
    assert not page.having("select", name="interval"), "it has none"


def test_a_ranking_leads_to_its_own_page(client: FlaskClient) -> None:
    """With those of the values that are filled in already which it knows."""
    page = open_page(client, **FILE_1)
    assert page.having("a", href=f"{PAGE}?bucket_id=20&query=bucket-file-download-total")


def test_nothing_that_was_counted_for_a_choice_is_said_of_that_choice(client: FlaskClient) -> None:
    """Not of the query, and not of the application."""
    page = open_page(client, **FILE_1, start_date="2030-01-01")
    assert "bucket-file-download-histogram has counted nothing for this choice" in page.text


def test_what_is_no_chart_is_one_click_away(client: FlaskClient) -> None:
    """A class of the host's may answer with anything, so the page only says where."""
    page = open_page(client, query="ratio")
    assert "neither bars nor a ranking" in page.text
    (link,) = [a["href"] for a in page.having("a") if str(a["href"]).endswith("format=json")]
    assert client.get(str(link)).json == {"value": 100, "as_of": None}


def test_numbers_of_visitors_are_marked_and_not_added_up(client: FlaskClient) -> None:
    """Who came on two days is one visitor; where days are all that there can be, it is days."""
    many_days = {"start_date": "2016-06-01", "end_date": "2016-12-31", "zero_fill": "true"}
    page = open_page(client, query="visitors", bucket_id="20", **many_days)
    assert "value is approximate, within 2.0 %." in page.text
    assert "Day Value" in page.text
    assert not page.having("p", **{"class": "total"})
    assert open_page(client, **FILE_1).having("p", **{"class": "total"})


@pytest.mark.parametrize("wrong", [{"start_date": "may"}, {"interval": "hour"}])
def test_a_wrong_value_is_said_on_the_page(client: FlaskClient, wrong: dict[str, str]) -> None:
    """The page comes with status 400, the message, and the fields as they were filled in."""
    response = client.get(PAGE, query_string={**FILE_1, **wrong})
    assert response.status_code == 400
    (name,) = wrong
    assert repr(name) in Outline(response.text).text


def test_long_ranges_are_drawn_in_longer_intervals(client: FlaskClient) -> None:
    """The interval is chosen so that bars can be told apart, and refused where they can't be."""
    years = {"start_date": "2000-01-01", "end_date": "2016-12-31", "zero_fill": "true"}
    page = open_page(client, **FILE_1, **years).text
    assert "One bar for each quarter" in page
    assert "Quarter Value 2000-Q1 0 2000-Q2 0" in page
    response = client.get(PAGE, query_string={**FILE_1, **years, "interval": "day"})
    assert response.status_code == 400
    assert "too many for a chart" in response.text


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_a_script(client: FlaskClient) -> None:
    """The page works under the strictest policy, which it sends: one own style sheet is all."""
    response = client.get(PAGE, query_string=FILE_1)
    page = Outline(response.text)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert not page.having("script")
    assert not [tag for tag, attributes in page.tags if "style" in (tag, *attributes)]
    (sheet,) = page.having("link")
    assert sheet["href"] == "/stats/static/stats.css"
    with client.get("/stats/static/stats.css") as styles:
        assert styles.mimetype == "text/css"
    assert not re.search(r"https?://", response.text)


def test_what_the_caller_may_not_see_is_not_there(client: FlaskClient) -> None:
    """Queries that are refused are not listed; another method is a problem."""
    assert "secret" not in open_page(client).text
    problem(client.post(PAGE), 405)


@given(values=st.lists(st.none() | st.floats(-1e6, 1e12), max_size=60))
def test_bars_stay_inside_the_chart(values: list[float | None]) -> None:
    """Whatever the numbers: every bar and line lies within the frame, at round values."""
    buckets: list[dict[str, Any]] = [
        {"date": "2016-12-18T00:00:00.000Z", "value": value} for value in values
    ]
    chart = draw(buckets, "day", UTC)
    assert len(chart.bars) == len(values)
    for bar in chart.bars:
        assert LEFT <= bar.x <= bar.x + bar.width <= WIDTH - RIGHT + 0.01
        assert bar.y >= TOP - 0.01
        assert abs(bar.y + bar.height - chart.floor) < 0.02
    assert all(TOP <= line.y <= HEIGHT for line in chart.lines)
    assert 2 <= len(chart.lines) <= 6


@given(highest=st.floats(0, 1e15))
def test_lines_are_few_and_at_round_values(highest: float) -> None:
    """The step is 1, 2 or 5 times a power of ten, and four of them reach the highest bar."""
    step = round_step(highest)
    assert step * 4 >= highest * (1 - 1e-9)
    assert f"{step:e}"[0] in "125"


def test_a_month_that_begins_before_its_utc_date_is_called_by_its_own_name() -> None:
    """June in Zurich begins on 31 May in UTC, and is June nevertheless."""
    assert date_label("2025-05-31T22:00:00.000Z", "month", ZoneInfo("Europe/Zurich")) == "2025-06"
    assert date_label("2025-05-31T22:00:00.000Z", "day", ZoneInfo("Europe/Zurich")) == "2025-06-01"
    assert date_label("2025-06-01T00:00:00.000Z", "month", UTC) == "2025-06"


@pytest.mark.parametrize(
    ("interval", "label"),
    [
        ("hour", "2025-06-30 22:00"),
        ("day", "2025-06-30"),
        ("week", "2025-06-30"),
        ("month", "2025-06"),
        ("quarter", "2025-Q2"),
        ("year", "2025"),
    ],
)
def test_a_label_has_as_much_of_a_date_as_its_interval_needs(interval: str, label: str) -> None:
    """A quarter is no month, and a week is called by its first day."""
    assert date_label("2025-06-30T22:00:00.000Z", interval, UTC) == label
