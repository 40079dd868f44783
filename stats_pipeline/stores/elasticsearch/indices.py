"""Templates, indices, aliases, and documents by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch

from stats_pipeline.errors import StoreRefused, StoreUnavailable
from stats_pipeline.stores.elasticsearch.client import Client, chunks_of_names
from stats_pipeline.stores.elasticsearch.errors import (
    CHECK_USER,
    FORBIDDEN,
    INDEX_EXISTS,
    INDEX_MISSING,
    error_types,
)
from stats_pipeline.stores.elasticsearch.presence import do_with_present, refuse_hidden
from stats_pipeline.templates import IndexTemplate

#: Key in the mapping's own notes: one alias may be the beginning of another, so the name of an
#: index does not say whose it is.
OWNER = "stats_pipeline_alias"

#: By default the version of a deleted document is known for a minute, in which a lower one (an
#: event that comes by the queue, after an import of its correction was undone) would be refused.
FORGET_DELETED_AFTER = "0s"


def put_template(client: Client, template: IndexTemplate) -> None:
    """Install or update a template and add its new fields to the indices of its alias.

    Raises:
        StoreRefused: a field has another type there.
    """
    with client.api() as api:
        api.indices.put_index_template(name=template.alias, body=template.body)
        found = api.indices.get_mapping(index=f"{template.alias}-*", expand_wildcards="all")
        own = [
            index
            for index, entry in found.items()
            if entry["mappings"].get("_meta", {}).get(OWNER) == template.alias
        ]
        for chunk in chunks_of_names(own):
            try:
                api.indices.put_mapping(index=chunk, properties=dict(template.properties))
            except BadRequestError as error:
                raise StoreRefused(
                    f"The template of {template.alias} does not fit the indices that exist "
                    f"({error.message}: {error.info['error']['reason']}): give the field its "
                    "old type, or another name"
                ) from error


def create(client: Client, name: str, template: IndexTemplate, *, aliased: bool) -> str:
    """Create the index if it is missing and return its UUID; two callers get the same one."""
    body = template.body["template"]
    # Said again although the template says it: without its template (deleted, or hidden by one of
    # a higher priority) the index would guess its field types from the first document.
    mappings = body["mappings"] | {"_meta": {OWNER: template.alias}}
    with client.api() as api:
        try:
            settings = {"index.gc_deletes": FORGET_DELETED_AFTER} | body["settings"]
            api.indices.create(index=name, mappings=mappings, settings=settings)
        except BadRequestError as error:
            if INDEX_EXISTS not in error_types(error):
                raise
        # Only now, when its shards have started: a reader of the alias would be refused before.
        if aliased:
            api.indices.put_alias(index=name, name=template.alias)
        return _uuids(api, [name])[name]


def uuids(client: Client, names: Sequence[str]) -> dict[str, str]:
    """Return the UUIDs of those of these indices that exist."""
    with client.api() as api:
        return _uuids(api, names)


def swap_alias(client: Client, alias: str, add: Sequence[str], remove: Sequence[str]) -> None:
    """Move an alias from some indices to others in one step; may be repeated."""
    with client.api() as api:
        actions: list[dict[str, Any]]
        actions = [{"add": {"index": name, "alias": alias}} for name in add]
        actions += [
            {"remove": {"index": name, "alias": alias, "must_exist": False}}
            for name in _having_alias(api, remove, alias)
        ]
        if actions:
            api.indices.update_aliases(actions=actions)


def delete(client: Client, names: Sequence[str]) -> None:
    """Delete these indices and their documents; missing ones are deleted already."""
    with client.api() as api:
        for chunk in chunks_of_names(names):
            do_with_present(api, chunk, lambda found: api.indices.delete(index=found))


def refresh(client: Client, names: Sequence[str]) -> None:
    """Make all that was written to these indices or aliases visible to searches.

    Raises:
        StoreUnavailable: a shard could not do it.
    """
    with client.api() as api:
        for chunk in chunks_of_names(names):
            answer = do_with_present(api, chunk, lambda found: api.indices.refresh(index=found))
            if answer is not None:
                _check_shards(client, answer["_shards"], f"refresh {', '.join(chunk)}")


def expunge(client: Client, index: str) -> None:
    """Rewrite the segments of an index that hold deleted documents; a missing one has none.

    Raises:
        StoreUnavailable: a shard could not do it.
    """
    with client.api() as api:
        if not _uuids(api, [index]):
            return
        # By default a segment is left alone as long as less than a tenth of it is deleted.
        allowed = {"index.merge.policy.expunge_deletes_allowed": 0}
        api.indices.put_settings(index=index, settings=allowed)
        # Before: what is not committed is not given up. After: so are the files before the merge.
        api.indices.flush(index=index)
        shards = api.indices.forcemerge(index=index, only_expunge_deletes=True)["_shards"]
        api.indices.flush(index=index, force=True)
    _check_shards(client, shards, f"expunge {index}")


def documents(client: Client, index: str, ids: Sequence[str]) -> Iterator[Mapping[str, Any] | None]:
    """Yield the stored documents of these ids, in order, None where there is none (realtime)."""
    if not ids:
        return
    with client.api() as api:
        answer = api.mget(docs=[{"_index": index, "_id": id_} for id_ in ids], realtime=True)
    for found in answer["docs"]:
        error = found.get("error")
        if error is not None and error["type"] == FORBIDDEN:
            raise StoreRefused(
                f"Elasticsearch at {client.server} refuses to read {index} ({error['reason']}): "
                f"{CHECK_USER}"
            )
        if error is not None and error["type"] != INDEX_MISSING:
            raise StoreUnavailable(
                f"Elasticsearch at {client.server} could not read {index}: {error['reason']}"
            )
        yield found if found.get("found") else None


def _check_shards(client: Client, shards: Mapping[str, Any], what: str) -> None:
    if shards["failed"]:
        raise StoreUnavailable(
            f"Elasticsearch at {client.server} could not {what}: {shards['failed']} of "
            f"{shards['total']} shards failed"
        )


def _uuids(api: Elasticsearch, names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for chunk in chunks_of_names(names):
        answer = api.indices.get_settings(
            index=chunk, name="index.uuid", ignore_unavailable=True, flat_settings=True
        )
        for index, entry in answer.items():
            found[index] = entry["settings"]["index.uuid"]
    refuse_hidden(api, [name for name in names if name not in found])
    return found


def _having_alias(api: Elasticsearch, names: Sequence[str], alias: str) -> list[str]:
    # Not all of them, if this is the repeat of a swap that was done: Elasticsearch refuses to
    # remove an alias that no index has.
    having: list[str] = []
    for chunk in chunks_of_names(names):
        found = api.indices.get_alias(index=chunk, ignore_unavailable=True)
        having += [index for index, entry in found.items() if alias in entry["aliases"]]
    return having
