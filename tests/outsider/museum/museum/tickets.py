"""The museum's own table of tickets, and a query that is answered from it."""

import re
import sqlite3
from contextlib import closing
from typing import Any, ClassVar

from stats_pipeline.errors import InvalidParameter

TABLE = """
CREATE TABLE IF NOT EXISTS tickets (
    number TEXT PRIMARY KEY, price REAL NOT NULL, sold_on TEXT NOT NULL, used_on TEXT
)
"""


class Tickets:
    """The tickets in one SQLite file."""

    def __init__(self, file: str) -> None:
        """Make the table if it is not there."""
        self.file = file
        with closing(self._connect()) as connection, connection:
            connection.execute(TABLE)

    def sell(self, number: str, price: float, day: str) -> None:
        """Note that a ticket was sold."""
        with closing(self._connect()) as connection, connection:
            connection.execute("INSERT INTO tickets VALUES (?, ?, ?, NULL)", (number, price, day))

    def use(self, number: str, day: str) -> float:
        """Note that somebody came in with a ticket, and return its price."""
        with closing(self._connect()) as connection, connection:
            connection.execute(
                "UPDATE tickets SET used_on = coalesce(used_on, ?) WHERE number = ?", (day, number)
            )
            found = connection.execute("SELECT price FROM tickets WHERE number = ?", (number,))
            return float(found.fetchone()[0])

    def count(self, first_day: str, last_day: str) -> tuple[int, int]:
        """Return how many of the tickets sold in these days there are, and how many were used."""
        with closing(self._connect()) as connection:
            sold, used = connection.execute(
                "SELECT count(*), count(used_on) FROM tickets WHERE sold_on BETWEEN ? AND ?",
                (first_day, last_day),
            ).fetchone()
            return sold, used

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file)


class TicketUseQuery:
    """How many of the tickets that were sold have been used."""

    parameters: ClassVar[list[dict[str, Any]]] = [
        {"name": name, "type": "date", "description": description, "required": False}
        for name, description in (
            ("start_date", "Of tickets sold on this day or later."),
            ("end_date", "Of tickets sold on this day or earlier."),
        )
    ]

    def __init__(self, name: str, file: str) -> None:
        """Take the name of the query and the file of the tickets."""
        self.name = name
        self.file = file

    def run(self, start_date: str = "0000-01-01", end_date: str = "9999-12-31") -> dict[str, Any]:
        """Count the tickets sold in these days."""
        for name, day in (("start_date", start_date), ("end_date", end_date)):
            if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(day)):
                message = f"{self.name}: the parameter {name!r} must be a day as 2025-06-30"
                raise InvalidParameter(message, parameter=name)
        sold, used = Tickets(self.file).count(start_date, end_date)
        return {"sold": sold, "used": used, "value": used / sold if sold else None}
