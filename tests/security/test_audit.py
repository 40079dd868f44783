"""`make audit` finds known vulnerabilities, and says loudly where it can't look for them."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import pytest

from tests.deployment.files import CHECKOUT


class _Advisories(BaseHTTPRequestHandler):
    """Answer as OSV does, with one advisory, which is about the installed version of Flask."""

    def do_POST(self) -> None:
        """Answer a question about one version of one package."""
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_flask = question["package"]["name"] == "flask"
        body = json.dumps({"vulns": [_advisory()]} if is_flask else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _advisory() -> dict[str, object]:
    events = [{"introduced": "0"}, {"fixed": "999.0"}]
    return {
        "id": "PYSEC-2999-1",
        "aliases": ["CVE-2999-1"],
        "summary": "made up",
        "details": "made up",
        "affected": [
            {
                "package": {"name": "flask", "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
                "versions": [version("flask")],
            }
        ],
    }


@pytest.fixture
def advisories() -> Iterator[str]:
    """Give the address of a server that answers as OSV does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Advisories) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the audit of this environment."""
    command = [sys.executable, "-m", "scripts.audit", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_a_known_vulnerability_fails_the_audit(advisories: str) -> None:
    """It says which package, which advisory, and which version mends it."""
    done = audit("--advisories", advisories)
    assert done.returncode == 1, done.stderr
    expected = f"flask {version('flask')}: PYSEC-2999-1, CVE-2999-1; mended in 999.0\n"
    assert done.stdout == expected


def test_an_audit_that_can_not_be_done_is_loud_and_fails_only_where_that_is_asked_for() -> None:
    """Without a network `make check` still works, and nobody takes silence for a clean result."""
    for arguments, code in (((), 0), (("--strict",), 1)):
        done = audit("--advisories", "http://127.0.0.1:1/v1/query", *arguments)
        assert done.returncode == code
        assert "NO AUDIT: nobody has looked for known vulnerabilities" in done.stderr
        assert "No known vulnerability" not in done.stdout
