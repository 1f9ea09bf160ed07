"""Simulated pose estimation of a studio dance: COCO's 17 points and MediaPipe's 33, with typical errors."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from d2m.features.landmarks import fill_and_smooth
from d2m.types import Motion

from . import skeleton as sk
from .camera import Camera, Handheld
from .choreographer import Performance

#: MediaPipe's landmarks: name -> (SMPL joint, offset in that joint's axes as a fraction of stature); the left
#: side only, the right is its mirror image. Hips, knees and ankles lie where the pose model puts them on a filmed
#: mannequin: 2 to 3 % of stature above the joints.
_LEFT33: dict[str, tuple[str, tuple[float, float, float]]] = {
    "eye_inner": ("head", (0.010, 0.048, 0.052)),
    "eye": ("head", (0.018, 0.048, 0.050)),
    "eye_outer": ("head", (0.026, 0.047, 0.045)),
    "ear": ("head", (0.043, 0.038, 0.004)),
    "mouth": ("head", (0.013, 0.008, 0.052)),
    "shoulder": ("shoulder", (0.0, 0.0, 0.0)),
    "elbow": ("elbow", (0.0, 0.0, 0.0)),
    "wrist": ("wrist", (0.0, 0.0, 0.0)),
    "pinky": ("wrist", (0.052, -0.006, -0.020)),
    "index": ("wrist", (0.058, -0.002, 0.014)),
    "thumb": ("wrist", (0.030, -0.004, 0.026)),
    "hip": ("pelvis", (0.057, -0.019, 0.0)),
    "knee": ("knee", (0.0, 0.030, 0.0)),
    "ankle": ("ankle", (0.0, 0.018, 0.0)),
    "heel": ("ankle", (-0.006, -0.018, -0.030)),
    "foot_index": ("ankle", (-0.008, -0.022, 0.095)),
}
_NOSE = ("head", (0.0, 0.030, 0.062))
#: Order of MediaPipe's 33 landmarks.
MEDIAPIPE33: tuple[str, ...] = (
    "nose",
    *("left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer"),
    *(f"{side}_{p}" for p in ("ear", "mouth", "shoulder", "elbow", "wrist") for side in ("left", "right")),
    *(f"{side}_{p}" for p in ("pinky", "index", "thumb") for side in ("left", "right")),
    *(f"{side}_{p}" for p in ("hip", "knee", "ankle", "heel", "foot_index") for side in ("left", "right")),
)
#: Order of COCO's 17 keypoints.
COCO17: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
    "left_ankle", "right_ankle",
)  # fmt: skip


def points(performance: Performance, names: tuple[str, ...]) -> np.ndarray:
    """Compute exact positions of named points on the dancer's body.

    Args:
        performance: the dance.
        names: names of points.

    Returns:
        (T, len(names), 3), metres.
    """
    smpl = performance.smpl
    rotations = sk.matrices(smpl.poses)
    _, world = sk.forward_kinematics(rotations, np.zeros((len(rotations), 3)))
    height = sk.STATURE * smpl.scale / 100.0
    result = np.empty((len(rotations), len(names), 3))
    for i, name in enumerate(names):
        joint, offset = _anchor(name)
        result[:, i] = performance.joints[:, joint] + world[:, joint] @ (np.array(offset) * height)
    return result


def _anchor(name: str) -> tuple[int, tuple[float, float, float]]:
    if name == "nose":
        return sk.INDEX[_NOSE[0]], _NOSE[1]
    side, _, part = name.partition("_")
    joint, (x, y, z) = _LEFT33[part]
    full = joint if joint in ("head", "pelvis") else f"{side}_{joint}"
    return sk.INDEX[full], (x if side == "left" else -x, y, z)


def estimate(
    exact: np.ndarray, names: tuple[str, ...], size: float, fps: float, rng: np.random.Generator, noise: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return points as an estimator reports them.

    Jitter from frame to frame, slow drift, moments when a limb is lost (large error, low confidence) and frames
    where left and right are exchanged.

    Args:
        exact: float (T, J, D), true points.
        names: their J names.
        size: the dancer's height in the unit of ``exact``.
        fps: frames a second.
        rng: the errors.
        noise: 1 for an estimator in good light, more for worse.

    Returns:
        Points (T, J, D) and confidence (T, J) in 0..1.
    """
    frames, joints, axes = exact.shape
    speed = np.linalg.norm(np.gradient(exact, axis=0), axis=-1, keepdims=True) * fps / size
    jitter = rng.normal(0.0, 0.0022 * noise, exact.shape) * (1 + 0.5 * speed) * size
    drift = gaussian_filter1d(rng.normal(0.0, 1.0, exact.shape), 0.25 * fps, axis=0, mode="nearest")
    drift *= 0.006 * noise * size * np.sqrt(2 * np.sqrt(np.pi) * 0.25 * fps)
    seen = exact + jitter + drift
    confidence = np.clip(rng.normal(0.97, 0.02, (frames, joints)) - 0.05 * speed[..., 0] * noise, 0.3, 1.0)
    for limb in ("left_wrist", "right_wrist", "left_ankle", "right_ankle", "left_elbow", "right_elbow"):
        _lose(seen, confidence, _follows(limb, names), size, fps, rng, noise)
    _exchange(seen, confidence, names, fps, rng, noise)
    return seen, confidence


def _follows(limb: str, names: tuple[str, ...]) -> list[int]:
    """A limb's own point and those beyond it."""
    side, _, part = limb.partition("_")
    beyond = {
        "wrist": ("wrist", "pinky", "index", "thumb"),
        "elbow": ("elbow", "wrist", "pinky", "index", "thumb"),
        "ankle": ("ankle", "heel", "foot_index"),
    }[part]
    return [i for i, name in enumerate(names) if name in {f"{side}_{p}" for p in beyond}]


def _lose(
    seen: np.ndarray,
    confidence: np.ndarray,
    which: list[int],
    size: float,
    fps: float,
    rng: np.random.Generator,
    noise: float,
) -> None:
    frames = len(seen)
    for _ in range(rng.poisson(0.06 * noise * frames / fps)):
        start, length = int(rng.integers(0, frames)), max(1, int(rng.gamma(2.0, 0.05) * fps))
        window = slice(start, min(start + length, frames))
        away = rng.normal(0.0, 0.05 * size, (1, 1, seen.shape[2]))
        seen[window, which] += away + rng.normal(0.0, 0.012 * size, seen[window, which].shape)
        confidence[window, which] *= rng.uniform(0.1, 0.45)


def _exchange(
    seen: np.ndarray, confidence: np.ndarray, names: tuple[str, ...], fps: float, rng: np.random.Generator, noise: float
) -> None:
    mirror = [names.index(_other_side(name)) for name in names]
    legs = [i for i, n in enumerate(names) if n.split("_", 1)[-1] in ("knee", "ankle", "heel", "foot_index")]
    arms = [i for i, n in enumerate(names) if n.split("_", 1)[-1] in ("elbow", "wrist", "pinky", "index", "thumb")]
    for _ in range(rng.poisson(0.03 * noise * len(seen) / fps)):
        which = legs if rng.random() < 0.7 else arms
        start = int(rng.integers(0, len(seen)))
        window = slice(start, min(start + max(1, int(rng.gamma(1.5, 0.03) * fps)), len(seen)))
        seen[window, which] = seen[window][:, [mirror[i] for i in which]]
        confidence[window, which] *= 0.6


def _other_side(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name[5:]
    return "left_" + name[6:] if name.startswith("right_") else name


def landmark_motion(
    performance: Performance,
    camera: Camera,
    rng: np.random.Generator,
    *,
    fps: float = 30.0,
    noise: float = 1.0,
    view: Handheld | None = None,
) -> Motion:
    """Return the dance as the package's own pose stage would report a video of it: MediaPipe's 33 landmarks.

    Args:
        performance: the dance.
        camera: where it is filmed from.
        rng: the estimator's errors.
        fps: frames a second wanted.
        noise: see :func:`estimate`; 0 gives exact landmarks.
        view: movement of the camera, of as many frames as the motion; None: it rests.

    Returns:
        Units as in :class:`~d2m.types.Motion`: picture heights, x right, y down, z away from the camera relative
        to the hips; a hundredth of a second late, as MediaPipe is; gaps filled and smoothed as by
        :func:`d2m.features.landmarks.fill_and_smooth`.
    """
    world = _resample(points(performance, MEDIAPIPE33), performance.smpl.fps, fps)
    pixels, depth = camera.project(world)
    hips = depth[:, [23, 24]].mean(axis=1, keepdims=True)
    scale = camera.matrix[0, 0] / hips / camera.size[1]
    exact = np.concatenate([pixels / camera.size[1], ((depth - hips) * scale)[..., None]], axis=-1)
    if view is not None:
        exact = view.see(exact, camera.size)
    if noise <= 0:
        return Motion(exact.astype(np.float32), float(fps), "mediapipe33", np.ones(exact.shape[:2], np.float32))
    size = float(np.median(scale) * sk.STATURE * performance.smpl.scale / 100.0)
    seen, confidence = estimate(_delayed(exact, fps), MEDIAPIPE33, size, fps, rng, noise)
    # a single camera guesses depth: three times the error, and less of it than there is
    seen[..., 2] = 0.85 * exact[..., 2] + 3.0 * (seen[..., 2] - exact[..., 2])
    seen[confidence < 0.12] = np.nan
    joints, confidence = fill_and_smooth(seen, confidence, fps)
    return Motion(joints, float(fps), "mediapipe33", confidence)


#: Seconds by which MediaPipe's own smoothing of a video holds landmarks back, measured on filmed mannequins.
_TRUNK_LAG, _LIMB_LAG = 0.017, 0.008
_LIMBS = ("elbow", "wrist", "pinky", "index", "thumb", "ankle", "heel", "foot_index")


def _delayed(exact: np.ndarray, fps: float) -> np.ndarray:
    late = np.array([_LIMB_LAG if n.partition("_")[2] in _LIMBS else _TRUNK_LAG for n in MEDIAPIPE33]) * fps
    before = np.concatenate([exact[:1], exact[:-1]])
    part = np.minimum(late, 1.0)[:, None]
    return (1 - part) * exact + part * before


def _resample(values: np.ndarray, source: float, target: float) -> np.ndarray:
    if source == target:
        return values
    count = max(int(round(len(values) / source * target)), 2)
    at = np.minimum(np.arange(count) * source / target, len(values) - 1)
    low = np.minimum(at.astype(int), len(values) - 2)
    part = (at - low)[:, None, None]
    return values[low] * (1 - part) + values[low + 1] * part
