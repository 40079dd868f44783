"""Event types are checked when they are first used, with messages that say what is allowed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.errors import ConfigurationError, DefinitionError
from stats_pipeline.events.indexer import EventsIndexer
from stats_pipeline.events.preprocessors import anonymize_user, flag_robots
from stats_pipeline.registry.config import read_processor_config
from tests.registry.conftest import MakeRegistries

SECONDS_A_DAY = 86_400


def test_A004_02_20_what_is_left_out_has_the_documented_default(
    registries: MakeRegistries, templates: str
) -> None:
    """Robots are flagged, then visitors made anonymous; listed preprocessors take their place."""
    made = registries(
        STATS_EVENTS={
            "thing": {"templates": templates},
            "bare": {"templates": templates, "processor_config": {"preprocessors": []}},
        }
    )
    thing = made.event_type("thing")
    assert thing.preprocessors == (flag_robots, anonymize_user)
    assert thing.processor_class is EventsIndexer
    config = thing.config
    assert (config.double_click_window, config.double_click_rule) == (10, "fixed")
    assert (config.salt_window, config.index_interval) == ("day", "month")
    assert made.event_type("bare").preprocessors == ()


@given(st.integers(min_value=-10, max_value=100_000))
def test_T004_04_a_fixed_window_divides_a_day_or_is_off(window: int) -> None:
    """Any other would straddle midnight and be counted on two days."""
    config = {"double_click_window": window}
    if window == 0 or (window > 0 and SECONDS_A_DAY % window == 0):
        assert read_processor_config(config, owner="shop").double_click_window == window
    else:
        with pytest.raises(DefinitionError, match=r"shop: double_click_window=-?\d+ must "):
            read_processor_config(config, owner="shop")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"double_click_window": True}, "must be whole seconds"),
        ({"double_click_window": 10.0}, "must be whole seconds"),
        ({"double_click_window": "10"}, "must be whole seconds"),
        ({"salt_window": "fortnight"}, "salt_window='fortnight' is not one of hour, day, week"),
        ({"index_interval": "hour"}, "index_interval='hour' is not one of day, week, month"),
        ({"double_click_windw": 5}, "'double_click_windw' in processor_config.*_window'"),
        ({"preprocessors": "flag_robots"}, "preprocessors must be a list, not 'flag_robots'"),
        ({"preprocessors": None}, "preprocessors must be a list, not None"),
    ],
)
def test_a_wrong_processor_config_is_refused_with_owner_and_choice(
    config: dict[str, Any], message: str
) -> None:
    """Nobody has to guess which key, nor what it may be."""
    with pytest.raises(DefinitionError, match=f"^shop: .*{message}"):
        read_processor_config(config, owner="shop")


@pytest.mark.parametrize("key", ["preprocessors", "signal", "event_builders", "processor_class"])
def test_A004_07_a_path_that_can_not_be_imported_is_named_with_its_event_type(
    key: str, registries: MakeRegistries, templates: str
) -> None:
    """The message says which event type, which path, and how a path is written."""
    value: Any = "shop.nowhere.thing"
    thing: dict[str, Any] = {"templates": templates}
    if key == "preprocessors":
        thing["processor_config"] = {key: [value]}
    else:
        thing[key] = [value] if key == "event_builders" else value
    definition = registries(STATS_EVENTS={"thing": thing}).event_type("thing")
    attribute = "builders" if key == "event_builders" else key
    with pytest.raises(ConfigurationError, match=r"event type 'thing' of .*'shop.nowhere.thing'"):
        getattr(definition, attribute)


@pytest.mark.parametrize(
    ("keys", "attribute", "message"),
    [
        ({"processor_config": {"preprocessors": [5]}}, "preprocessors", "holds 5, which can't be"),
        ({"event_builders": [5]}, "builders", "event_builders holds 5, which can't be called"),
        ({"event_builders": "shop.build"}, "builders", "must be a list, not 'shop.build'"),
        ({"signal": print}, "signal", "signal=<built-in function print> is not a blinker signal"),
    ],
)
def test_A004_07_what_is_no_signal_or_can_not_be_called_is_named_with_its_event_type(
    keys: dict[str, Any], attribute: str, message: str, registries: MakeRegistries, templates: str
) -> None:
    """It would be a silent loss otherwise."""
    made = registries(STATS_EVENTS={"thing": {"templates": templates, **keys}})
    with pytest.raises(DefinitionError, match=f"event type 'thing' of .*{message}"):
        getattr(made.event_type("thing"), attribute)


def test_A004_33_an_event_type_without_templates_is_refused(registries: MakeRegistries) -> None:
    """The template is the one schema, so nothing can be stored without it."""
    thing = {"event_type": "thing", "templates": ""}
    definition = registries(STATS_EVENTS={"thing": thing}).event_type("thing")
    with pytest.raises(DefinitionError, match=r"event type 'thing' of .* has no 'templates'"):
        _ = definition.template
