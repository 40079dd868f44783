"""The bar that a person sees on a terminal while a reset goes on."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from stats_pipeline.aggregations.lease import acquire
from tests.support import BROWSER, E004_EVENTS, pipeline_of

PATIENCE_SECONDS = 120

#: More often the bar does not reckon how much time is left.
ESTIMATED_EVERY_SECONDS = 1.1


NAMES = ("access-log-agg", "file-download-agg")
REQUEST = {"method": "GET", "status": 200, "size": 10, "user_agent": BROWSER, "path": "/a"}
DOWNLOAD = {**E004_EVENTS[0], "user_agent": BROWSER}


def test_the_bar_counts_what_is_done_and_says_what_it_waits_for(app: Flask, tmp_path: Path) -> None:
    """Of two aggregations, of which another run holds one of four intervals for a while."""
    pipeline = pipeline_of(app)
    for event_type, event in (("access-log", REQUEST), ("file-download", DOWNLOAD)):
        for day in ("2016-12-18", "2016-12-19"):
            one = {**event, "event_id": day, "timestamp": f"{day}T10:00:00Z", "user_id": "u"}
            pipeline.publish(event_type, [one])
    assert pipeline.process_events().indexed == 4
    alias = pipeline.registries.aggregation(NAMES[0]).alias
    key = f"{alias}#g2/2016-12-18T00:00:00.000Z"
    other_run = acquire(pipeline.store.state, pipeline.clock, key, PATIENCE_SECONDS)
    assert other_run is not None
    said = ""
    with on_a_terminal(tmp_path, "reset", *NAMES) as pieces:
        for piece in pieces:
            said += piece
            if "waiting" in said and other_run is not None:
                time.sleep(ESTIMATED_EVERY_SECONDS)
                other_run.release()
                other_run = None
    before, waiting, after = re.split(r"(waiting for .*)", said)
    assert "1 interval that another run holds, up to 60 s" in waiting
    assert (shares(before), shares(after)) == ([0, 25], [50, 75, 100])
    assert re.search(r"50%  \d\d:\d\d:\d\d", after), "no estimate of the time that is left"


def shares(text: str) -> list[int]:
    """Return what the bar has shown as done, in percent, each once."""
    found = [int(share) for share in re.findall(r"(\d+)%", text)]
    return [share for place, share in enumerate(found) if found[place - 1 : place] != [share]]


@contextmanager
def on_a_terminal(folder: Path, *arguments: str) -> Iterator[Iterator[str]]:
    """Run `stats` there, and give what it says on a terminal, piece by piece; it must succeed."""
    ours, theirs = pty.openpty()
    others = {name: value for name, value in os.environ.items() if not name.startswith("STATS_")}
    command = [str(Path(sys.executable).with_name("stats")), *arguments]
    process = subprocess.Popen(
        command, cwd=folder, env=others, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    try:
        yield _pieces(ours)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _pieces(terminal: int) -> Iterator[str]:
    while True:
        try:
            piece = os.read(terminal, 4_096)
        except OSError:  # Linux says so where nobody has the other end any more
            return
        if not piece:
            return
        yield piece.decode(errors="replace")
