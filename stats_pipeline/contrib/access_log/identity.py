"""The identity of a line: what it says, and which of the equal lines of its file it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import blake2b

#: 128 bits: among a billion lines, two different ones with one digest are not to be expected.
DIGEST_BYTES = 16


class LineIdentities:
    """Give the lines of one file their `event_id`: the same ones whenever the file is read.

    Equal lines are different requests of one second. Which of them a line is, is counted in a
    temporary file of SQLite: exact, and in constant memory for logs of any length.
    """

    def __init__(self) -> None:
        self._seen = sqlite3.connect("", isolation_level=None)
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute(
            "CREATE TABLE seen (time TEXT, digest BLOB, times INTEGER, PRIMARY KEY (time, digest))"
            " WITHOUT ROWID"
        )
        self._seen.execute("BEGIN")

    def close(self) -> None:
        """Forget everything and remove the temporary file."""
        self._seen.close()

    def of(self, line: bytes, timestamp: str) -> str:
        """Return the `event_id` of the next line of the file.

        Args:
            line: as it stands in the file, without its end-of-line.
            timestamp: the line's own. Equal lines have equal ones, and logs are nearly in order,
                so that what is looked up lies close together.
        """
        digest = blake2b(line, digest_size=DIGEST_BYTES).digest()
        with closing(
            self._seen.execute(
                "INSERT INTO seen VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1"
                " RETURNING times",
                (timestamp, digest),
            )
        ) as answer:
            (times,) = answer.fetchone()
        return f"{digest.hex()}-{times}"
