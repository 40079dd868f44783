"""A small database of countries, in the format of the large ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

#: Of the addresses of B11, and one network of IPv6.
NETWORKS = {
    "131.169.0.0/16": "DE",
    "188.184.0.0/15": "CH",
    "23.20.0.0/14": "US",
    "74.125.0.0/16": "US",
    "2001:638::/32": "DE",
}


def write_countries(path: Path, networks: Mapping[str, str] = NETWORKS) -> str:
    """Write a database of these networks in place of what is there; return its path."""
    write_records(path, {n: {"country": {"iso_code": code}} for n, code in networks.items()})
    return str(path)


def write_records(path: Path, records: Mapping[str, Any], *, ip_version: int = 6) -> None:
    """Write a database of any records, by network."""
    is_mixed = ip_version == 6
    writer = MMDBWriter(ip_version, "Test-Country", ipv4_compatible=is_mixed)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    new = path.with_suffix(".new")
    writer.to_db_file(str(new))
    new.replace(path)
