"""What happens in the museum."""

from blinker import Namespace

_signals = Namespace()

gate_entered = _signals.signal("gate-entered")
exhibit_scanned = _signals.signal("exhibit-scanned")
