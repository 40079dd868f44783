"""The tutorial works, word by word."""

from collections.abc import Iterator

import pytest
from kombu.connection import Connection

from tests.docs.blocks import blocks_of
from tests.docs.conftest import Follow, page
from tests.support import Backend

TUTORIAL = "docs/tutorial.md"


@pytest.fixture
def servers(distributed: Backend, index_prefix: str) -> Iterator[Backend]:
    """Give real servers; the queues of the tutorial are deleted behind it."""
    yield distributed
    assert distributed.broker_url is not None
    with Connection(distributed.broker_url) as connection, connection.channel() as channel:
        for name in ("stats-search", "stats.ticks"):
            channel.queue_delete(f"{index_prefix}{name}")


@pytest.mark.timeout(300)
def test_the_tutorial_can_be_followed_from_the_signal_to_the_servers(
    servers: Backend, follow: Follow, index_prefix: str
) -> None:
    """Every file and every command, in their order, and each output is the one that is shown."""
    assert servers.broker_url is not None
    replaced = {
        # One export can set two variables.
        "http://localhost:9200": f"{servers.store_url} FLASK_STATS_INDEX_PREFIX={index_prefix}",
        "amqp://guest:guest@localhost:5672//": servers.broker_url,
        # Two workers of one name can't be at one RabbitMQ, and other tests may run workers now.
        "worker -B": f"worker -B -n {index_prefix}worker@%h",
    }
    blocks = follow(TUTORIAL, replaced)
    assert len(blocks) == len(blocks_of(page(TUTORIAL)))
