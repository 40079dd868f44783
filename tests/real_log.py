"""The log of a real web server, which holds real addresses and may not be copied into the project.

STATS_TEST_DATA names its folder; beside the checkout it is found without that.
"""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "STATS_TEST_DATA"
BESIDE_THE_CHECKOUT = Path(__file__).parents[2] / "shared" / "data"


@dataclass(frozen=True)
class RealLog:
    """Be the log, and what is known of it from a count that has nothing to do with ours."""

    folder: Path

    @property
    def path(self) -> Path:
        """Give the log."""
        return self.folder / "access_combined.log.gz"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Give what is true of it."""
        facts: dict[str, Any] = json.loads(self._facts.read_text())
        return facts

    @property
    def is_there(self) -> bool:
        """Tell whether both files are."""
        return self.path.is_file() and self._facts.is_file()

    @property
    def _facts(self) -> Path:
        return self.folder / "access_combined.facts.json"


def find_real_log(given: str | None, *, beside: Path = BESIDE_THE_CHECKOUT) -> RealLog:
    """Return the log; skip the test where nobody said that it is there, fail where it is not."""
    log = RealLog(Path(given).resolve() if given else beside)
    if log.is_there:
        return log
    if given:
        pytest.fail(f"{VARIABLE}={given}: {log.path.name} and its facts are not there")
    pytest.skip(
        f"needs {log.path.name} with its facts, which may not be copied into the project: "
        f"{VARIABLE} names the folder, ../shared/data beside the checkout is the default"
    )


@pytest.fixture(scope="session")
def real_log() -> RealLog:
    """Give the log of a real web server."""
    return find_real_log(os.environ.get(VARIABLE))
