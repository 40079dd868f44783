"""The spool in trouble: its disk is full, others share it, a process dies while it sends."""

from __future__ import annotations

import logging
import random
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from scripts.services.server import wait_until
from stats_pipeline.errors import QueueError
from stats_pipeline.events import publisher as publisher_module
from stats_pipeline.pipeline import Pipeline
from tests.faults.conftest import Host, Start
from tests.faults.firing import FIRING, downloaded, fire
from tests.faults.gate import Gate
from tests.faults.test_host_killed import NO_BROKER, counted_numbers
from tests.faults.traffic import (
    EVENT_TYPE,
    assert_at_rest,
    downloads,
    expected_of,
    publish,
    totals,
)
from tests.support import Backend, stored_events

DISK_BYTES = 1_000_000
BUFFER_EVENTS = 100
SPOOLED = 4_000
PATIENCE_SECONDS = 30


class Disk:
    """Be a small disk, which can be filled; a limit on the size of files where none is allowed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        mount, size = shutil.which("mount"), f"size={DISK_BYTES}"
        command = [mount or "false", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
        self._is_real = subprocess.run(command, check=False, capture_output=True).returncode == 0
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        """Leave no room."""
        if self._is_real:
            with suppress(OSError), self._filler().open("wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(4_096))
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, self._limits[1]))

    def make_room(self) -> None:
        """Take away what fills it."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
        self._filler().unlink(missing_ok=True)

    def close(self) -> None:
        """Let it be as if it had never been there."""
        self.make_room()
        if self._is_real:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def _filler(self) -> Path:
        return self.folder / "filler"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Give a disk of a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = Disk(folder)
    yield disk
    disk.close()


@pytest.fixture
def make(
    behind_gate: Backend, host: Host, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Pipeline]:
    """Give a function (settings) that makes pipelines with that spool, and a broker at the gate."""
    monkeypatch.setattr(publisher_module, "RESEND_SECONDS", 0.2)
    place = {"STATS_SPOOL": str(disk.folder), "STATS_BUFFER_EVENTS": BUFFER_EVENTS}
    return partial(host, behind_gate, **place)


@pytest.fixture
def pipeline(make: Callable[..., Pipeline]) -> Pipeline:
    """Give one of them."""
    return make()


def test_W8_with_broker_away_and_disk_full_only_what_exceeds_the_buffer_is_lost(
    pipeline: Pipeline, gate: Gate, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """And that is counted, logged as an error and on the balance sheet; `publish` tells."""
    gate.shut()
    disk.fill()
    kept, lost, refused = downloads(BUFFER_EVENTS), 7, downloads(1, first=1_000)
    for event in kept:
        pipeline.emit(EVENT_TYPE, [event])
    assert not pipeline.publisher.counts["lost"]
    for event in downloads(lost, first=2_000):
        pipeline.emit(EVENT_TYPE, [event])
    assert pipeline.publisher.counts["lost"] == lost
    told = [r for r in caplog.records if r.levelno == logging.ERROR and "LOST" in r.getMessage()]
    assert len(told) == lost
    with pytest.raises(QueueError):
        pipeline.publish(EVENT_TYPE, refused)

    gate.open()
    wait_until(
        lambda: pipeline.publisher.counts["sent"] == len(kept), timeout_seconds=PATIENCE_SECONDS
    )
    disk.make_room()
    more = downloads(10, first=3_000)
    publish(pipeline, more)  # The first message behind the loss tells the workers of it.
    while pipeline.process_events().taken:
        pass
    assert pipeline.update().is_complete
    assert totals(pipeline) == expected_of([*kept, *more]).totals
    balance = pipeline.balance().types[EVENT_TYPE]
    assert (balance.accepted, balance.stored) == (len(kept) + len(more), len(kept) + len(more))
    assert (balance.lost, balance.refused, balance.missing) == (lost, 1, ())


def test_W8_with_broker_away_and_disk_full_no_confirmed_signal_is_lost_that_fits_into_the_buffer(
    make: Callable[..., Pipeline], gate: Gate, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says of each that it is not confirmed, and what `publish` refuses is never stored."""
    pipeline = make(STATS_PUBLISH="confirmed", **FIRING)
    pipeline.connect(lambda _sender: True)
    gate.shut()
    disk.fill()
    lost, refused = 7, downloads(5, first=1_000)
    for number in range(BUFFER_EVENTS + lost):
        downloaded.send(None, number=number)
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len([text for text in errors if "NOT CONFIRMED" in text]) == BUFFER_EVENTS + lost
    assert len([text for text in errors if "LOST" in text]) == lost
    with pytest.raises(QueueError):
        pipeline.publish(EVENT_TYPE, refused)
    counts = pipeline.counters().published
    assert (counts["lost"], counts["refused"]) == (lost, len(refused))
    assert not {"sent", "spooled"} & counts.keys()

    gate.open()
    wait_until(
        lambda: pipeline.publisher.counts["sent"] == BUFFER_EVENTS,
        timeout_seconds=PATIENCE_SECONDS,
    )
    disk.make_room()
    more = downloads(10, first=3_000)
    publish(pipeline, more)
    while pipeline.process_events().taken:
        pass
    assert pipeline.update().is_complete
    taken = [*downloads(BUFFER_EVENTS), *more]
    assert totals(pipeline) == expected_of(taken).totals
    ids = {event["event_id"] for event in stored_events(pipeline)}
    assert ids == {event["event_id"] for event in taken}
    balance = pipeline.balance().types[EVENT_TYPE]
    assert (balance.accepted, balance.stored) == (len(taken), len(taken))
    assert (balance.lost, balance.refused, balance.missing) == (lost, len(refused), ())


def test_a_spool_whose_disk_becomes_full_is_sent_when_there_is_room_again(
    pipeline: Pipeline, gate: Gate, disk: Disk
) -> None:
    """Who takes a message must write that down, so it has to wait for room; nothing is lost."""
    gate.shut()
    spooled, sent = downloads(BUFFER_EVENTS), downloads(10, first=BUFFER_EVENTS)
    publish(pipeline, spooled, 10)
    assert pipeline.publisher.spooled()
    disk.fill()
    gate.open()
    publish(pipeline, sent)
    assert not pipeline.flush(1)
    disk.make_room()
    assert_at_rest(pipeline, expected_of([*spooled, *sent]))


def test_hosts_that_share_a_spool_lose_nothing(
    distributed: Backend, host: Host, start: Start, tmp_path: Path
) -> None:
    """Three processes fill it at the same time; another one sends it all."""
    away, report = Backend(distributed.store_url, NO_BROKER), tmp_path / "confirmed"
    processes = [
        start(away, partial(fire, first=n, report=report), STATS_PUBLISH="confirmed", **FIRING)
        for n in (0, 100_000, 200_000)
    ]

    def confirmed() -> set[int]:
        return set(map(int, report.read_text().split())) if report.exists() else set()

    wait_until(
        lambda: {number // 100_000 for number in confirmed()} == {0, 1, 2},
        timeout_seconds=PATIENCE_SECONDS,
    )
    for process in processes:
        process.kill()
    pipeline = host(distributed)
    counted = counted_numbers(pipeline)
    assert confirmed() <= counted
    assert_at_rest(pipeline, expected_of([downloads(1, first=n)[0] for n in sorted(counted)]))


def fill_spool(pipeline: Pipeline) -> None:
    """Publish what goes to the spool."""
    publish(pipeline, downloads(SPOOLED), 5)


def send_spool(pipeline: Pipeline) -> None:
    """Send what is spooled, as any process does that comes by."""
    pipeline.publisher.resend()


def test_processes_killed_while_they_send_the_spool_lose_nothing(
    distributed: Backend, host: Host, start: Start, seed: int
) -> None:
    """Each is killed after a moment; the next goes on, two at a time, until nothing is left."""
    chance = random.Random(seed)
    events = downloads(SPOOLED)
    assert start(Backend(distributed.store_url, NO_BROKER), fill_spool).wait() == 0
    pipeline = host(distributed)
    kills = 0
    while pipeline.publisher.spooled() and kills < 20:
        processes = [start(distributed, send_spool) for _ in range(2)]
        time.sleep(chance.uniform(0.02, 0.15))
        for process in processes:
            kills += process.is_running()
            process.kill()
    assert kills, "they were killed too late to prove anything"
    assert_at_rest(pipeline, expected_of(events))
