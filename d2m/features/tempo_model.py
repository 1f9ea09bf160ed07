"""Probability of each tempo of a dance, from the spectra of its movement.

Dancers repeat themselves every beat, every two beats and every bar, some with the arms, some with the trunk. The power
of several curves of the movement (speeds, accelerations, bending of limbs, bounce and sway) is therefore looked up at
the quarter, the half, three quarters, the whole, one and a half and twice each tempo. A log-linear model (softmax over
tempos) weighs these figures, how well the events of the movement fit the tempo, and how usual the tempo is. Its weights
(:mod:`d2m.features.tempo_weights`) were fitted by ``scripts/fit_tempo.py`` to real dances whose music has known beats,
and to dances of the studio.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from d2m.features.envelope import MotionEvents
from d2m.features.event_fit import likelihood
from d2m.features.tempo_change import change_of_tempo, evidence
from d2m.features.tempo_curves import GROUPS, Curves

#: Tempos whose probability is computed, in beats per minute.
TEMPOS = np.exp(np.arange(np.log(60.0), np.log(210.0), 0.015))
#: Distance (log) within which tempos count as the same.
SAME = 0.035
#: Parts of a tempo at which power is looked up.
PARTS_OF_TEMPO = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
#: Frequencies (hertz) of the spectra.
FREQUENCIES = np.exp(np.arange(np.log(0.2), np.log(7.5), 0.02))
#: Power that is added before the logarithm is taken, which bounds it from below.
LEAST_POWER = 0.1
#: Tempos (beats a minute) around which the model has a preference, and the width (log) of each.
USUAL, USUAL_WIDTH = (75.0, 90.0, 105.0, 120.0, 135.0, 150.0, 170.0, 195.0), 0.1
#: Middle (beats a minute) and deviation (log) of the log-normal preference.
MIDDLE, SPREAD = 125.0, 0.3


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
    # A missing group (without landmarks in space) gets the mean of the others.
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
