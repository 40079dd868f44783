"""What all tests share: the real servers, names that don't clash, and a check for leaks."""

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.services.elasticsearch import is_elasticsearch_healthy
from scripts.services.rabbitmq import is_rabbitmq_healthy
from scripts.services.server import wait_until

pytest_plugins = ["tests.real_log", "tests.services", "tests.support"]

ENVIRONMENT_FILE = Path(__file__).parents[1] / ".services" / "env"
SERVER_FIXTURES = {
    "amqp_url",
    "elasticsearch_url",
    "private_elasticsearch",
    "private_rabbitmq",
    "secured",
}
THREADS_END_WITHIN_SECONDS = 5

#: Folders and files whose tests start programs: exact, and not a matter of seconds.
STARTING_PROCESSES = {
    "celery",
    "demo",
    "deployment",
    "docs",
    "end_to_end",
    "faults",
    "outsider",
    "packaging",
    "servers",
    "test_after_fork.py",
    "test_audit.py",
    "test_installed_package.py",
    "test_passwords.py",
    "test_runs.py",
    "test_doctor_workers.py",
    "test_export_resumed.py",
    "test_flask.py",
    "test_script.py",
    "test_stopping.py",
    "test_serve.py",
    "test_serve_log.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a server or starts programs, so that `make check` can leave it out."""
    for item in items:
        if STARTING_PROCESSES.intersection(item.path.parts):
            item.add_marker("processes")
        if SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what tests have measured (`record_property`): for people, since no test asserts it."""
    reports = terminalreporter.getreports("passed")
    lines = [
        f"{report.nodeid}: {name}: {value}"
        for report in reports
        for name, value in report.user_properties
        if report.when == "call"
    ]
    if lines:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(sorted(lines)))


@pytest.fixture(scope="session")
def elasticsearch_url() -> str:
    """Give the url of a real Elasticsearch; without one the test fails."""
    return _url_of("STATS_TEST_ELASTICSEARCH_URL", is_elasticsearch_healthy)


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """Give the url of a real RabbitMQ; without one the test fails."""
    return _url_of("STATS_TEST_AMQP_URL", is_rabbitmq_healthy)


@pytest.fixture
def index_prefix() -> str:
    """Give a prefix for indices and queues that no other test has."""
    return f"t{secrets.token_hex(4)}-"


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves changed STATS_* variables or running threads to the next one."""
    settings, threads = _settings(), set(threading.enumerate())
    yield
    changed = sorted(name for name, _ in settings.items() ^ _settings().items())
    for name in changed:
        os.environ.pop(name, None)
    os.environ.update(settings)

    def left() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if not t.daemon and t not in threads]

    try:
        wait_until(lambda: not left(), timeout_seconds=THREADS_END_WITHIN_SECONDS)
    except TimeoutError:
        pytest.fail(f"the test left threads behind: {[thread.name for thread in left()]}")
    if changed:
        pytest.fail(f"the test left environment variables changed: {', '.join(changed)}")


def _url_of(variable: str, is_healthy: Callable[[str], bool]) -> str:
    lines = ENVIRONMENT_FILE.read_text().splitlines() if ENVIRONMENT_FILE.exists() else []
    started = dict(line.split("=", 1) for line in lines)
    url = os.environ.get(variable) or started.get(variable)
    if not url:
        pytest.fail(f"{variable} is not set: set it, or run `make services-up`", pytrace=False)
    if not is_healthy(url):
        pytest.fail(f"{variable}: no answer at {url}: run `make services-up`", pytrace=False)
    return url


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("STATS_")}
