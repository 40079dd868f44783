"""The stand-alone Celery app: how it is configured, and what it says where it can't be."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.celery.workers import environment, run_celery

BROKER = {"STATS_BROKER_URL": "amqp://guest:secret@localhost:5672//"}

SHOW = """
import json
from stats_pipeline.worker import app
conf = {name: app.conf[name] for name in app.conf}
conf["task_queues"] = [[queue.name, queue.queue_arguments] for queue in app.conf.task_queues]
print(json.dumps(conf, default=repr))
"""


def configuration(folder: Path, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration of the Celery app that these settings make."""
    shown = subprocess.run(
        [sys.executable, "-W", "error", "-c", SHOW],
        cwd=folder,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    conf: dict[str, Any] = json.loads(shown.stdout)
    return conf


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "STATS_BROKER_URL is not set: Celery needs RabbitMQ's address, such as amqp://"),
        ({"STATS_BROKER_URL": "http://x"}, "expected a complete URL that begins with one of amqp"),
        ({**BROKER, "STATS_STORE": "x"}, "Unknown setting STATS_STORE; did you mean"),
        ({**BROKER, "STATS_APP": "nowhere:app"}, "STATS_APP: 'nowhere:app' can't be imported"),
    ],
)
def test_a_wrong_configuration_is_one_line(
    settings: Mapping[str, str], message: str, tmp_path: Path
) -> None:
    """The worker does not start, and says in one line why."""
    result = run_celery(tmp_path, settings, "worker")
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_only_json_is_written_and_read(tmp_path: Path) -> None:
    """Nobody who can write to the broker can make a worker unpickle something."""
    conf = configuration(tmp_path, BROKER)
    assert conf["accept_content"] == ["json"]
    assert conf["result_accept_content"] in (None, ["json"])
    assert {conf[f"{kind}_serializer"] for kind in ("task", "result", "event")} == {"json"}


def test_ticks_have_a_classic_queue_of_their_own(tmp_path: Path) -> None:
    """The worker takes from this one queue only, which no other prefix and no event type has."""
    conf = configuration(tmp_path, {**BROKER, "STATS_INDEX_PREFIX": "shop-"})
    assert conf["task_queues"] == [["shop-stats.ticks", {"x-queue-type": "classic"}]]
    assert conf["task_default_queue"] == "shop-stats.ticks"
    assert conf["task_routes"] == {"stats_pipeline.*": {"queue": "shop-stats.ticks"}}


def test_nothing_is_kept_of_a_tick(tmp_path: Path) -> None:
    """There are no results to store, and times are UTC."""
    conf = configuration(tmp_path, BROKER)
    assert (conf["result_backend"], conf["task_ignore_result"]) == (None, True)
    assert (conf["timezone"], conf["enable_utc"]) == ("UTC", True)


def test_the_broker_may_come_from_the_hosts_own_configuration(tmp_path: Path) -> None:
    """With STATS_APP, broker and schedule are those of the host's app."""
    (tmp_path / "shop.py").write_text(
        "from flask import Flask\n"
        "from stats_pipeline import StatsPipeline\n"
        "def create_app():\n"
        "    app = Flask('shop')\n"
        "    app.config['STATS_BROKER_URL'] = 'amqps://guest:secret@rabbit.example//'\n"
        "    StatsPipeline(app)\n"
        "    return app\n"
    )
    conf = configuration(tmp_path, {"STATS_APP": "shop:create_app"})
    assert conf["broker_url"] == "amqps://guest:secret@rabbit.example//"
    assert conf["broker_use_ssl"] == {"server_hostname": None}, "certificates must fit the host"
    assert sorted(conf["beat_schedule"]) == [
        "stats-apply-retention",
        "stats-process-events",
        "stats-update-aggregations",
    ]
