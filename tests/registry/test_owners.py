"""Who registers what: several owners side by side, the same name twice, broken entry points."""

from typing import Any

import pytest

from stats_pipeline import Aggregation, EventType, Query
from stats_pipeline.errors import ConfigurationError, DefinitionError, DuplicateRegistration
from stats_pipeline.permissions import allow_everyone
from tests.registry.conftest import MakeRegistries, Register

NAME_KEYS = {"events": "event_type", "aggregations": "aggregation_name", "queries": "query_name"}
GROUPS = sorted(NAME_KEYS)


class Sales:
    """A query of the host."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self) -> str:
        """Answer with its name."""
        return self.name


def item(group: str, name: str, **keys: Any) -> dict[str, Any]:
    """Return a registration of this group."""
    needed = {"query_class": "builtins:dict"} if group == "queries" else {}
    return {NAME_KEYS[group]: name, **needed, **keys}


def items_of(registries: Any, group: str) -> Any:
    """Return what is registered in a group, by name."""
    kind = {"events": "event", "aggregations": "aggregation", "queries": "query"}[group]
    return getattr(registries, f"{kind}_items")


@pytest.mark.parametrize("group", GROUPS)
def test_A004_03_64_packages_register_side_by_side_each_what_it_likes(
    group: str, register: Register, registries: MakeRegistries
) -> None:
    """What two packages register is there together; neither registers in the other groups."""
    register("shop", **{group: [item(group, "sale"), item(group, "return")]})
    register("forum", **{group: [item(group, "post")]})
    made = registries()
    owners = {name: found.owner for name, found in items_of(made, group).items()}
    assert {name: owners[name] for name in ("sale", "return", "post")} == {
        "sale": "shop",
        "return": "shop",
        "post": "forum",
    }
    for other in set(GROUPS) - {group}:
        assert not {"sale", "post"} & set(items_of(made, other))


@pytest.mark.parametrize("group", GROUPS)
def test_D13_two_owners_of_one_name_are_an_error_that_names_both(
    group: str, register: Register, registries: MakeRegistries
) -> None:
    """Neither wins by accident of order."""
    register("shop", **{group: [item(group, "sale")]})
    register("market", **{group: [item(group, "sale")]})
    with pytest.raises(DuplicateRegistration, match=r"'sale'.* market and by shop; neither says"):
        items_of(registries(), group)


@pytest.mark.parametrize("replacing", ["shop", "market"])
@pytest.mark.parametrize("group", GROUPS)
def test_A004_66_an_owner_that_says_so_replaces_another(
    group: str, replacing: str, register: Register, registries: MakeRegistries
) -> None:
    """`replaces=True` of one of them decides, whichever is read first."""
    for owner in ("shop", "market"):
        keys = {"replaces": True} if owner == replacing else {}
        register(owner, **{group: [item(group, "sale", **keys)]})
    assert items_of(registries(), group)["sale"].owner == replacing


def test_two_owners_that_both_replace_are_an_error(
    register: Register, registries: MakeRegistries
) -> None:
    """Then nobody knows whose registration is meant."""
    for owner in ("shop", "market"):
        register(owner, events=[item("events", "sale", replaces=True)])
    with pytest.raises(DuplicateRegistration, match=r"both say"):
        items_of(registries(), "events")


@pytest.mark.parametrize("owner", ["archive", "zoo"])
def test_A004_66_what_is_shipped_yields_to_another_owner_without_a_word(
    owner: str, register: Register, registries: MakeRegistries
) -> None:
    """A host takes the name of a contrib package, whether it is read before it or after it."""
    register(
        owner,
        events=[item("events", "file-download")],
        aggregations=[item("aggregations", "file-download-agg")],
        queries=[item("queries", "bucket-file-download-total")],
    )
    made = registries()
    assert made.event_items["file-download"].owner == owner
    assert made.event_items["record-view"].owner == "stats_pipeline"
    assert made.aggregation_items["file-download-agg"].owner == owner
    assert made.query_items["bucket-file-download-total"].owner == owner


@pytest.mark.parametrize("group", GROUPS)
def test_A004_02_an_unknown_key_is_named_with_its_owner_and_the_nearest_key(
    group: str, register: Register, registries: MakeRegistries
) -> None:
    """A typo in a registration never passes in silence."""
    register("shop", **{group: [item(group, "sale", replace=True)]})
    with pytest.raises(DefinitionError, match=r"shop: unknown key 'replace'.*mean 'replaces'"):
        items_of(registries(), group)


def test_A004_01_02_a_registration_may_be_the_dataclass_of_the_same_names(
    register: Register, registries: MakeRegistries
) -> None:
    """`EventType`, `Aggregation` and `Query` say what the dicts say."""
    register(
        "shop",
        events=[EventType(event_type="sale", processor_config={"double_click_window": 30})],
        aggregations=(Aggregation(aggregation_name="sale-agg"),),
        queries=[Query(query_name="sales", query_class=Sales, permission=allow_everyone)],
    )
    made = registries(STATS_EVENTS={"sale": {}})
    assert made.event_type("sale").config.double_click_window == 30
    assert made.aggregation("sale-agg").alias == "stats-sale"
    assert made.query("sales").instance.name == "sales"


@pytest.mark.parametrize("wrong", [Query(query_name="sale", query_class=dict), "sale", None])
def test_an_item_of_another_kind_is_refused_with_its_owner(
    wrong: Any, register: Register, registries: MakeRegistries
) -> None:
    """What is neither a dict nor the group's dataclass can't be registered."""
    register("shop", events=[wrong])
    with pytest.raises(DefinitionError, match=r"shop: each event type is registered by a dict or"):
        items_of(registries(), "events")


@pytest.mark.parametrize("keys", [{}, {"event_type": ""}, {"event_type": 7}])
def test_an_item_without_a_name_is_refused_with_its_owner(
    keys: dict[str, Any], register: Register, registries: MakeRegistries
) -> None:
    """The name is what everything else refers to."""
    register("shop", events=[keys])
    with pytest.raises(DefinitionError, match=r"shop: .* has no 'event_type'"):
        items_of(registries(), "events")


@pytest.mark.parametrize("wrong", [{"event_type": "sale"}, None, RuntimeError("no database")])
def test_an_entry_point_that_gives_no_list_or_fails_is_named(
    wrong: Any, register: Register, registries: MakeRegistries
) -> None:
    """The message says whose function it is; the other registries work on."""
    register("shop", events=wrong, queries=[item("queries", "sales")])
    made = registries()
    with pytest.raises(ConfigurationError, match=r"shop:register_events.* of shop|of shop must"):
        items_of(made, "events")
    assert items_of(made, "queries")["sales"].owner == "shop"


@pytest.mark.parametrize("names", [("sale", "sale-agg")])
def test_D19_two_aggregations_of_one_alias_are_an_error_that_names_both(
    names: tuple[str, str], register: Register, registries: MakeRegistries
) -> None:
    """`sale` and `sale-agg` would both write to `stats-sale`."""
    for owner, name in zip(("shop", "market"), names, strict=True):
        register(owner, aggregations=[item("aggregations", name)])
    with pytest.raises(DuplicateRegistration, match=r"(?s)'sale(-agg)?' of .*'sale(-agg)?' of"):
        items_of(registries(), "aggregations")
