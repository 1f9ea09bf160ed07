"""Clean landmarks for measuring speed: remove flips, interpolate gaps, smooth jitter without delay."""

from __future__ import annotations

import numpy as np

#: Seconds of the smoothing window. A cubic through 0.17 s keeps a stop of 0.1 s where it was.
WINDOW = 0.17


def fill_and_smooth(joints: np.ndarray, confidence: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return landmarks without gaps.

    Single-frame flips are dropped (a median of three frames that disagrees by more than the joint usually
    moves), gaps are interpolated, ends are held, and a Savitzky-Golay filter smooths with zero phase (Savitzky
    and Golay, "Smoothing and differentiation of data by simplified least squares procedures", 1964).

    Args:
        joints: float (T, J, 3), NaN where unseen; at least one frame seen.
        confidence: float (T, J).
        fps: frames a second.

    Returns:
        joints float32 (T, J, 3) without NaN, and confidence float32 (T, J), 0 where filled in.
    """
    joints = np.array(joints, dtype=np.float64)
    confidence = np.array(confidence, dtype=np.float32)
    seen = np.isfinite(joints).all(axis=-1)
    seen &= ~_flips(joints, seen)
    confidence[~seen] = 0.0
    for joint in range(joints.shape[1]):
        joints[:, joint] = _fill(joints[:, joint], seen[:, joint])
    return _smooth(joints, fps).astype(np.float32), confidence


def _flips(joints: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """bool (T, J): frames where a joint jumps away and straight back."""
    flips = np.zeros_like(seen)
    if len(joints) < 5:
        return flips
    known = np.where(seen[..., None], joints, np.nan)
    middle = known[1:-1]
    neighbours = 0.5 * (known[:-2] + known[2:])
    away = np.linalg.norm(middle - neighbours, axis=-1)
    across = np.linalg.norm(known[2:] - known[:-2], axis=-1)
    with np.errstate(invalid="ignore"):
        usual = np.nan_to_num(np.nanmedian(np.where(np.isfinite(away), away, 0.0), axis=0))
        flips[1:-1] = (away > 8.0 * usual + 1e-3) & (away > 2.0 * across)
    return flips & seen


def _fill(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(T, 3) with unseen rows interpolated; constant beyond the first and last seen row."""
    where = np.flatnonzero(seen)
    if len(where) == len(values):
        return values
    if not len(where):
        return np.zeros_like(values)
    frames = np.arange(len(values))
    return np.stack([np.interp(frames, where, values[where, axis]) for axis in range(values.shape[1])], axis=1)


def _smooth(joints: np.ndarray, fps: float) -> np.ndarray:
    from scipy.signal import savgol_filter

    window = int(round(WINDOW * fps)) | 1
    window = min(window, len(joints) - 1 + len(joints) % 2)
    if window < 5:
        return joints
    return savgol_filter(joints, window, 3, axis=0, mode="interp")
