"""What the jobs are asked for by names: lists, of which all that are wrong are named at once."""

from collections.abc import Callable
from typing import Any

import pytest

from stats_pipeline.errors import (
    InvalidParameter,
    StatsError,
    UnknownAggregation,
    UnknownEventType,
)
from stats_pipeline.pipeline import Pipeline
from tests.support import Backend, MakePipeline

Job = Callable[[Pipeline, Any], Any]

BY_EVENT_TYPE: list[Job] = [
    lambda pipeline, names: pipeline.process_events(names),
    lambda pipeline, names: pipeline.balance(names),
]
BY_AGGREGATION: list[Job] = [
    lambda pipeline, names: pipeline.update(names),
    lambda pipeline, names: pipeline.reset(names),
]
BY_ID: list[Job] = [
    lambda pipeline, ids: pipeline.dead_letters.replay(ids),
    lambda pipeline, ids: pipeline.dead_letters.purge(ids),
]


@pytest.fixture
def pipeline(embedded: Backend, make_pipeline: MakePipeline) -> Pipeline:
    """Give a pipeline in which downloads are active."""
    return make_pipeline(embedded)


@pytest.mark.parametrize("job", [*BY_EVENT_TYPE, *BY_AGGREGATION, *BY_ID])
@pytest.mark.parametrize("names", ["file-download", b"file-download", 5])
def test_a_text_is_no_list_of_names(pipeline: Pipeline, job: Job, names: Any) -> None:
    """Each of its letters would be a name; the message shows the list that is meant."""
    with pytest.raises(
        InvalidParameter, match=r"(types|names|ids) must be a list, as \["
    ) as caught:
        job(pipeline, names)
    assert repr([names]) in str(caught.value)


@pytest.mark.parametrize("job", BY_EVENT_TYPE)
def test_all_wrong_event_types_are_named_at_once(pipeline: Pipeline, job: Job) -> None:
    """With those that there are, or why they are none here."""
    with pytest.raises(UnknownEventType, match=r"types? 'x, y'; known: file-download$"):
        job(pipeline, ["x", "file-download", "y"])
    inactive = "'record-view, access-log', which are registered but not active"
    with pytest.raises(UnknownEventType, match=inactive):
        job(pipeline, ["record-view", "access-log"])
    assert job(pipeline, ("file-download",)).types.keys() == {"file-download"}


@pytest.mark.parametrize("job", BY_AGGREGATION)
def test_all_wrong_aggregations_are_named_at_once(pipeline: Pipeline, job: Job) -> None:
    """Nothing is done for the one that is known."""
    with pytest.raises(UnknownAggregation, match=r"'x, y'; known: access-log-agg, .*file-download"):
        job(pipeline, ["x", "file-download-agg", "y"])
    assert job(pipeline, iter(["record-view-agg"])).aggregations.keys() == {"record-view-agg"}


@pytest.mark.parametrize("job", BY_ID)
def test_ids_of_dead_letters_may_come_from_anywhere(pipeline: Pipeline, job: Job) -> None:
    """A set or what is read only once is as good as a list."""
    assert job(pipeline, iter([])) == 0
    with pytest.raises(StatsError, match="Unknown dead letter 'nope'"):
        job(pipeline, {"nope"})
