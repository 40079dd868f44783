"""Users of RabbitMQ, made by the very commands that docs/deployment.md gives."""

import os
import subprocess
from pathlib import Path

from scripts.services.server import load
from tests.deployment.files import CHECKOUT
from tests.docs.blocks import blocks_of

RABBITMQ_PROGRAMS = "/usr/lib/rabbitmq/bin"
PAGE = CHECKOUT / "docs" / "deployment.md"


def make_broker_users(folder: Path, index_prefix: str, *, web: str, worker: str) -> None:
    """Make the users of the page in the broker of this folder, with these passwords."""
    server = load(folder)
    assert server is not None
    node = Path("/proc", str(server.processes[-1].pid), "environ").read_text()
    variables = dict(line.split("=", 1) for line in node.split("\0") if line)
    (block,) = [block for block in blocks_of(PAGE.read_text()) if "rabbitmqctl" in block.text]
    subprocess.run(
        ["bash", "-euc", block.text.replace("rabbitmqctl", 'rabbitmqctl -n "$RABBITMQ_NODENAME"')],
        env={
            **variables,
            "PATH": f"{RABBITMQ_PROGRAMS}:{os.environ['PATH']}",
            "PREFIX": index_prefix,
            "WEB_PASSWORD": web,
            "WORKER_PASSWORD": worker,
        },
        check=True,
        capture_output=True,
    )
