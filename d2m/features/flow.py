"""Motion of the picture, for clips in which no dancer is found.

Dense inverse search optical flow (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016) on
small grey frames; the camera's own movement (the median) is taken off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from d2m.features.envelope import Speeds

if TYPE_CHECKING:
    from d2m.media import Video

#: Height of the frames compared, pixels.
HEIGHT = 120
#: Rows and columns of the parts that the picture is divided into.
ROWS, COLUMNS = 2, 3
#: Mean speed (picture heights a second) that sensor noise and compression reach.
STILL = 0.01


def picture_speeds(video: Video, *, rate: float = 30.0, progress: Callable[[float], None] | None = None) -> Speeds:
    """How fast the picture moves: over all of it and in six parts, in picture heights a second.

    Args:
        video: an open video.
        rate: frames a second to look at.
        progress: called with the part done, 0..1.
    """
    import cv2

    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    before: np.ndarray | None = None
    rows: list[np.ndarray] = []
    for frame in video.frames(rate, HEIGHT):
        grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
        rows.append(np.zeros(ROWS * COLUMNS) if before is None else _part_speeds(flow.calc(before, grey, None)))
        before = grey
        if progress is not None:
            progress(min(frame.time / max(video.duration, 1e-6), 1.0))
    parts = _without_cuts(np.array(rows).T * rate / before.shape[0])
    # Flow k is of the movement between frames k - 1 and k; speeds belong to frames.
    parts = 0.5 * (parts + np.concatenate([parts[:, 1:], parts[:, -1:]], axis=1))
    return Speeds(parts.mean(axis=0), parts, rate, STILL)


def _part_speeds(flow: np.ndarray) -> np.ndarray:
    """Mean speed, pixels a frame, in each part of the picture, from a flow field (H, W, 2)."""
    own = flow - np.median(flow, axis=(0, 1))
    speed = np.hypot(own[..., 0], own[..., 1])
    return np.array(
        [part.mean() for row in np.array_split(speed, ROWS) for part in np.array_split(row, COLUMNS, axis=1)]
    )


def _without_cuts(parts: np.ndarray) -> np.ndarray:
    """Speeds (G, T) in which a cut of the film, one frame unlike all around it, is bridged."""
    whole = parts.mean(axis=0)
    if len(whole) < 5:
        return parts
    parts = parts.copy()
    parts[:, 0] = parts[:, 1]
    around = np.array(
        [np.median(np.delete(whole[max(i - 3, 1) : i + 4], min(i - max(i - 3, 1), 3))) for i in range(1, len(whole))]
    )
    for index in np.flatnonzero(whole[1:] > 6.0 * around + STILL) + 1:
        parts[:, index] = parts[:, index - 1]
    return parts
