"""Beat grid, energy and accents of a motion.

:mod:`d2m.features.envelope` finds when the motion stops or turns, :mod:`d2m.features.tempo` the beats that explain
that best; this module turns them into a grid over the whole clip, with bar lines and values per beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.features.envelope import MotionEvents, Speeds, envelope, low_points
from d2m.features.group import Moving, curves_of_moving, speeds_and_events
from d2m.features.phase_model import PhaseEvidence
from d2m.features.tempo import find_beats
from d2m.features.tempo_model import believe
from d2m.types import BeatGrid

#: Seconds by which MediaPipe's landmarks trail the picture: measured on films of a figure whose joints are known, 17 ms
#: for the trunk and 8 ms for the limbs.
POSE_LAG = 0.012
#: A dancer whose busiest moments are slower than this (body heights a second) is taken to be resting.
RESTING = 0.25
#: Seconds beside a cut in which no low point is taken for a beat of the movement.
BESIDE_CUT = 0.1
#: A movement counts for a beat when it ends within about this many seconds of it.
NEAR = 0.07
#: Seconds around a beat that its depth is compared with.
AROUND = 2.0


@dataclass(frozen=True)
class Rhythm:
    """Result of :func:`find_rhythm`.

    Attributes:
        grid: beats over the whole clip.
        energy, accents: float32 (N,), as in :class:`d2m.types.Dance`.
        envelope: float32 (T,), onset envelope of the motion.
        envelope_rate: hertz.
        motion_beats: float64 (K,), seconds of the salient low points of the whole body's speed.
    """

    grid: BeatGrid
    energy: np.ndarray
    accents: np.ndarray
    envelope: np.ndarray
    envelope_rate: float
    motion_beats: np.ndarray


def find_rhythm(moving: Moving, duration: float, world: np.ndarray | None = None) -> Rhythm:
    """Find the rhythm of a dance.

    Args:
        moving: a dancer, a group whose agreement is looked for, or speeds from elsewhere
            (:func:`d2m.features.flow.picture_speeds`).
        duration: seconds that the grid must cover.
        world: float (T, 33, 3), one dancer's landmarks in space (metres, hips at the origin), if known: they tell
            of movement towards the camera, which the picture hides.
    """
    speeds, events = speeds_and_events(moving, world)
    curves = curves_of_moving(moving, world)
    stretches = believe(curves, events)
    late = lag_of(moving)
    beats = find_beats(events, stretches, 0.0, duration + late, PhaseEvidence.of(curves))
    lengths = [stretch.end - stretch.start for stretch in stretches]
    confidence = float(np.average([stretch.belief.confidence for stretch in stretches], weights=lengths))
    energy = energy_per_beat(speeds, beats, duration)
    accents = accents_per_beat(events, beats)
    tempo = float(60.0 / np.median(np.diff(beats)))
    grid = BeatGrid(beats - late, downbeats(accents, energy, low_per_beat(speeds, beats)), tempo, confidence)
    onset = envelope(events, len(speeds.whole), speeds.rate)
    return Rhythm(grid, energy, accents, onset, speeds.rate, salient_beats(speeds))


def lag_of(moving: Moving) -> float:
    """Return the delay of the landmarks behind the picture, in seconds.

    Args:
        moving: landmarks of the dancer or dancers.
    """
    return 0.0 if isinstance(moving, Speeds) else POSE_LAG


def salient_beats(speeds: Speeds, least: float = 0.35) -> np.ndarray:
    """Find the salient low points of the whole body's speed, at least 0.15 s apart.

    Args:
        speeds: speeds of the body and its parts.
        least: minimum salience.

    Returns:
        float64 (K,), times in seconds.
    """
    times, salience, _ = low_points(speeds.whole, speeds.rate, 0.07, speeds.still)
    for cut in speeds.cuts:
        # Where one dancer is slower than the next is no low point of either.
        salience[np.abs(times - cut / speeds.rate) < BESIDE_CUT] = 0.0
    kept: list[float] = []
    for index in np.argsort(-salience, kind="stable"):
        if salience[index] >= least and all(abs(times[index] - time) >= 0.15 for time in kept):
            kept.append(float(times[index]))
    return np.array(sorted(kept), dtype=np.float64)


def energy_per_beat(speeds: Speeds, beats: np.ndarray, duration: float) -> np.ndarray:
    """Compute the mean speed in each beat interval, relative to the busiest moments of the clip.

    Intervals outside the clip take the value of the nearest one inside.

    Args:
        speeds: speeds of the body and its parts.
        beats: times in seconds.
        duration: length of the clip in seconds.

    Returns:
        float32 (N,), 0 to 1.
    """
    edges = np.append(beats, 2 * beats[-1] - beats[-2])
    frame_times = (np.arange(len(speeds.whole)) + 0.5) / speeds.rate
    place = np.clip(np.searchsorted(edges, frame_times, side="right") - 1, 0, len(beats) - 1)
    count = np.bincount(place, minlength=len(beats))
    mean = np.bincount(place, speeds.whole, minlength=len(beats)) / np.maximum(count, 1)
    # A short part of an interval at the edge of the clip is not representative.
    known = np.flatnonzero(count >= 0.3 * speeds.rate * np.diff(edges))
    if not len(known):
        known = np.flatnonzero(count)
    nearest = known[np.argmin(np.abs(np.arange(len(beats))[:, None] - known[None]), axis=1)]
    busiest = max(float(np.percentile(mean[known], 95)), RESTING)
    return np.clip(mean[nearest] / busiest, 0.0, 1.0).astype(np.float32)


def accents_per_beat(events: MotionEvents, beats: np.ndarray) -> np.ndarray:
    """Compute how strongly movements end on each beat.

    Args:
        events: low points of the movement.
        beats: times in seconds.

    Returns:
        float32 (N,), 0 to 1.
    """
    if not len(events.times):
        return np.zeros(len(beats), dtype=np.float32)
    nearest = np.clip(np.searchsorted(0.5 * (beats[1:] + beats[:-1]), events.times), 0, len(beats) - 1)
    close = np.exp(-0.5 * ((events.times - beats[nearest]) / NEAR) ** 2)
    strength = np.bincount(nearest, events.weights * close, minlength=len(beats))
    return np.clip(strength / max(float(np.percentile(strength, 95)), 0.3), 0.0, 1.0).astype(np.float32)


def low_per_beat(speeds: Speeds, beats: np.ndarray) -> np.ndarray:
    """Compute how much lower the body is on each beat than in the seconds around it.

    Args:
        speeds: speeds of the body and its parts.
        beats: times in seconds.

    Returns:
        float64 (N,), body heights; 0 where nobody is visible.
    """
    from scipy.ndimage import uniform_filter1d

    if speeds.lowering is None:
        return np.zeros(len(beats))
    dip = speeds.lowering - uniform_filter1d(speeds.lowering, max(int(AROUND * speeds.rate), 1), mode="nearest")
    return np.interp(beats, np.arange(len(dip)) / speeds.rate, dip, left=0.0, right=0.0)


def downbeats(
    accents: np.ndarray, energy: np.ndarray, low: np.ndarray | None = None, beats_per_bar: int = 4
) -> np.ndarray:
    """Return int64 (M,): indices of the first beats of bars.

    Dancers change what they do on the bar line, and end it there on a strong move; the body goes deeper on it than on
    other beats. Both signs count alike, each in its own deviations. If all places are alike it is the earliest.

    Args:
        accents, energy: (N,), as in :class:`d2m.types.Dance`.
        low: (N,), from :func:`low_per_beat`.
        beats_per_bar: 4 for all ten genres.
    """
    change = np.abs(np.diff(energy, prepend=energy[:1]))
    strength = _standard(accents + 0.5 * change) + (0.0 if low is None else _standard(low))
    place = np.arange(len(accents)) % beats_per_bar
    means = [strength[place == p].mean() for p in range(min(beats_per_bar, len(accents)))]
    return np.arange(int(np.argmax(np.round(means, 6))), len(accents), beats_per_bar, dtype=np.int64)


def _standard(values: np.ndarray) -> np.ndarray:
    """Values less their mean, over their deviation; zeros if they are all the same."""
    values = np.asarray(values, dtype=np.float64)
    return (values - values.mean()) / max(float(values.std()), 1e-6)
