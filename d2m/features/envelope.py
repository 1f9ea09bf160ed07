"""Onset envelope of a motion: when the body, or a part of it, stops or changes its direction.

Dancers mark the beat by ending a movement on it, so the speed of the joints has a minimum there: the kinematic beat of
dance research (Li et al., "AI Choreographer: Music Conditioned 3D Dance Generation with AIST++", ICCV 2021, section
5.2.3). No single definition of the speed is robust to differences between people and to errors of pose estimation, so
the minima ("low points") of several are combined: the whole body with short and long smoothing, and each part of the
body, in the picture and, where known, in space. Each low point is weighted by its depth and by the amount of movement
around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from d2m.types import Motion

#: Joints of the parts of the body, indices of "mediapipe33".
PARTS: dict[str, tuple[int, ...]] = {
    "head": (0,),
    "torso": (11, 12, 23, 24),
    "left arm": (13, 15),
    "right arm": (14, 16),
    "left leg": (25, 27),
    "right leg": (26, 28),
}
TRUNK = (0, 11, 12, 23, 24)
#: Length of the torso, in body heights.
TORSO = 0.3
#: Speed, in body heights a second, of a dancer standing still: what the pose model's jitter looks like.
STILL = 0.06
#: Weight of the whole body's low points against those of the parts, and the smoothing (s) of each.
WHOLE_SHARE = 0.6
WHOLE_SMOOTHING = (0.05, 0.085, 0.12)
PART_SMOOTHING = 0.07
#: Share of the landmarks in space in all low points of speed: that of the shortest clips, and the length (s) at which
#: half is left. They see movement towards the camera but are the less sure; a long picture tells enough by itself.
SPACE_SHARE = 0.5
SPACE_LENGTH = 6.0
#: Weight of the low points of the bounce, the smoothing (s) they are found with, and the depth (body heights) at which
#: half of it counts.
BOUNCE_WEIGHT = 0.6
BOUNCE_SMOOTHING = 0.05
BOUNCE_DEPTH = 0.02
#: A pose is held if the body is slow for this part of the time between two movements (from, surely); smoothing (s) of
#: the speed in which its beginning is looked up, and seconds from there to the felt beat.
HOLD = (0.35, 0.55)
STOP_SMOOTHING = 0.035
SETTLING = 0.085
#: Weight of events (about one a second) at which these habits of a dancer, holding and bouncing, are half believed:
#: two seconds of dance are too few to tell them from chance.
DOUBT = 4.0
#: A human body's middle never moves this fast (body heights a second): the picture was cut.
CUT = 6.0


@dataclass(frozen=True)
class Speeds:
    """Speeds of the dancer's body and its parts.

    Attributes:
        whole: float64 (T,), body heights a second.
        parts: float64 (G, T), the same of each part; may have no rows.
        rate: values a second.
        still: the speed that noise alone reaches.
        lowering: float64 (T,), how low trunk and head are, in body heights from anywhere; or None.
        space: speeds of the landmarks in space, seen from the hips, as well; or None.
        cuts: frames at which another shot or person begins (:attr:`d2m.types.Motion.cuts`).
    """

    whole: np.ndarray
    parts: np.ndarray
    rate: float
    still: float = STILL
    lowering: np.ndarray | None = None
    space: Speeds | None = None
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class MotionEvents:
    """Times at which a movement ends or turns.

    Attributes:
        times: float64 (K,), seconds, rising.
        weights: float64 (K,), about 1 for one clear whole-body event, split over its detections.
    """

    times: np.ndarray
    weights: np.ndarray


def body_speeds(motion: Motion, world: np.ndarray | None = None) -> Speeds:
    """Return speeds of a dancer in the picture's plane, and in space where landmarks in space are given.

    Each shot has the size of whoever dances in it, and no movement leads from one to the next.

    Args:
        motion: skeleton ``"mediapipe33"``; other skeletons are treated as one part.
        world: float (T, 33, 3), metres, hips at the origin, of the same frames; or None.
    """
    shots = [_shot_speeds(*part) for part in by_shot(motion, world)]
    return shots[0] if len(shots) == 1 else _one_after_another(shots, motion)


def by_shot(motion: Motion, world: np.ndarray | None) -> list[tuple[Motion, np.ndarray | None]]:
    """Split landmarks at the cuts.

    Args:
        motion: landmarks in the picture.
        world: landmarks in metres, or None.

    Returns:
        Both of each shot.
    """
    if len(motion.shots()) == 1:
        return [(motion, world)]
    return [
        (
            replace(motion, joints=motion.joints[shot], confidence=motion.confidence[shot], cuts=()),
            None if world is None else world[shot],
        )
        for shot in motion.shots()
    ]


def _one_after_another(shots: list[Speeds], motion: Motion) -> Speeds:
    lowerings = [shot.lowering for shot in shots if shot.lowering is not None]
    spaces = [shot.space for shot in shots if shot.space is not None]
    falls = [np.diff(lowering, prepend=lowering[:1]) for lowering in lowerings]
    lowering = np.cumsum(np.concatenate(falls)) if len(falls) == len(shots) else None
    space = _one_after_another(spaces, motion) if len(spaces) == len(shots) else None
    whole = np.concatenate([shot.whole for shot in shots])
    parts = np.concatenate([shot.parts for shot in shots], axis=1)
    cuts = tuple(shot.start for shot in motion.shots()[1:])
    return Speeds(whole, parts, motion.fps, lowering=lowering, space=space, cuts=cuts)


def _shot_speeds(motion: Motion, world: np.ndarray | None) -> Speeds:
    joints = motion.joints[..., :2].astype(np.float64)
    size = body_height(motion)
    step = np.gradient(joints, axis=0) if len(joints) > 1 else np.zeros_like(joints)
    speed = np.linalg.norm(step, axis=-1) * motion.fps / size
    sure = np.maximum(motion.confidence.astype(np.float64), 0.05)
    cut = _cuts(step.mean(axis=1) * motion.fps / size)
    speed[cut] = 0.0
    sure[cut] = 0.0
    groups = list(PARTS.values()) if motion.skeleton == "mediapipe33" else [tuple(range(joints.shape[1]))]
    parts = np.stack([_mean(speed[:, g], sure[:, g]) for g in groups])
    body = [joint for group in groups for joint in group]
    whole = _mean(speed[:, body], sure[:, body])
    if motion.skeleton != "mediapipe33":
        return Speeds(whole, parts[:0], motion.fps)
    trunk = list(TRUNK)
    fall = (step[:, trunk, 1] * sure[:, trunk]).sum(axis=1) / np.maximum(sure[:, trunk].sum(axis=1), 1e-6)
    fall[cut] = 0.0
    # A central difference summed up lies half a frame ahead.
    lowering = np.cumsum(fall) - 0.5 * fall
    space = None if world is None else _space_speeds(world, sure, motion.fps)
    return Speeds(whole, parts, motion.fps, lowering=lowering / size, space=space)


def _space_speeds(world: np.ndarray, sure: np.ndarray, fps: float) -> Speeds:
    """Speeds seen from the hips, in body heights a second; ``sure`` (T, 33) is the weight of each landmark."""
    world = np.asarray(world, dtype=np.float64)
    torso = np.linalg.norm(world[:, [11, 12]].mean(1) - world[:, [23, 24]].mean(1), axis=-1)
    size = max(float(np.median(torso)) / TORSO, 1e-3)
    step = np.gradient(world, axis=0) if len(world) > 1 else np.zeros_like(world)
    speed = np.linalg.norm(step, axis=-1) * fps / size
    groups = [list(group) for group in PARTS.values()]
    parts = np.stack([_mean(speed[:, group], sure[:, group]) for group in groups])
    body = [joint for group in groups for joint in group]
    return Speeds(_mean(speed[:, body], sure[:, body]), parts, fps)


def body_height(motion: Motion) -> float:
    """Estimate the height of the dancer from the length of the torso, independent of bending.

    Args:
        motion: landmarks in the picture.

    Returns:
        Height in the unit of the motion.
    """
    joints = motion.joints[..., :2].astype(np.float64)
    if motion.skeleton == "mediapipe33":
        torso = np.linalg.norm(joints[:, [11, 12]].mean(1) - joints[:, [23, 24]].mean(1), axis=-1)
        # Seen bent a torso is shorter, so the upper half counts.
        height = float(np.percentile(torso, 75)) / TORSO
    else:
        height = float(np.percentile(np.ptp(joints[..., 1], axis=1), 75))
    return max(height, 1e-3)


def motion_events(speeds: Speeds) -> MotionEvents:
    """Find the low points of all speeds in each shot, weighted by their salience.

    Args:
        speeds: speeds of the body and its parts.
    """
    if not speeds.cuts:
        return _shot_events(speeds)
    found, edges = [], [0, *speeds.cuts, len(speeds.whole)]
    for first, last in pairwise(edges):
        events = _shot_events(_frames_of(speeds, slice(first, last)))
        found.append(MotionEvents(events.times + first / speeds.rate, events.weights))
    return gathered(found)


def gathered(found: Sequence[MotionEvents]) -> MotionEvents:
    """Combine events in the order of time.

    Args:
        found: events of several dancers or curves.
    """
    times, weights = (np.concatenate(rows) for rows in zip(*((e.times, e.weights) for e in found), strict=True))
    order = np.argsort(times, kind="stable")
    return MotionEvents(times[order], weights[order])


def _frames_of(speeds: Speeds, frames: slice) -> Speeds:
    return replace(
        speeds,
        whole=speeds.whole[frames],
        parts=speeds.parts[:, frames],
        lowering=None if speeds.lowering is None else speeds.lowering[frames],
        space=None if speeds.space is None else _frames_of(speeds.space, frames),
        cuts=(),
    )


def _shot_events(speeds: Speeds) -> MotionEvents:
    if speeds.space is None:
        curves = _curves(speeds, 1.0)
    else:
        share = SPACE_SHARE * SPACE_LENGTH / (SPACE_LENGTH + len(speeds.whole) / speeds.rate)
        curves = _curves(speeds, 1.0 - share) + _curves(speeds.space, share)
    found = [(*low_points(curve, speeds.rate, width, still), share) for curve, width, still, share in curves]
    time = np.concatenate([times for times, _, _, _ in found])
    weight = np.concatenate([salience * share for _, salience, _, share in found])
    held = np.concatenate([lags for _, _, lags, _ in found])
    known = float(weight.sum() / (weight.sum() + DOUBT))
    time = time - known * held
    if speeds.lowering is not None:
        when, salience = bounce_lows(speeds.lowering, speeds.rate)
        time = np.concatenate([time, when])
        weight = np.concatenate([weight, known * BOUNCE_WEIGHT * salience])
    order = np.argsort(time, kind="stable")
    return MotionEvents(time[order], weight[order])


def _curves(speeds: Speeds, share: float) -> list[tuple[np.ndarray, float, float, float]]:
    """Speed, smoothing, speed of stillness and weight of each curve in which low points are looked for."""
    whole = share * WHOLE_SHARE / len(WHOLE_SMOOTHING)
    part = share * (1.0 - WHOLE_SHARE) / max(len(speeds.parts), 1)
    return [(speeds.whole, smoothing, speeds.still, whole) for smoothing in WHOLE_SMOOTHING] + [
        (curve, PART_SMOOTHING, 2.0 * speeds.still, part) for curve in speeds.parts
    ]


def low_points(
    speed: np.ndarray, rate: float, smoothing: float, still: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return local minima of a smoothed speed curve.

    Args:
        speed: (T,), the curve.
        rate: values per second.
        smoothing: standard deviation of the Gaussian, seconds.
        still: speed below which movement is noise.

    Returns:
        times (K,) in seconds, finer than a frame, and salience (K,) in 0..1: the depth of the dip next to the
        lower of its two shoulders, times how clearly these stand above noise and typical movement; and lag (K,),
        seconds from the arrival of the movement to the low point, where a pose is held.
    """
    from scipy.ndimage import gaussian_filter1d

    if len(speed) < 5:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    curve = gaussian_filter1d(np.asarray(speed, dtype=np.float64), smoothing * rate, mode="nearest")
    inner = np.arange(1, len(curve) - 1)
    lows = inner[(curve[inner] < curve[inner - 1]) & (curve[inner] <= curve[inner + 1])]
    if not len(lows):
        return np.zeros(0), np.zeros(0), np.zeros(0)
    bounds = np.concatenate([[0], lows, [len(curve) - 1]])
    peaks = np.array([curve[a : b + 1].max() for a, b in zip(bounds[:-1], bounds[1:], strict=True)])
    shoulder = np.minimum(peaks[:-1], peaks[1:])
    depth = 1.0 - curve[lows] / np.maximum(shoulder, 1e-9)
    usual = max(float(np.percentile(curve, 75)), 1e-9)
    big = np.minimum(np.sqrt(peaks[:-1] * peaks[1:]) / usual, 1.0)
    real = shoulder**2 / (shoulder**2 + (2.0 * still) ** 2)
    before, at, after = curve[lows - 1], curve[lows], curve[lows + 1]
    offset = 0.5 * (before - after) / np.maximum(before - 2 * at + after, 1e-12)
    times = (lows + np.clip(offset, -0.5, 0.5)) / rate
    lags = np.zeros(len(lows))
    fine = gaussian_filter1d(np.asarray(speed, dtype=np.float64), min(STOP_SMOOTHING, smoothing) * rate, mode="nearest")
    for k, (low, start, end) in enumerate(zip(lows, bounds[:-2], bounds[2:], strict=True)):
        hold, stop = stop_time(fine, low, start, end, rate)
        lags[k] = hold * (times[k] - stop)
    return times, np.sqrt(np.clip(depth, 0, 1)) * np.sqrt(big) * real, lags


def stop_time(curve: np.ndarray, low: int, start: int, end: int, rate: float) -> tuple[float, float]:
    """Return seconds at which the movement before a pose has arrived, if the pose is held.

    Where the body turns round, the instant is the low point. Where it arrives, rests and leaves again, the low
    point lies anywhere in the rest, while the beat was at its beginning.

    Args:
        curve: (T,) lightly smoothed speed.
        low: frame of the low point of a smoother curve.
        start, end: frames of the low points before and after.
        rate: frames a second.

    Returns:
        How much of a hold it is (0..1), and the time.
    """
    left = start + int(np.argmax(curve[start : low + 1]))
    right = low + int(np.argmax(curve[low : end + 1]))
    bottom = float(curve[left : right + 1].min())
    level = bottom + 0.25 * (min(curve[left], curve[right]) - bottom)
    below = np.flatnonzero(curve[left : right + 1] <= level) + left
    first, last = int(below[0]), int(below[-1])
    held = (last - first + 1) / max(right - left, 1)
    hold = float(np.clip((held - HOLD[0]) / (HOLD[1] - HOLD[0]), 0.0, 1.0))
    fall = first - (level - curve[first]) / max(curve[first - 1] - curve[first], 1e-12) if first > left else first
    return hold, min(fall / rate + SETTLING, last / rate)


def bounce_lows(lowering: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the times at which a bouncing body is lowest: dancers of most styles go down on the beat and up in between.

    The speed has a low point at both ends of a bounce; the lower end is the beat.

    Args:
        lowering: (T,), body heights downwards.
        rate: values per second.

    Returns:
        times (K,) in seconds and salience (K,) in 0..1.
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    curve = gaussian_filter1d(np.asarray(lowering, dtype=np.float64), BOUNCE_SMOOTHING * rate, mode="nearest")
    peaks, shape = find_peaks(curve, prominence=1e-6, wlen=max(int(rate), 3))
    if not len(peaks):
        return np.zeros(0), np.zeros(0)
    before, at, after = curve[peaks - 1], curve[peaks], curve[peaks + 1]
    offset = 0.5 * (before - after) / np.minimum(before - 2 * at + after, -1e-12)
    depth = shape["prominences"]
    return (peaks + np.clip(offset, -0.5, 0.5)) / rate, depth / (depth + BOUNCE_DEPTH)


def envelope(events: MotionEvents, frames: int, rate: float, width: float = 0.04) -> np.ndarray:
    """Compute the onset envelope: a Gaussian bump for each event.

    Args:
        events: times and weights.
        frames: length of the envelope.
        rate: frames per second.
        width: standard deviation of a bump in seconds.

    Returns:
        float32 (frames,).
    """
    from scipy.ndimage import gaussian_filter1d

    curve = np.zeros(frames)
    position = np.clip(events.times * rate, 0, max(frames - 1.001, 0))
    low = position.astype(np.int64)
    np.add.at(curve, low, events.weights * (1 - (position - low)))
    np.add.at(curve, np.minimum(low + 1, frames - 1), events.weights * (position - low))
    bump = width * rate
    return (gaussian_filter1d(curve, bump, mode="constant") * bump * np.sqrt(2 * np.pi)).astype(np.float32)


def _mean(speed: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted mean over joints (T, J) → (T,); frames in which no joint counts are interpolated."""
    total = weight.sum(axis=1)
    known = total > 1e-6
    mean = (speed * weight).sum(axis=1) / np.maximum(total, 1e-6)
    if not known.all() and known.any():
        frames = np.arange(len(mean))
        mean = np.interp(frames, frames[known], mean[known])
    return mean


def _cuts(step: np.ndarray) -> np.ndarray:
    """bool (T,): frames next to a jump of the whole body, from the body's velocity (T, 2) in heights a second."""
    jump = np.linalg.norm(step, axis=-1) > CUT
    near = jump.copy()
    for shift in (1, 2):
        near[shift:] |= jump[:-shift]
        near[:-shift] |= jump[shift:]
    return near
