"""Which indices and aliases there are. What a user may not see is an error, and not missing.

Elasticsearch leaves out what a user has no rights for, where missing names are to be ignored. An
answer would then be made from nothing, and look like one about nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from stats_pipeline.stores.elasticsearch.client import chunks_of_names

#: How often an action is tried on what is left when something is deleted under it.
TRIES = 5


def present(api: Elasticsearch, names: Sequence[str]) -> list[str]:
    """Return those of these indices or aliases that exist, in their order."""
    found: set[str] = set()
    for chunk in chunks_of_names(names):
        answer = api.indices.get_alias(index=chunk, ignore_unavailable=True)
        for index, entry in answer.items():
            found |= {index, *entry["aliases"]}
    refuse_hidden(api, [name for name in names if name not in found])
    return [name for name in names if name in found]


def refuse_hidden(api: Elasticsearch, missing: Sequence[str]) -> None:
    """Let the client raise where one of these names is not missing, but out of sight."""
    for chunk in chunks_of_names(missing):
        # Asked for by name, what is hidden is refused, even if it does not exist.
        api.options(ignore_status=404).indices.get_settings(index=chunk, name="index.uuid")


def do_with_present(
    api: Elasticsearch, names: Sequence[str], action: Callable[[Sequence[str]], Any]
) -> Any:
    """Return what the action on those of these names that exist returns, None where none does."""
    left = names
    for _ in range(TRIES):
        try:
            return action(left) if left else None
        except NotFoundError:
            left = present(api, left)
    return action(left)
