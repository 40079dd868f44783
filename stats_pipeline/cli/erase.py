"""`stats events erase`: one person's events, on request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.errors import UserError
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output, amount
from stats_pipeline.errors import InvalidParameter
from stats_pipeline.pipeline.moving.erase import ErasureReport

EPILOG = """\b
Examples:
  stats events erase file-download --user-id 4711 --dry-run
  stats events erase file-download --ip-address 192.0.2.7 --user-agent 'Mozilla/5.0 ...'
Then bring the statistics up to date:
  stats update
"""


@click.command(epilog=EPILOG)
@click.argument("event_type", metavar="EVENT_TYPE")
@click.option("--user-id", metavar="ID", help="The person's user id.")
@click.option("--session-id", metavar="ID", help="The session of a person without a user id.")
@click.option("--ip-address", metavar="ADDRESS", help="The address of one without either.")
@click.option("--user-agent", metavar="TEXT", help="The agent, as it was sent from that address.")
@click.option("--dry-run", is_flag=True, help="Erase nothing, only say what would be erased.")
@stats_command
def erase(output: Output, event_type: str, dry_run: bool, **person: str | None) -> None:
    """Erase one person's events.

    Finds them by the person's visitor id under every key that still exists: where a key is
    destroyed (see STATS_GRACE_DAYS) nobody can tell any more whose events they are. Dead letters
    of the person are deleted as well; what waits in a queue or spool is not seen, so process that
    first. Totals follow at the next update.
    """
    known = {name: value for name, value in person.items() if value is not None}
    try:
        with output.progress("Erasing") as progress:
            report = current_stats.moving.erase(
                event_type, dry_run=dry_run, progress=progress, **known
            )
    except InvalidParameter as error:
        raise UserError(_as_options(str(error), person)) from error
    output.result(report.as_dict(), _lines(report))


def _as_options(message: str, names: Iterable[str]) -> str:
    """Return a message about parameters as one about the options of the command."""
    for name in names:
        message = message.replace(name, f"--{name.replace('_', '-')}")
    return message


def _lines(report: ErasureReport) -> Iterator[str]:
    done = "would be erased" if report.is_dry_run else "erased"
    yield amount(report.events, "event", f" {done}")
    yield amount(report.dead_letters, "dead letter", f" {done}")
    yield amount(report.living_keys, "key", " of visitor ids to look by")
