"""Convert positions of the music to the seconds at which a dancer reaches them."""

from __future__ import annotations

from copy import copy

import numpy as np
from scipy.ndimage import gaussian_filter1d

from d2m.types import BeatGrid


class Timing:
    """Seconds at which a dancer reaches positions of the music: late or early, and never twice the same."""

    def __init__(self, grid: BeatGrid, duration: float, rng: np.random.Generator, *, bias: float, jitter: float):
        self.grid, self.bias = grid, bias
        low = int(np.floor(grid.position_of(0.0))) - 12
        high = int(np.ceil(grid.position_of(duration))) + 16
        self.positions = np.arange(low, high)
        drift = gaussian_filter1d(rng.normal(0.0, 1.0, len(self.positions)), 4.0) * 3.7 * 0.5 * jitter
        self.deviations = drift + rng.normal(0.0, jitter, len(self.positions))
        self.seconds = self._seconds(grid.time_of(self.positions))

    def moved(self, offsets: np.ndarray) -> Timing:
        """Return the same timing with every position moved.

        Args:
            offsets: (len(positions),), beats; the order of positions is kept.
        """
        other = copy(self)
        other.seconds = self._seconds(self.grid.time_of(self.positions + offsets))
        return other

    def when(self, position: np.ndarray) -> np.ndarray:
        """Return the seconds at which positions in beats are reached."""
        return _line(position, self.positions, self.seconds)

    def where(self, time: np.ndarray) -> np.ndarray:
        """Return the positions in beats that are reached at times in seconds."""
        return _line(time, self.seconds, self.positions)

    def _seconds(self, beats: np.ndarray) -> np.ndarray:
        return np.maximum.accumulate(beats + self.bias + self.deviations + 1e-6 * np.arange(len(beats)))


def _line(x: np.ndarray, knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Interpolation that goes on with the mean slope beyond both ends."""
    slope = (values[-1] - values[0]) / (knots[-1] - knots[0])
    inside = np.interp(x, knots, values)
    return inside + slope * (np.minimum(x - knots[0], 0.0) + np.maximum(x - knots[-1], 0.0))
