"""Work on several things at the same time, in threads."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], lanes: Iterable[Sequence[Item]], *, threads: int
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with the result of its work, as soon as that is done.

    The items of a lane are worked on one after another, in their order. What the work raises is
    raised here, after what is under way has ended; the rest is not begun. It sees the context of
    the caller, such as Flask's current app.
    """
    waiting = deque(deque(lane) for lane in lanes if lane)
    if threads == 1 or len(waiting) < 2:
        for item in (item for lane in waiting for item in lane):
            yield item, work(item)
        return
    running: dict[Future[Result], tuple[Item, deque[Item]]] = {}
    with ThreadPoolExecutor(threads, thread_name_prefix="stats-update") as pool:
        while waiting or running:
            while waiting and len(running) < threads:
                lane = waiting.popleft()
                item = lane.popleft()
                running[pool.submit(contextvars.copy_context().run, work, item)] = item, lane
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item, lane = running.pop(future)
                if lane:
                    waiting.appendleft(lane)
                yield item, future.result()
