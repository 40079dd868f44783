"""Settings: every ``STATS_*`` key with its default, meaning and check, in one table.

Read from Flask's configuration, or from the environment for `stats` and our own worker. A key that
is not in the table is refused with the nearest valid one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any
from urllib.parse import urlsplit

from stats_pipeline.agents import KNOWN_PEOPLE, read_allowed, read_list
from stats_pipeline.clock import EPOCH, parse_time
from stats_pipeline.errors import ConfigurationError, nearest

PREFIX = "STATS_"

#: What Elasticsearch allows everywhere in an index name, and we therefore allow in a prefix.
INDEX_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")

#: Environment variables of the test suite, which are not settings.
TEST_PREFIX = "STATS_TEST_"


@dataclass(frozen=True, slots=True)
class Setting:
    """Be one key: its default, what it means, and what checks (and reads) a value."""

    name: str
    default: Any
    help: str
    read: Callable[[Any], Any]


def _any(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expected text")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _prefix(value: Any) -> str:
    if not isinstance(value, str) or not INDEX_NAME_CHARACTERS.issuperset(value):
        raise ValueError("expected lower-case letters, digits, - and _, as 'shop-'")
    if value[:1] in ("-", "_"):
        raise ValueError("must begin with a letter or a digit")
    return value


def _url(*schemes: str) -> Callable[[Any], str | None]:
    def read(value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not _is_url(value, schemes):
            raise ValueError(
                f"expected a complete URL that begins with one of {', '.join(schemes)}"
            )
        return value

    return read


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        # The port is read on access, and a file has neither host nor port.
        has_place = parts.scheme == "sqlite" or bool(parts.hostname and parts.port != 0)
    except ValueError:
        return False
    return parts.scheme in schemes and has_place


def _mapping(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError("expected a dict of name -> registration keys")
    return value


def _earliest(value: Any) -> datetime:
    moment = parse_time(value)
    # Versions of documents count milliseconds from here, in as many bits as 139 years need.
    if moment < EPOCH:
        raise ValueError("expected a time from 1970 on")
    return moment


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
        raise ValueError("expected a number above 0")
    return value


def _url_prefix(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.startswith("/")):
        raise ValueError("expected a path such as '/stats', or None for no REST API")
    return value


def _choice(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return str(value)

    return read


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "STATS_STORE_URL",
        None,
        "Where events and statistics live: `sqlite:///FILE`, `sqlite://` (gone with the process; "
        "for tests), or the address of Elasticsearch. Default: `stats.db` in the instance folder.",
        _url("sqlite", "http", "https"),
    ),
    Setting(
        "STATS_BROKER_URL",
        None,
        "RabbitMQ's address, as `amqp://guest:guest@localhost:5672//`. Unset: a queue in the "
        "embedded SQLite file.",
        _url("amqp", "amqps", "pyamqp"),
    ),
    Setting(
        "STATS_INDEX_PREFIX",
        "",
        "Stands before the names of all indices, aliases and queues.",
        _prefix,
    ),
    Setting(
        "STATS_EVENTS",
        {},
        "Event type -> overriding keys: which registered event types are active. May hold "
        "complete registrations.",
        _mapping,
    ),
    Setting(
        "STATS_AGGREGATIONS",
        {},
        "Aggregation name -> overriding keys, or complete registrations.",
        _mapping,
    ),
    Setting(
        "STATS_QUERIES", {}, "Query name -> overriding keys, or complete registrations.", _mapping
    ),
    Setting(
        "STATS_RECEIVERS",
        True,
        "Whether signals are turned into events; off: nothing is recorded from signals.",
        _boolean,
    ),
    Setting(
        "STATS_PUBLISH",
        "buffered",
        "`buffered`: a signal returns at once and a background thread sends; `confirmed`: a signal "
        "returns when the broker or the spool has the event.",
        _choice("buffered", "confirmed"),
    ),
    Setting(
        "STATS_BUFFER_EVENTS",
        10_000,
        "How many events wait in memory for the background thread at most; what comes on top goes "
        "to the spool.",
        _positive,
    ),
    Setting(
        "STATS_SPOOL",
        None,
        "Folder for what the broker did not take. Default: the instance folder.",
        _optional_text,
    ),
    Setting(
        "STATS_EARLIEST",
        "1990-01-01T00:00:00Z",
        "Events older than this are dead letters. 1970 at the earliest. Recorded at first use.",
        _earliest,
    ),
    Setting(
        "STATS_ROBOTS_LIST",
        None,
        "File that takes the place of COUNTER's list of robots: a regular expression on each line, "
        'or, where its name ends in `.json`, the JSON edition of that list (`[{"pattern": ...}]`). '
        "They are found anywhere in an agent, without regard to case. Read once, at start.",
        read_list,
    ),
    Setting(
        "STATS_ROBOTS_ALLOWED",
        list(KNOWN_PEOPLE),
        "Regular expressions of agents that are people although they are on the list of robots. "
        "Default: browsers on phones of Motorola; `[]` is the list to the letter.",
        read_allowed,
    ),
    Setting(
        "STATS_MACHINES_LIST",
        None,
        "File that takes the place of COUNTER's list of machines, in the same forms.",
        read_list,
    ),
    Setting(
        "STATS_COUNTRY_DATABASE",
        None,
        "File in MaxMind's format (`.mmdb`) from which `add_country` takes the country of an "
        "address; needs `stats_pipeline[geo]`. May be replaced while workers run. Where it is "
        "missing, a warning is logged and events get no country.",
        _optional_text,
    ),
    Setting(
        "STATS_LEASE_SECONDS",
        60,
        "How long a run that stopped answering keeps an interval to itself.",
        _positive,
    ),
    Setting(
        "STATS_URL_PREFIX",
        "/stats",
        "Where the REST API is; None: nowhere.",
        _url_prefix,
    ),
    Setting(
        "STATS_IDENTITY",
        None,
        "Callable (or its dotted path) that returns who calls, None for an anonymous caller. "
        "Default: Flask-Login's user where that is installed.",
        _any,
    ),
    Setting(
        "STATS_APP",
        None,
        "`package.module:factory` of the Flask app that Celery tasks run in. Default: the "
        "stand-alone app.",
        _optional_text,
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}


def read_settings(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting by name, from a Flask configuration, checked and with defaults.

    Raises:
        ConfigurationError: an unknown ``STATS_`` key, or a value that is not allowed.
    """
    for key in configuration:
        if key.startswith(PREFIX) and key not in _BY_NAME:
            raise ConfigurationError(f"Unknown setting {key}{nearest(key, _BY_NAME)}")
    values = {}
    for setting in SETTINGS:
        value = configuration.get(setting.name, setting.default)
        try:
            values[setting.name] = setting.read(value)
        except ValueError as error:
            raise ConfigurationError(
                f"{setting.name}={_shown(setting.name, value)}: {error}"
            ) from None
    return values


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the ``STATS_`` variables; a value is JSON where it parses as JSON, else text."""
    found: dict[str, Any] = {}
    for key, text in environment.items():
        if key.startswith(PREFIX) and not key.startswith(TEST_PREFIX):
            try:
                found[key] = json.loads(text)
            except ValueError:
                found[key] = text
    return found


def without_password(url: str) -> str:
    """Return the URL as it may be shown: its password replaced by stars."""
    try:
        password = urlsplit(url).password
    except ValueError:  # no URL: nobody can say where in it a password is
        return "***"
    return url.replace(f":{password}@", ":***@", 1) if password else url


def _shown(name: str, value: Any) -> str:
    return repr(without_password(value) if isinstance(value, str) and "URL" in name else value)
