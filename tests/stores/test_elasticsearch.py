"""The store on Elasticsearch: the contract on a real server, and what only a cluster has."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import pytest
from elasticsearch import Elasticsearch

from scripts.services.server import wait_until
from stats_pipeline.errors import PartialResult, StoreRefused
from stats_pipeline.model import Filter
from stats_pipeline.stores.elasticsearch import ElasticsearchStore
from stats_pipeline.stores.protocol import Put, Record, Store, Verdict
from stats_pipeline.templates import IndexTemplate
from tests.stores.conftest import MakeTemplate, Write
from tests.stores.contract import StoreContract
from tests.support import cleared


@pytest.fixture
def cluster(elasticsearch_url: str, index_prefix: str) -> Iterator[Elasticsearch]:
    """Give an operator's access to the cluster; what the test has made is deleted behind it."""
    with cleared(elasticsearch_url, index_prefix), Elasticsearch(elasticsearch_url) as cluster:
        yield cluster


@pytest.fixture
def store(
    elasticsearch_url: str, index_prefix: str, cluster: Elasticsearch
) -> Iterator[ElasticsearchStore]:
    """Give a store of its own, by its prefix."""
    store = ElasticsearchStore(elasticsearch_url, index_prefix=index_prefix)
    yield store
    store.close()


@pytest.fixture
def store_url(elasticsearch_url: str) -> str:
    """Give the URL by which another process opens the same store."""
    return elasticsearch_url


@pytest.fixture
def requests(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Give the list of the requests of the test so far, without query strings."""
    seen: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            method, url = record.getMessage().split(" ")[:2]
            seen.append(f"{method} /{url.split('?')[0].split('/', 3)[3]}")

    handler = Handler()
    logger = logging.getLogger("elastic_transport.transport")
    with caplog.at_level(logging.INFO, logger.name):
        logger.addHandler(handler)
        yield seen
        logger.removeHandler(handler)


class TestElasticsearchStore(StoreContract):
    """Keep the contract in an Elasticsearch cluster."""

    examples = 15


def test_a_closed_index_is_an_error_and_not_an_empty_index(
    store: Store, index: str, cluster: Elasticsearch, template: IndexTemplate
) -> None:
    """What an operator closed should stop readers and writers, or rows would be emptied."""
    cluster.indices.close(index=index)
    for name in (index, template.alias):
        with pytest.raises(StoreRefused, match="closed"), store.snapshot([name]):
            pass
    (result,) = store.bulk([Put(index, "a", {})])
    assert result.verdict is Verdict.FAULT


def test_a_write_block_is_a_fault(store: Store, index: str, cluster: Elasticsearch) -> None:
    """Elasticsearch sets blocks when a disk is full; an operator should have to act."""
    cluster.indices.put_settings(index=index, settings={"index.blocks.write": True})
    (result,) = store.bulk([Put(index, "a", {})])
    assert result.verdict is Verdict.FAULT
    assert index in result.reason


def test_the_shard_limit_is_an_operators_matter(store: Store, index_prefix: str) -> None:
    """An index that the cluster has no room for should be refused with the reason."""
    settings = {"number_of_shards": 1_024, "number_of_replicas": 0}
    template = IndexTemplate(f"{index_prefix}wide", {}, settings, {})
    with pytest.raises(StoreRefused, match="maximum"):
        store.create_index(f"{template.alias}-2016", template, aliased=True)


def test_an_index_without_its_template_has_the_fields_of_the_template(
    store: Store, template: IndexTemplate, cluster: Elasticsearch
) -> None:
    """If somebody deleted the template, types should not be guessed from the first document."""
    name = f"{template.alias}-2016-12"
    store.create_index(name, template, aliased=True)
    mapping = cluster.indices.get_mapping(index=name)[name]["mappings"]
    assert mapping["dynamic"] == "false"
    assert mapping["properties"].keys() == template.properties.keys()


def test_readers_are_never_refused_while_two_make_an_index(
    store: Store, template: IndexTemplate
) -> None:
    """By the alias or by its name, whoever of the two came first: a reader waits for its shards."""
    names = [f"{template.alias}-2016-{month:02}" for month in range(1, 13)]
    made = Event()

    def read(what: list[str]) -> int:
        reads = 0
        while not made.is_set():
            with store.snapshot(what) as snapshot:
                assert snapshot.count(Filter()) == 0
            reads += 1
        return reads

    store.create_index(f"{template.alias}-2015-12", template, aliased=True)
    with ThreadPoolExecutor(5) as threads:
        readers = [threads.submit(read, what) for what in ([template.alias], names)]
        try:
            for name in names:
                makers = [
                    threads.submit(store.create_index, name, template, aliased=True)
                    for _ in range(3)
                ]
                assert len({maker.result() for maker in makers}) == 1
        finally:
            made.set()
        assert all(reader.result() for reader in readers)


def test_a_longer_alias_does_not_get_the_fields_of_a_shorter_one(
    store: Store, index: str, make_template: MakeTemplate, cluster: Elasticsearch
) -> None:
    """The indices of both begin alike, but each should belong to its own template."""
    longer = make_template("thing-two")
    name = f"{longer.alias}-2016-12"
    store.create_index(name, longer, aliased=True)
    store.put_template(make_template(colour="keyword"))
    found = cluster.indices.get_mapping(index=[index, name])
    assert "colour" in found[index]["mappings"]["properties"]
    assert "colour" not in found[name]["mappings"]["properties"]


def test_a_field_is_added_to_an_index_without_the_alias_too(
    store: Store, make_template: MakeTemplate, cluster: Elasticsearch
) -> None:
    """A new generation, which has no alias yet, should know new fields as well."""
    template = make_template()
    name = f"{template.alias}-2016-g2"
    store.create_index(name, template, aliased=False)
    store.put_template(make_template(colour="keyword"))
    assert "colour" in cluster.indices.get_mapping(index=name)[name]["mappings"]["properties"]


def test_a_swap_may_be_repeated_after_its_indices_were_deleted(
    store: Store, index: str, template: IndexTemplate
) -> None:
    """Who died between the swap and what follows it should be able to do it again."""
    new = f"{template.alias}-2016-12-g2"
    store.create_index(new, template, aliased=False)
    store.swap_alias(template.alias, add=[new], remove=[index])
    store.delete_indices([index])
    store.swap_alias(template.alias, add=[new], remove=[index])
    with store.snapshot([template.alias]) as snapshot:
        assert snapshot.count(Filter()) == 0


def test_more_names_than_fit_into_a_request_are_read(
    store: Store, template: IndexTemplate, write: Write
) -> None:
    """A year of daily indices, most of which don't exist, should be one snapshot."""
    names = [f"{template.alias}-2016-{day:03}" for day in range(400)]
    for name in (names[0], names[200], names[399]):
        store.create_index(name, template, aliased=True)
        write(name, {"a": {"size": 1}})
    other = f"{template.alias}-2017-001"
    store.create_index(other, template, aliased=True)
    write(other, {"a": {"size": 1}})
    store.refresh(names)
    assert len(store.index_uuids(names)) == 3
    with store.snapshot(names) as snapshot:
        assert snapshot.count(Filter()) == 3
    store.delete_indices(names)
    assert store.index_uuids([*names, other]).keys() == {other}


def test_many_indices_are_one_snapshot(
    store: Store, index_prefix: str, write: Write, make_template: MakeTemplate
) -> None:
    """Names that exist, and are too long for a request together, should all be read."""
    template = make_template()
    small = IndexTemplate(template.alias, template.properties, {"number_of_replicas": 0}, {})
    names = [f"{template.alias}-{'x' * 200}-{number:02}" for number in range(13)]
    for name in names:
        store.create_index(name, small, aliased=False)
        write(name, {"a": {"size": 1}})
    store.create_index(f"{names[0]}0", small, aliased=False)
    write(f"{names[0]}0", {"a": {"size": 1}})
    with store.snapshot(names) as snapshot:
        assert snapshot.count(Filter()) == 13
        assert sum(1 for _ in snapshot.scan(Filter(), ["size"])) == 13
        assert [group.count for group in snapshot.groups(Filter(), ["size"], {})] == [13]


def test_a_snapshot_whose_data_is_gone_is_an_error(store: Store, index: str, write: Write) -> None:
    """A part of the data should never be taken for all of it."""
    write(index, {"a": {"size": 1}})
    with store.snapshot([index]) as snapshot:
        assert snapshot.count(Filter()) == 1
        store.delete_indices([index])
        with pytest.raises(PartialResult):
            snapshot.count(Filter())


def test_reading_state_creates_nothing(
    store: Store, index_prefix: str, cluster: Elasticsearch
) -> None:
    """Before the first write there should be no record, no error and no index."""
    assert store.state.get("mark", ["a"]) == [None]
    assert list(store.state.find("mark")) == []
    assert not cluster.indices.get_settings(index=f"{index_prefix}*")


def test_a_deleted_state_index_does_not_come_back_by_itself(
    store: Store, index_prefix: str, cluster: Elasticsearch
) -> None:
    """A write that was under way should not make an index without its mapping."""
    store.state.put([Record("mark", "a")])
    cluster.indices.delete(index=f"{index_prefix}stats_pipeline-state-1")
    with pytest.raises(StoreRefused, match="no such index"):
        store.state.put([Record("mark", "a")])
    assert not cluster.indices.get_settings(index=f"{index_prefix}*")


def test_looking_for_marks_in_vain_is_one_search(store: Store, requests: list[str]) -> None:
    """What every update does first should cost little."""
    noon = datetime(2016, 12, 18, 12, tzinfo=UTC)
    store.state.put([Record("mark", "a", time=noon, tags=frozenset({"done"}))])
    requests.clear()
    assert list(store.state.find("mark", lacking="done")) == []
    assert requests.count("POST /_search") == 1


def test_a_large_bulk_is_cut_into_requests_of_5_megabytes(
    store: Store, index: str, requests: list[str]
) -> None:
    """Proxies and servers refuse larger ones."""
    requests.clear()
    results = store.bulk([Put(index, key, {"note": "x" * 3_000_000}) for key in "abc"])
    assert {result.verdict for result in results} == {Verdict.DONE}
    assert requests == ["PUT /_bulk"] * 3


def test_what_is_no_json_is_never_stored_and_costs_no_other_item(store: Store, index: str) -> None:
    """An object field may hold anything; ids have a longest length."""
    circle: list[object] = []
    circle.append(circle)
    results = store.bulk(
        [
            Put(index, "a", {"extra": {"x": float("nan")}}),
            Put(index, "b", {"extra": {"x": circle}}),
            Put(index, "c", {"note": "\ud800"}),
            Put(index, "x" * 513, {}),
            Put(index, "", {}),
            Put(index, "d", {"size": 1}),
        ]
    )
    assert [result.verdict for result in results] == [Verdict.NEVER] * 5 + [Verdict.DONE]


@pytest.mark.slow
def test_A004_25_elasticsearch_gives_up_what_was_expunged(
    store: ElasticsearchStore, cluster: Elasticsearch, index_prefix: str
) -> None:
    """Of segments with little to give up, too; it only takes the half minute of its replicas."""
    store.state.put([Record("salt", f"k{number}", body={"key": "x"}) for number in range(100)])
    (record,) = store.state.get("salt", ["k0"])
    assert record
    assert store.state.swap([replace(record, body={})]) == [True]

    def is_gone() -> bool:
        store.state.expunge()
        found = cluster.indices.stats(index=f"{index_prefix}*state*", metric="docs")
        return bool(found["_all"]["total"]["docs"]["deleted"] == 0)

    wait_until(is_gone, timeout_seconds=120)
    assert len(list(store.state.find("salt"))) == 100
