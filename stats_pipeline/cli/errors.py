"""How commands fail: one line on standard error, and an exit code that says whose fault it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click
from flask.cli import NoAppException

from stats_pipeline.errors import QueueError, StatsError, StoreError, UnknownEventType
from stats_pipeline.text import one_line


class UserError(click.ClickException):
    """End with one line and exit code 2: the command, its input or the configuration is wrong."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(one_line(" ".join(message.split())))


class Unavailable(UserError):
    """End with one line and exit code 1: store or queue can't do it now, but may later."""

    exit_code = 1


def fail_if_any(errors: Mapping[str, str]) -> None:
    """End the command if one of these names has an error; names with the same one go together."""
    names: dict[str, list[str]] = {}
    for name, error in errors.items():
        if error:
            names.setdefault(error, []).append(name)
    if names:
        raise Unavailable("; ".join(f"{', '.join(who)}: {error}" for error, who in names.items()))


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what users and operators can mend into one line; bugs keep their traceback."""
    try:
        yield
    except NoAppException:  # Flask says it in its own way, with the traceback of the host's module
        raise
    except click.UsageError as error:
        hint = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
        raise UserError(error.format_message().rstrip(".") + hint) from error
    except (StoreError, QueueError) as error:
        raise Unavailable(str(error)) from error
    except UnknownEventType as error:  # in the words that users of invenio-stats know
        raise UserError(f"Invalid event type(s): {error.name}{error.advice}") from error
    except StatsError as error:
        raise UserError(str(error)) from error
