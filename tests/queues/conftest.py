"""What the tests of all queues share."""

import pytest

pytest.register_assert_rewrite("tests.queues.contract")


@pytest.fixture
def name(index_prefix: str) -> str:
    """Give the name of a queue that no other test has."""
    return f"{index_prefix}stats-thing"
