"""Motion of the whole picture: the camera's, and what moves besides.

The camera's movement from one frame to the next is the affine map that fits the optical flow best, found by least
squares with weights that fall for vectors it does not explain (iteratively reweighted, Holland and Welsch, "Robust
regression using iteratively reweighted least-squares", 1977). It covers pans, tilts, zooms and turns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from d2m.features.envelope import Speeds
from d2m.features.flow import HEIGHT, STILL, flows, part_speeds, without_cuts

if TYPE_CHECKING:
    from d2m.media import Video

#: Every so many pixels a vector of the flow is used for the camera; rounds of reweighting.
_SPACING, _ROUNDS = 4, 3
#: Speed (pixels a frame) that a vector may differ from the camera's without losing weight.
_NOISE = 0.3


@dataclass(frozen=True)
class PictureMotion:
    """Motion of the picture of a clip.

    Attributes:
        own: speed of what moves against the camera, overall and in parts of the picture, in picture heights a second.
        camera: float64 (T,), mean speed of the picture by the camera's movement, in picture heights a second.
    """

    own: Speeds
    camera: np.ndarray

    def together(self) -> Speeds:
        """Return the speeds of both, the camera as one more part."""
        parts = np.concatenate([self.own.parts, self.camera[None]])
        return Speeds(self.own.whole + self.camera, parts, self.own.rate, self.own.still, cuts=self.own.cuts)


def picture_motion(
    video: Video, *, rate: float = 30.0, cuts: tuple[int, ...] = (), progress: Callable[[float], None] | None = None
) -> PictureMotion:
    """Measure the motion of the picture.

    Args:
        video: an open video.
        rate: frames a second to look at.
        cuts: frames at which another shot begins.
        progress: called with the part done, 0..1.
    """
    own, camera, height = [np.zeros(6)], [0.0], 1
    for time, flow in flows(video, rate, HEIGHT):
        height = flow.shape[0]
        moved = camera_flow(flow)
        own.append(part_speeds(flow - moved))
        camera.append(float(np.hypot(moved[..., 0], moved[..., 1]).mean()))
        if progress is not None:
            progress(min(time / max(video.duration, 1e-6), 1.0))
    rows = np.concatenate([np.array(own).T, np.array(camera)[None]]) * rate / height
    for cut in cuts:
        # The flow from one shot to the next is of nothing that moves.
        if 0 < cut < rows.shape[1]:
            rows[:, cut] = rows[:, cut - 1] if cut + 1 >= rows.shape[1] else 0.5 * (rows[:, cut - 1] + rows[:, cut + 1])
    rows = without_cuts(rows)
    # Flow k is of the movement between frames k - 1 and k; speeds belong to frames.
    rows = 0.5 * (rows + np.concatenate([rows[:, 1:], rows[:, -1:]], axis=1))
    return PictureMotion(Speeds(rows[:-1].mean(axis=0), rows[:-1], rate, STILL, cuts=cuts), rows[-1])


def camera_flow(flow: np.ndarray) -> np.ndarray:
    """Fit the movement of the camera to a flow field.

    Args:
        flow: float32 (H, W, 2), pixels a frame.

    Returns:
        float64 (H, W, 2), the flow that the camera's movement makes.
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    all_places = np.stack(
        [np.ones(x.size), (x.ravel() - width / 2) / height, (y.ravel() - height / 2) / height], axis=1
    )
    chosen = ((x % _SPACING == 0) & (y % _SPACING == 0)).ravel()
    places, vectors = all_places[chosen], flow.reshape(-1, 2)[chosen].astype(np.float64)
    found = np.zeros((3, 2))
    found[0] = np.median(vectors, axis=0)
    for _ in range(_ROUNDS):
        missed = np.linalg.norm(vectors - places @ found, axis=1)
        scale = max(1.5 * float(np.median(missed)), _NOISE)
        weights = np.sqrt(1.0 / (1.0 + (missed / scale) ** 2) ** 2)[:, None]
        found = np.linalg.lstsq(places * weights, vectors * weights, rcond=None)[0]
    return (all_places @ found).reshape(height, width, 2)
