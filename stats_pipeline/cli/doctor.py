"""`stats doctor`: what works on the way from an event to an answer, and what does not."""

from __future__ import annotations

from collections.abc import Iterator

import click

from stats_pipeline import current_stats
from stats_pipeline.cli.options import stats_command
from stats_pipeline.cli.output import Output
from stats_pipeline.pipeline.doctor import DoctorReport, Hop
from stats_pipeline.text import noun

EPILOG = """\b
Examples:
  stats doctor
  stats doctor --wait 0 --json

\b
Exit codes:
  0  everything works
  1  a server does not do what it should, or no worker answers
  2  the configuration is wrong
"""

#: What stands before a hop; all of one width.
MARKS = {"ok": "ok       ", "failed": "FAILED   ", "not tried": "not tried"}


@click.command(epilog=EPILOG)
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(min=0),
    default=15,
    show_default=True,
    metavar="SECONDS",
    help="How long a worker may take to answer; 0: don't ask the workers.",
)
@stats_command
def doctor(output: Output, wait_seconds: float) -> None:
    """Find out what works and what does not, hop by hop.

    Loads all that is registered, tries queue and store, asks the workers to answer, and sends a
    test event of its own the whole way, which is not counted in your statistics and removed
    afterwards. Says what to do about each hop that fails.
    """
    said = ""

    def show(hop: Hop) -> None:
        nonlocal said
        if not output.as_json:
            output.result(None, _lines(hop, said, says_more=output.verbosity > 0))
            said = hop.advice

    report = current_stats.doctor(wait_seconds, on_hop=show)
    output.result(report.as_dict(), [_summary(report)])
    if not report.is_healthy:
        click.get_current_context().exit(2 if report.is_misconfigured else 1)


def _lines(hop: Hop, said: str, *, says_more: bool) -> Iterator[str]:
    """Yield what to say of a hop; advice that was said for the one before is not repeated."""
    yield f"{MARKS[hop.status]}  {hop.name}: {' '.join(hop.detail.split())}"
    if hop.more and says_more:
        yield f"{' ' * 11}{hop.more}"
    if hop.advice not in ("", said):
        yield f"{' ' * 11}What to do: {hop.advice}"


def _summary(report: DoctorReport) -> str:
    failed = sum(hop.status == "failed" for hop in report.hops)
    untried = sum(hop.status == "not tried" for hop in report.hops)
    if failed:
        were = noun(untried, "was", "were")
        return f"{failed} of {len(report.hops)} hops failed, {untried} {were} not tried."
    rest = f"; {untried} {noun(untried, 'hop was', 'hops were')} not tried" if untried else ""
    return f"Everything works{rest}."
