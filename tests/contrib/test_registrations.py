"""Everything that is shipped is registered as a stranger would register it, and can be used."""

import subprocess
import sys

import importlib_metadata
import pytest
from flask import Flask

from stats_pipeline import current_stats

GROUPS = ("stats_pipeline.events", "stats_pipeline.aggregations", "stats_pipeline.queries")


def test_every_shipped_event_type_can_be_used(app: Flask) -> None:
    """Templates, preprocessors, signals and builders exist; those of DESIGN 3.7 are there."""
    registries = current_stats.registries
    names = ["access-log", "device-report", "file-download", "record-view"]
    assert registries.active_event_types == names
    for name in names:
        definition = registries.event_type(name)
        assert definition.template.types["unique_id"] == "keyword"
        assert definition.preprocessors
        has_signal = name in ("file-download", "record-view")
        assert bool(definition.signal) == bool(definition.builders) == has_signal


def test_every_shipped_aggregation_can_be_used(app: Flask) -> None:
    """Their fields are those of their event's template; no mapping changes what is found."""
    for name in current_stats.registries.aggregation_items:
        assert current_stats.registries.aggregation(name).template.types["count"] == "long"
    for name in ("access-log-agg", "file-download-agg", "record-view-agg"):
        definition = current_stats.registries.aggregation(name)
        assert definition.template.types["unique_count"] == "long"
        assert definition.config.aggregation_interval == "day"


def test_every_shipped_query_can_be_asked_by_everyone_and_describes_itself(app: Flask) -> None:
    """Each has a permission, a description, and an answer also where there is no data.

    Those of crash reports are not for everyone, see test_crash_reports_versions.py.
    """
    required = {
        "access-log-histogram": {},
        "access-log-terms": {},
        "bucket-file-download-histogram": {"bucket_id": "1", "file_key": "a"},
        "bucket-file-download-total": {"bucket_id": "1"},
        "record-view-histogram": {"pid_type": "recid", "pid_value": "1"},
        "record-view-total": {"pid_type": "recid", "pid_value": "1"},
    }
    for name, params in required.items():
        query = current_stats.registries.query(name)
        assert query.permits(params), name
        assert query.description, name
        assert current_stats.query(name, **params)["as_of"] is None, name


@pytest.mark.parametrize("group", GROUPS)
def test_A004_65_registering_imports_nothing_that_it_names(group: str) -> None:
    """Reading the registrations loads neither stages nor Flask nor Elasticsearch's client."""
    points = importlib_metadata.entry_points(group=group)
    modules = sorted(
        {point.module for point in points if point.module.startswith("stats_pipeline.contrib.")}
    )
    assert len(modules) == 4
    code = (
        f"import sys, {', '.join(modules)}\n"
        "heavy = ('flask', 'elasticsearch', 'kombu', 'stats_pipeline.events')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
