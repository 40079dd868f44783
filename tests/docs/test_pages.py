"""The pages for those who move events work word by word, and no code on any page is untried."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.contrib.test_invenio_stats_events import E004_STORED, source
from tests.docs.blocks import Block, blocks_of
from tests.docs.conftest import ACTIVATE, CHECKOUT, Follow, page
from tests.docs.sessions import KINDS

DOWNLOADS = """
from stats_pipeline import current_stats
from stats_pipeline.app import create_app

DOWNLOADS = [
    {
        "event_id": f"e{number}",
        "timestamp": f"2016-12-18T10:00:0{number}Z",
        "user_id": user,
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "bucket_id": "20",
        "file_id": f"f-{number}",
        "file_key": f"file{number}.txt",
        "size": 1000,
    }
    for number, user in enumerate(["4711", "4711", "42"])
]
with create_app().app_context():
    current_stats.publish("file-download", DOWNLOADS)
    assert current_stats.process_events().indexed == 3
    assert current_stats.update().is_complete
"""

INVENIO = """
from invenio_stats.aggregations import StatAggregator
from invenio_stats.contrib.event_builders import file_download_event_builder
from invenio_stats.processors import EventsIndexer, anonymize_user, flag_robots
from invenio_stats.queries import TermsQuery

STATS_EVENTS = {
    "file-download": {
        "templates": "invenio_stats.contrib.file_download",
        "signal": "stats_pipeline.contrib.file_download.signals.file_downloaded",
        "event_builders": [file_download_event_builder],
        "cls": EventsIndexer,
        "params": {"preprocessors": [flag_robots, anonymize_user]},
    },
}
STATS_AGGREGATIONS = {
    "file-download-agg": {
        "templates": "invenio_stats.contrib.aggregations.aggr_file_download",
        "cls": StatAggregator,
        "params": {
            "event": "file-download",
            "field": "unique_id",
            "interval": "day",
            "index_interval": "month",
            "copy_fields": {"file_key": "file_key", "bucket_id": "bucket_id"},
            "metric_fields": {"volume": ("sum", "size", {})},
        },
    },
}
STATS_QUERIES = {
    "bucket-file-download-total": {
        "cls": TermsQuery,
        "params": {
            "index": "stats-file-download",
            "required_filters": {"bucket_id": "bucket_id"},
            "aggregated_fields": ["file_key"],
        },
    },
}
"""

#: Blocks that no reader of these tests types or saves: what else tries them, or why nothing does.
TRIED_ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("CONTRIBUTING.md", "console"): "make in the checkout, which the CI itself is made of",
    ("README.md", "console"): "make: tests/demo runs the one, and this is a test of the other",
    ("docs/cli.md", "text"): "test_command_line.py reads the examples as the commands would",
    ("docs/deployment.md", "bash"): "tests/deployment and tests/security make these users",
    ("docs/deployment.md", "console"): "tests/end_to_end/test_celery.py runs this worker",
    ("docs/deployment.md", "yaml"): "tests/security/conftest.py makes these roles",
    ("docs/migration.md", "python"): "test_a_signal_takes_the_place_of_an_emitter runs it",
    ("docs/security.md", "yaml"): "test_security.py reads it as Docker would: there is none here",
}

#: Pages whose files and sessions some test follows or runs.
FOLLOWED = {
    "README.md",
    "docs/deployment.md",
    "docs/migration.md",
    "docs/moving.md",
    "docs/registration.md",
    "docs/tutorial.md",
}


def file(name: str, text: str) -> Block:
    """Return a file that the reader has already."""
    return Block("text", f'title="{name}"', text)


@pytest.mark.timeout(240)
def test_events_and_history_move_as_the_page_shows(follow: Follow) -> None:
    """Out, in, back again, from elsewhere, and away: each command prints what is shown."""
    run = Block("console", "run", "$ python downloads.py\n")
    follow("docs/moving.md", {}, [ACTIVATE, file("downloads.py", DOWNLOADS), run])


@pytest.mark.timeout(240)
def test_an_application_comes_over_as_the_page_shows(follow: Follow) -> None:
    """The configuration, and then the events of E004 as invenio-stats has stored them."""
    lines = "".join(json.dumps({"_source": source(*event)}) + "\n" for event in E004_STORED)
    pack = Block("console", "run", "$ gzip events.ndjson\n")
    follow(
        "docs/migration.md",
        {},
        [ACTIVATE, file("invenio.cfg", INVENIO), file("events.ndjson", lines), pack],
    )


def test_a_signal_takes_the_place_of_an_emitter() -> None:
    """The page's lines make the signal and send it."""
    (block,) = [each for each in blocks_of(page("docs/migration.md")) if each.language == "python"]
    made, _, sent = block.text.partition("\n\n# before")
    names: dict[str, Any] = {"current_app": Flask("repository"), "record": {"id": 1}}
    exec(made, names)
    got: list[Mapping[str, Any]] = []

    def listen(_sender: object, **values: Any) -> None:
        got.append(values)

    names["record_viewed"].connect(listen)
    exec(sent.partition("\n")[2], names)
    assert got == [{"record": {"id": 1}, "via_api": False}]


def test_no_code_on_any_page_is_untried() -> None:
    """Each block is a file or a session that a test follows, or is named above with a reason."""
    pages = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md")]
    used = set()
    for name in (str(path.relative_to(CHECKOUT)) for path in pages):
        for block in blocks_of(page(name)):
            is_session = block.language == "console" and block.info in KINDS
            if (block.title or is_session) and name in FOLLOWED:
                continue
            used.add((name, block.language))
            assert (name, block.language) in TRIED_ELSEWHERE, f"{name}:\n{block.text}"
    assert used == TRIED_ELSEWHERE.keys(), "what is not there any more needs no reason"


def test_reasons_name_tests_that_exist() -> None:
    """A reason does not outlive what it speaks of."""
    for reason in TRIED_ELSEWHERE.values():
        for word in reason.replace(":", " ").split():
            if word.startswith("tests/"):
                assert (CHECKOUT / word).exists(), word
            elif word.endswith(".py"):
                assert Path(__file__).with_name(word).exists(), word
