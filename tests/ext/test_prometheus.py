"""Counters of a process, as Prometheus reads them."""

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from stats_pipeline import current_stats
from stats_pipeline.contrib.file_download.signals import file_downloaded
from stats_pipeline.prometheus import ProcessCollector
from tests.support import E004_EVENTS, Backend, MakeApp


def test_the_counters_of_a_process_are_on_the_hosts_page(
    make_app: MakeApp, embedded: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """What was sent, what no builder could use, and what became of what was processed."""
    app = make_app(embedded.store_url)
    registry = CollectorRegistry()
    registry.register(ProcessCollector(app))
    with app.app_context():
        current_stats.publish("file-download", E004_EVENTS)
        file_downloaded.send(app, obj=SimpleNamespace(key="no bucket"))
        current_stats.process_events()
    page = generate_latest(registry).decode().splitlines()
    assert 'stats_pipeline_published_events_total{outcome="sent"} 10.0' in page
    assert 'stats_pipeline_published_events_total{outcome="lost"} 0.0' in page
    assert 'stats_pipeline_failed_signals_total{event_type="file-download"} 1.0' in page
    name = "stats_pipeline_processed_events_total"
    assert f'{name}{{event_type="file-download",outcome="indexed"}} 7.0' in page
    assert f'{name}{{event_type="file-download",outcome="duplicates"}} 3.0' in page
    assert "Error building event file-download" in caplog.text
