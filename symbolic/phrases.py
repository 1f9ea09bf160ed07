"""Where the phrases of a piece are: boundaries by structure features, and four-bar phrases between them.

After Serrà, Müller, Grosche and Arcos, "Unsupervised Detection of Music Boundaries by Time Series Structure Features"
(AAAI 2012), which MuseGAN's training data was cut with. The paper counts in seconds of audio and looks for sections;
here a frame is a beat of the score and phrases are wanted, so 2.5 s of embedding become a bar of four beats, 30 s of
smoothing six bars, and a peak leads over 12 beats instead of 6 s. On thirty composed songs whose sections are known,
that finds 80 % of their boundaries to the bar, the long smoothing 24 %; half of what it finds begins a section (15 % by
chance), most of the rest is the middle of an eight-bar one. A boundary is moved to the nearest bar line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.symbolic.pianoroll import PianoRoll, beat_steps
from d2m.symbolic.tracks import DRUMS
from d2m.types import TRACKS

#: Families of drum keys: kick, snare and claps, hats and cymbals, toms and the rest.
_KICKS, _SNARES, _METAL = (35, 36), (37, 38, 39, 40), (42, 44, 46, 49, 51, 52, 53, 55, 57, 59)


@dataclass(frozen=True)
class Structure:
    """The constants of the method, in beats where the paper has seconds.

    Attributes:
        memory: beats that a frame is seen together with, those before it (the paper's m).
        neighbours: share of all frames that count as near (kappa).
        lag_width, time_width: size of the smoothing window along lag and time (s_l, s_t).
        threshold: least height of a peak, of the highest (delta).
        lead: beats on either side over which a peak must be the highest (half of lambda).
        most_frames: longer pieces are looked at in pieces of this many beats, so that memory stays bounded.
    """

    memory: int = 4
    neighbours: float = 0.04
    lag_width: int = 3
    time_width: int = 24
    threshold: float = 0.05
    lead: int = 6
    most_frames: int = 2000


def beat_features(roll: PianoRoll) -> np.ndarray:
    """Compute the features of each beat.

    Twelve pitch classes by how long they sound, four families of drums by how often they are struck, and how much
    each of the four other tracks plays; each of the three groups of length 1 at most.

    Args:
        roll: piano-roll.

    Returns:
        float64 (beats, 20).
    """
    beats = beat_steps(roll)
    starts = np.minimum(beats[:-1], roll.steps)
    stops = np.minimum(beats[1:], roll.steps)

    def per_beat(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
        return total[stops] - total[starts]

    pitched = roll.held[DRUMS + 1 :]
    sounding = per_beat(pitched.sum(axis=0))
    chroma = np.stack([sounding[:, p::12].sum(axis=1) for p in range(12)], axis=1)
    struck = per_beat(roll.onsets[DRUMS].astype(np.float64))
    named = [struck[:, list(keys)].sum(axis=1) for keys in (_KICKS, _SNARES, _METAL)]
    drums = np.stack([*named, struck.sum(axis=1) - sum(named)], axis=1)
    busy = per_beat(np.stack([track.any(axis=1) for track in pitched], axis=1).astype(np.float64))
    busy /= np.maximum(stops - starts, 1)[:, None] * np.sqrt(len(TRACKS) - 1)
    return np.concatenate([_unit(chroma), 0.5 * _unit(drums), 0.5 * busy], axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def novelty(features: np.ndarray, settings: Structure = Structure()) -> np.ndarray:
    """Compute the novelty curve, float64 (N,), 0 to 1: the change of the structure between a frame and the one before.

    Frames with their past; the mutual nearest neighbours among them; those as a circular time-lag matrix; that smoothed
    by a Gaussian; the distance of neighbouring rows of it (equations 1 to 6 of the paper).

    Args:
        features: float64 (N, D).
        settings: settings of the segmentation.
    """
    count = len(features)
    if count < 3:
        return np.zeros(count)
    padded = np.concatenate([np.repeat(features[:1], settings.memory - 1, axis=0), features])
    past = np.concatenate([padded[i : i + count] for i in range(settings.memory)], axis=1)
    squares = (past**2).sum(axis=1)
    # Rounding would otherwise make equal frames differ.
    distance = np.round(np.maximum(squares[:, None] + squares[None] - 2 * past @ past.T, 0.0), 9)
    near_count = min(max(int(round(settings.neighbours * count)), 2), count - 1)
    # All frames at the same distance count: a bar repeated often is near each of its repetitions.
    limit = np.partition(distance, near_count, axis=1)[:, near_count]
    near = distance <= limit[:, None]
    near &= near.T
    lagged = np.empty((count, count))
    for frame in range(count):
        lagged[frame] = np.roll(near[frame], -frame)
    smooth = _smooth(lagged, settings.time_width, axis=0, mode="nearest")
    smooth = _smooth(smooth, settings.lag_width, axis=1, mode="wrap")
    change = np.concatenate([[0.0], (np.diff(smooth, axis=0) ** 2).sum(axis=1)])
    change -= change[1:].min()
    return np.clip(change, 0.0, None) / max(float(change.max()), 1e-12)


def _smooth(matrix: np.ndarray, width: int, axis: int, mode: str) -> np.ndarray:
    from scipy.ndimage import convolve1d

    width = min(width, matrix.shape[axis]) | 1
    window = np.exp(-0.5 * (np.linspace(-1, 1, width) * 2.5) ** 2) if width > 1 else np.ones(1)
    return convolve1d(matrix, window / window.sum(), axis=axis, mode=mode)


def boundaries(roll: PianoRoll, settings: Structure = Structure()) -> np.ndarray:
    """Find the bars at which sections begin.

    Args:
        roll: piano-roll.
        settings: settings of the segmentation.

    Returns:
        int64, rising from 0.
    """
    features = beat_features(roll)
    lines = np.searchsorted(beat_steps(roll), roll.downbeats)
    found = {0}
    for start in range(0, len(features), settings.most_frames):
        curve = novelty(features[start : start + settings.most_frames], settings)
        for frame in peaks(curve, settings):
            # A frame is its past as well, so the change is half of that earlier.
            at = start + frame - 0.5 * (settings.memory - 1)
            found.add(int(np.abs(lines - at).argmin()))
    return np.array(sorted(found), dtype=np.int64)


def peaks(curve: np.ndarray, settings: Structure = Structure()) -> np.ndarray:
    """Find the peaks of a novelty curve: above the threshold and the maximum within the lead.

    Args:
        curve: float64 (frames,).
        settings: settings of the segmentation.

    Returns:
        int64, rising.
    """
    from scipy.ndimage import maximum_filter1d

    highest = maximum_filter1d(curve, 2 * settings.lead + 1, mode="constant") if len(curve) else curve
    return np.flatnonzero((curve >= settings.threshold) & (curve >= highest) & (curve > 0))


def phrase_starts(roll: PianoRoll, bars: int = 4, settings: Structure = Structure()) -> np.ndarray:
    """Find the first bars of phrases.

    Every section is cut into phrases of ``bars`` bars from its beginning; what is left at its end is dropped, unless it
    lacks a single bar, which it then takes from the next section (as MuseGAN's own scripts do). The sections begin at
    :func:`boundaries`, and wherever the metre leaves 4/4, which no phrase may contain.

    Args:
        roll: piano-roll.
        bars: length of a phrase.
        settings: settings of the segmentation.

    Returns:
        int64, rising.
    """
    whole = roll.bar_lengths == 4 * roll.steps_per_beat
    count = len(whole)
    edges = set(boundaries(roll, settings).tolist()) | {0, count}
    edges |= set((np.flatnonzero(np.diff(whole.astype(int))) + 1).tolist())
    ordered = sorted(edges)
    starts: list[int] = []
    for first, stop in zip(ordered[:-1], ordered[1:], strict=True):
        for at in range(first, min(stop - bars + 2, count - bars + 1), bars):
            if whole[at : at + bars].all():
                starts.append(at)
    return np.array(starts, dtype=np.int64)
