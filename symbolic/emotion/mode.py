"""Change the mode of a melody between major and minor by altering the third, the sixth and the seventh of its key."""

from __future__ import annotations

import numpy as np

from d2m.symbolic.emotion.statistics import sounding
from d2m.symbolic.keys import find_keys
from d2m.symbolic.melody import CLASSES, FIRST_KEY, LOWEST, STEPS_PER_BAR

#: Degrees of the scale that differ, in semitones above the tonic: in major, and in natural minor.
_MAJOR, _MINOR = (4, 9, 11), (3, 8, 10)


def keys_of(melody: np.ndarray) -> np.ndarray:
    """Estimate the key of every bar.

    Args:
        melody: uint8 (bars * 16,).

    Returns:
        int64 (bars,), 0 to 11 C to B major, 12 to 23 minor.
    """
    keys = sounding(melody).reshape(-1, STEPS_PER_BAR)
    chroma = np.stack([((keys > 0) & (keys % 12 == pitch)).sum(axis=1) for pitch in range(12)], axis=1)
    return find_keys(chroma.astype(np.float64))


def in_mode(melody: np.ndarray, mode: str) -> np.ndarray:
    """Change a melody to ``major`` or ``minor`` on the same tonics; bars in that mode do not change.

    Args:
        melody: uint8 (bars * 16,).
        mode: one of :data:`~d2m.symbolic.emotion.emotions.MODES`.
    """
    keys = np.repeat(keys_of(melody), STEPS_PER_BAR)
    changes, by = (keys < 12, -1) if mode == "minor" else (keys >= 12, 1)
    degrees = _MAJOR if mode == "minor" else _MINOR
    pitches = melody.astype(np.int64) - FIRST_KEY + LOWEST
    moved = (melody >= FIRST_KEY) & changes & np.isin((pitches - keys) % 12, degrees)
    return np.where(moved, melody.astype(np.int64) + by, melody).clip(0, CLASSES - 1).astype(np.uint8)
