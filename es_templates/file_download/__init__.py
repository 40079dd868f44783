"""Index template of `file-download` events."""
