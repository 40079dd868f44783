"""Generations: the rows that readers see, and those that a reset builds beside them.

A generation has indices of its own (the first ``<alias>-<period>``, later ones with ``-g<n>``) and
a name of its own in the marks, so building a new one is the same work as an update. When it has
caught up, one record says that it is the current one, then one alias call shows it to readers.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from stats_pipeline.aggregations.dirty import DirtyMarks
from stats_pipeline.errors import LeaseLost
from stats_pipeline.intervals import IntervalName, period_label, period_of
from stats_pipeline.registry import AggregationDefinition
from stats_pipeline.stores import fixed
from stats_pipeline.stores.protocol import Record, Store

KIND = "generation"
INDEX_KIND = "row-index"
DAY_INDEX_KIND = "day-index"

#: Of the indices of day rows; no name of an aggregation has a dot.
DAYS = ".days"


class Generations:
    """Know and switch the generations of one aggregation."""

    def __init__(self, store: Store, definition: AggregationDefinition) -> None:
        self._store = store
        self._definition = definition

    def current(self) -> int:
        """Return the generation that readers see, after finishing a switch that was cut short."""
        record = self._record()
        if record.body["retired"]:
            self._finish_switch(record)
        return int(record.body["current"])

    def to_build(self, plan: str | None) -> int:
        """Return the generation that `start_next` would; for None one that nobody has begun."""
        body = self._record().body
        begun = body["next"]
        return int(begun) if begun and body["plan"] == plan else int(begun or body["current"]) + 1

    def start_next(self, plan: str) -> int:
        """Return the generation that a reset builds: the one under construction, or a new one.

        Args:
            plan: stands for all that decides what is in the rows. What was begun by another plan
                is given up, since its rows would stay among the others.
        """
        while True:
            record = self._record()
            begun = record.body["next"]
            if begun and record.body["plan"] == plan:
                return int(begun)
            number = int(begun or record.body["current"]) + 1
            body = {**record.body, "next": number, "plan": plan, "retired": begun}
            # Only where nothing is retired already: there is room for one.
            is_free = record.body["retired"] is None
            is_begun = is_free and self._store.state.swap([replace(record, body=body)]) == [True]
            self.current()
            if is_begun:
                return number

    def replaced_by(self, generation: int) -> int | None:
        """Return the generation whose place this one will take; None if it is not being built."""
        body = self._record().body
        return int(body["current"]) if body["next"] == generation else None

    def switch_to(self, generation: int) -> bool:
        """Make the generation the current one and delete the one before; tell whether it is."""
        record = self._record()
        while record.body["next"] == generation:
            # First the record: from here on updates work on the new generation. If this process
            # dies before the alias is moved, readers see the old rows until the next run moves it.
            retired = record.body["current"]
            body = {"current": generation, "next": None, "plan": None, "retired": retired}
            self._store.state.swap([replace(record, body=body)])
            record = self._record()
        return self.current() == generation

    def ensure_index(self, generation: int, moment: datetime) -> str:
        """Return the name of the index for rows of this time; create it if it is missing."""
        name = self.index_name(generation, moment)
        # Known before it is there, so that nobody forgets to delete it.
        self._store.state.create(Record(INDEX_KIND, name, self._group(generation)))
        is_current = self._is_current(generation)
        self._store.create_index(name, self._definition.template, aliased=is_current)
        if self._is_current(generation) != is_current:
            # A reset came to its end meanwhile, perhaps before it could know of this index.
            if is_current:
                self._store.swap_alias(self._definition.alias, add=[], remove=[name])
                self._store.delete_indices([name])
                raise LeaseLost(f"A reset has replaced generation {generation} meanwhile")
            self._store.swap_alias(self._definition.alias, add=[name], remove=[])
        return name

    def is_alive(self, generation: int) -> bool:
        """Tell whether readers see this generation or a reset is building it."""
        body = self._record().body
        return generation in (body["current"], body["next"])

    def index_name(self, generation: int, moment: datetime) -> str:
        """Return the name of the index for rows of this time."""
        config = self._definition.config
        interval: IntervalName = config.index_interval
        if config.aggregation_interval == "all":
            interval = "all"
        suffix = "" if generation == 1 else f"-g{generation}"
        label = period_label(period_of(moment, interval).start, interval)
        return f"{self._definition.alias}-{label}{suffix}"

    def index_names(self, generation: int) -> list[str]:
        """Return the names of all indices of a generation."""
        found = self._store.state.find(INDEX_KIND, group=self._group(generation))
        return [record.key for record in found]

    def day_index_name(self, generation: int, moment: datetime) -> str:
        """Return the name of the index for the day rows from which longer intervals follow."""
        year = period_label(period_of(moment, "year").start, "year")
        return f"{self._definition.alias}-{year}-g{generation}{DAYS}"

    def ensure_day_index(self, generation: int, moment: datetime) -> None:
        """Create the index for day rows of this time if it is missing; readers never see it."""
        name = self.day_index_name(generation, moment)
        # Known before it is there, so that nobody forgets to delete it.
        self._store.state.create(Record(DAY_INDEX_KIND, name, self._group(generation)))
        self._store.create_index(name, self._definition.template, aliased=False)

    def day_index_names(self, generation: int) -> list[str]:
        """Return the names of all indices of day rows of a generation."""
        found = self._store.state.find(DAY_INDEX_KIND, group=self._group(generation))
        return [record.key for record in found]

    def done_name(self, generation: int) -> str:
        """Return the name under which this generation is done with a mark."""
        return self._group(generation)

    def current_done_name(self) -> str:
        """Return the name of the generation that readers see, without finishing any switch."""
        return self._group(int(self._record().body["current"]))

    def _finish_switch(self, record: Record) -> None:
        old = list(self._store.index_uuids(self.index_names(int(record.body["retired"]))))
        new = list(self._store.index_uuids(self.index_names(int(record.body["current"]))))
        self._store.swap_alias(self._definition.alias, add=new, remove=old)
        retired = int(record.body["retired"])
        self._store.delete_indices([*old, *self.day_index_names(retired)])
        for kind in (INDEX_KIND, DAY_INDEX_KIND):
            for found in self._store.state.find(kind, group=self._group(retired)):
                self._store.state.delete(found)
        DirtyMarks(self._store.state, self._definition, self._group(retired)).forget()
        for held in self._store.state.get(fixed.KIND, [self._group(retired)]):
            if held is not None:
                self._store.state.delete(held)
        self._store.state.swap([replace(record, body={**record.body, "retired": None})])

    def _is_current(self, generation: int) -> bool:
        return int(self._record().body["current"]) == generation

    def _record(self) -> Record:
        while True:
            (record,) = self._store.state.get(KIND, [self._definition.alias])
            if record is not None:
                return record
            body = {"current": 1, "next": None, "plan": None, "retired": None}
            self._store.state.create(Record(KIND, self._definition.alias, body=body))

    def _group(self, generation: int) -> str:
        return f"{self._definition.alias}#g{generation}"
