"""What the tests of the deployment share: its page, and a broker with the users that it wants."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.deployment.users import PAGE, make_broker_users
from tests.services import PrivateServer


@pytest.fixture
def page() -> str:
    """Give the text of docs/deployment.md."""
    return PAGE.read_text()


@pytest.fixture
def broker_urls(
    private_rabbitmq: PrivateServer, index_prefix: str, tmp_path: Path
) -> dict[str, str]:
    """Give the broker's address for the users "web" and "worker", made as the page says."""
    make_broker_users(tmp_path / "rabbitmq", index_prefix, web="web", worker="worker")
    address = urlsplit(private_rabbitmq.url).netloc.rpartition("@")[2]
    return {name: f"amqp://stats-{name}:{name}@{address}//" for name in ("web", "worker")}
