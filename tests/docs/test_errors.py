"""docs/errors.md shows the tree of errors as it is."""

from collections.abc import Iterator

from stats_pipeline import errors
from stats_pipeline.errors import StatsError
from tests.docs.conftest import CHECKOUT


def _tree(error: type[StatsError], depth: int = 0) -> Iterator[str]:
    assert error.__doc__ is not None
    first_line = error.__doc__.strip().splitlines()[0]
    yield f"{'  ' * depth}- `{error.__name__}`: {first_line}"
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child, depth + 1)


def test_the_page_shows_every_error_below_its_parent() -> None:
    """The list is that of the classes, with the first line of what each says of itself."""
    page = (CHECKOUT / "docs" / "errors.md").read_text()
    expected = "\n".join(_tree(StatsError))
    shown = "\n".join(line for line in page.splitlines() if line.lstrip().startswith("- `"))
    assert shown == expected, f"put this into docs/errors.md:\n{expected}"
