"""Measure, and print a table: ``python -m benchmarks --events 50000``, or with ``--memory``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.elasticsearch import (
    VARIABLE,
    measure_elasticsearch,
    own_prefix,
    url_of_server,
)
from benchmarks.embedded import measure_embedded
from benchmarks.measuring import Measured, make_events
from benchmarks.memory import FEW, MANY, MemoryUsed, measure_memory


@click.command()
@click.option("--events", type=click.IntRange(min=1_000), default=50_000, show_default=True)
@click.option("--memory", "is_memory", is_flag=True, help="Measure memory instead (minutes).")
def main(events: int, is_memory: bool) -> None:
    """Measure indexing and aggregating on every store that there is."""
    url = url_of_server()
    if is_memory:
        _print_memory(url)
    else:
        _print_speed(events, url)
    if url is None:
        click.echo(f"Elsewhere not measured: no {VARIABLE}; `make services-up` starts a server")


def _print_speed(events: int, url: str | None) -> None:
    click.echo(f"{'':32}{'speed':>18}{'bare':>12}{'share':>8}  bare is")
    for measured in _measure_speed(make_events(events), url):
        speed = f"{measured.number / measured.seconds:,.0f} {measured.unit}/s"
        bare = f"{measured.number / measured.bare_seconds:,.0f}/s"
        click.echo(f"{measured.what:32}{speed:>18}{bare:>12}{measured.share:8.1%}  {measured.bare}")


def _measure_speed(events: Sequence[dict[str, Any]], url: str | None) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory() as folder:
        yield from measure_embedded(events, Path(folder))
    if url is not None:
        with tempfile.TemporaryDirectory() as folder:
            yield from measure_elasticsearch(events, Path(folder), url)


def _print_memory(url: str | None) -> None:
    click.echo(f"{'above an idle process':32}{FEW:>12,} values{MANY:>12,} values{'ratio':>8}")
    for used in _measure_memory(url):
        few, many = (f"{size / 2**20:.1f} MiB" for size in (used.few_bytes, used.many_bytes))
        click.echo(f"{used.what:32}{few:>19}{many:>19}{used.ratio:8.1f}")


def _measure_memory(url: str | None) -> Iterator[MemoryUsed]:
    with tempfile.TemporaryDirectory() as folder:
        yield from measure_memory(Path(folder), "SQLite", {})
    if url is not None:
        with tempfile.TemporaryDirectory() as folder, own_prefix(url) as (_, prefix):
            place = {"STATS_STORE_URL": url, "STATS_INDEX_PREFIX": prefix}
            yield from measure_memory(Path(folder), "Elasticsearch", place)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
