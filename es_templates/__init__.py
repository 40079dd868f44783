"""Index templates of what is shipped; installed as the package `stats_pipeline.es_templates`."""
