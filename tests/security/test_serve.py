"""`stats serve` in front of strangers: what is too large is refused before it is taken in."""

import re
import socket
import subprocess
import sys
from pathlib import Path

from stats_pipeline.app import LARGEST_REQUEST_BYTES
from tests.celery.workers import environment

SERVE = (sys.executable, "-m", "flask", "--app", "stats_pipeline.app", "stats", "serve")
ANSWER_SECONDS = 30


def test_a_large_body_is_refused_by_its_head(tmp_path: Path) -> None:
    """Nothing of it is sent, and 413 is the answer."""
    with subprocess.Popen(
        [*SERVE, "--port", "0"],
        cwd=tmp_path,
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            match = re.search(r":(\d+)/$", server.stdout.readline())
            assert match is not None
            with socket.create_connection(("127.0.0.1", int(match[1])), ANSWER_SECONDS) as client:
                length = LARGEST_REQUEST_BYTES + 1
                head = f"POST /stats HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
                client.sendall(head.encode())
                assert client.recv(100).startswith(b"HTTP/1.1 413 ")
            server.terminate()
            server.communicate(timeout=ANSWER_SECONDS)
        finally:
            server.kill()
