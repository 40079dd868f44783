"""Groups whose commands are imported when they are asked for, ours and those of other packages.

A package adds a command through the entry-point group `stats_pipeline.commands`. The entry point's
name is where it appears: ``import-log`` at the top, ``events.import-log`` in the group `events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import importlib_metadata

from stats_pipeline.cli.errors import one_line_errors
from stats_pipeline.errors import ConfigurationError, nearest
from stats_pipeline.importing import load

ENTRY_POINT_GROUP = "stats_pipeline.commands"


class LazyGroup(click.Group):
    """Be a group of commands given by dotted path; entry points add to it.

    Args:
        lazy: name -> dotted path of a command, or the command itself.
        path: what stands before the names of the entry points that add to this group.
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, str | click.Command], path: str = "", **kwargs: Any
    ) -> None:
        # So that it is `invoke` that refuses to have none, and can name the commands.
        kwargs |= {"invoke_without_command": True, "subcommand_metavar": "COMMAND [ARGS]..."}
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy)
        self._path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names; imports nothing."""
        return sorted({*super().list_commands(ctx), *self._lazy, *self._entry_points()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; ours come before those of other packages."""
        if (command := super().get_command(ctx, cmd_name)) is not None:
            return command
        target: Any = self._lazy.get(cmd_name) or self._entry_points().get(cmd_name)
        if target is None:
            return None
        try:
            return _load(cmd_name, target)
        except ConfigurationError as error:
            return _broken(cmd_name, error)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is asked for; an unknown one is refused with the nearest name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            ctx.fail(f"No such command {name!r}{nearest(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the command line; what is wrong with it is said in one line."""
        with one_line_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong is said in one line, also that there is none."""
        with one_line_errors():
            result = super().invoke(ctx)
            if ctx.invoked_subcommand is None:
                ctx.fail(f"Missing command; there are: {', '.join(self.list_commands(ctx))}")
            return result

    def _entry_points(self) -> dict[str, str]:
        prefix = f"{self._path}." if self._path else ""
        return {
            point.name.removeprefix(prefix): point.value
            for point in importlib_metadata.entry_points(group=ENTRY_POINT_GROUP)
            if point.name.startswith(prefix) and "." not in point.name.removeprefix(prefix)
        }


def _load(name: str, target: Any) -> click.Command:
    owner = f"the command {name!r}"
    command = load(target, owner=owner)
    if not isinstance(command, click.Command):
        raise ConfigurationError(f"{owner}: {target!r} is not a click command")
    return command


def _broken(name: str, error: ConfigurationError) -> click.Command:
    """Return a command that says why it is none, so that the help of the others still works."""

    def fail() -> None:
        raise error

    return click.Command(name, callback=fail, short_help=f"(can't be used: {error})")
