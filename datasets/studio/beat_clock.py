"""Beats of the songs of :mod:`d2m.datasets.studio.beat_band`: tempos, metres, swing and their random variation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Usual tempo ranges of styles that have one.
TEMPOS: dict[str, tuple[float, float]] = {
    "four": (112, 138), "techno": (118, 150), "trance": (128, 150), "disco": (105, 130), "trap": (120, 165),
    "drum and bass": (150, 180), "dembow": (85, 110), "punk": (140, 200), "metal": (90, 200), "ballad": (55, 90),
    "hip hop": (75, 110), "boom bap": (78, 102), "afro": (95, 125), "half time": (110, 170), "reggae": (65, 95),
    "funk": (85, 120), "samba": (90, 130), "break": (95, 175),
}  # fmt: skip


@dataclass
class Clock:
    """Beats of a song with their subdivision.

    Attributes:
        beats: float64 (N,), seconds.
        bar: number of beats per bar.
        first: index of the first downbeat.
        swing: position of the second sixteenth within a half beat; 0.5 is straight.
        shuffle: position of the second eighth within a beat; 0.5 is straight.
    """

    beats: np.ndarray
    bar: int
    first: int
    swing: float
    shuffle: float

    def time(self, positions: ArrayLike) -> np.ndarray:
        """Convert positions to times, with swing.

        Args:
            positions: beats from the first downbeat.

        Returns:
            float64 of the same shape, seconds.
        """
        position = np.asarray(positions, float)
        beat, part = np.floor(position + 1e-9), np.mod(position + 1e-9, 1.0)
        # Warp the beat's halves (shuffle) and their halves (swing).
        half, inside = np.floor(part * 2), np.mod(part * 2, 1.0)
        inside = np.where(inside < 0.5, inside * 2 * self.swing, self.swing + (inside - 0.5) * 2 * (1 - self.swing))
        part = np.where(half == 0, inside * self.shuffle, self.shuffle + inside * (1 - self.shuffle))
        place = beat + part + self.first
        return np.interp(place, np.arange(len(self.beats)), self.beats)


def clock(seconds: float, style: str, rng: np.random.Generator) -> Clock:
    """Draw the beats of a song: steady, with human variation, drifting, or with a tempo change or a pause.

    Args:
        seconds: length that the beats must cover.
        style: style of :mod:`d2m.datasets.studio.beat_band`, which may limit the tempo.
        rng: random generator.
    """
    low, high = TEMPOS.get(style, (60.0, 190.0))
    if style in TEMPOS and rng.random() < 0.8:
        tempo = rng.uniform(low, high)
    else:
        tempo = float(np.clip(np.exp(rng.normal(np.log(112), 0.27)), 58, 205))
    count = int(seconds * tempo * 1.35 / 60) + 16
    period = np.full(count, 60.0 / tempo)
    kind = rng.choice(["steady", "human", "drift", "change", "pause"], p=[0.5, 0.3, 0.12, 0.05, 0.03])
    if kind in ("human", "drift"):
        wander = np.cumsum(rng.normal(0, 1, count))
        wander -= np.linspace(wander[0], wander[-1], count)
        deep = rng.uniform(0.005, 0.03) if kind == "human" else rng.uniform(0.03, 0.1)
        period *= 1 + deep * wander / (np.abs(wander).max() + 1e-9)
        period *= 1 + rng.normal(0, 0.004, count)
    at = int(rng.integers(count // 5, max(count // 2, count // 5 + 1)))
    if kind == "change":
        period[at:] *= rng.uniform(0.7, 1.4)
    if kind == "pause":
        period[at] *= rng.uniform(1.3, 3.0)
    bar = int(rng.choice([4, 3, 2], p=[0.9, 0.08, 0.02]))
    first = int(rng.integers(2, 2 + bar))
    beats = np.cumsum(period) - period[0] * rng.uniform(1.0, 2.0)
    swing = rng.uniform(0.52, 0.67) if rng.random() < 0.2 else 0.5
    shuffle = rng.uniform(0.58, 0.68) if rng.random() < (0.8 if style == "ride" else 0.1) else 0.5
    return Clock(beats, bar, first, swing, shuffle)
