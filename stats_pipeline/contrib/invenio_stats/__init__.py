"""Coming from invenio-stats: its configuration and its events become ours."""
