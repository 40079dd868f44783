"""Index templates of `stats_pipeline.contrib.crash_reports`."""
