"""A demo that serves, for all tests that look at it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.services.server import wait_until

DEMO = [sys.executable, "-m", "stats_pipeline.demo"]
READY_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Served:
    """A running demo: what it said until it was ready, and the folder of its data."""

    output: str
    data: Path

    @property
    def page(self) -> str:
        """The address of the page with the charts, as it was printed."""
        return self.output.split("The page with the charts: ")[1].split()[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give a demo of 3,000 events that is serving."""
    folder = tmp_path_factory.mktemp("demo")
    said = folder / "output"
    with said.open("w") as output:
        demo = subprocess.Popen(
            [*DEMO, "--events", "3000", "--data", str(folder / "data")],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(
            lambda: "Ctrl-C stops." in said.read_text() or demo.poll() is not None,
            timeout_seconds=READY_WITHIN_SECONDS,
        )
        assert demo.poll() is None, said.read_text()
        yield Served(said.read_text(), folder / "data")
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(READY_WITHIN_SECONDS)
