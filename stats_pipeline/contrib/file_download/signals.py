"""Signals that a host sends; only names here."""

from blinker import Namespace

_signals = Namespace()

#: A file was downloaded; sent with ``obj``, see `builders.build_file_download`.
file_downloaded = _signals.signal("file-downloaded")
