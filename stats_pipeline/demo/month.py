"""Run the generated month through the whole chain and compare what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import click
from flask import Flask

from stats_pipeline.cli.output import Output, Progress
from stats_pipeline.demo import expected
from stats_pipeline.demo.example import Example
from stats_pipeline.demo.measured import measure
from stats_pipeline.demo.numbers import NotExact, Numbers, differences
from stats_pipeline.demo.sending import send
from stats_pipeline.demo.traffic import DOWNLOAD, VIEW, Click, make_traffic
from stats_pipeline.errors import StoreError
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.reports import TypeReport

EVENT_TYPES = (DOWNLOAD, VIEW)
AGGREGATIONS = ("file-download-agg", "record-view-agg")

#: The downloads of the favourite file on three days.
EXAMPLE = Example(
    request={
        "stat": "bucket-file-download-histogram",
        "params": {
            "bucket_id": 1,
            "file_key": "report-0001.pdf",
            "start_date": "2025-06-02",
            "end_date": "2025-06-04",
        },
    },
    chart={"query": "downloads"},
)

#: How many differing numbers are shown.
SHOWN_DIFFERENCES = 20

Comparison = Mapping[str, tuple[Numbers, Numbers]]


def run_month(app: Flask, output: Output, *, events: int, seed: int) -> Example:
    """Send, process and aggregate a month, say what was counted, and return what to ask for.

    Raises:
        NotExact: a number is not what plain Python counts.
        StoreError, QueueError: a step could not be done.
    """
    traffic = make_traffic(events, seed=seed)
    first = _send_and_process(app, output, traffic.clicks, "clicks")
    again = _send_and_process(app, output, traffic.redelivered, "what is delivered once more")
    pipeline: Pipeline = app.extensions["stats_pipeline"]
    for aggregation in AGGREGATIONS:
        with app.app_context(), output.progress(f"Aggregating {aggregation}") as progress:
            report = pipeline.update([aggregation], progress=progress)
        if error := report.aggregations[aggregation].error:
            raise StoreError(error)
    numbers = {
        kind: (expected.count(traffic, kind), measure(pipeline, kind, first[kind], again[kind]))
        for kind in EVENT_TYPES
    }
    _say([measured for _, measured in numbers.values()])
    _compare(numbers)
    return EXAMPLE


def _send_and_process(
    app: Flask, output: Output, clicks: Sequence[Click], what: str
) -> dict[str, TypeReport]:
    with output.progress(f"Sending {what}") as progress:
        send(app, clicks, progress)
    pipeline: Pipeline = app.extensions["stats_pipeline"]
    reports: dict[str, TypeReport] = {}
    with app.app_context(), output.progress(f"Processing {what}") as progress:
        for kind in EVENT_TYPES:
            before = sum(report.taken for report in reports.values())
            further = partial(_show_further, progress, before, len(clicks))
            reports[kind] = pipeline.process_events([kind], progress=further)
            if reports[kind].error:
                raise StoreError(reports[kind].error)
    return reports


def _show_further(progress: Progress, before: int, total: int, done: int, _of_type: int) -> None:
    progress(before + done, total)


def _say(measured: Sequence[Numbers]) -> None:
    lines = {
        "sent as signals": [each.sent for each in measured],
        "- delivered once more: the same event again": [each.redelivered for each in measured],
        "- repeat clicks: same visitor, same thing, 10 s": [each.merged for each in measured],
        "- robots: their agent is on the COUNTER list": [each.robots for each in measured],
        "= counted": [each.counted for each in measured],
    }
    click.echo("\nWhat was counted, and why it is fewer than what was sent:\n")
    click.echo(f"  {'':48}{'downloads':>11}{'views':>11}{'total':>11}")
    for label, values in lines.items():
        cells = "".join(f"{value:>11,}" for value in (*values, sum(values)))
        click.echo(f"  {label:48}{cells}")


def _compare(numbers: Comparison) -> None:
    wrong = [f"{kind}: {line}" for kind, pair in numbers.items() for line in differences(*pair)]
    if wrong:
        shown = "".join(f"\n  {line}" for line in wrong[:SHOWN_DIFFERENCES])
        raise NotExact(
            f"NOT EXACT: {len(wrong)} numbers differ from a count in plain Python:{shown}"
        )
    compared = sum(len(theirs.named()) for theirs, _ in numbers.values())
    click.echo(
        f"\nExact: all {compared} numbers (these, each day, each file and record) are those of a "
        "count in plain Python."
    )
