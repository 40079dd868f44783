"""Erase: one person's events, on request, as long as their keys live.

A visitor id is a keyed hash, so it can be computed from what identifies a person while the key of
its salt window exists. Where the key is destroyed nobody can tell any more whose events they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from stats_pipeline.errors import InvalidParameter
from stats_pipeline.events import salts
from stats_pipeline.events.identity import erased_version, visitor_parts
from stats_pipeline.model import Filter
from stats_pipeline.pipeline.moving.removal import Progress, Removal
from stats_pipeline.pipeline.moving.revisions import Revisions
from stats_pipeline.registry import EventDefinition

if TYPE_CHECKING:
    from stats_pipeline.pipeline.pipeline import Pipeline

#: What identifies a person, as `anonymize_user` reads it.
FIELDS = ("user_id", "session_id", "ip_address", "user_agent")

#: What is left of an erased event: that it is not to be taken again.
LEFT = ("event_id", "timestamp", "received_at", "revision", "is_robot")


@dataclass(slots=True)
class ErasureReport:
    """Say what was erased, or would be.

    Attributes:
        event_type: of the events.
        is_dry_run: whether nothing was changed.
        living_keys: how many salt windows could be searched.
        events: how many events were found.
        dead_letters: how many dead letters were found.
    """

    event_type: str
    is_dry_run: bool
    living_keys: int = 0
    events: int = 0
    dead_letters: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def erase(
    pipeline: Pipeline,
    event_type: str,
    person: Mapping[str, str],
    *,
    dry_run: bool,
    progress: Progress,
) -> ErasureReport:
    """Erase the stored events and dead letters of a person; a dry run only counts them.

    Args:
        pipeline: where they are.
        event_type: an active one.
        person: one of `user_id` and `session_id`, or `ip_address` and `user_agent` (or one of
            these, where the events had only that).
        dry_run: whether nothing is changed.
        progress: called with how many events are done, and how many there are.

    Raises:
        InvalidParameter: this identifies nobody; its parameter is `person`.
    """
    definition = pipeline.registries.event_type(event_type)
    _check(person)
    report = ErasureReport(event_type, dry_run)
    visitor_ids = list(_visitor_ids(pipeline, definition, person))
    report.living_keys = len(visitor_ids)
    removal = Removal(pipeline, definition)
    for where in _filters(definition, person, visitor_ids):
        for found in removal.find(where, progress):
            documents = [
                replace(document, version=erased_version(document.version or 0))
                for document in found
                if _is_of(document.body, person, visitor_ids)
            ]
            report.events += len(documents)
            if not dry_run:
                removal.withdraw(documents)
                removal.put(documents, lambda document: _tombstone(document.body))
    if not dry_run:
        _erase_lower(pipeline, definition, person, visitor_ids)
    _erase_dead_letters(pipeline, report, person)
    return report


def _check(person: Mapping[str, str]) -> None:
    unknown = [name for name in person if name not in FIELDS]
    is_client = set(person) <= {"ip_address", "user_agent"}
    if unknown or not person or not (is_client or len(person) == 1):
        raise InvalidParameter(
            "Give user_id, or session_id, or ip_address and user_agent: events are identified by "
            "the first of these that they had",
            parameter="person",
        )
    for name, value in person.items():
        if not value:
            raise InvalidParameter(f"{name} is empty, which is nobody's", parameter="person")


def _visitor_ids(
    pipeline: Pipeline, definition: EventDefinition, person: Mapping[str, str]
) -> Iterator[str]:
    state, window = pipeline.store.state, definition.config.salt_window
    keys = salts.Salts(state, definition.alias, window, pipeline.clock)
    parts = visitor_parts(dict(person))
    for record in state.find(salts.KIND, group=definition.alias, lacking=salts.DESTROYED):
        if record.time is not None:
            yield keys.hash(record.time, "visitor", *parts)


def _filters(
    definition: EventDefinition, person: Mapping[str, str], visitor_ids: list[str]
) -> Iterator[Filter]:
    if visitor_ids:
        yield Filter().where("visitor_id", visitor_ids)
    # An event type that does not make its events anonymous keeps what identifies people.
    if all(name in definition.template.types for name in person):
        where = Filter()
        for name, value in person.items():
            where = where.where(name, [value])
        yield where


def _tombstone(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in LEFT if name in body} | {"withdrawn": True}


def _erase_lower(
    pipeline: Pipeline,
    definition: EventDefinition,
    person: Mapping[str, str],
    visitor_ids: list[str],
) -> None:
    revisions = Revisions(pipeline.store.state, definition.alias)
    for lower in revisions.all():
        others = [event for event in lower.events if not _is_of(event, person, visitor_ids)]
        if len(others) < len(lower.events):
            revisions.set(replace(lower, events=others))


def _erase_dead_letters(
    pipeline: Pipeline, report: ErasureReport, person: Mapping[str, str]
) -> None:
    letters = pipeline.dead_letters.list(report.event_type)
    ids = [letter.id for letter in letters if _is_of(letter.event, person, [])]
    report.dead_letters = len(ids)
    if ids and not report.is_dry_run:
        pipeline.dead_letters.purge(ids)


def _is_of(event: Any, person: Mapping[str, str], visitor_ids: Collection[str]) -> bool:
    """Tell whether an event is one of the person's: by its visitor id, or by what it has raw."""
    if not isinstance(event, Mapping):
        return False
    # Of a dead letter nothing is certain, not even that it has an id.
    raw = {"event_id": None, **event}
    return event.get("visitor_id") in visitor_ids or visitor_parts(raw) == visitor_parts(
        dict(person)
    )
