"""Measure, and print a table: ``python -m benchmarks --events 50000``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks.elasticsearch import VARIABLE, measure_elasticsearch, url_of_server
from benchmarks.embedded import measure_embedded
from benchmarks.measuring import Measured, make_events


@click.command()
@click.option("--events", type=click.IntRange(min=1_000), default=50_000, show_default=True)
def main(events: int) -> None:
    """Measure indexing and aggregating on every store that there is."""
    click.echo(f"{'':32}{'speed':>18}{'bare':>12}{'share':>8}  bare is")
    for measured in _measure(events):
        speed = f"{measured.number / measured.seconds:,.0f} {measured.unit}/s"
        bare = f"{measured.number / measured.bare_seconds:,.0f}/s"
        click.echo(f"{measured.what:32}{speed:>18}{bare:>12}{measured.share:8.1%}  {measured.bare}")


def _measure(number: int) -> Iterator[Measured]:
    events = make_events(number)
    with tempfile.TemporaryDirectory() as folder:
        yield from measure_embedded(events, Path(folder))
    url = url_of_server()
    if url is None:
        click.echo(f"Elsewhere not measured: no {VARIABLE}; `make services-up` starts a server")
        return
    with tempfile.TemporaryDirectory() as folder:
        yield from measure_elasticsearch(events, Path(folder), url)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
