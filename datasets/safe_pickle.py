"""Pickles of data sets: read as data only (:mod:`d2m.files.plain_pickle`), written atomically."""

from __future__ import annotations

import pickle
from pathlib import Path

from d2m.files.atomic import atomic_write
from d2m.files.plain_pickle import load_pickle

__all__ = ["load_pickle", "save_pickle"]


def save_pickle(path: str | Path, data: dict[str, object]) -> None:
    """Write a dictionary of arrays and numbers atomically.

    Args:
        path: the file.
        data: the dictionary.

    Raises:
        D2MError: if the file cannot be written.
    """
    with atomic_write(path) as part, part.open("wb") as file:
        pickle.dump(data, file, protocol=4)
