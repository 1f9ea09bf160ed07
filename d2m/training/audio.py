"""Crops of music for training: songs kept as int16 arrays in one npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class SongCrops:
    """Random crops of songs.

    Args:
        paths: npz files, each with one int16 mono array a song; or a list of such arrays.
    """

    def __init__(self, paths: list[str | Path]) -> None:
        self.songs: list[np.ndarray] = []
        for path in paths:
            with np.load(path, allow_pickle=False) as archive:
                self.songs += [archive[name] for name in archive.files]
        self._weights = np.array([len(s) for s in self.songs], float)
        self._weights /= self._weights.sum()

    def __len__(self) -> int:
        return len(self.songs)

    def batch(self, rng: np.random.Generator, size: int, length: int, gain_db: float = 0.0) -> np.ndarray:
        """float32 (size, length) in -1..1; each crop turned down by 0 to ``gain_db`` decibels; silent crops are redrawn."""
        out = np.empty((size, length), np.float32)
        for row in out:
            for _ in range(8):
                song = self.songs[rng.choice(len(self.songs), p=self._weights)]
                start = rng.integers(0, max(1, len(song) - length))
                crop = song[start : start + length].astype(np.float32) / 32768
                if crop.std() > 1e-3:
                    break
            row[:] = 0
            row[: len(crop)] = crop * 10 ** (-rng.uniform(0, gain_db) / 20)
        return out
