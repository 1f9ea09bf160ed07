"""Similarity of a changed melody to the original: of the rhythm, and of the notes in the best transposition."""

from __future__ import annotations

import numpy as np

from d2m.symbolic.melody import FIRST_KEY

#: Transpositions that count as the same tune, semitones.
_SHIFTS = range(-24, 25)


def rhythm_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute the F1 of the onsets' steps.

    Args:
        a, b: melodies uint8 (N, steps).

    Returns:
        float64 (N,).
    """
    return _f1(((a >= FIRST_KEY) & (b >= FIRST_KEY)).sum(axis=1), a, b)


def tune_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute the F1 of onsets with their pitches in the best transposition of one melody.

    An emotion may ask for another register; the tune is then the same.

    Args:
        a, b: melodies uint8 (N, steps).

    Returns:
        float64 (N,).
    """
    struck = (a >= FIRST_KEY) & (b >= FIRST_KEY)
    interval = b.astype(np.int64) - a.astype(np.int64)
    agreeing = np.stack([(struck & (interval == shift)).sum(axis=1) for shift in _SHIFTS])
    return _f1(agreeing.max(axis=0), a, b)


def _f1(common: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    total = (a >= FIRST_KEY).sum(axis=1) + (b >= FIRST_KEY).sum(axis=1)
    # Two silences are the same.
    return np.divide(2.0 * common, total, out=np.ones(len(total)), where=total > 0)
