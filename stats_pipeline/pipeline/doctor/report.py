"""What the doctor says: one hop after the other, each with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from stats_pipeline.errors import (
    ConfigurationError,
    QueueRefused,
    StatsError,
    StoreRefused,
    without_title,
)

Status = Literal["ok", "failed", "not tried"]

#: What a server's refusal means most often, beside what the error says.
RIGHTS = (
    "if it is about a user or a certificate: docs/deployment.md lists the least rights of each "
    "process, and says how to name an authority of your own"
)


@dataclass(frozen=True, kw_only=True)
class Hop:
    """Be one thing that must work on the way from an event to an answer.

    Attributes:
        name: what it is, as ``the queue of 'file-download'``.
        status: ``ok``, ``failed``, or ``not tried`` because of one that failed before.
        detail: what was seen, why it failed, or because of what it was not tried.
        advice: what to do, where `detail` does not say it.
        more: what only those want to know who ask for more.
        is_configuration: whether it failed since the host or a package has configured it wrongly.
    """

    name: str
    status: Status
    detail: str
    advice: str = ""
    more: str = ""
    is_configuration: bool = False

    @property
    def is_ok(self) -> bool:
        """Tell whether it works."""
        return self.status == "ok"


@dataclass(frozen=True, kw_only=True)
class DoctorReport:
    """Say of each hop whether it works."""

    hops: tuple[Hop, ...]

    @property
    def is_healthy(self) -> bool:
        """Tell whether nothing failed."""
        return all(hop.status != "failed" for hop in self.hops)

    @property
    def is_misconfigured(self) -> bool:
        """Tell whether something must be configured in another way before it can work."""
        return any(hop.is_configuration for hop in self.hops)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {"is_healthy": self.is_healthy, "hops": [asdict(hop) for hop in self.hops]}


class Unsound(Exception):
    """Say in a sentence why a hop does not work, where nothing else has refused it."""


class Examination:
    """Try one hop after the other, and go on behind one that fails.

    Args:
        on_hop: is told of each as soon as it is known.
    """

    def __init__(self, on_hop: Callable[[Hop], None] | None = None) -> None:
        self.hops: list[Hop] = []
        self._on_hop = on_hop

    def attempt(
        self,
        name: str,
        action: Callable[[], str],
        *,
        after: Sequence[Hop] = (),
        advice: str = "",
        is_configuration: bool = False,
    ) -> Hop:
        """Try a hop, unless one of those that it needs has failed.

        Args:
            name: of the hop.
            action: returns what was seen; whatever it raises is why the hop does not work.
            after: the hops that it needs.
            advice: what to do where the error does not say it.
            is_configuration: whether only a wrong configuration can make it fail.
        """
        missing = next((hop for hop in after if not hop.is_ok), None)
        if missing is not None:
            return self.add(Hop(name=name, status="not tried", detail=f"needs {missing.name}"))
        try:
            return self.add(Hop(name=name, status="ok", detail=action()))
        except Exception as error:  # noqa: BLE001 - the code of hosts and packages may raise anything
            return self.add(failed(name, error, advice, is_configuration=is_configuration))

    def add(self, hop: Hop) -> Hop:
        """Take down what is known of a hop."""
        self.hops.append(hop)
        if self._on_hop:
            self._on_hop(hop)
        return hop


def failed(name: str, error: Exception, advice: str = "", *, is_configuration: bool = False) -> Hop:
    """Return the hop that this error ended."""
    if isinstance(error, StoreRefused | QueueRefused):
        advice = advice or RIGHTS
    return Hop(
        name=name,
        status="failed",
        detail=without_title(error, name)
        if isinstance(error, StatsError | Unsound)
        else repr(error),
        advice=advice,
        is_configuration=is_configuration or isinstance(error, ConfigurationError),
    )
