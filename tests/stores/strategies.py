"""Documents and metrics that stores are tried with, as Hypothesis draws them."""

from hypothesis import strategies as st

from stats_pipeline.clock import parse_time
from stats_pipeline.metrics import Count, First, Last, Max, Mean, Metric, Min, Sum, Unique
from stats_pipeline.model import Filter, Where

HOURS = [f"2016-12-18T{hour:02}:00:00.000Z" for hour in range(3)]

PATHS = st.sampled_from(["", "/a", "/A", "/b c", "/ä"])
SEVERAL_PATHS = st.lists(PATHS, min_size=2, unique=True).map(sorted)

BODIES = st.fixed_dictionaries(
    {"timestamp": st.sampled_from(HOURS)},
    optional={
        "path": PATHS | SEVERAL_PATHS,
        "size": st.integers(-(2**40), 2**40),
        "status": st.sampled_from([200, 404]),
        "ratio": st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: number + 0.0),
        "is_robot": st.booleans(),
        "seen": st.sampled_from(HOURS),
    },
)

GROUPABLE = ["path", "status", "is_robot", "seen", "size"]
NUMERIC = ["size", "status", "ratio"]

CONDITIONS: st.SearchStrategy[Where | Filter | None] = st.none() | st.sampled_from(
    [
        Where("is_robot", exclude=[True]),
        Where("is_robot", include=[True]),
        Where("path", include=["/a", "/ä"], exclude=["/ä"]),
        Where("status", include=[404]),
        Filter().where("is_robot", exclude=[True]).where("path", exclude=["/a"]),
        Filter().where("path", include=["/a", "/ä"]).between("seen", parse_time(HOURS[1])),
    ]
)


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    """Draw a metric that stores compute, with or without a condition."""
    condition = draw(CONDITIONS)
    kind = draw(st.sampled_from([Count, Sum, Min, Max, Mean, First, Last, Unique]))
    if kind is Count:
        return Count(where=condition)
    if kind is Unique:
        return Unique(draw(st.sampled_from(GROUPABLE)), where=condition)
    fields = NUMERIC
    if kind in (Min, Max):
        fields = [*NUMERIC, "seen"]
    elif kind in (First, Last):
        fields = [*NUMERIC, "path", "is_robot", "seen"]
    field = draw(st.sampled_from(fields))
    metric: Metric = kind(field, where=condition)
    return metric
