"""Curves of a movement, from which the tempo model of :mod:`d2m.features.tempo_model` takes its spectra.

They are speeds, accelerations, bending of limbs, bounce and sway, in the picture and, where known, in space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from d2m.features.envelope import CUT, STILL, Speeds, body_height, by_shot
from d2m.types import Motion

#: Smoothing (s) of landmarks, and of the trend that is subtracted from a curve.
CALM, TREND = 0.03, 2.0
#: Limit of a curve's values in standard deviations.
MOST = 3.0
#: Groups of curves; the spectra of a group are averaged.
GROUPS = ("speed", "bounce", "sway", "hands", "head", "acceleration", "bending")
#: Minimum weight of a landmark, and mean confidence above which a frame counts.
LEAST_WEIGHT, LEAST_SEEN = 0.05, 0.15
#: Length (s) of the frames that count, below which all frames of the clip count.
LEAST_SEEN_SECONDS = 1.3

_JOINTS = (0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_ARMS, _LEGS, _TRUNK = (3, 4, 5, 6), (9, 10, 11, 12), (0, 1, 2, 7, 8)
_WRISTS, _FEET, _KNEES, _ELBOWS = (5, 6), (11, 12), ((7, 9, 11), (8, 10, 12)), ((1, 3, 5), (2, 4, 6))


@dataclass(frozen=True)
class Curves:
    """Curves of a movement.

    Attributes:
        groups: float64 (K, T) for each name of :data:`GROUPS`, without trend and in standard deviations, reduced where
            the movement is no stronger than the errors of a pose estimator; names without curves are missing.
        moving: how clearly the movement is stronger than such errors, 0 to 1.
        seen: bool (T,), frames that count.
        rate: frames per second.
        share: weight in the presence of other dancers; together the weights may exceed one.
        others: curves of the other dancers, with as many frames.
    """

    groups: dict[str, np.ndarray]
    moving: float
    seen: np.ndarray
    rate: float
    share: float = 1.0
    others: tuple[Curves, ...] = ()


def curves_of(motion: Motion, world: np.ndarray | None = None) -> Curves:
    """Compute curves of speed, acceleration, bounce, sway and bending of a dancer.

    Args:
        motion: skeleton ``"mediapipe33"``; of other skeletons only speed and acceleration of all joints are used.
        world: float (T, 33, 3), metres, hips at the origin, for the same frames; or None.
    """
    known, rate = motion.skeleton == "mediapipe33", motion.fps
    joints = list(_JOINTS) if known else list(range(motion.joints.shape[1]))
    seen = motion.confidence[:, joints].mean(axis=1) > LEAST_SEEN
    if seen.sum() < LEAST_SEEN_SECONDS * rate:
        seen = np.ones(len(seen), dtype=bool)
    shots = motion.shots()
    found = [_in_picture(*part, joints) for part in by_shot(motion, world)]
    groups = _joined([groups for groups, _ in found])
    moving = _moving(groups["speed"][0], seen)
    flat = {name: [moving * _flat(row, seen, rate, shots) for row in rows] for name, rows in groups.items()}
    if known and world is not None:
        groups, speed = _joined([space for _, space in found]), np.concatenate([space["all"][0] for _, space in found])
        in_space = _moving(speed, seen)
        for name, rows in groups.items():
            if name != "all":
                flat.setdefault(name, []).extend(in_space * _flat(row, seen, rate, shots) for row in rows)
        moving = max(moving, in_space)
    return Curves({name: np.stack(flat[name]) for name in GROUPS if name in flat}, moving, seen, rate)


Rows = dict[str, list[np.ndarray]]


def _joined(shots: list[Rows]) -> Rows:
    """Concatenate the curves of all shots."""
    if len(shots) == 1:
        return shots[0]
    return {
        name: [np.concatenate(rows) for rows in zip(*(shot[name] for shot in shots), strict=True)] for name in shots[0]
    }


def _in_picture(motion: Motion, world: np.ndarray | None, joints: list[int]) -> tuple[Rows, Rows]:
    """Compute the curves of one shot: of the landmarks in the picture, and of those in space."""
    from scipy.ndimage import gaussian_filter1d

    rate, known = motion.fps, motion.skeleton == "mediapipe33"
    size = body_height(motion)
    places = gaussian_filter1d(motion.joints[:, joints, :2].astype(np.float64) / size, CALM * rate, axis=0)
    weight = np.maximum(motion.confidence[:, joints].astype(np.float64), LEAST_WEIGHT)
    step = _change(places, rate)
    cut = np.linalg.norm(step.mean(axis=1), axis=-1) > CUT
    step[cut] = 0.0
    speed = np.linalg.norm(step, axis=-1)
    second = _change(step, rate)
    quick = np.linalg.norm(second, axis=-1), np.linalg.norm(_change(second, rate), axis=-1)
    everything = tuple(range(len(joints)))
    groups = {"acceleration": [_mean(curve, weight, everything) for curve in quick]}
    groups["speed"] = [_mean(speed, weight, everything)]
    if known:
        groups["speed"] += [_mean(speed, weight, part) for part in (_ARMS, _LEGS)]
        groups["bounce"] = [_mean(step[..., 1], weight, _TRUNK)]
        groups["sway"] = [_mean(step[..., 0], weight, _TRUNK)]
        groups["hands"] = [_mean(step[..., 1], weight, _WRISTS)]
    if not known or world is None:
        return groups, {}
    return groups, _in_space(np.asarray(world, np.float64)[:, joints], weight, cut, rate)


def _moving(speed: np.ndarray, seen: np.ndarray) -> float:
    """Return how clearly a speed (T,), in body heights per second, exceeds the errors of a pose estimator, 0 to 1."""
    usual = float(np.percentile(speed[seen], 75)) ** 2
    return usual / (usual + (2.0 * STILL) ** 2)


def _flat(row: np.ndarray, seen: np.ndarray, rate: float, shots: Sequence[slice] = (slice(None),)) -> np.ndarray:
    """Remove the trend of a curve (T,) in each shot, scale it to standard deviations, and set uncounted frames to 0."""
    from scipy.ndimage import gaussian_filter1d

    row = np.concatenate([row[shot] - gaussian_filter1d(row[shot], TREND * rate) for shot in shots])
    return np.clip(row / (row[seen].std() + 1e-9), -MOST, MOST) * seen


def _in_space(world: np.ndarray, weight: np.ndarray, cut: np.ndarray, rate: float) -> Rows:
    """Compute the curves of landmarks in space (T, 13, 3); "all" is the speed of all of them."""
    from scipy.ndimage import gaussian_filter1d

    torso = np.linalg.norm(world[:, [1, 2]].mean(axis=1) - world[:, [7, 8]].mean(axis=1), axis=-1)
    places = gaussian_filter1d(world / max(float(np.median(torso)) / 0.3, 1e-3), CALM * rate, axis=0)
    step = _change(places, rate)
    step[cut] = 0.0
    speed = np.linalg.norm(step, axis=-1)
    bends = [np.sum([_angle(places, *limb) for limb in limbs], axis=0) for limbs in (_KNEES, _ELBOWS)]
    return {
        "speed": [_mean(speed, weight, part) for part in (_ARMS, _LEGS)],
        "head": [step[:, 0, 1]],
        "bending": [*(_change(bend, rate) for bend in bends), _mean(step[..., 1], weight, _FEET)],
        "all": [_mean(speed, weight, tuple(range(speed.shape[1])))],
    }


def _angle(places: np.ndarray, first: int, middle: int, last: int) -> np.ndarray:
    """Compute the angle (T,) between two limbs at a joint in radians."""
    one, other = places[:, first] - places[:, middle], places[:, last] - places[:, middle]
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.arccos(np.clip((one * other).sum(axis=-1) / np.maximum(lengths, 1e-6), -1.0, 1.0))


def _change(values: np.ndarray, rate: float) -> np.ndarray:
    return np.gradient(values, axis=0) * rate if len(values) > 1 else np.zeros_like(values)


def _mean(values: np.ndarray, weight: np.ndarray, joints: tuple[int, ...]) -> np.ndarray:
    chosen = list(joints)
    return (values[:, chosen] * weight[:, chosen]).sum(axis=1) / weight[:, chosen].sum(axis=1)


def curves_of_speeds(speeds: Speeds) -> Curves:
    """Compute curves of speed and acceleration from given speeds, such as those of the whole picture.

    Args:
        speeds: speeds of the whole body; those of its parts are not used.
    """
    from scipy.ndimage import gaussian_filter1d

    rate, seen = speeds.rate, np.ones(len(speeds.whole), dtype=bool)
    speed = gaussian_filter1d(np.asarray(speeds.whole, np.float64), CALM * rate)
    moving = _moving(speed * STILL / max(speeds.still, 1e-9), seen)
    groups = {"speed": speed, "acceleration": np.abs(_change(speed, rate))}
    return Curves({name: moving * _flat(row, seen, rate)[None] for name, row in groups.items()}, moving, seen, rate)
