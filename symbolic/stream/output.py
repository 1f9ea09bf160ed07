"""Room and limiter that remember what came before, so that blocks of any size follow each other without a seam."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from d2m.symbolic.synth import room_answer, room_delay

#: No sample is louder, in decibels under full scale, and how far ahead the limiter looks, in seconds.
CEILING_DB, _AHEAD = -1.5, 0.005


class Room:
    """A small bright room around the music, by overlap-add.

    Args:
        rate: samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._answer = _answer(rate)
        self._spectra: dict[int, np.ndarray] = {}
        #: float32 (2, samples): what is still to come of the sound so far.
        self.tail = np.zeros((2, self._answer.shape[1] - 1), np.float32)

    def __call__(self, send: np.ndarray) -> np.ndarray:
        """float32 (2, n) that the room answers while ``send`` (n,) goes into it."""
        from scipy.fft import irfft, next_fast_len, rfft

        count = len(send)
        length = next_fast_len(count + self._answer.shape[1] - 1, real=True)
        if length not in self._spectra:
            self._spectra = {length: rfft(self._answer, length, axis=1)}
        wet = irfft(self._spectra[length] * rfft(send.astype(np.float32), length), length, axis=1)
        wet = wet[:, : count + self._answer.shape[1] - 1]
        kept = self.tail.shape[1]
        out = np.zeros((2, count + kept), np.float32)
        out[:, : wet.shape[1]] = wet
        out[:, :kept] += self.tail
        # Never written into again, so that a copy of the state may share it.
        self.tail = out[:, count:].copy()
        return out[:, :count]


@lru_cache(maxsize=2)
def _answer(rate: int) -> np.ndarray:
    return np.pad(room_answer(rate, 2), ((0, 0), (room_delay(rate), 0))).astype(np.float32)


@dataclass
class Limiter:
    """Keeps every sample under the ceiling, with a look ahead; what comes out is ``delay`` samples late.

    The mean of minima over a window never exceeds what the sample in its middle needs.
    """

    rate: int

    def __post_init__(self) -> None:
        self.half = int(_AHEAD * self.rate)
        self.delay = 2 * self.half
        self.past = np.zeros((2, 2 * self.delay), np.float32)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """float32 (2, n) of (2, n)."""
        from scipy.ndimage import minimum_filter1d, uniform_filter1d

        sound = np.concatenate([self.past, block], axis=1)
        self.past = sound[:, block.shape[1] :].copy()
        middle = slice(self.delay, sound.shape[1] - self.delay)
        ceiling = 10.0 ** (CEILING_DB / 20)
        peaks = np.abs(sound).max(axis=0)
        if peaks.max() <= ceiling:
            return sound[:, middle]
        window = 2 * self.half + 1
        needed = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9).astype(np.float64))
        gain = uniform_filter1d(minimum_filter1d(needed, window), window)
        return np.clip(sound * gain, -ceiling, ceiling).astype(np.float32)[:, middle]
