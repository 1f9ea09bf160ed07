"""Windows of bars from prepared phrases, longer than one phrase where the next follows directly in the same song."""

from __future__ import annotations

import numpy as np

from d2m.datasets.phrases import BARS, Phrases, shifted
from d2m.errors import D2MError
from d2m.symbolic.tracks import DRUMS

_FARTHEST = 6


class PhraseWindows:
    """Windows of bars at any place within phrases and across those that touch.

    Args:
        phrases: phrases of one split.

    Attributes:
        shape: (steps, pitches, tracks) of a bar.
    """

    def __init__(self, phrases: Phrases) -> None:
        self.phrases = phrases
        self.shape = phrases.resolution.shape()[1:]
        follows = (np.diff(phrases.song) == 0) & (np.diff(phrases.bar) == BARS)
        #: How many phrases in a row begin with each.
        self._rows = np.ones(len(phrases), dtype=np.int64)
        for index in range(len(follows) - 1, -1, -1):
            if follows[index]:
                self._rows[index] += self._rows[index + 1]

    def starts(self, bars: int) -> np.ndarray:
        """Return the phrases at which a window can begin, whatever its first bar in them.

        Args:
            bars: length of the window.

        Returns:
            int64 (M,).

        Raises:
            D2MError: if there are none.
        """
        found = np.flatnonzero(self._rows >= -(-bars // BARS))
        if not len(found):
            raise D2MError(f"no song has {bars} bars in a row among the phrases; prepare more music")
        return found

    def take(self, starts: np.ndarray, offsets: np.ndarray, bars: int) -> np.ndarray:
        """Return windows.

        Args:
            starts: numbers of N phrases.
            offsets: first bar in each.
            bars: length of the windows.

        Returns:
            bool (N, bars, steps, pitches, tracks).
        """
        count = -(-bars // BARS)
        tensors = self.phrases[(starts[:, None] + np.arange(count)).ravel()]
        whole = tensors.reshape(len(starts), count * BARS, *self.shape)
        return whole[np.arange(len(starts))[:, None], offsets[:, None] + np.arange(bars)]

    def batch(self, rng: np.random.Generator, count: int, bars: int, transpose: int = 0) -> np.ndarray:
        """Draw windows.

        Args:
            rng: draws windows and transpositions.
            count: how many.
            bars: number of bars of each.
            transpose: each is moved by up to this many semitones either way, as far as no note is lost.

        Returns:
            float32 (count, bars, steps, pitches, tracks), 0 or 1.
        """
        room = -(-bars // BARS) * BARS - bars
        tensors = self.take(rng.choice(self.starts(bars), count), rng.integers(0, room + 1, count), bars)
        if transpose:
            most = min(transpose, _FARTHEST)
            used = np.any(tensors[..., DRUMS + 1 :], axis=(1, 2, 4))
            low = np.minimum(used.argmax(axis=1), most)
            high = np.minimum(used[:, ::-1].argmax(axis=1), most)
            tensors = shifted(tensors, rng.integers(-low, high + 1))
        return tensors.astype(np.float32)
