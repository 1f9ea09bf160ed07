"""Tell a change of shot from what changes the picture within one: light, camera movement, and pictures that return."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Pixels (width, height) of the copies that are compared.
SIZE = (64, 36)
#: A change is explained if this part of it, or less, is left.
LEFT = 0.5
#: Contrast (standard deviation in 0..255) below which a picture is uniform: black, white or a colour.
UNIFORM = 3.0
#: Camera movement between two frames: least pixels of :data:`SIZE` and most part of the picture's width by which it
#: shifts a corner.
_MOVED, _MOST_MOVED = 0.7, 0.3
_STEPS, _PRECISION = 30, 1e-3
#: Pairs of frames for which movement is looked for.
_MOST_PAIRS = 5


def differ(one: np.ndarray, other: np.ndarray) -> float:
    """Compute the mean absolute difference of two pictures, 0..255.

    Args:
        one, other: float32 arrays of the same shape.
    """
    return float(np.abs(one - other).mean())


def is_uniform(picture: np.ndarray) -> bool:
    """Tell whether a picture shows nothing, as in the middle of a fade.

    Args:
        picture: float32 (height, width, 3).
    """
    import cv2

    return float(cv2.meanStdDev(picture)[1].max()) < UNIFORM


def is_other_light(before: np.ndarray, after: np.ndarray, least: float) -> bool:
    """Tell whether two pictures show the same things in different light.

    Each colour of the darker picture is fitted by a gain and an offset of the other one, and the edges of both must
    correlate.

    Args:
        before, after: float32 (height, width, 3).
        least: minimum correlation of the edges.
    """
    left, change = 0.0, 0.0
    for colour in range(after.shape[2]):
        y, x = sorted((before[..., colour], after[..., colour]), key=lambda values: float(values.std()))
        spread = float(x.var())
        gain = max(float(np.mean((x - x.mean()) * (y - y.mean()))) / spread, 0.0) if spread > 1.0 else 0.0
        left += differ(y.mean() + gain * (x - x.mean()), y)
        change += differ(x, y)
    if left > LEFT * change:
        return False
    return edge_correlation(before, after) >= least


def edge_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Compute the correlation of the edges of two pictures, -1..1, independent of the gain of each colour.

    Args:
        one, other: float32 (height, width, 3).
    """
    total = []
    for colour in range(one.shape[2]):
        first, second = (_edges(picture[..., colour]) for picture in (one, other))
        scale = float(np.linalg.norm(first) * np.linalg.norm(second))
        total.append(float(first @ second) / scale if scale > 1e-6 else 0.0)
    return float(np.mean(total))


def _edges(plane: np.ndarray) -> np.ndarray:
    """Differences of neighbouring pixels, float32 (N,)."""
    return np.concatenate([np.diff(plane, axis=0).ravel(), np.diff(plane, axis=1).ravel()])


def is_moved(pictures: Sequence[np.ndarray]) -> bool:
    """Tell whether camera movement (pan, tilt, zoom, roll) explains the change from the first to the last picture.

    An affine transform is fitted to each pair of consecutive pictures (Evangelidis and Psarakis, "Parametric image
    alignment using enhanced correlation coefficient maximization", 2008). The pairs that change most must be explained
    by movement.

    Args:
        pictures: float32 (height, width, 3), consecutive frames.
    """
    import cv2

    greys = [cv2.cvtColor(np.clip(picture, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for picture in pictures]
    greys = [grey.astype(np.float32) for grey in greys]
    changes = [differ(one, other) for one, other in zip(greys[:-1], greys[1:], strict=True)]
    most = max(changes)
    moving = [index for index, change in enumerate(changes) if change >= LEFT * most]
    moving = moving[:: -(-len(moving) // _MOST_PAIRS)]
    explained = [_is_moved(greys[index], greys[index + 1]) for index in moving]
    return sum(explained) > 0.5 * len(explained)


def _is_moved(one: np.ndarray, other: np.ndarray) -> bool:
    import cv2

    warp: np.ndarray = np.eye(2, 3, dtype=np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, _PRECISION)
    shift = _shift(one, other)
    warp[:, 2] = shift
    try:
        warp = np.asarray(cv2.findTransformECC(one, other, warp, cv2.MOTION_AFFINE, stop)[1], dtype=np.float32)
    except cv2.error:  # does not converge: the pictures have nothing in common
        return False
    size = (one.shape[1], one.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    back = cv2.warpAffine(other, warp, size, flags=flags)
    inside = cv2.warpAffine(np.ones_like(other), warp, size, flags=flags) > 0.99
    if inside.mean() < 0.3:
        return False
    corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [*size, 1]], dtype=np.float32)
    moved = float(np.abs(corners @ warp.T - corners[:, :2]).max())
    return _MOVED < moved < _MOST_MOVED * size[0] and differ(back[inside], one[inside]) < LEFT * differ(
        other[inside], one[inside]
    )


def _shift(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Pixels by which the second picture is shifted, if that is most of the difference; else none."""
    import cv2

    window = cv2.createHanningWindow((one.shape[1], one.shape[0]), cv2.CV_32F)
    (x, y), response = cv2.phaseCorrelate(one, other, window)
    return (x, y) if response > 0.15 else (0.0, 0.0)
