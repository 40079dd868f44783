"""Send clicks as the host's signals, each in a request of its visitor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Flask

from stats_pipeline import current_stats
from stats_pipeline.contrib.file_download.signals import file_downloaded
from stats_pipeline.contrib.record_view.signals import record_viewed
from stats_pipeline.demo.traffic import DOWNLOAD, Click
from stats_pipeline.errors import QueueError

#: Nobody clicks as fast as this loop: it waits now and then, before the buffer is full.
FLUSH_EVERY = 2_000
FLUSH_WITHIN_SECONDS = 60.0


def send(app: Flask, clicks: Sequence[Click], progress: Callable[[int, int], None]) -> None:
    """Send every click; return when the queue has all of them.

    Raises:
        QueueError: the queue did not take them in time.
    """
    for number, click in enumerate(clicks, start=1):
        _send(app, click)
        if number % FLUSH_EVERY == 0 or number == len(clicks):
            with app.app_context():
                if not current_stats.flush(FLUSH_WITHIN_SECONDS):
                    raise QueueError(
                        f"The queue did not take the events within {FLUSH_WITHIN_SECONDS:.0f} s; "
                        "look at the log above"
                    )
            progress(number, len(clicks))


def _send(app: Flask, click: Click) -> None:
    record, visitor = click.record, click.visitor
    who = {"REMOTE_ADDR": visitor.address, "HTTP_USER_AGENT": visitor.agent}
    if visitor.user_id is not None:
        who["REMOTE_USER"] = visitor.user_id
    with app.test_request_context(f"/records/{record.id}", environ_base=who):
        if click.event_type == DOWNLOAD:
            file_downloaded.send(app, obj=record.file, at=click.at, event_id=click.event_id)
        else:
            record_viewed.send(
                app, pid=record.pid, record=record, at=click.at, event_id=click.event_id
            )
