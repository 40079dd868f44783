"""Trouble in the store: it costs the intervals that it concerns, and no others."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from stats_pipeline.aggregations import recompute
from stats_pipeline.aggregations.lease import Lease, acquire
from stats_pipeline.clock import Clock, ManualClock
from stats_pipeline.errors import PartialResult
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.stores.protocol import Snapshot, State, Store
from tests.aggregations.conftest import Make
from tests.aggregations.host import NOON, host_settings, table, take, update, visits
from tests.services import PrivateServer
from tests.support import Backend, MakePipeline

DAYS = ("2016-11-10", "2016-11-11", "2016-12-10", "2017-01-10", "2017-01-11")

#: What somebody may do to an old index, and how it is undone.
Fault = tuple[Callable[[Elasticsearch, str], object], Callable[[Elasticsearch, str], object]]


def block(api: Elasticsearch, index: str) -> None:
    """Make it read-only, as people do with what is old."""
    api.indices.put_settings(index=index, settings={"index.blocks.write": True})


def unblock(api: Elasticsearch, index: str) -> None:
    """Undo it."""
    api.indices.put_settings(index=index, settings={"index.blocks.write": None})


def close(api: Elasticsearch, index: str) -> None:
    """Let it cost nothing."""
    api.indices.close(index=index)


def open_again(api: Elasticsearch, index: str) -> None:
    """Undo it."""
    api.indices.open(index=index)
    api.cluster.health(index=index, wait_for_status="yellow")


@pytest.fixture
def api(distributed: Backend) -> Iterator[Elasticsearch]:
    """Give a client of the server."""
    with Elasticsearch(distributed.store_url) as api:
        yield api


def day_events(*hours: int) -> list[dict[str, str]]:
    """Return an event of each day in these hours."""
    return visits(*[(f"{day}T{hour}:00:00Z", "a") for day in DAYS for hour in hours])


@pytest.mark.parametrize("backend", ["distributed"], indirect=True)
@pytest.mark.parametrize(
    ("place", "fault"),
    [("rows", (block, unblock)), ("events", (close, open_again))],
    ids=["rows are read-only", "events are closed"],
)
def test_an_old_index_that_is_blocked_costs_only_its_intervals(
    make: Make,
    api: Elasticsearch,
    place: str,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though they come first: the others are done, and these when it works again."""
    tried: list[str] = []

    def acquire_and_count(state: State, clock: Clock, key: str, seconds: float) -> Lease | None:
        tried.append(key)
        return acquire(state, clock, key, seconds)

    pipeline = make()
    take(pipeline, day_events(10))
    update(pipeline)
    take(pipeline, day_events(11))
    alias = (
        pipeline.registries.aggregation("pages-agg").alias
        if place == "rows"
        else pipeline.registries.event_type("visit").alias
    )
    spoil, mend = fault
    monkeypatch.setattr(recompute, "acquire", acquire_and_count)
    spoil(api, f"{alias}-2016-11")
    for run in range(2):
        tried.clear()
        report = pipeline.update(["pages-agg"]).aggregations["pages-agg"]
        assert report.error
        assert [label[:10] for label in report.pending] == list(DAYS[:2])
        assert report.updated == (0 if run else 3)
        # Of two intervals that lie in the same indices, one is enough to find out.
        assert len(tried) == (1 if run else 4)
    mend(api, f"{alias}-2016-11")
    assert update(pipeline) == {"updated": 2}
    assert set(table(pipeline).values()) == {2}


@pytest.mark.parametrize("backend", ["distributed"], indirect=True)
def test_a_reset_replaces_rows_that_nobody_can_count(make: Make, api: Elasticsearch) -> None:
    """It is the way out where an index of old rows can't be read, and only says less then."""
    pipeline = make()
    take(pipeline, day_events(10))
    update(pipeline)
    close(api, f"{pipeline.registries.aggregation('pages-agg').alias}-2016-11")
    report = pipeline.reset(["pages-agg"]).aggregations["pages-agg"]
    assert (report.is_complete, report.created, report.deleted) == (True, 5, 0)
    assert set(table(pipeline).values()) == {1}


def lose_a_shard(api: Elasticsearch, index: str) -> None:
    """Take the second of the index's shards away, as a disk that breaks would."""
    ((node, about),) = api.nodes.info()["nodes"].items()
    uuid = api.indices.get_settings(index=index)[index]["settings"]["index"]["uuid"]
    shutil.rmtree(Path(about["settings"]["path"]["data"]) / "indices" / uuid / "1")
    gone = {"index": index, "shard": 1, "node": node, "allow_primary": True}
    api.cluster.reroute(commands=[{"cancel": gone}], metric="none")


# Elasticsearch waits a minute for the shard before it says that it is not there.
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_missing_shard_changes_no_row(
    private_elasticsearch: PrivateServer, make_pipeline: MakePipeline, tmp_path: Path
) -> None:
    """Half of the events look like fewer visits, half of the rows like rows that are not there."""
    place = Backend(private_elasticsearch.url, None)
    with Elasticsearch(private_elasticsearch.url) as api:
        api.indices.put_index_template(
            name="two-shards",
            index_patterns=["*-visit-*", "*-pages-*"],
            priority=5_000,
            template={"settings": {"number_of_shards": 2}},
        )
        for kind in ("events", "rows"):
            pipeline = make_pipeline(
                place,
                clock=ManualClock(NOON),
                **host_settings(tmp_path),
                STATS_INDEX_PREFIX=f"no-{kind}-",
            )
            take(pipeline, visits(*[("2017-01-10T10:00:00Z", f"page {n}") for n in range(20)]))
            update(pipeline)
            before = table(pipeline)
            take(pipeline, visits(*[("2017-01-10T11:00:00Z", f"page {n}") for n in range(20)]))
            alias = pipeline.registries.aggregation("pages-agg").alias
            if kind == "events":
                alias = pipeline.registries.event_type("visit").alias
            lose_a_shard(api, f"{alias}-2017-01")
            report = pipeline.update(["pages-agg"]).aggregations["pages-agg"]
            assert report.error
            assert (report.created, report.updated, report.deleted) == (0, 0, 0)
            if kind == "events":
                assert table(pipeline) == before
            else:
                with pytest.raises(PartialResult):
                    table(pipeline)


class Interrupted:
    """A store that calls a function at one moment of a run: after a refresh, or in a snapshot."""

    def __init__(
        self,
        store: Store,
        *,
        after_refresh: Callable[[Sequence[str]], object] = lambda _: None,
        in_snapshot: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._after_refresh = after_refresh
        self._in_snapshot = in_snapshot

    def refresh(self, names: Sequence[str]) -> None:
        """Refresh, and call."""
        self._store.refresh(names)
        self._after_refresh(names)

    @contextmanager
    def snapshot(self, names: Sequence[str]) -> Iterator[Snapshot]:
        """Open one, and call before anything is read."""
        with self._store.snapshot(names) as snapshot:
            self._in_snapshot()
            yield snapshot

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def interrupt(pipeline: Pipeline, interrupted: Interrupted) -> None:
    """Let the pipeline work on this store."""
    pipeline._connections.store = interrupted  # type: ignore[assignment]


def test_an_index_that_is_deleted_while_its_interval_is_computed_empties_no_row(
    make: Make,
) -> None:
    """Between the look whether all indices are there, and the snapshot, it looks like no events."""
    pipeline = make()
    take(pipeline, visits(("2017-01-10T10:00:00Z", "a")))
    update(pipeline)
    take(pipeline, visits(("2017-01-10T11:00:00Z", "a")))
    store, alias = pipeline.store, pipeline.registries.event_type("visit").alias

    def delete(names: Sequence[str]) -> None:
        if any(name.startswith(f"{alias}-") for name in names):
            store.delete_indices([f"{alias}-2017-01"])

    interrupt(pipeline, Interrupted(store, after_refresh=delete))
    report = pipeline.update(["pages-agg"]).aggregations["pages-agg"]
    assert "deleted" in report.error or "is gone" in report.error
    assert report.pending
    assert table(pipeline) == {("2017-01-10", "a"): 1}


def test_a_reader_that_a_reset_takes_the_rows_from_reads_the_new_ones(make: Make) -> None:
    """Its snapshot is of indices that are deleted when the reset ends."""
    queries = {
        "pages": {
            "query_class": "stats_pipeline:TermsQuery",
            "query_config": {"aggregation": "pages-agg", "aggregated_fields": ["page"]},
            "permission": "stats_pipeline.permissions:allow_everyone",
        }
    }
    reader, other = make(queries=queries), make()
    take(other, visits(("2017-01-10T10:00:00Z", "a")))
    update(other)
    waiting = [other]

    def reset_once() -> None:
        while waiting:
            assert waiting.pop().reset(["pages-agg"]).is_complete

    interrupt(reader, Interrupted(reader.store, in_snapshot=reset_once))
    assert reader.query("pages")["value"] == 1
    assert not waiting


def test_marks_forget_the_generations_that_are_gone(make: Make) -> None:
    """Else each reset would leave a word in every hour that ever had an event."""
    clock = ManualClock(NOON)
    half = {"time_zone": "Asia/Kolkata"}
    pipeline = make(clock=clock, aggregations={"pages-agg": {}, "half-agg": half})
    take(pipeline, day_events(10, 18))
    names = ["half-agg", "pages-agg"]
    for _ in range(3):
        pipeline.update(names)
        assert pipeline.reset(names).is_complete
    pipeline.update(names)
    tags = {tag for mark in pipeline.store.state.find("mark") for tag in mark.tags}
    aliases = [pipeline.registries.aggregation(name).alias for name in names]
    assert sorted(tags) == [f"{alias}#g4" for alias in aliases]
    held = {record.key for record in pipeline.store.state.find("fixed") if "#g" in record.key}
    assert held == tags
