"""What a dancer does in each bar, as a few numbers: how fast the body, arms and legs move, and the postures."""

from __future__ import annotations

import numpy as np

from d2m.features.envelope import PARTS, STILL, body_height, body_speeds, by_shot
from d2m.types import Motion

#: Columns of :func:`bar_features`. Speed is the natural logarithm of body heights a second, arms and legs are
#: logarithms of their speed relative to the whole body's; the others are body heights.
COLUMNS = ("speed", "arms", "legs", "wrist height", "arm spread", "stance", "level")
#: Standard deviation of each column from bar to bar below which differences mean nothing.
FLOORS = np.array([0.15, 0.15, 0.2, 0.03, 0.03, 0.03, 0.02])
#: Part of a bar in which the dancer must be visible, and confidence from which a frame counts as that.
_SEEN, SURE = 0.3, 0.05
#: Joints of "mediapipe33".
_SHOULDERS, _WRISTS, _HIPS, _ANKLES = (11, 12), (15, 16), (23, 24), (27, 28)


def bar_features(motion: Motion, lines: np.ndarray) -> np.ndarray:
    """Compute features of the movement in each bar.

    Args:
        motion: landmarks of the dancer, skeleton ``"mediapipe33"``.
        lines: float64 (B + 1,), rising times of the bar lines in seconds.

    Returns:
        float64 (B, 7), the columns of :data:`COLUMNS`; bars in which nobody is visible have the values of the nearest
        one, and all are 0 if there is none.
    """
    frames = _frame_features(motion)
    sure = motion.confidence.mean(axis=1) > SURE
    edges = np.clip(np.round(lines * motion.fps).astype(np.int64), 0, len(frames))
    rows = np.full((len(lines) - 1, len(COLUMNS)), np.nan)
    for bar, (first, last) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        seen = sure[first:last]
        if last > first and seen.mean() >= _SEEN:
            rows[bar] = frames[first:last][seen].mean(axis=0)
    known = np.flatnonzero(~np.isnan(rows[:, 0]))
    if not len(known):
        return np.zeros_like(rows)
    nearest = known[np.argmin(np.abs(np.arange(len(rows))[:, None] - known[None]), axis=1)]
    rows = rows[nearest]
    rows[:, :3] = np.log(rows[:, :3] + STILL)
    rows[:, 1:3] -= rows[:, :1]
    return rows


def _frame_features(motion: Motion) -> np.ndarray:
    """The columns of every frame, float64 (T, 7); speeds are not logarithms yet."""
    speeds = body_speeds(motion)
    names = list(PARTS)
    arms = speeds.parts[[names.index("left arm"), names.index("right arm")]].mean(axis=0)
    legs = speeds.parts[[names.index("left leg"), names.index("right leg")]].mean(axis=0)
    shape = np.concatenate([_shot_shape(shot) for shot, _ in by_shot(motion, None)])
    return np.column_stack([speeds.whole, arms, legs, shape])


def _shot_shape(motion: Motion) -> np.ndarray:
    """Posture in each frame of a shot, float64 (T, 4)."""
    joints = motion.joints[..., :2].astype(np.float64) / body_height(motion)
    shoulders, wrists, hips, ankles = (joints[:, list(pair)] for pair in (_SHOULDERS, _WRISTS, _HIPS, _ANKLES))
    return np.column_stack(
        [
            (shoulders[..., 1] - wrists[..., 1]).mean(axis=1),
            np.abs(wrists[..., 0] - shoulders[..., 0].mean(axis=1, keepdims=True)).mean(axis=1),
            np.abs(ankles[:, 0, 0] - ankles[:, 1, 0]),
            ankles[..., 1].mean(axis=1) - hips[..., 1].mean(axis=1),
        ]
    )
