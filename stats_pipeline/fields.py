"""Field types: which Python values each takes, and the one form in which they are stored.

The same rules for both stores, so that a value that one takes is never refused by the other.
Pure: no I/O.
"""

from __future__ import annotations

import binascii
import json
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any

from stats_pipeline.clock import format_time, parse_time

#: Lucene refuses longer terms; counted in UTF-8 bytes.
LONGEST_KEYWORD_BYTES = 32_766

#: Type of whole numbers -> its size.
BITS = {"long": 64, "integer": 32, "short": 16, "byte": 8}

#: The largest number of 32 bits.
LARGEST_FLOAT = (2 - 2**-23) * 2.0**127


def _keyword(value: Any) -> str:
    # Ids are often numbers in the host and text in statistics, so an int is taken as its text.
    text = _text(str(value) if type(value) is int else value)
    if len(text.encode()) > LONGEST_KEYWORD_BYTES:
        raise ValueError(f"is longer than {LONGEST_KEYWORD_BYTES} bytes")
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds a lone surrogate, which is not valid text") from None
    return value


def _integer(bits: int) -> Callable[[Any], int]:
    limit = 2 ** (bits - 1)

    def check(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise ValueError("expected a whole number")
        if not -limit <= value < limit:
            raise ValueError(f"expected a whole number of {bits} bits")
        return value

    return check


def _number(largest: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("expected a number")
        # A comparison of exact values, also for an int that no float can hold; not true for NaN.
        if not -largest <= value <= largest:
            raise ValueError(f"expected a number between -{largest} and {largest}")
        return float(value)

    return check


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _date(value: Any) -> str:
    return format_time(parse_time(value))


def _ip(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected an IP address as text")
    address = ip_address(value)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise ValueError("expected an IP address without a zone (%)")
        # Elasticsearch takes both for the same address, too.
        return str(address.ipv4_mapped or address)
    return str(address)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"holds what JSON can't ({error})") from None
    return value


def _binary(value: Any) -> str:
    text = _text(value)
    try:
        b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected bytes as base64") from None
    return text


#: Field type of an index template -> what a value must be; raises ValueError with the reason.
FIELD_TYPES: Mapping[str, Callable[[Any], Any]] = {
    "keyword": _keyword,
    "constant_keyword": _keyword,
    "wildcard": _keyword,
    "text": _text,
    "match_only_text": _text,
    **{name: _integer(bits) for name, bits in BITS.items()},
    "double": _number(sys.float_info.max),
    "float": _number(LARGEST_FLOAT),
    "boolean": _boolean,
    "date": _date,
    "ip": _ip,
    "object": _object,
    "flattened": _object,
    "binary": _binary,
}

#: Whose fields may hold several values. The others have sums and an order, which need one.
MULTI_VALUED = "keyword"

#: Types that can be matched by whole values.
FILTERABLE = frozenset(FIELD_TYPES) - {
    "text",
    "match_only_text",
    "object",
    "flattened",
    "binary",
}

#: Types whose values can be grouped by; both stores sort them alike.
GROUPABLE = frozenset({"keyword", "long", "integer", "short", "byte", "boolean", "date"})

#: Types that sums, means and extremes can be taken of.
WHOLE_NUMBERS = frozenset(BITS)
NUMBERS = WHOLE_NUMBERS | {"double", "float"}

#: Type -> the largest number that it holds; the least one is as far from 0, or 1 farther.
LARGEST: Mapping[str, int | float] = {
    **{name: 2 ** (bits - 1) - 1 for name, bits in BITS.items()},
    "float": LARGEST_FLOAT,
    "double": sys.float_info.max,
}

#: Types that extremes can be taken of.
ORDERED = NUMBERS | {"date"}


def one_value(field_type: str, value: Any) -> Any:
    """Return a value in the one form in which a field of that type is stored.

    Raises ValueError with the reason why it can't be.
    """
    return FIELD_TYPES[field_type](value)


def one_form(field_type: str, value: Any) -> Any:
    """Return one or several values in the one form in which a field of that type is stored.

    Several values of a keyword are a set: sorted, each once, without nulls; none of them are None,
    and a single one is no list. Raises ValueError with the reason why it can't be.
    """
    if not isinstance(value, list | tuple):
        return one_value(field_type, value)
    if field_type != MULTI_VALUED:
        raise ValueError(f"expected one value, since lists are for {MULTI_VALUED} fields only")
    values = sorted({one_value(field_type, each) for each in value if each is not None})
    if any("\0" in each for each in values):
        raise ValueError("holds a null character in a list, which SQLite would cut off there")
    return values if len(values) > 1 else next(iter(values), None)


def nearest_number(field_type: str, value: Any) -> int | float | None:
    """Return the end of a type's range that a number lies beyond; None for anything else."""
    largest = LARGEST.get(field_type)
    if largest is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    least = -largest - 1 if field_type in WHOLE_NUMBERS else -largest
    if value > largest:
        return largest
    return least if value < least else None


def from_text(field_type: str, value: Any) -> Any:
    """Return what text from a URL or a command line means in a field of that type.

    Anything but text is returned as it is; raises ValueError where the text means nothing there.
    """
    if not isinstance(value, str):
        return value
    if field_type in WHOLE_NUMBERS:
        return int(value)
    if field_type in NUMBERS:
        return float(value)
    if field_type == "boolean":
        return {"true": True, "false": False}.get(value, value)
    return value
