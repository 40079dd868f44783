"""A file in MaxMind's format that knows the countries of addresses; the host gives it.

Each process reads it once, and again when the file is another one. There is no lock, which a fork
could leave locked: threads that come at once may each read it, and one of them is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from stats_pipeline.errors import ConfigurationError
from stats_pipeline.text import get_logger

if TYPE_CHECKING:
    from maxminddb import Reader

logger = get_logger(__name__)

#: What tells one file of a path from the next: time of change (ns), size in bytes, inode.
Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Opened:
    """Be what a path held when it was looked at; no version: nothing, no reader: nothing usable."""

    version: Version | None
    reader: Reader | None


_opened: dict[str, Opened] = {}


def country_of(address: str, *, path: str) -> str | None:
    """Return the two letters of an address's country; None where that can't be told.

    Raises:
        ConfigurationError: the file is there, but not the package that reads it.
    """
    reader = _reader(path)
    if reader is None:
        return None
    try:
        parsed = ip_address(address)
        # Servers that listen on IPv6 show the addresses of IPv4 in this way.
        found = reader.get(getattr(parsed, "ipv4_mapped", None) or parsed)
    except ValueError:  # no address at all, or one of IPv6 in a file that knows IPv4 only
        return None
    country = found.get("country") if isinstance(found, dict) else None
    code = country.get("iso_code") if isinstance(country, dict) else None
    return code if isinstance(code, str) else None


def _reader(path: str) -> Reader | None:
    version, opened = _version(path), _opened.get(path)
    if opened is None or opened.version != version:
        opened = _opened[path] = Opened(version, _open(path, version))
    return opened.reader


def _version(path: str) -> Version | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _open(path: str, version: Version | None) -> Reader | None:
    if version is None:
        logger.warning("STATS_COUNTRY_DATABASE: there is no %s; events get no country", path)
        return None
    try:
        from maxminddb import MODE_MEMORY, InvalidDatabaseError, open_database
    except ImportError:
        raise ConfigurationError(
            "STATS_COUNTRY_DATABASE needs the package maxminddb: install stats_pipeline[geo]"
        ) from None
    try:
        # Not mapped: writing over a mapped file, as `cp` does, ends the process that reads it.
        return open_database(path, MODE_MEMORY)
    except (OSError, ValueError, InvalidDatabaseError) as error:
        logger.warning("STATS_COUNTRY_DATABASE: %s (%s); events get no country", path, error)
        return None
