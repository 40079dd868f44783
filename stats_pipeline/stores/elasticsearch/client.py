"""The connection to Elasticsearch: made on first use, once per process, its errors translated."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from elasticsearch import ApiError, Elasticsearch, TransportError

from stats_pipeline.stores.elasticsearch.errors import translate
from stats_pipeline.urls import without_password

#: For one request; a bulk or a page of an aggregation of a busy cluster takes seconds.
REQUEST_SECONDS = 60

#: Names travel in the first line of a request, which servers limit to 4,096 bytes.
LONGEST_NAMES_BYTES = 3_000


class Client:
    """Lend the process's client; safe for threads, and after a fork the child makes its own."""

    def __init__(self, url: str) -> None:
        self.server = without_password(url)
        self._url = url
        self._api: Elasticsearch | None = None
        self._process = 0

    @contextmanager
    def api(self) -> Iterator[Elasticsearch]:
        """Lend the client; what it raises leaves as a `StoreError`."""
        try:
            yield self._connected()
        except (ApiError, TransportError) as error:
            raise translate(error, self.server) from error

    def close(self) -> None:
        """Close the connections of this process."""
        api, self._api = self._api, None
        if api is not None and self._process == os.getpid():
            api.close()

    def _connected(self) -> Elasticsearch:
        api = self._api
        if api is None or self._process != os.getpid():
            # No retries inside of the client: it would repeat a compare-and-swap that was done,
            # and say that it lost against itself.
            api = Elasticsearch(
                self._url,
                request_timeout=REQUEST_SECONDS,
                max_retries=0,
                ssl_context=_trust() if self._url.startswith("https:") else None,
            )
            self._api, self._process = api, os.getpid()
        return api


def chunks_of_names(names: Sequence[str]) -> Iterator[list[str]]:
    """Yield the names in lists that are short enough for one request each."""
    chunk: list[str] = []
    size_bytes = 0
    for name in names:
        size_bytes += len(name.encode()) + 1
        if chunk and size_bytes > LONGEST_NAMES_BYTES:
            yield chunk
            chunk, size_bytes = [], len(name.encode()) + 1
        chunk.append(name)
    if chunk:
        yield chunk


def _trust() -> ssl.SSLContext:
    # The machine's authorities (or SSL_CERT_FILE), not the list that a Python package brings.
    return ssl.create_default_context()
