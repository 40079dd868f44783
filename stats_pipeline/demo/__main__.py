"""Run the demonstration: ``python -m stats_pipeline.demo``, or ``make demo``."""

from __future__ import annotations

import json
import shlex
import socket
from pathlib import Path
from urllib.parse import urlencode

import click
from flask import Flask

from stats_pipeline.cli.errors import Unavailable, one_line_errors
from stats_pipeline.cli.output import Output
from stats_pipeline.demo.example import Example
from stats_pipeline.demo.folder import new_data_in
from stats_pipeline.demo.host import create_app
from stats_pipeline.demo.log import run_log
from stats_pipeline.demo.month import run_month
from stats_pipeline.demo.numbers import NotExact
from stats_pipeline.serve import serve

HOST = "127.0.0.1"
HIGHEST_PORT = 65_535


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--exit", "is_exit", is_flag=True, help="Stop after counting instead of serving.")
@click.option(
    "--events",
    type=click.IntRange(min=100),
    default=100_000,
    show_default=True,
    help="How many events to send.",
)
@click.option("--seed", default=1, show_default=True, help="Another number, another month.")
@click.option(
    "--log",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Count this access log (common or combined, plain or gzip) instead of made-up traffic.",
)
@click.option(
    "--port",
    type=click.IntRange(1, HIGHEST_PORT),
    default=5000,
    show_default=True,
    help="Serve here, or at the next free port.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default="demo-data",
    show_default=True,
    help="Folder of the data, which are made anew.",
)
def main(*, is_exit: bool, events: int, seed: int, log: Path | None, port: int, data: Path) -> None:
    """Send a month of traffic through the whole chain, say what was counted and why, and serve it.

    Needs no server: events, queue and statistics are in one SQLite file. Exits with 1 if a single
    number is not exact.
    """
    output = Output(verbosity=1)
    with one_line_errors(), new_data_in(data):
        app = create_app(data)
        try:
            if log is None:
                example = run_month(app, output, events=events, seed=seed)
            else:
                example = run_log(app, output, log)
            if is_exit:
                _say_example(app, example, f"http://{HOST}:{port}/")
                click.echo("\nNothing is served (--exit).")
            else:
                _serve(app, example, port)
        except NotExact as error:
            raise click.ClickException(str(error)) from error
        finally:
            app.extensions["stats_pipeline"].close()


def _serve(app: Flask, example: Example, wanted_port: int) -> None:
    port = free_port(wanted_port)
    if port != wanted_port:
        click.echo(f"\nPort {wanted_port} is in use: taking {port}.")

    def on_ready(url: str) -> None:
        _say_example(app, example, url)
        click.echo(f"\nThe page with the charts: {url}stats/dashboard?{urlencode(example.chart)}")
        click.echo("Ctrl-C stops.")

    serve(app, host=HOST, port=port, on_ready=on_ready)


def _say_example(app: Flask, example: Example, url: str) -> None:
    body = {"example": example.request}
    click.echo("\nAsk for yourself; the answer is below:\n")
    click.echo(
        f"  curl {url}stats -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}"
    )
    answer = app.test_client().post("/stats", json=body)
    click.echo(f"\n{json.dumps(answer.get_json(), indent=2)}")


def free_port(wanted: int) -> int:
    """Return the first port from the wanted one on that nobody listens at."""
    for port in range(wanted, HIGHEST_PORT + 1):
        with socket.socket() as probe:
            # As the server does: a port that was in use a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise Unavailable(f"No port from {wanted} on is free: give a lower --port")


if __name__ == "__main__":
    main(prog_name="python -m stats_pipeline.demo")
