"""Index template of `record-view` events."""
