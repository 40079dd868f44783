"""Pickles that show whether somebody has unpickled them."""

import pickle
from pathlib import Path
from typing import Any


class _Bomb:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


def pickle_that_makes(path: Path) -> bytes:
    """Return a pickle that makes this file wherever it is unpickled."""
    return pickle.dumps(_Bomb(path))
