"""Settings: one table of all keys; what is unknown or wrong is refused in one line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.errors import ConfigurationError
from stats_pipeline.settings import SETTINGS, from_environment, read_settings

DEFAULTS = read_settings({})


def test_every_setting_has_a_prefix_a_meaning_and_a_default_that_is_allowed() -> None:
    """The table is what the manual is made of."""
    names = [setting.name for setting in SETTINGS]
    assert len(names) == len(set(names))
    assert list(DEFAULTS) == names
    for setting in SETTINGS:
        assert setting.name.startswith("STATS_")
        assert setting.help.endswith((".", "`."))
        assert read_settings({setting.name: setting.default}) == DEFAULTS


def test_what_a_host_relies_on_is_the_default() -> None:
    """No server, no active event type, the REST API at /stats."""
    assert DEFAULTS["STATS_STORE_URL"] is None
    assert DEFAULTS["STATS_BROKER_URL"] is None
    assert DEFAULTS["STATS_EVENTS"] == {}
    assert DEFAULTS["STATS_URL_PREFIX"] == "/stats"
    assert DEFAULTS["STATS_RECEIVERS"] is True
    assert DEFAULTS["STATS_EARLIEST"].isoformat() == "1990-01-01T00:00:00+00:00"


def test_keys_of_others_are_left_alone() -> None:
    """A Flask configuration holds many, also such as begin alike."""
    assert read_settings({"DEBUG": True, "STATSD_HOST": "x", "SECRET_KEY": "y"}) == DEFAULTS


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("STATS_STORE_ULR", "did you mean 'STATS_STORE_URL'?"),
        ("STATS_EVENT", "did you mean 'STATS_EVENTS'?"),
        ("STATS_WXYZWXYZWXYZWXYZWXYZ", "known: STATS_"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest(key: str, expected: str) -> None:
    """A typo would otherwise leave a default in force without a word."""
    with pytest.raises(ConfigurationError) as caught:
        read_settings({key: 1})
    assert str(caught.value).startswith(f"Unknown setting {key}; ")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("STATS_STORE_URL", "ftp://localhost", "begins with one of sqlite, http, https"),
        ("STATS_STORE_URL", "http://", "a complete URL"),
        ("STATS_STORE_URL", "https://localhost", "has a port"),
        ("STATS_STORE_URL", "http://localhost:many", "a complete URL"),
        ("STATS_STORE_URL", "localhost:9200", "a complete URL"),
        ("STATS_STORE_URL", 9200, "a complete URL"),
        ("STATS_BROKER_URL", "redis://localhost", "begins with one of amqp, amqps"),
        ("STATS_INDEX_PREFIX", "Shop-", "lower-case letters, digits, - and _"),
        ("STATS_INDEX_PREFIX", "shöp-", "lower-case letters, digits, - and _"),
        ("STATS_INDEX_PREFIX", "a*b", "lower-case letters, digits, - and _"),
        ("STATS_INDEX_PREFIX", "_shop", "begin with a letter or a digit"),
        ("STATS_INDEX_PREFIX", None, "lower-case letters"),
        ("STATS_EVENTS", ["file-download"], "a dict of name -> registration keys"),
        ("STATS_QUERIES", "all", "a dict of name -> registration keys"),
        ("STATS_RECEIVERS", "no", "true or false"),
        ("STATS_PUBLISH", "later", "one of buffered, confirmed"),
        ("STATS_BUFFER_EVENTS", 0, "a number above 0"),
        ("STATS_BUFFER_EVENTS", True, "a number above 0"),
        ("STATS_LEASE_SECONDS", float("nan"), "a number above 0"),
        ("STATS_LEASE_SECONDS", float("inf"), "a number above 0"),
        ("STATS_LEASE_SECONDS", "60s", "a number above 0"),
        ("STATS_SPOOL", "", "expected text"),
        ("STATS_EARLIEST", "long ago", "not an ISO 8601 time"),
        ("STATS_EARLIEST", "1969-12-31T23:59:59Z", "expected a time from 1970 on"),
        ("STATS_URL_PREFIX", "stats", "a path such as '/stats', or None"),
    ],
)
def test_a_wrong_value_is_refused_with_key_value_and_what_is_allowed(
    key: str, value: Any, expected: str
) -> None:
    """One line says all that is needed to mend it."""
    with pytest.raises(ConfigurationError) as caught:
        read_settings({key: value})
    message = str(caught.value)
    # Part of what is no URL may be a password.
    assert message.startswith(f"{key}=" if "URL" in key else f"{key}={value!r}: ")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"file-download": {}}', {"file-download": {}}),
        ("false", False),
        ("30", 30),
        ("null", None),
        ("sqlite:///stats.db", "sqlite:///stats.db"),
        ("shop-", "shop-"),
        ('"shop-"', "shop-"),
        ("", ""),
    ],
)
def test_a_value_of_the_environment_is_json_where_it_parses(text: str, value: Any) -> None:
    """Anything else is text, so that plain texts need no quotes."""
    assert from_environment({"STATS_X": text, "PATH": "1"}) == {"STATS_X": value}


def test_the_variables_of_the_test_suite_are_no_settings() -> None:
    """They would be refused as unknown otherwise."""
    assert from_environment({"STATS_TEST_AMQP_URL": "amqp://localhost"}) == {}


def test_a_configuration_of_the_environment_can_be_read() -> None:
    """Also the settings that hold dicts, numbers and nothing."""
    environment = {
        "STATS_EVENTS": '{"file-download": {"processor_config": {"double_click_window": 30}}}',
        "STATS_URL_PREFIX": "null",
        "STATS_LEASE_SECONDS": "7.5",
    }
    values = read_settings(from_environment(environment))
    assert values["STATS_EVENTS"]["file-download"]["processor_config"] == {
        "double_click_window": 30
    }
    assert (values["STATS_URL_PREFIX"], values["STATS_LEASE_SECONDS"]) == (None, 7.5)


@given(st.text(alphabet="abc019-_", max_size=20))
def test_a_prefix_of_allowed_characters_is_taken_as_it_is(prefix: str) -> None:
    """Unless it begins with a sign that index names may not begin with."""
    if prefix[:1] in ("-", "_"):
        with pytest.raises(ConfigurationError):
            read_settings({"STATS_INDEX_PREFIX": prefix})
    else:
        assert read_settings({"STATS_INDEX_PREFIX": prefix})["STATS_INDEX_PREFIX"] == prefix
