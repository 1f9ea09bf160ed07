"""Convert other skeletons to MediaPipe's 33 landmarks, which the engines read.

A landmark that a skeleton does not have (fingers, mouth, for COCO also feet) is placed at the nearest one, with
confidence 0.
"""

from __future__ import annotations

import numpy as np

from d2m.features.landmarks import fill_and_smooth
from d2m.types import Motion

#: For each of MediaPipe's landmarks the point that stands for it, and the landmarks that are really there.
COCO17: tuple[int, ...] = (
    0, 1, 1, 1, 2, 2, 2, 3, 4, 0, 0, 5, 6, 7, 8, 9, 10, 9, 10, 9, 10, 9, 10, 11, 12, 13, 14, 15, 16, 15, 16, 15, 16,
)  # fmt: skip
BODY25: tuple[int, ...] = (
    0, 16, 16, 16, 15, 15, 15, 18, 17, 0, 0, 5, 2, 6, 3, 7, 4, 7, 4, 7, 4, 7, 4, 12, 9, 13, 10, 14, 11, 21, 24, 19, 22,
)  # fmt: skip
SMPL24: tuple[int, ...] = (
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 16, 17, 18, 19, 20, 21, 22, 23, 22, 23, 22, 23, 1, 2, 4, 5, 7, 8, 7, 8,
    10, 11,
)  # fmt: skip
_BODY = (0, *range(11, 17), *range(23, 29))
_REAL: dict[str, tuple[int, ...]] = {
    "coco17": (*_BODY, 2, 5, 7, 8),
    "body25": (*_BODY, 2, 5, 7, 8, 29, 30, 31, 32),
    "smpl24": (*_BODY, 31, 32),
    "mediapipe33": tuple(range(33)),
}
#: For each skeleton, the point that stands for each of MediaPipe's landmarks.
ORDERS: dict[str, tuple[int, ...]] = {
    "mediapipe33": tuple(range(33)), "coco17": COCO17, "body25": BODY25, "smpl24": SMPL24,
}  # fmt: skip


def to_mediapipe33(motion: Motion) -> Motion:
    """Convert a motion of any skeleton in :data:`ORDERS` to MediaPipe's landmarks, in the same units.

    Args:
        motion: joints.
    """
    order = list(ORDERS[motion.skeleton])
    confidence = np.zeros((len(motion.joints), 33), np.float32)
    real = list(_REAL[motion.skeleton])
    confidence[:, real] = motion.confidence[:, [order[i] for i in real]]
    return Motion(motion.joints[:, order], motion.fps, "mediapipe33", confidence)


def tidied(points: np.ndarray, confidence: np.ndarray, fps: float, skeleton: str) -> Motion:
    """Return a motion without gaps, flips and jitter, as the package's own pose stage gives it.

    Args:
        points: float (T, J, 2 or 3).
        confidence: float (T, J); points with none, or that are not finite, count as not seen.
        fps: frames a second.
        skeleton: whose points they are.

    Raises:
        ValueError: if nobody was seen in any frame.
    """
    points = np.asarray(points, np.float64)
    if points.shape[2] == 2:
        points = np.concatenate([points, np.zeros_like(points[..., :1])], axis=2)
    seen = np.isfinite(points).all(axis=2) & (np.nan_to_num(confidence) > 0)
    if not seen.any():
        raise ValueError("nobody is seen in any frame")
    joints, sure = fill_and_smooth(np.where(seen[..., None], points, np.nan), np.where(seen, confidence, 0), fps)
    return Motion(joints, float(fps), skeleton, np.clip(sure, 0, 1))


def front_view(joints: np.ndarray, fps: float) -> Motion:
    """Project SMPL's joints to the front by a parallel projection; one picture height is 2.5 m.

    Args:
        joints: (T, 24, 3), metres, y upwards.
        fps: frames per second.
    """
    picture = np.stack([joints[..., 0], -joints[..., 1], -joints[..., 2]], axis=-1) / 2.5
    sure = np.ones(picture.shape[:2], np.float32)
    return to_mediapipe33(Motion(picture.astype(np.float32), float(fps), "smpl24", sure))
