"""What to ask for first, once the numbers are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """Be a request to try.

    Attributes:
        request: a statistic with its parameters, as ``POST /stats`` takes it.
        chart: what the page with the charts is to show.
    """

    request: Mapping[str, Any]
    chart: Mapping[str, str]
