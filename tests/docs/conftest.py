"""What the tests of the documentation share."""

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def readme() -> str:
    """Give the text of the README."""
    return (CHECKOUT / "README.md").read_text()
