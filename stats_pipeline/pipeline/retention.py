"""Retention: delete what may not be kept any longer, and say what that was.

One setting, `STATS_GRACE_DAYS`, says how long raw data lives at most: what could not be counted
(dead letters, spooled messages), and the keys that make a visitor's id of it (salts). So the dead
letter of an event that was processed within its salt window never outlives its key; one that first
died days after its time may, and is `too_late` when it is replayed. How long stored events live is
said by each event type (`retention_days`, see `stats_pipeline.pipeline.sealing`).

Each kind of thing is one `_Part`; they don't depend on each other, and one that fails does not stop
the others. All of it may be repeated and run at several places at once. The spool is that of this
process's folder: on every host that has one, somebody has to do this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stats_pipeline.clock import format_time
from stats_pipeline.errors import StatsError
from stats_pipeline.events import probes, trial, tries
from stats_pipeline.events.salts import destroy_salts
from stats_pipeline.pipeline.sealing import Sealed, Sealing
from stats_pipeline.reports import RetentionReport
from stats_pipeline.stores.forgetting import forget
from stats_pipeline.text import get_logger

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

logger = get_logger(__name__)

#: Nobody waits that long for the answer to a probe.
PROBES_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Run:
    pipeline: Pipeline
    now: datetime
    before: datetime
    dry_run: bool


_Part = Callable[[_Run], Mapping[str, int]]


def apply(pipeline: Pipeline, *, dry_run: bool) -> RetentionReport:
    """Delete what is from before the grace period; a dry run only counts it."""
    now = pipeline.clock.now()
    before = now - timedelta(days=pipeline.settings["STATS_GRACE_DAYS"])
    run = _Run(pipeline, now, before, dry_run)
    # Dead letters before salts: none that goes in this run is left without its key.
    parts: dict[str, _Part] = {
        "dead_letters": _dead_letters,
        "spooled_messages": _spooled_messages,
        "salts": _salts,
        "remains": _remains,
    }
    deleted: dict[str, Mapping[str, int]] = {}
    errors: dict[str, str] = {}
    sealed = _sealed(run, errors)
    for name, part in parts.items():
        try:
            deleted[name] = part(run)
        except StatsError as error:
            logger.error("Retention of %s: %s", name, error)
            errors[name] = str(error)
    return RetentionReport(
        is_dry_run=dry_run,
        before=format_time(before),
        dead_letters=deleted.get("dead_letters", {}),
        spooled_messages=deleted.get("spooled_messages", {}),
        salts=deleted.get("salts", {}),
        closing_before=_times({n: each.seal.closing_before for n, each in sealed.items()}),
        sealed_before=_times({n: each.seal.sealed_before for n, each in sealed.items()}),
        events={index: n for each in sealed.values() for index, n in each.events.items()},
        due={index: due for each in sealed.values() for index, due in each.due.items()},
        kept={index: why for each in sealed.values() for index, why in each.kept.items()},
        revisions={n: each.revisions for n, each in sealed.items() if each.revisions},
        ledger={n: each.entries for n, each in sealed.items() if each.entries},
        errors=errors,
    )


def _sealed(run: _Run, errors: dict[str, str]) -> dict[str, Sealed]:
    """Seal and delete the events of each active type whose events don't stay for ever."""
    registries, sealed = run.pipeline.registries, {}
    for name in registries.active_event_types:
        try:
            definition = registries.event_type(name)
            days = definition.config.retention_days
            if days is not None:
                sealing = Sealing(run.pipeline, definition, dry_run=run.dry_run)
                sealed[name] = sealing.apply(days, before=run.before)
        except StatsError as error:
            logger.error("Retention of %s: %s", name, error)
            errors[name] = str(error)
    return sealed


def _times(moments: Mapping[str, datetime | None]) -> dict[str, str]:
    return {name: format_time(moment) for name, moment in moments.items() if moment is not None}


def _dead_letters(run: _Run) -> Mapping[str, int]:
    return run.pipeline.dead_letters.expire(run.before, dry_run=run.dry_run)


def _spooled_messages(run: _Run) -> Mapping[str, int]:
    spool = run.pipeline.spool
    if spool is None or run.dry_run:
        return {} if spool is None else spool.expired(run.before)
    expired: Counter[str] = Counter()
    for batch in spool.expire(run.before):
        expired.update(batch)
        # At once, since what comes after it may fail.
        for name, number in batch.items():
            logger.error(
                "LOST: %d messages for %s were in the spool for longer than STATS_GRACE_DAYS",
                number,
                name,
            )
    return dict(sorted(expired.items()))


def _salts(run: _Run) -> Mapping[str, int]:
    state = run.pipeline.store.state
    return destroy_salts(state, now=run.now, before=run.before, dry_run=run.dry_run)


def _remains(run: _Run) -> Mapping[str, int]:
    """Clear away what is worth no line in the report."""
    if not run.dry_run:
        state, spool = run.pipeline.store.state, run.pipeline.spool
        probes.forget_answers(state, before=run.now - PROBES_KEPT)
        # Those that nobody has ended, as of a queue that was deleted.
        forget(state, trial.KIND, before=run.before)
        # What was replayed may still wait, for about as long as anything may.
        forget(state, tries.KIND, before=run.before - (run.now - run.before))
        # Also where nothing was destroyed now: what was, the last time, may only now be removed.
        state.expunge()
        if spool is not None:
            spool.expunge()
    return {}
