"""Index template of `access-log` events."""
