"""Features of the picture, one file a video, as `d2m features` and other programs write them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from d2m.datasets.npy import read_npy
from d2m.datasets.prepared import checked_id
from d2m.errors import D2MError


class Visuals:
    """A folder of them.

    ``NAME.npy`` is float (S, V), or (V,) for a single segment, a row for each 2 s from the first picture on: how other
    programs save what I3D gives.

    Args:
        folder: where they are.

    Raises:
        D2MError: if there is no such folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise D2MError(f"{folder} is no folder of picture features; make one with `d2m features`")

    @cached_property
    def size(self) -> int:
        """Values of a feature, from the first file; D2MError if there is none."""
        first = next(iter(sorted(self.folder.glob("*.npy"))), None)
        if first is None:
            raise D2MError(f"{self.folder} holds no picture features; make some with `d2m features`")
        return self._load(first)[0].shape[1]

    def path(self, video: str) -> Path:
        """The file of a video."""
        return self.folder / f"{checked_id(video)}.npy"

    def read(self, video: str) -> tuple[np.ndarray, float]:
        """The features of a video, float32 (S, V), and the seconds that a row stands for.

        Raises:
            D2MError: if there are none, or they are damaged or of another size than the others.
        """
        path = self.path(video)
        if not path.is_file():
            raise D2MError(f"{path} is missing; make it with `d2m features`")
        rows, seconds = self._load(path)
        if rows.shape[1] != self.size:
            raise D2MError(f"{path} has features of {rows.shape[1]} values, others in the folder {self.size}")
        return rows, seconds

    def _load(self, path: Path) -> tuple[np.ndarray, float]:
        rows = np.atleast_2d(read_npy(path))
        if rows.ndim != 2 or rows.dtype.kind != "f" or not rows.size:
            raise D2MError(f"{path} holds no picture features (S, V); make it again")
        return rows.astype(np.float32), 2.0
