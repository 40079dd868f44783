"""Use a store, fork, and use it on both sides; run as a program of its own by the contract.

The child ends as a Python program does (not by `os._exit`), since that frees what it inherited.
"""

import os
import sys
import warnings
from threading import Event, Thread

from stats_pipeline.stores.opening import open_store
from stats_pipeline.stores.protocol import Put, Store, Verdict


def main(url: str, index: str) -> None:
    """Write before the fork, in the child, and in the parent after the child has ended."""
    store = open_store(url)
    put(store, index, "before")
    thread_ready, child_ended = Event(), Event()

    def work() -> None:
        put(store, index, "thread")
        thread_ready.set()
        child_ended.wait()
        put(store, index, "thread")

    thread = Thread(target=work)
    thread.start()
    thread_ready.wait()
    child = os.fork()
    put(store, index, "parent" if child else "child")
    if not child:
        store.close()
        return
    _, status = os.waitpid(child, 0)
    child_ended.set()
    thread.join()
    put(store, index, "parent")
    store.close()
    sys.exit(os.waitstatus_to_exitcode(status))


def put(store: Store, index: str, key: str) -> None:
    """Write one document."""
    (result,) = store.bulk([Put(index, key, {"path": key})])
    if result.verdict is not Verdict.DONE:
        sys.exit(f"{key}: {result}")


if __name__ == "__main__":
    # Python warns of what this program is about: a fork beside threads.
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
    main(*sys.argv[1:])
