"""The thread of `stats serve` does the daily work as well."""

from flask import Flask

from scripts.services.server import wait_until
from stats_pipeline.serve import BackgroundWork
from tests.support import pipeline_of


def test_serve_deletes_what_may_not_be_kept_any_longer(app: Flask) -> None:
    """At its start and then every day: the dead letter of an impatient operator goes."""
    pipeline = pipeline_of(app)
    pipeline.publish("access-log", [{"status": "no number"}])
    assert pipeline.process_events().dead == 1
    pipeline.settings["STATS_GRACE_DAYS"] = 1e-9
    with BackgroundWork(app):
        wait_until(lambda: pipeline.dead_letters.count() == 0, timeout_seconds=60)
    (run,) = pipeline.runs("retention")
    assert run.done["dead_letters"] == 1
