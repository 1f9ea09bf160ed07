"""States of the bar-pointer model, and the log likelihoods of its observations.

Arrays have the axes time, position in the bar (B) and lag (L, frames since the beat before). A beat at frame t covers
the frames t - half to t + half; the frames between two beats count as frames without a beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Space:
    """States and transitions of the model.

    Attributes:
        lags: int64 (L,), lengths of a beat in frames, rising.
        half: int64 (L,), half-width of a beat in frames.
        prior: float64 (L,), log probability of beginning after a rest with each lag, at one position of the bar.
        change: float64 (L, L), log probability of the lag (column) after another (row).
        bar: number of beats per bar.
        rest_cost: cost of beginning a rest in nats.
        rest_rate: cost of each frame of a rest in nats.
    """

    lags: np.ndarray
    half: np.ndarray
    prior: np.ndarray
    change: np.ndarray
    bar: int
    rest_cost: float
    rest_rate: float

    @property
    def wide(self) -> int:
        return int(self.half.max())


class Evidence:
    """Cumulative log likelihoods of frames, so that the sum over any range is one difference.

    Args:
        none: float64 (T,), log likelihood of each frame between beats.
        kinds: float64 (2, T), log likelihood of each frame within a downbeat, and within another beat.
    """

    def __init__(self, none: np.ndarray, kinds: np.ndarray):
        self.frames = len(none)
        self.none = np.concatenate([[0.0], np.cumsum(none)])
        self.kinds = np.concatenate([np.zeros((2, 1)), np.cumsum(kinds, axis=1)], axis=1)

    def cut(self, first: int, last: int) -> Evidence:
        """Return the evidence of a range of frames.

        Args:
            first: first frame.
            last: frame after the last one.
        """
        return Evidence(np.diff(self.none[first : last + 1]), np.diff(self.kinds[:, first : last + 1], axis=1))

    def between(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Compute the log likelihood of no beat in ranges of frames; frames outside the piece count 0.

        Args:
            first: int64, first frames of the ranges.
            last: int64, frames after the last ones; broadcast with ``first``.

        Returns:
            float64 of the broadcast shape.
        """
        end = self.frames
        return self.none[np.clip(last, 0, end)] - self.none[np.clip(first, 0, end)]

    def beat(self, space: Space, frames: np.ndarray) -> np.ndarray:
        """Compute the log likelihood of a beat at each frame.

        Args:
            space: states of the model.
            frames: int64 (N,).

        Returns:
            float64 (N, B, L).
        """
        low = np.clip(frames[:, None] - space.half, 0, self.frames)
        high = np.clip(frames[:, None] + space.half + 1, 0, self.frames)
        down, other = self.kinds[0][high] - self.kinds[0][low], self.kinds[1][high] - self.kinds[1][low]
        return np.stack([down, *[other] * (space.bar - 1)], axis=1)

    def gap(self, space: Space, frames: np.ndarray) -> np.ndarray:
        """Compute the log likelihood of no beat between each frame and the beat one lag before it.

        Args:
            space: states of the model.
            frames: int64 (N,).

        Returns:
            float64 (N, L).
        """
        return self.between(frames[:, None] - space.lags + space.half + 1, frames[:, None] - space.half)
