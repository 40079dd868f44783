"""All commands: where they appear and where they are. See `group` for those of other packages."""

from __future__ import annotations

from collections.abc import Mapping

import click

from stats_pipeline.cli.group import LazyGroup

HELP = "Turn events into statistics: process, aggregate, ask, and look after it all."

EPILOG = """\b
Exit codes:
  0  done
  1  the store or the queue can't do it now; the same command may work later
  2  the command, its input or the configuration is wrong
"""

_EVENTS = LazyGroup(
    "events",
    path="events",
    lazy={
        "acknowledge-loss": "stats_pipeline.cli.losses:acknowledge_loss",
        "erase": "stats_pipeline.cli.erase:erase",
        "export": "stats_pipeline.cli.event_export:export",
        "import": "stats_pipeline.cli.event_import:import_events",
        "imports": "stats_pipeline.cli.event_import:list_imports",
        "process": "stats_pipeline.cli.process:process",
        "undo-import": "stats_pipeline.cli.event_import:undo_import",
    },
    help="Bring events in and out, and process those that wait.",
)

_ANNOTATIONS = LazyGroup(
    "annotations",
    path="annotations",
    lazy={
        "delete": "stats_pipeline.cli.annotations:delete",
        "list": "stats_pipeline.cli.annotations:list_annotations",
        "set": "stats_pipeline.cli.annotations:set_facts",
    },
    help="Look after facts that people know, as when a version was released.",
)

_DEAD_LETTERS = LazyGroup(
    "dead-letters",
    path="dead-letters",
    lazy={
        "list": "stats_pipeline.cli.dead_letters:list_letters",
        "purge": "stats_pipeline.cli.dead_letters:purge",
        "replay": "stats_pipeline.cli.dead_letters:replay",
        "show": "stats_pipeline.cli.dead_letters:show",
    },
    help="Look after events that could not be counted.",
)

_MIGRATE = LazyGroup(
    "migrate",
    path="migrate",
    lazy={},
    help="Come from other software: translate its configuration, bring its events over.",
)

_RETENTION = LazyGroup(
    "retention",
    path="retention",
    lazy={"apply": "stats_pipeline.cli.retention:apply"},
    help="Delete what may not be kept any longer.",
)

_ROWS = LazyGroup(
    "rows",
    path="rows",
    lazy={
        "delete": "stats_pipeline.cli.rows:delete",
        "import": "stats_pipeline.cli.rows:import_rows",
        "list": "stats_pipeline.cli.rows:list_sources",
    },
    help="Bring in what was counted elsewhere.",
)

COMMANDS: Mapping[str, str | click.Command] = {
    "annotations": _ANNOTATIONS,
    "balance": "stats_pipeline.cli.balance:balance",
    "dead-letters": _DEAD_LETTERS,
    "doctor": "stats_pipeline.cli.doctor:doctor",
    "events": _EVENTS,
    "init": "stats_pipeline.cli.init:init",
    "list": "stats_pipeline.cli.registrations:list_registrations",
    "migrate": _MIGRATE,
    "query": "stats_pipeline.cli.query:query",
    "reset": "stats_pipeline.cli.update:reset",
    "retention": _RETENTION,
    "rows": _ROWS,
    "serve": "stats_pipeline.cli.serve:serve",
    "status": "stats_pipeline.cli.status:status",
    "update": "stats_pipeline.cli.update:update",
}

stats = LazyGroup("stats", lazy=COMMANDS, help=HELP, epilog=EPILOG)
