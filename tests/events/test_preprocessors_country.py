"""`add_country` knows what the host's database knows, and never costs an event."""

import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stats_pipeline.events import country_database
from stats_pipeline.events.chain import ChainContext, running_in
from stats_pipeline.events.preprocessors import add_country, anonymize_user, flag_robots
from tests.events.conftest import ThingPipeline
from tests.events.countries import NETWORKS, write_countries, write_records
from tests.support import stored_events

B11_ADDRESSES = {
    "131.169.180.47": "DE",
    "188.184.37.205": "CH",
    "23.22.39.120": "US",
    "74.125.67.100": "US",
    "0.0.0.0": None,
}
CHAIN = [flag_robots, add_country, anonymize_user]


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Give the path of a database with the networks of B11."""
    return write_countries(tmp_path / "countries.mmdb")


def country_by(database: str | None, address: Any) -> Any:
    """Return what `add_country` makes of an address, "none" where it adds nothing."""
    with running_in(ChainContext(country_database=database)):
        return add_country({"ip_address": address}).get("country", "none")


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the path of each database that is opened from now on."""
    opened: list[str] = []
    genuine: Callable[..., Any] = maxminddb.open_database

    def open_database(path: str, mode: int) -> Any:
        opened.append(path)
        return genuine(path, mode)

    monkeypatch.setattr(maxminddb, "open_database", open_database)
    return opened


def test_A004_24_B11_the_country_is_added_and_then_the_address_is_gone(
    thing_pipeline: ThingPipeline, database: str
) -> None:
    """D23: from a small database that the test writes; an unknown address has no country.

    Until then the address says who is one visitor: each of them comes twice.
    """
    pipeline = thing_pipeline(preprocessors=CHAIN, settings={"STATS_COUNTRY_DATABASE": database})
    events = [{"ip_address": address, "item": address} for address in B11_ADDRESSES]
    pipeline.publish("thing", [*events, *events, {"item": "no address"}])
    report = pipeline.process_events()
    assert (report.indexed, report.dead) == (11, 0)
    stored = stored_events(pipeline, "thing")
    assert {event["item"]: event.get("country") for event in stored} == {
        **B11_ADDRESSES,
        "no address": None,
    }
    assert not any("ip_address" in event for event in stored)
    assert len({event["visitor_id"] for event in stored}) == len(B11_ADDRESSES) + 1


def test_A004_24_T004_20_without_the_file_events_are_stored_without_a_country(
    thing_pipeline: ThingPipeline, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A configured file that is missing is worth one warning; none configured is worth none."""
    missing = str(tmp_path / "missing.mmdb")
    for number, configured in enumerate([missing, None]):
        pipeline = thing_pipeline(
            preprocessors=CHAIN, settings={"STATS_COUNTRY_DATABASE": configured}
        )
        pipeline.publish("thing", [{"ip_address": a, "value": number} for a in B11_ADDRESSES])
        assert pipeline.process_events().indexed == len(B11_ADDRESSES)
    assert not any("country" in event for event in stored_events(pipeline, "thing"))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"STATS_COUNTRY_DATABASE: there is no {missing}; events get no country"
    )


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("2001:638:700::1", "DE"),
        ("::ffff:188.184.37.205", "CH"),
        ("2001:db8::1", "none"),
        ("fe80::1%eth0", "none"),
        ("::", "none"),
    ],
)
def test_A004_24_addresses_of_ipv6_have_countries_too(
    database: str, address: str, country: str
) -> None:
    """Also those that are addresses of IPv4 in disguise."""
    assert country_by(database, address) == country


@pytest.mark.parametrize(
    "address",
    ["unknown", "", "131.169.180.47:80", "131.169.180.47, 10.0.0.1", "131.169", 5, None, ["::"]],
)
def test_A004_24_an_odd_address_has_no_country(database: str, address: Any) -> None:
    """It is no reason to lose the event."""
    assert country_by(database, address) == "none"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.ip_addresses().map(str)))
def test_no_text_at_all_makes_it_fail(database: str, address: str) -> None:
    """Whatever a client sends as its address, there is a known country or none."""
    assert country_by(database, address) in {"none", *NETWORKS.values()}


@pytest.mark.parametrize(
    "record",
    ["DE", {"country": "DE"}, {"country": {}}, {"country": {"iso_code": 49}}, {"city": "Geneva"}],
)
def test_a_record_of_another_shape_tells_no_country(tmp_path: Path, record: object) -> None:
    """The format holds anything, and not every file is one of countries."""
    path = tmp_path / "other.mmdb"
    write_records(path, {"131.169.0.0/16": record})
    assert country_by(str(path), "131.169.180.47") == "none"


def test_a_database_of_ipv4_alone_knows_no_address_of_ipv6(tmp_path: Path) -> None:
    """Asking it for one is no error."""
    path = tmp_path / "v4.mmdb"
    write_records(path, {"131.169.0.0/16": {"country": {"iso_code": "DE"}}}, ip_version=4)
    assert country_by(str(path), "131.169.180.47") == "DE"
    assert country_by(str(path), "2001:638:700::1") == "none"


def test_the_file_is_read_once_and_again_when_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that runs for months takes each new edition, also after a broken one."""
    opened = counting(monkeypatch)
    path = tmp_path / "countries.mmdb"
    database = str(path)
    address = "131.169.180.47"
    assert [country_by(database, address) for _ in range(3)] == ["none"] * 3
    write_countries(path)
    assert [country_by(database, address) for _ in range(3)] == ["DE"] * 3
    write_countries(path, {"131.169.0.0/16": "AT"})
    assert [country_by(database, address) for _ in range(3)] == ["AT"] * 3
    path.write_bytes(b"no database")
    assert [country_by(database, address) for _ in range(3)] == ["none"] * 3
    write_countries(path)
    assert country_by(database, address) == "DE"
    assert opened == [database] * 4
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2, "one for the missing file, one for the broken one"
    assert "there is no" in warnings[0]
    assert "events get no country" in warnings[1]


def test_a_file_that_is_written_over_in_place_harms_nobody(tmp_path: Path) -> None:
    """As by `cp`: a mapped file that is cut off would end the process."""
    path = tmp_path / "countries.mmdb"
    write_countries(path)
    assert country_by(str(path), "131.169.180.47") == "DE"
    other = tmp_path / "other.mmdb"
    write_countries(other, {"188.184.0.0/15": "CH"})
    path.write_bytes(other.read_bytes())
    assert country_by(str(path), "131.169.180.47") == "none"
    assert country_by(str(path), "188.184.37.205") == "CH"


def test_threads_that_ask_at_once_get_the_same_answers(database: str) -> None:
    """Also at the first question, for which the file has to be read."""
    addresses = list(B11_ADDRESSES) * 50
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda address: country_by(database, address), addresses))
    assert found == [code or "none" for code in B11_ADDRESSES.values()] * 50


FORKING = """
import os, sys
from stats_pipeline.events.country_database import country_of
before = country_of("131.169.180.47", path=sys.argv[1])
child = os.fork()
after = country_of("188.184.37.205", path=sys.argv[1])
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or (before, after) != ("DE", "CH"))
sys.exit(after != "CH")
"""


def test_a_database_that_was_open_before_a_fork_serves_both_processes(database: str) -> None:
    """Celery's workers are forked from a process that may have used it."""
    done = subprocess.run([sys.executable, "-c", FORKING, database], check=False)
    assert done.returncode == 0


def test_without_the_package_that_reads_it_events_wait_and_the_extra_is_named(
    thing_pipeline: ThingPipeline, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is the host's mistake, so no event becomes a dead letter for it."""
    monkeypatch.setattr(country_database, "_opened", {})
    pipeline = thing_pipeline(preprocessors=CHAIN, settings={"STATS_COUNTRY_DATABASE": database})
    pipeline.publish("thing", [{"ip_address": "131.169.180.47"}])
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "maxminddb", None)
        report = pipeline.process_events()
        assert "install stats_pipeline[geo]" in report.types["thing"].error
    assert pipeline.dead_letters.list() == []
    assert pipeline.process_events().indexed == 1
    assert stored_events(pipeline, "thing")[0]["country"] == "DE"
