"""What the host knows when a file is downloaded."""

from typing import Any

WHO = ("user_id", "user_agent")


def add_file(
    event: dict[str, Any], sender: object, *, download: dict[str, Any], **_more: Any
) -> dict[str, Any]:
    """Add what was downloaded, and when."""
    return event | {name: value for name, value in download.items() if name not in WHO}


def add_visitor(
    event: dict[str, Any], sender: object, *, download: dict[str, Any], **_more: Any
) -> dict[str, Any]:
    """Add who has downloaded it."""
    return event | {name: download[name] for name in WHO}
