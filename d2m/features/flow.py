"""Optical flow of the picture: for clips without a dancer, and for evaluation without landmarks.

Dense inverse search optical flow (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016) on
small grey frames; the camera's own movement (the median) is taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from d2m.features.envelope import Speeds

if TYPE_CHECKING:
    from d2m.media import Video

#: Height of the frames compared, pixels.
HEIGHT = 120
#: Rows and columns of the parts that the picture is divided into.
ROWS, COLUMNS = 2, 3
#: Height of the frames compared around a dancer, pixels, and the margin of the dancer's box (its own heights).
DANCER_HEIGHT = 240
MARGIN = 0.1
#: Mean speed (picture heights a second) that sensor noise and compression reach.
STILL = 0.01


def picture_speeds(video: Video, *, rate: float = 30.0, progress: Callable[[float], None] | None = None) -> Speeds:
    """Compute the speed of the optical flow, overall and in six parts of the picture, in picture heights per second.

    Args:
        video: an open video.
        rate: frames a second to look at.
        progress: called with the part done, 0..1.
    """
    rows, height = [np.zeros(ROWS * COLUMNS)], 1
    for time, flow in flows(video, rate, HEIGHT):
        height = flow.shape[0]
        rows.append(part_speeds(flow - np.median(flow, axis=(0, 1))))
        if progress is not None:
            progress(min(time / max(video.duration, 1e-6), 1.0))
    parts = without_cuts(np.array(rows).T * rate / height)
    # Flow k is of the movement between frames k - 1 and k; speeds belong to frames.
    parts = 0.5 * (parts + np.concatenate([parts[:, 1:], parts[:, -1:]], axis=1))
    return Speeds(parts.mean(axis=0), parts, rate, STILL)


def dancer_speed(video: Video, joints: np.ndarray, rate: float) -> np.ndarray:
    """Compute the amount of optical flow at a dancer, from one frame to the next.

    The landmarks only say where to look. The median movement outside the dancer's box, the camera's, is taken off.

    Args:
        video: an open video.
        joints: float (T, J, 2 or more), x and y in picture heights, ``rate`` frames a second, without NaN.
        rate: frames a second.

    Returns:
        float64 (T - 1,), picture heights a second, summed over the box and divided by the clip's usual box, so
        that a box that grows does not dilute the movement. Step k is the movement between frames k and k + 1.
    """
    low, high = joints[..., :2].min(axis=1), joints[..., :2].max(axis=1)
    margin = MARGIN * (high - low).max(axis=1, keepdims=True)
    low, high = low - margin, high + margin
    # One box for both frames of a step.
    low, high = np.minimum(low[:-1], low[1:]), np.maximum(high[:-1], high[1:])
    area = max(float(np.median(np.prod(high - low, axis=1))), 1e-6)
    moved = []
    for (left, top), (right, bottom), (_, flow) in zip(low, high, flows(video, rate, DANCER_HEIGHT), strict=False):
        height, width = flow.shape[:2]
        x, y = (np.arange(width) + 0.5) / height, (np.arange(height) + 0.5) / height
        inside = ((y >= top) & (y <= bottom))[:, None] & ((x >= left) & (x <= right))[None]
        behind = flow[~inside] if (~inside).mean() > 0.05 else flow.reshape(-1, 2)
        own = flow[inside] - np.median(behind, axis=0)
        moved.append(float(np.hypot(own[:, 0], own[:, 1]).sum()) * rate / height**3 / area)
    return np.array(moved, dtype=np.float64)


def flows(video: Video, rate: float, height: int) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the seconds of each frame but the first, and the flow to it.

    Args:
        video: an open video.
        rate: frames a second.
        height: height of the frames in pixels.

    Yields:
        Seconds, and float32 (H, W, 2) in pixels.
    """
    import cv2

    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    before: np.ndarray | None = None
    for frame in video.frames(rate, min(height, video.height or height)):
        grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
        if before is not None:
            yield frame.time, flow.calc(before, grey, None)  # type: ignore[call-overload]  # None: nothing to begin with
        before = grey


def part_speeds(flow: np.ndarray) -> np.ndarray:
    """Return the mean speed in each part of the picture, in pixels a frame.

    Args:
        flow: float (H, W, 2), a flow field.
    """
    speed = np.hypot(flow[..., 0], flow[..., 1])
    return np.array(
        [part.mean() for row in np.array_split(speed, ROWS) for part in np.array_split(row, COLUMNS, axis=1)]
    )


def without_cuts(parts: np.ndarray) -> np.ndarray:
    """Return speeds in which a cut of the film, one frame unlike all around it, is bridged.

    Args:
        parts: float64 (G, T), speeds.
    """
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
