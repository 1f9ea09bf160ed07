"""Chance level of a score: the same music with circular time shifts.

Shifted music keeps its tempo, its density of onsets and its patterns, and loses only its position relative to the
dance. The shifts are circular within the clip and spread evenly over its length. Their mean is the *chance* level, the
score minus chance the *excess*.

The *interval* of the excess uses the distribution of the shifted scores as that of the score itself, reversed: from the
score minus the 97.5 % quantile of the shifted scores to the score minus their 2.5 % quantile. So it contains 0 exactly
when unrelated music with this rhythm reaches the score in 95 % of its positions. For music that repeats every beat,
whose score depends on the phase only, the interval is wide for clips of any length (resampling single beats would make
it too narrow). *p* is the share of shifts that score as high or higher. Both are for one clip; for many, see
:func:`d2m.evaluation.alignment.bootstrap`.

References
----------
P. Good, "Permutation, Parametric, and Bootstrap Tests of Hypotheses", 3rd ed. 2005, chapters 3 and 7 (tests and
intervals from rearrangements).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Circular shifts that chance is the mean of.
SHIFTS = 400


@dataclass(frozen=True)
class Excess:
    """A score and what it means. NaN throughout where it cannot be worked out.

    Attributes:
        value: the score.
        chance: its mean over shifted music.
        excess: value less chance.
        interval: interval of the excess, 95 %.
        p: share of shifts that score as high or higher, counting the music itself.
    """

    value: float
    chance: float
    excess: float
    interval: tuple[float, float]
    p: float


def against_shifts(
    score: Callable[[np.ndarray, np.ndarray], float],
    motion: np.ndarray,
    music: np.ndarray,
    duration: float,
    shifts: int = SHIFTS,
    level: float = 0.95,
) -> Excess:
    """Return a score of motion and music times, with chance from circular shifts of the music.

    Args:
        score: function of (motion, music), both rising times in seconds.
        motion, music: rising times in seconds within 0 … ``duration``.
        duration: seconds of the clip.
        shifts: how many.
        level: level of the interval.

    Raises:
        ValueError: if ``duration`` is not above 0 or ``shifts`` is below 20.
    """
    if not duration > 0:
        raise ValueError("duration must be above 0")
    if shifts < 20:
        raise ValueError("an interval needs at least 20 shifts")
    value = score(motion, music)
    offsets = (np.arange(shifts) + 0.5) / shifts * duration
    shifted = np.array([score(motion, np.sort((music + offset) % duration)) for offset in offsets])
    if not np.isfinite(value) or not np.isfinite(shifted).all():
        nan = float("nan")
        return Excess(nan, nan, nan, (nan, nan), nan)
    low, high = np.quantile(shifted, [(1 - level) / 2, (1 + level) / 2])
    chance = float(shifted.mean())
    as_high = int((shifted >= value - 1e-12).sum())
    return Excess(
        float(value),
        chance,
        float(value - chance),
        (float(value - high), float(value - low)),
        (1 + as_high) / (1 + shifts),
    )
