"""Translate a configuration of invenio-stats, and read what came of it."""

import json
from pathlib import Path
from typing import Any

from click.testing import Result
from flask import Flask

from stats_pipeline.cli import stats

DATA = Path(__file__).parent / "data"


def run(app: Flask, *arguments: str | Path) -> Result:
    """Run `flask stats migrate invenio-stats` in the app."""
    command = ["migrate", "invenio-stats", *map(str, arguments)]
    return app.test_cli_runner().invoke(stats, command)


def translated(app: Flask, *arguments: str | Path) -> dict[str, Any]:
    """Translate and give what the command says."""
    result = run(app, "--json", *arguments)
    found: dict[str, Any] = json.loads(result.stdout)
    # So that a script can tell, too.
    assert result.exit_code == (1 if found["problems"] else 0), result.output
    return found


def settings_of(text: str) -> dict[str, Any]:
    """Run the written configuration and give what it sets."""
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    return {name: value for name, value in namespace.items() if name.isupper()}


def places(notes: list[dict[str, str]]) -> list[str]:
    """Give where notes are; each says why and what to do."""
    assert all(note["why"] and note["what_to_do"] for note in notes)
    return [note["where"] for note in notes]


def write(tmp_path: Path, text: str) -> Path:
    """Write an old configuration."""
    path = tmp_path / "old.py"
    path.write_text(text)
    return path
