"""The diagnosis: every hop between an event and an answer, in the order of the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stats_pipeline.pipeline.doctor import chain, configuration, servers, workers
from stats_pipeline.pipeline.doctor.report import DoctorReport, Examination, Hop

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline


def diagnose(
    pipeline: Pipeline, wait_seconds: float, on_hop: Callable[[Hop], None] | None = None
) -> DoctorReport:
    """Try every hop; one that fails ends only those that need it.

    Args:
        pipeline: of the host; its statistics are not touched.
        wait_seconds: how long a worker may take to answer; 0: workers are not asked.
        on_hop: is told of each hop as soon as it is known.
    """
    examination = Examination(on_hop)
    registered = configuration.examine(examination, pipeline)
    broker, queues = servers.examine_queue(examination, pipeline, registered)
    store = servers.examine_store(examination, pipeline, registered)
    workers.examine(examination, pipeline, queues=queues, store=store, wait_seconds=wait_seconds)
    chain.examine(examination, pipeline, after=[*registered.registries, broker, store])
    return DoctorReport(hops=tuple(examination.hops))
