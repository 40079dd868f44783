"""The signals of the host."""

from blinker import Namespace

file_downloaded = Namespace().signal("file-downloaded")
