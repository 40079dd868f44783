"""URLs of servers: checked, read from files as well, and never shown with their passwords."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: A variable of a secret's name with this behind it names a file that holds the secret.
FILE_SUFFIX = "_FILE"

#: Far more than any URL; what a file holds beyond it is not read.
LONGEST_SECRET_BYTES = 10_000

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

#: A name in the query part with its value, or a value without a name.
_QUERY_VALUE = re.compile(r"([?&](?:[^=&]*=)?)[^&]+")


class SecretUrl(str):
    """Be a URL whose `repr` hides its password: tools that report errors show local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(without_password(str(self)))


def server_url(*schemes: str) -> Callable[[Any], SecretUrl | None]:
    """Return what reads a URL of one of these schemes, or None; for the table of settings."""
    expected = f"expected a complete URL that begins with one of {', '.join(schemes)}"
    if "http" in schemes:
        expected += "; one of a server has a port, as https://host:9200"

    def read(value: Any) -> SecretUrl | None:
        if value is None:
            return None
        if not isinstance(value, str) or not _is_complete(value, schemes):
            raise ValueError(expected)
        return SecretUrl(value)

    return read


def without_password(url: str) -> str:
    """Return the URL as it may be shown: its password, and values of its query, are stars.

    In doubt more is replaced: a password may hold, unescaped, whatever separates parts of a URL.
    """
    found = _SCHEME.match(url)
    scheme = found[0] if found else ""
    if scheme == "sqlite://":
        return url
    rest = url.removeprefix(scheme)
    user, at, host = rest.rpartition("@")
    if at:
        name, colon, _ = user.partition(":")
        shown = f"{name}:***" if colon else "***"
        return f"{scheme}{shown}@{_without_values(host)}"
    if scheme and (not rest or _is_complete(url)):
        return scheme + _without_values(rest)
    # What is no URL may be a password and a part of one: nobody can say where.
    return f"{scheme}***"


def _without_values(rest: str) -> str:
    # A key or token may stand there.
    return _QUERY_VALUE.sub(r"\1***", rest)


def read_secret(path: Path) -> str:
    """Return the text of a file, as Docker and others hand secrets over, without its line end.

    Raises:
        ValueError: why there is no secret to be had.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_SECRET_BYTES + 1).decode().strip()
    except OSError as error:
        raise ValueError(f"{path} can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8") from None
    if not text:
        raise ValueError(f"{path} is empty")
    if len(text) > LONGEST_SECRET_BYTES:
        raise ValueError(f"{path} is longer than {LONGEST_SECRET_BYTES} bytes, which is no URL")
    return text


def _is_complete(url: str, schemes: tuple[str, ...] = ()) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port  # read on access
    except ValueError:
        return False
    if schemes and parts.scheme not in schemes:
        return False
    if parts.scheme == "sqlite":  # a file has neither host nor port
        return True
    # The client of Elasticsearch takes no port for granted.
    has_port = port != 0 and (port is not None or parts.scheme not in ("http", "https"))
    return bool(parts.hostname) and has_port
