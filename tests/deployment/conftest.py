"""What the tests of the deployment share: its page, and a broker with the users that it wants."""

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripts.services.server import load
from tests.deployment.files import CHECKOUT
from tests.docs.blocks import blocks_of
from tests.services import PrivateServer

RABBITMQ_PROGRAMS = "/usr/lib/rabbitmq/bin"


@pytest.fixture
def page() -> str:
    """Give the text of docs/deployment.md."""
    return (CHECKOUT / "docs" / "deployment.md").read_text()


@pytest.fixture
def broker_urls(
    page: str, private_rabbitmq: PrivateServer, index_prefix: str, tmp_path: Path
) -> dict[str, str]:
    """Give the broker's address for the users "web" and "worker", made as the page says."""
    server = load(tmp_path / "rabbitmq")
    assert server is not None
    node = Path("/proc", str(server.processes[-1].pid), "environ").read_text()
    variables = dict(line.split("=", 1) for line in node.split("\0") if line)
    (block,) = [block for block in blocks_of(page) if "rabbitmqctl" in block.text]
    subprocess.run(
        ["bash", "-euc", block.text.replace("rabbitmqctl", 'rabbitmqctl -n "$RABBITMQ_NODENAME"')],
        env={
            **variables,
            "PATH": f"{RABBITMQ_PROGRAMS}:{os.environ['PATH']}",
            "PREFIX": index_prefix,
            "WEB_PASSWORD": "web",
            "WORKER_PASSWORD": "worker",
        },
        check=True,
        capture_output=True,
    )
    address = urlsplit(private_rabbitmq.url).netloc.rpartition("@")[2]
    return {name: f"amqp://stats-{name}:{name}@{address}//" for name in ("web", "worker")}
