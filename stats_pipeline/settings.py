"""Settings: every ``STATS_*`` key with its default, meaning and check, in one table.

Read from Flask's configuration, or from the environment for `stats` and our own worker. A key that
is not in the table is refused with the nearest valid one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any

from stats_pipeline.agents import KNOWN_PEOPLE, read_allowed, read_list
from stats_pipeline.clock import EPOCH, parse_time
from stats_pipeline.errors import ConfigurationError, nearest
from stats_pipeline.urls import FILE_SUFFIX, SecretUrl, read_secret, server_url, without_password

PREFIX = "STATS_"

#: What Elasticsearch allows everywhere in an index name, and we therefore allow in a prefix.
INDEX_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")

#: Environment variables of the test suite, which are not settings.
TEST_PREFIX = "STATS_TEST_"


@dataclass(frozen=True, slots=True)
class Setting:
    """Be one key: its default, what it means, and what checks (and reads) a value.

    The value of a secret may also come from a file, and is never shown.
    """

    name: str
    default: Any
    help: str
    read: Callable[[Any], Any]
    is_secret: bool = False


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


def _count(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("expected a whole number from 1 on")
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
        server_url("sqlite", "http", "https"),
        is_secret=True,
    ),
    Setting(
        "STATS_BROKER_URL",
        None,
        "RabbitMQ's address, as `amqp://guest:guest@localhost:5672//`. Unset: a queue in the "
        "embedded SQLite file.",
        server_url("amqp", "amqps", "pyamqp"),
        is_secret=True,
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
        "Aggregation name -> overriding keys, or complete registrations, or None: switched off.",
        _mapping,
    ),
    Setting(
        "STATS_QUERIES",
        {},
        "Query name -> overriding keys, or complete registrations, or None: switched off.",
        _mapping,
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
        "How many events wait in memory for the background thread at most, and no more than 50 MB "
        "of them; what comes on top goes to the spool.",
        _positive,
    ),
    Setting(
        "STATS_SPOOL",
        None,
        "Folder for what the broker did not take. Default: the instance folder.",
        _optional_text,
    ),
    Setting(
        "STATS_SPOOL_MEGABYTES",
        1_000,
        "How large the spool may become, so that an outage of the broker can't fill the disk. When "
        "it is reached, events wait in memory.",
        _positive,
    ),
    Setting(
        "STATS_GRACE_DAYS",
        30,
        "How long raw data is kept at most, and what is needed to count it: dead letters and "
        "spooled messages expire after so many days, and the key that visitor ids of a salt window "
        "are made with is destroyed so many days after the window's end, or, for old events, after "
        "it was made. Later events of that window are dead letters.",
        _positive,
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
        "STATS_UPDATE_THREADS",
        2,
        "How many intervals an update works on at the same time.",
        _count,
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
            hint = nearest(key, _BY_NAME, prefix=PREFIX)
            raise ConfigurationError(f"Unknown setting {key}{hint}")
    values = {}
    for setting in SETTINGS:
        value = configuration.get(setting.name, setting.default)
        try:
            values[setting.name] = setting.read(value)
        except ValueError as error:
            shown = _hidden(value) if setting.is_secret else repr(value)
            raise ConfigurationError(f"{setting.name}={shown}: {error}") from None
    return values


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the ``STATS_`` variables; a value is JSON where it parses as JSON, else text.

    ``<NAME>_FILE`` names the file that holds a secret, such as ``STATS_BROKER_URL_FILE``.

    Raises:
        ConfigurationError: a secret is given in both ways, or its file can't be read.
    """
    files = {s.name + FILE_SUFFIX: s.name for s in SETTINGS if s.is_secret}
    found: dict[str, Any] = {}
    for key, text in environment.items():
        if key in files:
            if files[key] in environment:
                raise ConfigurationError(f"{files[key]} and {key} are both set; unset one of them")
            found[files[key]] = _read_secret(key, text)
        elif key.startswith(PREFIX) and not key.startswith(TEST_PREFIX):
            try:
                found[key] = json.loads(text)
            except (ValueError, RecursionError):
                found[key] = text
    return found


def hide_secrets(configuration: MutableMapping[str, Any]) -> None:
    """Let the `repr` of this configuration show no password."""
    for setting in SETTINGS:
        value = configuration.get(setting.name)
        if setting.is_secret and isinstance(value, str):
            configuration[setting.name] = SecretUrl(value)


def _read_secret(variable: str, path: str) -> str:
    try:
        return read_secret(Path(path))
    except ValueError as error:
        raise ConfigurationError(f"{variable}: {error}") from None


def _hidden(value: Any) -> str:
    return repr(without_password(value)) if isinstance(value, str) else "***"
