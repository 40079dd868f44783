"""The lists of robots and machines may be the host's, and some agents are people all the same."""

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from stats_pipeline.contrib.access_log.parser import MalformedLine, parse_line
from stats_pipeline.errors import ConfigurationError
from stats_pipeline.events.preprocessors import (
    anonymize_user,
    drop_machines,
    drop_robots,
    flag_machines,
    flag_robots,
)
from stats_pipeline.pipeline import Pipeline
from stats_pipeline.settings import read_settings
from tests.events.conftest import ThingPipeline
from tests.real_log import RealLog
from tests.support import BROWSER, ROBOT, stored_events

SCRIPT = "Wget/1.14"
CHROME = (
    "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/113.0.5672.132 Mobile Safari/537.36"
)
EDGE_30 = f"Mozilla/5.0 (Linux; Android 13; motorola edge 30 Build/T1RD33.116-33-3; wv) {CHROME}"
MOTO_G = f"Mozilla/5.0 (Linux; Android 12; moto g (50)5G Build/S1RSS32.38-20-9-1; wv) {CHROME}"


def flagged(pipeline: Pipeline, *agents: str, field: str = "is_robot") -> list[str]:
    """Return those of these agents whose events are stored as those of robots (or machines)."""
    pipeline.publish("thing", [{"user_agent": agent, "item": agent} for agent in agents])
    assert pipeline.process_events().indexed == len(agents)
    return [event["item"] for event in stored_events(pipeline, "thing") if event[field]]


def agents_of(log: Path) -> Iterator[str | None]:
    """Yield the agent of each request of a log, None where it names none."""
    with gzip.open(log) as lines:
        for line in lines:
            with suppress(MalformedLine):
                yield parse_line(line.rstrip(b"\n")).get("user_agent")


@pytest.mark.parametrize("form", ["txt", "json"])
def test_W16_a_host_may_give_its_own_lists(
    thing_pipeline: ThingPipeline, tmp_path: Path, form: str
) -> None:
    """They take the place of COUNTER's, and are found in either case as well."""
    lists = {"ROBOTS": ["^shopwatch", r"prices/\d", r"(?P<b>x)y(?P=b)"], "MACHINES": ["client"]}
    settings = {}
    for name, patterns in lists.items():
        path = tmp_path / f"{name}.{form}"
        entries = [{"pattern": pattern, "last_changed": "2024-01-01"} for pattern in patterns]
        path.write_text(json.dumps(entries) if form == "json" else "\n\n".join(patterns) + "\n")
        settings[f"STATS_{name}_LIST"] = str(path)
    chain = [flag_robots, flag_machines, anonymize_user]
    pipeline = thing_pipeline(preprocessors=chain, settings=settings)
    agents = ("ShopWatch 2", "my shopwatch", "PRICES/3", "Prices/x", "aXYx", "a Client", ROBOT)
    assert set(flagged(pipeline, *agents)) == {"ShopWatch 2", "PRICES/3", "aXYx"}
    assert flagged(pipeline, SCRIPT, field="is_machine") == ["a Client"]


@pytest.mark.parametrize(
    ("allowed", "robots"),
    [
        (None, {ROBOT}),
        ([], {ROBOT, EDGE_30, MOTO_G}),
        (["GOOGLEBOT"], {EDGE_30, MOTO_G}),
        (["(?-i:GOOGLEBOT)", "motorola", "^moto"], {ROBOT, MOTO_G}),
    ],
)
def test_W16_known_false_positives_are_no_robots(
    thing_pipeline: ThingPipeline, allowed: list[str] | None, robots: set[str]
) -> None:
    """By default these are browsers on phones of Motorola; the host says who else, or nobody."""
    pipeline = thing_pipeline(
        preprocessors=[flag_robots, anonymize_user],
        settings={} if allowed is None else {"STATS_ROBOTS_ALLOWED": allowed},
    )
    assert set(flagged(pipeline, ROBOT, EDGE_30, MOTO_G, BROWSER)) == robots


@pytest.mark.parametrize(
    "agent",
    [
        "Motor/1.0 (http://www.example.org)",
        f"{EDGE_30} (compatible; SomeBot/1.0)",
        EDGE_30.replace("Chrome/", "HeadlessChrome/"),
        f"Googlebot {EDGE_30}",
        f"{MOTO_G} Google-PageSpeed",
        "Mozilla/5.0 (Linux; Android 12; moto; RSS reader)",
    ],
)
def test_W16_who_only_pretends_to_be_such_a_phone_stays_a_robot(agent: str) -> None:
    """The whole agent has to look like a browser's."""
    assert flag_robots({"user_agent": agent})["is_robot"] is True


def test_W16_the_allowed_agents_change_nothing_in_the_real_log(real_log: RealLog) -> None:
    """As many requests are flagged as an independent count of the file has found."""
    flags = [flag_robots({"user_agent": a})["is_robot"] for a in agents_of(real_log.path)]
    assert len(flags) == real_log.facts["lines"]["accepted"]
    assert sum(flags) == real_log.facts["robot_requests_case_insensitive"]


@pytest.mark.parametrize("setting", ["STATS_ROBOTS_LIST", "STATS_MACHINES_LIST"])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.txt", b"bot\n\ncra(wl\n", r"list.txt, line 3: 'cra\(wl' is no regular expression"),
        ("list.txt", b"\n \n", "list.txt holds no pattern; leave the setting out"),
        ("list.txt", b"b\xf6t\n", "list.txt is not UTF-8"),
        (
            "list.json",
            b'[{"pattern": "bot"},\n {"pattern": "*"}]',
            "list.json, entry 2: '.*' is no",
        ),
        ("list.json", b'[{"name": "bot"}]', "list.json, entry 1: expected a regular expression"),
        ("list.json", b'["bot"]', "list.json, entry 1: expected a regular expression"),
        ("list.json", b'{"pattern": "bot"}', "list.json must hold a list"),
        ("list.json", b'[{"pattern":\n "bot"', "list.json, line 2: no JSON"),
        ("list.json", b"[]", "list.json holds no pattern"),
    ],
)
def test_a_wrong_list_is_refused_at_start_with_file_and_line(
    tmp_path: Path, setting: str, name: str, content: bytes, message: str
) -> None:
    """A list that is only half right would count robots as people without a word."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^{setting}=.*: .*{message}"):
        read_settings({setting: str(path)})


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("STATS_ROBOTS_LIST", "no/such/list.txt", "'no/such/list.txt': the file can't be read"),
        ("STATS_ROBOTS_LIST", "", "expected the path of a file"),
        ("STATS_MACHINES_LIST", ["curl"], "expected the path of a file"),
        ("STATS_ROBOTS_ALLOWED", "motorola", "expected a list of regular expressions"),
        ("STATS_ROBOTS_ALLOWED", ["a", "b("], r"number 2: 'b\(' is no regular expression"),
        ("STATS_ROBOTS_ALLOWED", [5], "number 1: expected a regular expression"),
        ("STATS_ROBOTS_ALLOWED", [""], "number 1: expected a regular expression"),
    ],
)
def test_what_is_no_list_is_refused_at_start(setting: str, value: Any, message: str) -> None:
    """The message says which setting, and what it may be."""
    with pytest.raises(ConfigurationError, match=f"^{setting}=.*{message}"):
        read_settings({setting: value})


def test_A004_21_robots_and_machines_are_dropped_and_counted_under_their_reason(
    thing_pipeline: ThingPipeline,
) -> None:
    """What is on both lists is dropped by whichever comes first; nothing is a dead letter."""
    pipeline = thing_pipeline(preprocessors=[drop_machines, drop_robots, anonymize_user])
    agents = [BROWSER, ROBOT, SCRIPT, "GOOGLEBOT", "python-requests/2", EDGE_30, None]
    pipeline.publish("thing", [{"user_agent": agent} for agent in agents])
    report = pipeline.process_events()
    assert (report.taken, report.indexed, report.dropped, report.dead) == (7, 3, 4, 0)
    assert report.reasons == {"robot": 2, "machine": 2}
    stored = stored_events(pipeline, "thing")
    assert [event["is_robot"] for event in stored] == [False] * 3
    assert not any("is_machine" in event for event in stored)
