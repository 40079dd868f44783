"""Foreign text in logs and on terminals: it can't begin a line of its own, nor give commands.

Names, agents, reasons of servers and the texts of exceptions come from strangers.
"""

from __future__ import annotations

import json
import logging
import traceback


def one_line(text: object) -> str:
    r"""Return the text in one line: what does not print stands there as an escape, such as ``\n``.

    That takes in line breaks of all kinds, what a terminal would obey, marks that turn the
    direction of writing, and halves of characters that can't be encoded.
    """
    shown = str(text)
    return shown if shown.isprintable() else "".join(map(_printable, shown))


def refused_value(value: object) -> str:
    """Return how a message shows a value that was refused: its beginning, and that it is text.

    Else nobody could tell a number from its digits.
    """
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    return str(value)[:60]


def noun(number: int, one: str, many: str = "") -> str:
    """Return the noun for so many: ``1 row``, ``2 rows``, ``2 entries``."""
    return one if number == 1 else many or f"{one}s"


def json_lines(value: object) -> str:
    """Return the value as indented JSON that is safe on a terminal; other text stays readable."""
    lines = json.dumps(value, indent=2, ensure_ascii=False, default=str).split("\n")
    return "\n".join(map(_printable_json, lines))


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module; none of its records holds foreign text but in one line.

    Such text is in the arguments of a record and in its traceback, whose lines all begin with a
    blank but for the first: no record of ours does.
    """
    logger = logging.getLogger(name)
    logger.addFilter(_make_safe)
    return logger


def _make_safe(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(map(_safe, record.args))
    if record.exc_info and record.exc_info[1] is not None:
        # Where formatters keep a traceback for each other; `exc_info` stays for other tools.
        lines = "".join(traceback.format_exception(record.exc_info[1])).splitlines()
        record.exc_text = "\n  ".join(map(one_line, lines))
    return True


def _safe(argument: object) -> object:
    return argument if isinstance(argument, int | float) else one_line(argument)


def _printable(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def _printable_json(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
