"""Probability of each tempo of a dance, from the spectra of its movement.

Dancers repeat themselves every beat, every two beats and every bar, some with the arms, some with the trunk. The power
of several curves of the movement (speeds, accelerations, bending of limbs, bounce and sway) is therefore looked up at
the quarter, the half, three quarters, the whole, one and a half and twice each tempo. A log-linear model (softmax over
tempos) weighs these figures, how well the events of the movement fit the tempo, and how usual the tempo is. Its weights
(:mod:`d2m.features.tempo_weights`) were fitted by ``scripts/fit_tempo.py`` to real dances whose music has known beats,
and to dances of the studio.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from d2m.features.envelope import CUT, STILL, MotionEvents, Speeds, body_height, by_shot
from d2m.features.event_fit import likelihood
from d2m.features.tempo_change import change_of_tempo, evidence
from d2m.types import Motion

#: Tempos that are weighed, beats a minute.
TEMPOS = np.exp(np.arange(np.log(60.0), np.log(210.0), 0.015))
#: Distance (log) within which tempos count as the same.
SAME = 0.035
#: Parts of a tempo at which power is looked up.
PARTS_OF_TEMPO = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
#: Frequencies (hertz) of the spectra.
FREQUENCIES = np.exp(np.arange(np.log(0.2), np.log(7.5), 0.02))
#: Smoothing (s) of landmarks, and of the trend that is taken off a curve.
CALM, TREND = 0.03, 2.0
#: Deviations beyond which a value of a curve counts no more, and power added to each so that the logarithm is tame.
MOST, LEAST_POWER = 3.0, 0.1
#: Groups of curves; the spectra of a group are averaged.
GROUPS = ("speed", "bounce", "sway", "hands", "head", "acceleration", "bending")
#: Tempos (beats a minute) around which the model has a preference, and the width (log) of each.
USUAL, USUAL_WIDTH = (75.0, 90.0, 105.0, 120.0, 135.0, 150.0, 170.0, 195.0), 0.1
#: Middle (beats a minute) and deviation (log) of the log-normal preference.
MIDDLE, SPREAD = 125.0, 0.3
#: Confidence of a landmark at which it begins to count, and mean confidence at which a frame does.
LEAST_WEIGHT, LEAST_SEEN = 0.05, 0.15
#: Seconds of a frame that is seen that a clip must have, else all its frames count.
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


def figures(curves: Curves, events: MotionEvents) -> np.ndarray:
    """Compute the features of the log-linear model for each tempo.

    Args:
        curves: curves of the movement.
        events: events of the movement.

    Returns:
        float64 (tempos, features), for :data:`TEMPOS`.
    """
    rows = curves.share * _spectra(curves)
    for other in curves.others:
        rows = rows + other.share * _spectra(other)
    at = [np.interp(np.log(TEMPOS / 60.0 * part), np.log(FREQUENCIES), row) for row in rows for part in PARTS_OF_TEMPO]
    return np.stack([*at, *_fits(events), *_usual()], axis=1)


def _spectra(curves: Curves) -> np.ndarray:
    """Compute the log power of each of :data:`GROUPS`, float64 (groups, frequencies)."""
    spectra = {name: _log_power(rows, curves.seen, curves.rate) for name, rows in curves.groups.items()}
    mean = np.mean(list(spectra.values()), axis=0) if spectra else np.zeros(len(FREQUENCIES))
    # A group that cannot be seen (no landmarks in space) does as the others do.
    return np.stack([spectra.get(name, mean) for name in GROUPS])


def _log_power(rows: np.ndarray, seen: np.ndarray, rate: float) -> np.ndarray:
    """Compute the log power (frequencies,) minus its mean, averaged over curves (K, T)."""
    total = np.zeros(len(FREQUENCIES))
    waves = np.exp(-2j * np.pi * np.outer(FREQUENCIES, np.arange(rows.shape[1]) / rate))
    for row in rows:
        total += np.log(np.abs(waves @ row) ** 2 / max(int(seen.sum()), 1) + LEAST_POWER)
    total /= len(rows)
    return total - total.mean()


def _fits(events: MotionEvents) -> Iterator[np.ndarray]:
    """Yield the log likelihood ratio (nats) of beats of each tempo, normalised by the root of the events' weight."""
    if not len(events.times):
        yield np.zeros(len(TEMPOS))
        return
    seen = likelihood(events, TEMPOS, float(events.times.mean()), False)
    yield np.logaddexp.reduce(seen, axis=1) / np.sqrt(1.0 + events.weights.sum())


def _usual() -> Iterator[np.ndarray]:
    place = np.log(TEMPOS)
    yield ((place - np.log(MIDDLE)) / SPREAD) ** 2
    for tempo in USUAL:
        yield np.exp(-0.5 * ((place - np.log(tempo)) / USUAL_WIDTH) ** 2)


#: Clips longer than this (s) are seen in pieces of a length and with a hop (s); a change of tempo costs so many nats.
LONGEST_WHOLE, PIECE, PIECE_HOP, CHANGE_COST = 16.0, 12.0, 4.0, 4.0


@dataclass(frozen=True)
class TempoBelief:
    """Belief about a tempo before beats are placed.

    Attributes:
        log_probability: float64 (tempos,), log probability of each of :data:`TEMPOS`.
        tempo: tempo with the most probability around it, in beats per minute.
        confidence: calibrated probability that the tempo is right within 4 %, 0 to 1; near 0 without movement.
    """

    log_probability: np.ndarray
    tempo: float
    confidence: float

    def log_at(self, tempos: np.ndarray) -> np.ndarray:
        """Interpolate the log probability density, up to a constant, at some tempos.

        Args:
            tempos: beats per minute.

        Returns:
            float64 of the same shape.
        """
        return np.interp(np.log(tempos), np.log(TEMPOS), self.log_probability)


@dataclass(frozen=True)
class TempoSegment:
    """Part of a clip, seconds ``start`` to ``end``, that has one tempo."""

    start: float
    end: float
    belief: TempoBelief


def believe(curves: Curves, events: MotionEvents) -> list[TempoSegment]:
    """Compute the probability of all tempos, and find stretches of different tempos.

    Clips of up to :data:`LONGEST_WHOLE` seconds have one tempo unless their events say clearly that they have two
    (:func:`d2m.features.tempo_change.change_of_tempo`).

    Args:
        curves: curves of the movement.
        events: events of the movement (:func:`d2m.features.envelope.motion_events`).

    Returns:
        Consecutive stretches, from 0 to the end of the clip.
    """
    from d2m.features.tempo_weights import WEIGHTS

    weights, duration = np.array(WEIGHTS), len(curves.seen) / curves.rate
    if duration <= LONGEST_WHOLE:
        change = change_of_tempo(events, duration)
        bounds = [0.0, duration] if change is None else [0.0, change, duration]
        return [_stretch(curves, events, start, end, weights) for start, end in pairwise(bounds)]
    starts = np.arange(0.0, duration - PIECE + 1e-6, PIECE_HOP)
    seen = np.stack([weigh(figures(*_part(curves, events, start)), weights) for start in starts])
    path = _tempo_path(seen)
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    times = [0.0, *(float(starts[i] + (PIECE - PIECE_HOP) / 2) for i in edges[1:-1]), duration]
    return [
        TempoSegment(
            times[k], times[k + 1], _belief(_normal(seen[edges[k] : edges[k + 1]].mean(axis=0)), curves.moving)
        )
        for k in range(len(edges) - 1)
    ]


def _stretch(curves: Curves, events: MotionEvents, start: float, end: float, weights: np.ndarray) -> TempoSegment:
    """Compute the belief about a part of a clip; in a part shorter than the clip, the evidence of events is added."""
    if end - start >= len(curves.seen) / curves.rate:
        return TempoSegment(start, end, _belief(weigh(figures(curves, events), weights), curves.moving))
    part, inside = _part(curves, events, start, end - start)
    seen = weigh(figures(part, inside), weights) + evidence(inside, TEMPOS)
    return TempoSegment(start, end, _belief(_normal(seen), curves.moving))


def _belief(log_probability: np.ndarray, moving: float) -> TempoBelief:
    from d2m.features.tempo_weights import CALIBRATION

    tempo, mass = most_probable(log_probability)
    return TempoBelief(log_probability, tempo, moving * calibrated(mass, CALIBRATION))


def _part(curves: Curves, events: MotionEvents, start: float, length: float = PIECE) -> tuple[Curves, MotionEvents]:
    """Cut one piece out of a clip; ``start`` and ``length`` in seconds."""
    frames = slice(int(round(start * curves.rate)), int(round((start + length) * curves.rate)))
    inside = (events.times >= start) & (events.times < start + length)
    return _frames_of(curves, frames), MotionEvents(events.times[inside], events.weights[inside])


def _frames_of(curves: Curves, frames: slice) -> Curves:
    seen = curves.seen[frames] if curves.seen[frames].any() else np.ones_like(curves.seen[frames])
    rows = {name: rows[:, frames] for name, rows in curves.groups.items()}
    others = tuple(_frames_of(other, frames) for other in curves.others)
    return replace(curves, groups=rows, seen=seen, others=others)


def _tempo_path(seen: np.ndarray) -> np.ndarray:
    """Find the most probable tempo index of each piece (Viterbi) from log probabilities (pieces, tempos)."""
    place = np.log(TEMPOS)
    same = np.abs(place[:, None] - place) < SAME
    scores = np.log(np.exp(seen) @ same + 1e-12)
    total, back = scores[0], []
    for score in scores[1:]:
        jumped = total.max() - CHANGE_COST
        back.append(np.where(total >= jumped, np.arange(len(total)), int(total.argmax())))
        total = np.maximum(total, jumped) + score
    path = [int(total.argmax())]
    for source in reversed(back):
        path.append(int(source[path[-1]]))
    return np.array(path[::-1])


def weigh(found: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the log probability of each tempo: a softmax over the weighted features.

    Args:
        found: float64 (tempos, features), from :func:`figures`.
        weights: float64 (features,).

    Returns:
        float64 (tempos,), for :data:`TEMPOS`.
    """
    return _normal(found @ weights)


def _normal(score: np.ndarray) -> np.ndarray:
    return score - np.logaddexp.reduce(score)


def most_probable(log_probability: np.ndarray) -> tuple[float, float]:
    """Find the tempo with the most probability within :data:`SAME`.

    Args:
        log_probability: float64 (tempos,), log probability of each of :data:`TEMPOS`.

    Returns:
        The tempo in beats per minute, and the probability within :data:`SAME` of it, 0 to 1.
    """
    place = np.log(TEMPOS)
    mass = (np.abs(place[:, None] - place) < SAME) @ np.exp(log_probability)
    best = int(np.argmax(mass))
    near = np.abs(place - place[best]) < SAME
    weight = np.exp(log_probability[near] - log_probability[near].max())
    return float(np.exp((place[near] * weight).sum() / weight.sum())), float(min(mass[best], 1.0))


def calibrated(mass: float, calibration: tuple[float, float]) -> float:
    """Compute the calibrated probability that the tempo is right, a logistic function of the log odds of ``mass``.

    Args:
        mass: probability returned by :func:`most_probable`.
        calibration: constant and slope of the logistic function.

    Returns:
        0 to 1.
    """
    mass = float(np.clip(mass, 0.001, 0.999))
    constant, slope = calibration
    return float(1.0 / (1.0 + np.exp(-(constant + slope * np.log(mass / (1.0 - mass))))))
