"""Signals that a host sends; only names here."""

from blinker import Namespace

_signals = Namespace()

#: A record was viewed; sent with ``pid`` and ``record``, see `builders.build_record_view`.
record_viewed = _signals.signal("record-viewed")
