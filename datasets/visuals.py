"""Visual features, one file per video, as written by `d2m features` and other programs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING

import numpy as np

from d2m.datasets.npy import read_npy
from d2m.datasets.prepared import checked_id
from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.features.extract import Features


class Visuals:
    """A folder of them.

    ``NAME.npz`` is what `d2m features --visual i3d` writes. ``NAME.npy`` is how other programs save what I3D gives:
    float (S, V), or (V,) for a single segment, a row for each 2 s from the first picture on.

    Args:
        folder: where they are.

    Raises:
        D2MError: if there is no such folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise D2MError(f"{folder} is not a folder of visual features; make one with `d2m features`")

    @cached_property
    def size(self) -> int:
        """Values of a feature, from the first file; D2MError if there is none."""
        first = next((p for p in sorted(self.folder.iterdir()) if p.suffix in (".npz", ".npy")), None)
        if first is None:
            raise D2MError(f"{self.folder} holds no visual features; make some with `d2m features --visual i3d`")
        return _load(first)[0].shape[1]

    def path(self, video: str) -> Path:
        """Return the file of a video.

        Args:
            video: its name.
        """
        path = self.folder / f"{checked_id(video)}.npz"
        other = path.with_suffix(".npy")
        return other if other.is_file() and not path.is_file() else path

    def read(self, video: str) -> tuple[np.ndarray, float]:
        """Read the features of a video.

        Args:
            video: its name.

        Returns:
            float32 (S, V), and the seconds of a row.

        Raises:
            D2MError: if there are none, or they are damaged or of another size than the others.
        """
        path = self.path(video)
        if not path.is_file():
            raise D2MError(f"{path} is missing; make it with `d2m features --visual i3d`")
        rows, seconds = _load(path)
        if rows.shape[1] != self.size:
            raise D2MError(f"{path} has features of {rows.shape[1]} values, others in the folder {self.size}")
        return rows, seconds


def read_extracted(path: Path) -> Features:
    """Read a feature file of `d2m features`.

    Args:
        path: the file.

    Raises:
        D2MError: if it is missing or damaged.
    """
    from d2m.features.extract import read_features

    try:
        return read_features(path)
    except (KeyError, ValueError, TypeError, AttributeError, TokenError) as error:
        raise D2MError(f"{path} is damaged; make it again with `d2m features`") from error


def _load(path: Path) -> tuple[np.ndarray, float]:
    if path.suffix == ".npz":
        features = read_extracted(path)
        if features.visual is None or features.segments is None:
            raise D2MError(f"{path} holds no visual features; make it again with `d2m features --visual i3d`")
        rows, (starts, ends) = features.visual.features, features.segments.T
        seconds = float(ends[0] - starts[0])
        # the last segment of a video is moved back to be whole
        regular = np.abs(starts - np.arange(len(starts)) * seconds) < 1e-3
        rows = rows[regular]
    else:
        rows, seconds = np.atleast_2d(read_npy(path)), 2.0
    if rows.ndim != 2 or rows.dtype.kind != "f" or not rows.size or not np.isfinite(rows).all() or seconds <= 0:
        raise D2MError(f"{path} holds no visual features (S, V); make it again")
    return rows.astype(np.float32), seconds
