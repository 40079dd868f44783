"""Work on several things at the same time, in threads."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], *, threads: int
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with the result of its work, as soon as that is done, in any order.

    What the work raises is raised here, after what is under way has ended; the rest is not begun.
    It sees the context of the caller, such as Flask's current app.
    """
    if threads == 1 or len(items) < 2:
        for item in items:
            yield item, work(item)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="stats-update") as pool:
        futures = {pool.submit(contextvars.copy_context().run, work, item): item for item in items}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
