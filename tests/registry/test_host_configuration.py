"""What the host's configuration says about registrations: active, overridden, complete."""

from typing import Any

import pytest

from stats_pipeline import Aggregation, EventType, Query, TotalsQuery
from stats_pipeline.errors import (
    ConfigurationError,
    DefinitionError,
    StatsError,
    UnknownAggregation,
    UnknownEventType,
    UnknownQuery,
)
from stats_pipeline.permissions import allow_everyone
from tests.registry.conftest import MakeRegistries, Register

SALE = {
    "event_type": "sale",
    "templates": "shop.templates",
    "processor_config": {"double_click_window": 30, "salt_window": "week"},
    "signal": "shop.signals.sold",
    "event_builders": ["shop.builders.add_item"],
}


def test_A004_05_a_registered_event_type_is_not_active_by_itself(
    register: Register, registries: MakeRegistries
) -> None:
    """Without STATS_EVENTS none is active; asking for one says that it is not active."""
    register("shop", events=[SALE])
    made = registries()
    assert made.active_event_types == []
    with pytest.raises(UnknownEventType, match=r"'sale', which is registered but not active"):
        made.event_type("sale")


def test_an_empty_dict_makes_an_event_type_active_as_it_is_registered(
    register: Register, registries: MakeRegistries
) -> None:
    """`{"sale": {}}` changes nothing in the registration."""
    register("shop", events=[SALE])
    made = registries(STATS_EVENTS={"sale": {}})
    assert made.active_event_types == ["sale"]
    definition = made.event_type("sale")
    assert definition.declaration.signal == "shop.signals.sold"
    assert definition.config.double_click_window == 30


def test_A004_04_A004_06_the_host_overrides_keys_and_nested_keys(
    register: Register, registries: MakeRegistries
) -> None:
    """`processor_config` is merged key by key; a signal or a list of builders is replaced."""
    register("shop", events=[SALE])
    overrides = {
        "signal": "host.signals.bought",
        "event_builders": ["host.builders.first", "host.builders.second"],
        "processor_config": {"double_click_window": 60},
    }
    definition = registries(STATS_EVENTS={"sale": overrides}).event_type("sale")
    assert definition.declaration.signal == "host.signals.bought"
    assert definition.declaration.event_builders == overrides["event_builders"]
    assert definition.declaration.templates == "shop.templates"
    assert definition.config.double_click_window == 60
    assert definition.config.salt_window == "week"


def test_the_host_overrides_aggregations_and_queries_likewise(
    register: Register, registries: MakeRegistries
) -> None:
    """`aggregator_config` and `query_config` are merged key by key, too."""
    register(
        "shop",
        aggregations=[{"aggregation_name": "sale-agg", "aggregator_config": {"event": "sale"}}],
        queries=[
            {
                "query_name": "sales",
                "query_class": "builtins:dict",
                "query_config": {"a": 1, "b": 2},
                "permission": "stats_pipeline.permissions:deny_all",
            }
        ],
    )
    made = registries(
        STATS_AGGREGATIONS={"sale-agg": {"aggregator_config": {"index_interval": "year"}}},
        STATS_QUERIES={"sales": {"query_config": {"b": 3}, "permission": allow_everyone}},
    )
    assert made.aggregation_items["sale-agg"].keys["aggregator_config"] == {
        "event": "sale",
        "index_interval": "year",
    }
    query = made.query("sales")
    assert query.declaration.query_config == {"a": 1, "b": 3}
    assert query.permits({})


def test_A004_63_64_each_setting_may_hold_complete_registrations_alone(
    registries: MakeRegistries, templates: str
) -> None:
    """No package is needed, nor the other two; the name may be left out, since it is the key.

    An aggregation may count events that are registered elsewhere, and are not active here.
    """
    made = registries(STATS_EVENTS={"thing": {"templates": templates}})
    assert made.event_type("thing").template.types["item"] == "keyword"
    by_file = {
        "aggregation_name": "thing-agg",
        "templates": "",
        "aggregator_config": {"event": "file-download", "aggregation_field": "file_id"},
    }
    made = registries(STATS_AGGREGATIONS={"thing-agg": by_file})
    assert made.aggregation("thing-agg").template.types["file_id"] == "keyword"
    query = {"query_class": "builtins:dict", "permission": allow_everyone}
    made = registries(STATS_QUERIES={"things": query})
    assert made.query("things").permits({})


def test_each_setting_may_hold_the_dataclasses_too(
    register: Register, registries: MakeRegistries, templates: str
) -> None:
    """Each is a whole registration, of which nothing is merged with that of a package."""
    register("shop", events=[{**SALE, "event_type": "thing"}])
    made = registries(
        STATS_EVENTS={"thing": EventType(event_type="thing", templates=templates)},
        STATS_AGGREGATIONS={
            "thing-agg": Aggregation(
                aggregation_name="thing-agg",
                aggregator_config={"event": "thing", "aggregation_field": "item"},
            )
        },
        STATS_QUERIES={
            # Instead of the one that is shipped.
            "access-log-terms": Query(
                query_name="access-log-terms",
                query_class=TotalsQuery,
                query_config={"aggregation": "thing-agg"},
                permission=allow_everyone,
            )
        },
    )
    made.check_overrides()
    thing = made.event_type("thing")
    assert thing.owner == "the host's STATS_EVENTS"
    assert (thing.declaration.signal, thing.config.double_click_window) == (None, 10)
    assert made.aggregation("thing-agg").template.types["item"] == "keyword"
    assert isinstance(made.query("access-log-terms").instance, TotalsQuery)


def test_a_mistake_in_a_dataclass_is_refused_when_the_app_is_set_up(
    registries: MakeRegistries, templates: str
) -> None:
    """Deep inside as well, as in a dict."""
    config = {"double_click_windov": 5}
    thing = EventType(event_type="thing", templates=templates, processor_config=config)
    with pytest.raises(DefinitionError, match=r"'thing'.*'double_click_windov'.*_window'"):
        registries(STATS_EVENTS={"thing": thing}).check_overrides()
    things = Aggregation(aggregation_name="things", aggregator_config={"event": "thing"})
    with pytest.raises(DefinitionError, match=r"'things'.* needs 'aggregation_field'"):
        registries(STATS_AGGREGATIONS={"things": things}).check_overrides()


def test_a_complete_registration_of_the_host_may_replace_a_packages(
    register: Register, registries: MakeRegistries, templates: str
) -> None:
    """With `replaces` nothing of the package's registration remains."""
    register("shop", events=[{**SALE, "event_type": "thing"}])
    thing = {"templates": templates, "replaces": True}
    definition = registries(STATS_EVENTS={"thing": thing}).event_type("thing")
    assert definition.config.double_click_window == 10
    assert definition.declaration.signal is None


def test_none_switches_an_aggregation_or_a_query_off(
    register: Register, registries: MakeRegistries
) -> None:
    """Nothing updates, lists or answers it any more; the others stay."""
    rows = {"aggregator_config": {"event": "sale", "aggregation_field": "item"}}
    query = {"query_class": "builtins:dict", "permission": allow_everyone}
    register(
        "shop",
        events=[SALE],
        aggregations=[
            {"aggregation_name": "sale-agg", **rows},
            {"aggregation_name": "sale-month-agg", **rows},
        ],
        queries=[{"query_name": "sales", **query}, {"query_name": "best-sales", **query}],
    )
    made = registries(
        STATS_EVENTS={"sale": {}},
        STATS_AGGREGATIONS={"sale-agg": None},
        STATS_QUERIES={"sales": None, "best-sales": {"description": "The best."}},
    )
    made.check_overrides()
    assert made.aggregations_of("sale") == ["sale-month-agg"]
    assert made.aggregation_with_alias("stats-sale") is None
    assert made.query("best-sales").description == "The best."
    assert "sales" not in made.query_items
    with pytest.raises(UnknownQuery, match="'sales', which STATS_QUERIES switches off"):
        made.query("sales")
    with pytest.raises(UnknownAggregation, match="'sale-agg', which STATS_AGGREGATIONS switches o"):
        made.aggregation("sale-agg")


@pytest.mark.parametrize("setting", ["STATS_AGGREGATIONS", "STATS_QUERIES"])
def test_what_nobody_registered_can_not_be_switched_off(
    setting: str, registries: MakeRegistries
) -> None:
    """It is a slip in a name, and what was meant would go on."""
    with pytest.raises(StatsError, match=f"'nope' in {setting}, which nobody registered"):
        registries(**{setting: {"nope": None}}).check_overrides()


def test_an_event_type_is_inactive_where_it_is_not_named(registries: MakeRegistries) -> None:
    """So None says nothing about it, and is refused."""
    with pytest.raises(DefinitionError, match=r"STATS_EVENTS\['sale'\]: .* EventType, not by None"):
        registries(STATS_EVENTS={"sale": None}).check_overrides()


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("STATS_EVENTS", "file-downlaod"),
        ("STATS_AGGREGATIONS", "file-downlaod-agg"),
        ("STATS_QUERIES", "bucket-file-downlaod-total"),
    ],
)
def test_A004_05_an_override_of_what_nobody_registered_names_it_and_the_nearest(
    setting: str, name: str, registries: MakeRegistries
) -> None:
    """A typo in the host's configuration is found when the app is set up."""
    with pytest.raises(StatsError, match=f"'{name}' in {setting}.*mean '.*download"):
        registries(**{setting: {name: {}}}).check_overrides()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"signals": "x"}, "STATS_EVENTS: unknown key 'signals'.* did you mean 'signal'"),
        ({"event_type": "sales"}, r"STATS_EVENTS\['sale'\] says event_type='sales'"),
        ("signal", r"STATS_EVENTS\['sale'\]: .* by a dict or EventType, not by 'signal'"),
        (Query(query_name="sale", query_class=dict), r"STATS_EVENTS\['sale'\]: .* EventType, not"),
        (EventType(event_type="sold"), r"STATS_EVENTS\['sale'\] says event_type='sold'"),
        (
            {"processor_config": ["salt_window"]},
            "STATS_EVENTS: processor_config of event type 'sale' of shop must be a dict",
        ),
    ],
)
def test_a_wrong_override_is_refused_with_its_place(
    overrides: Any, message: str, register: Register, registries: MakeRegistries
) -> None:
    """Key, setting and what is allowed are all in the message."""
    register("shop", events=[SALE])
    with pytest.raises(ConfigurationError, match=message):
        registries(STATS_EVENTS={"sale": overrides}).check_overrides()


def test_a_wrong_registration_of_the_host_is_refused_with_its_place(
    registries: MakeRegistries,
) -> None:
    """Also where it is not even known whether it is meant to be complete."""
    with pytest.raises(DefinitionError, match=r"aggregator_config of aggregation 'sale' must be"):
        registries(STATS_AGGREGATIONS={"sale": {"aggregator_config": 5}}).check_overrides()
    wrong = {"templates": "x", "processor_confg": {}}
    with pytest.raises(
        DefinitionError, match=r"'processor_confg' in event type 'sale'; .* 'processor_config'"
    ):
        registries(STATS_EVENTS={"sale": wrong}).check_overrides()
    with pytest.raises(ConfigurationError, match=r"\['sale'\] says event_type='sold'"):
        registries(
            STATS_EVENTS={"sale": {"event_type": "sold", "templates": "x"}}
        ).check_overrides()


def test_a_typo_in_a_nested_override_names_key_owner_and_the_nearest(
    register: Register, registries: MakeRegistries
) -> None:
    """The nested dicts are checked like the registrations around them."""
    register("shop", events=[SALE])
    made = registries(STATS_EVENTS={"sale": {"processor_config": {"salt_windov": "day"}}})
    with pytest.raises(DefinitionError, match=r"'sale' of shop.*'salt_windov'.* 'salt_window'"):
        _ = made.event_type("sale").config


def test_A004_17_names_in_indices_and_queues_follow_from_the_registration(
    register: Register, registries: MakeRegistries
) -> None:
    """Alias and queue have the event type's name; the prefix stands before all of them."""
    register("shop", events=[SALE], aggregations=[{"aggregation_name": "sale-agg"}])
    made = registries(STATS_EVENTS={"sale": {}}, STATS_INDEX_PREFIX="eu-")
    sale, aggregation = made.event_type("sale"), made.aggregation("sale-agg")
    assert (sale.alias, sale.queue_name) == ("eu-events-stats-sale", "eu-stats-sale")
    assert (aggregation.alias, aggregation.alias_name) == ("eu-stats-sale", "stats-sale")


@pytest.mark.parametrize("name", ["Sale", "sale!", "-sale", "s" * 101, "sålé"])
def test_a_name_that_can_not_be_part_of_an_index_name_is_refused(
    name: str, registries: MakeRegistries, templates: str
) -> None:
    """The message says which characters a name has."""
    made = registries(STATS_EVENTS={name: {"templates": templates}})
    with pytest.raises(DefinitionError, match=r"lower-case letters, digits"):
        made.event_type(name)
