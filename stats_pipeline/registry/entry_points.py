"""Read registrations from the entry points of installed packages."""

from __future__ import annotations

from collections.abc import Iterator

import importlib_metadata

from stats_pipeline.errors import ConfigurationError
from stats_pipeline.importing import FAILURES
from stats_pipeline.registry.items import Group, Item, read_item

#: What lies below this module is ours, and yields to other owners.
SHIPPED = "stats_pipeline.contrib."


def registered_items(group: Group) -> Iterator[Item]:
    """Yield what the packages register in a group, by owner's name.

    Raises:
        ConfigurationError: naming the entry point that can't be loaded or gives no list.
    """
    points = importlib_metadata.entry_points(group=group.entry_point_group)
    for point in sorted(points, key=lambda point: (_owner(point), point.value)):
        owner = _owner(point)
        try:
            raw_items = point.load()()
        except FAILURES as error:
            raise ConfigurationError(
                f"The entry point {point.name!r} ({point.value}) of {owner} in the group "
                f"{group.entry_point_group!r} can't be used: {error!r}"
            ) from error
        if not isinstance(raw_items, list | tuple):
            raise ConfigurationError(f"{point.value} of {owner} must return a list of dicts")
        for raw in raw_items:
            yield read_item(group, raw, owner=owner, is_shipped=point.module.startswith(SHIPPED))


def _owner(point: importlib_metadata.EntryPoint) -> str:
    return str(point.dist.name) if point.dist is not None else point.module
