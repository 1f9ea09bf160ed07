"""Statistics of melodies, for comparing samples of a model with real music.

All values are of one melody, then averaged over many: pitch, density, rests, durations, and how similar its bars are
to each other (self-similarity, Foote 1999, here of bars with the same note on the same step).
"""

from __future__ import annotations

import numpy as np

from d2m.symbolic.melody import FIRST_KEY, HOLD, LOWEST, STEPS_PER_BAR

#: The names of :func:`describe`'s figures.
FIGURES: tuple[str, ...] = (
    "mean pitch", "pitch range", "pitches", "notes a bar", "steps a note", "rest", "silent bars", "on the beat",
    "mean interval", "leaps", "repeated bars", "similar bars", "in key",
)  # fmt: skip
_MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])


def describe(melodies: np.ndarray) -> dict[str, np.ndarray]:
    """Return figures of each melody.

    Args:
        melodies: uint8 (N, bars * 16).

    Returns:
        By name, float64 (N,); NaN where a melody has no notes to tell. Pitches are MIDI note numbers, intervals
        semitones. "rest" is the share of steps in silence, "on the beat" that of onsets on a quarter note, "leaps"
        that of intervals over a fourth, "repeated bars" that of bars which say the same as one before, "similar bars"
        the mean share of onsets that a bar has in common with the most similar bar before it, "in key" the share of
        onsets in the major scale that holds most of them.
    """
    melodies = np.asarray(melodies)
    rows = [_one(melody) for melody in melodies]
    return {name: np.array([row[i] for row in rows]) for i, name in enumerate(FIGURES)}


def summary(melodies: np.ndarray) -> dict[str, float]:
    """Average :func:`describe` over the melodies for which each value is defined.

    Args:
        melodies: uint8 (N, steps).

    Returns:
        Means by name; values that are never defined are left out.
    """
    figures = describe(melodies)
    return {
        name: float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
        for name, values in figures.items()
    }


def sounding(melodies: np.ndarray) -> np.ndarray:
    """Return the key that sounds at each step, or 0.

    Args:
        melodies: uint8 (..., steps).

    Returns:
        int64 (..., steps).
    """
    melodies = np.asarray(melodies).astype(np.int64)
    place = np.where(melodies != HOLD, np.arange(melodies.shape[-1]), 0)
    last = np.take_along_axis(melodies, np.maximum.accumulate(place, axis=-1), axis=-1)
    return np.where(last >= FIRST_KEY, last - FIRST_KEY + LOWEST, 0)


def likeness(bars: np.ndarray) -> np.ndarray:
    """Compute the similarity of bars: the share of onsets that two have in common, by pitch and step.

    Args:
        bars: uint8 (..., B, 16).

    Returns:
        float64 (..., B, B); 0 for bars without onsets.
    """
    struck = bars >= FIRST_KEY
    common = ((bars[..., :, None, :] == bars[..., None, :, :]) & struck[..., :, None, :]).sum(axis=-1)
    counts = struck.sum(axis=-1)
    return 2.0 * common / np.maximum(counts[..., :, None] + counts[..., None, :], 1)


def note_f1(truth: np.ndarray, guess: np.ndarray) -> float:
    """Compute the F1 of onsets with the correct pitch on the correct step, over all melodies together.

    Args:
        truth, guess: uint8 (N, steps).
    """
    hit = ((truth == guess) & (truth >= FIRST_KEY)).sum()
    total = (truth >= FIRST_KEY).sum() + (guess >= FIRST_KEY).sum()
    return float(2 * hit / total) if total else 1.0


def _one(melody: np.ndarray) -> tuple[float, ...]:
    bars = melody.reshape(-1, STEPS_PER_BAR)
    at = np.flatnonzero(melody >= FIRST_KEY)
    silent = float((~(bars >= FIRST_KEY).any(axis=1)).mean())
    sound = sounding(melody)
    rest = float((sound == 0).mean())
    if not len(at):
        nan = float("nan")
        return nan, nan, nan, 0.0, nan, rest, silent, nan, nan, nan, nan, nan, nan
    pitches = melody[at].astype(np.int64) - FIRST_KEY + LOWEST
    jumps = np.abs(np.diff(pitches)) if len(at) > 1 else np.zeros(1)
    repeated, similar = _resemblance(bars)
    return (
        float(pitches.mean()),
        float(np.ptp(pitches)),
        float(len(np.unique(pitches))),
        len(at) / len(bars),
        float((sound > 0).sum() / len(at)),
        rest,
        silent,
        float((at % 4 == 0).mean()),
        float(jumps.mean()),
        float((jumps > 5).mean()),
        repeated,
        similar,
        _in_key(pitches),
    )


def _resemblance(bars: np.ndarray) -> tuple[float, float]:
    """Share of sounding bars that repeat an earlier one, and the mean likeness to the most similar earlier bar."""
    full = bars[(bars >= FIRST_KEY).any(axis=1)]
    if len(full) < 2:
        return float("nan"), float("nan")
    same = (full[:, None] == full[None]).all(axis=2)
    before = np.tri(len(full), k=-1, dtype=bool)
    alike = np.where(before, likeness(full), 0.0)
    return float((same & before).any(axis=1)[1:].mean()), float(alike.max(axis=1)[1:].mean())


def _in_key(pitches: np.ndarray) -> float:
    classes = np.bincount(pitches % 12, minlength=12)
    return float(max(classes[(_MAJOR + root) % 12].sum() for root in range(12)) / len(pitches))
