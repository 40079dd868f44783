"""T004-02: what reads the agent or the address stands before what removes them, or is refused."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline import StatsPipeline
from stats_pipeline.errors import DefinitionError
from stats_pipeline.events import preprocessors as shipped
from stats_pipeline.events.preprocessors import (
    add_country,
    anonymize_user,
    build_file_unique_id,
    drop_machines,
    drop_robots,
    flag_machines,
    flag_robots,
)
from stats_pipeline.registry.config import read_processor_config
from stats_pipeline.registry.order import check_order
from tests.events.conftest import Thing, ThingPipeline
from tests.support import stored_events

READERS = [flag_robots, flag_machines, drop_robots, drop_machines, add_country]


def own(event: dict[str, Any]) -> dict[str, Any]:
    """Do nothing, as a host's own preprocessor may."""
    return event


def path_of(function: Callable[..., Any]) -> str:
    """Return the path by which a registration may name a shipped preprocessor."""
    return f"{shipped.__name__}:{function.__name__}"


@pytest.mark.parametrize("reader", READERS)
def test_T004_02_reading_after_anonymising_is_refused_with_the_right_order(
    reader: Callable[..., Any],
) -> None:
    """The message says who reads what, who has removed it, and an order that works."""
    with pytest.raises(DefinitionError) as caught:
        read_processor_config({"preprocessors": [own, anonymize_user, own, reader]}, owner="shop")
    field = "ip_address" if reader is add_country else "user_agent"
    assert str(caught.value) == (
        f"shop: {reader.__name__} reads {field!r}, which anonymize_user before it has removed; "
        f"give the preprocessors in this order: own, {reader.__name__}, anonymize_user, own"
    )


def test_T004_02_anonymising_twice_is_refused() -> None:
    """The second time there is nothing left to read, so somebody meant another chain."""
    chain = [flag_robots, anonymize_user, build_file_unique_id, anonymize_user]
    with pytest.raises(
        DefinitionError, match=r"order: flag_robots, anonymize_user, build_file_unique_id$"
    ):
        check_order(chain, owner="shop")


@given(st.permutations([*READERS, anonymize_user, build_file_unique_id, own]))
def test_T004_02_the_order_that_a_refusal_gives_is_accepted(
    chain: Sequence[Callable[..., Any]],
) -> None:
    """And exactly those orders are refused in which something reads after anonymising."""
    place = chain.index(anonymize_user)
    is_wrong = any(reader in chain[place:] for reader in READERS)
    try:
        check_order(chain, owner="shop")
    except DefinitionError as error:
        assert is_wrong
        given_order = str(error).partition("in this order: ")[2].split(", ")
        by_name = {function.__name__: function for function in chain}
        mended = [by_name[name] for name in given_order]
        assert sorted(given_order) == sorted(by_name)
        check_order(mended, owner="shop")
    else:
        assert not is_wrong


def test_what_declares_nothing_may_stand_anywhere() -> None:
    """A host's own functions, partials and objects are not judged."""

    class OwnObject:
        def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
            return event

    for chain in permutations([own, partial(own), OwnObject(), anonymize_user]):
        check_order(chain, owner="shop")


def test_T004_02_a_wrong_order_is_refused_when_the_app_is_set_up(thing: Thing) -> None:
    """Whether the host's configuration gives functions or names them by path."""
    chain = [anonymize_user, flag_robots]
    for preprocessors in (chain, [path_of(each) for each in chain]):
        app = Flask("host")
        app.config["STATS_EVENTS"] = {"thing": thing(preprocessors=preprocessors)}
        message = "event type 'thing' of the host's STATS_EVENTS: flag_robots reads 'user_agent'"
        with pytest.raises(DefinitionError, match=re.escape(message)):
            StatsPipeline(app)


def test_T004_02_events_wait_until_a_wrong_order_is_mended(thing_pipeline: ThingPipeline) -> None:
    """A package may name its preprocessors by path; these are judged where they are loaded."""
    wrong = thing_pipeline(preprocessors=[path_of(anonymize_user), path_of(flag_robots)])
    wrong.publish("thing", [{"user_agent": "Googlebot"}])
    report = wrong.process_events()
    assert "in this order: flag_robots, anonymize_user" in report.types["thing"].error
    assert wrong.dead_letters.list() == []
    right = thing_pipeline(preprocessors=[path_of(flag_robots), path_of(anonymize_user)])
    assert right.process_events().indexed == 1
    assert stored_events(right, "thing")[0]["is_robot"] is True
