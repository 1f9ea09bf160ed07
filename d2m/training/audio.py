"""Crops of music for training, from a folder of examples or of wav files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from d2m.errors import D2MError


class SongCrops:
    """Random crops of songs.

    Args:
        folder: examples (npz files with an int16 array ``waveform``; :mod:`d2m.training.pairs`) or mono wav files at
            ``sample_rate``.
        sample_rate: hertz.

    Raises:
        D2MError: if the folder holds neither, or a wav of another rate.
    """

    def __init__(self, folder: str | Path, sample_rate: int = 22050) -> None:
        folder = Path(folder)
        self.songs: list[np.ndarray] = []
        for path in sorted(folder.glob("*.npz")):
            with np.load(path, allow_pickle=False) as archive:
                self.songs.append(archive["waveform"])
        for path in sorted(folder.glob("*.wav")):
            self.songs.append(_read_wav(path, sample_rate))
        if not self.songs:
            raise D2MError(f"no music to train on in {folder}; make some with scripts/make_training_data.py")
        self._weights = np.array([len(song) for song in self.songs], float)
        self._weights /= self._weights.sum()

    def __len__(self) -> int:
        return len(self.songs)

    def batch(self, rng: np.random.Generator, size: int, length: int, gain_db: float = 0.0) -> np.ndarray:
        """float32 (size, length); each crop is turned down by 0 to ``gain_db`` decibels; silent ones are redrawn."""
        out = np.zeros((size, length), np.float32)
        for row in out:
            for _ in range(8):
                song = self.songs[rng.choice(len(self.songs), p=self._weights)]
                start = rng.integers(0, max(1, len(song) - length))
                crop = song[start : start + length].astype(np.float32) / 32768
                if crop.std() > 1e-3:
                    break
            row[: len(crop)] = crop * 10 ** (-rng.uniform(0, gain_db) / 20)
        return out


def _read_wav(path: Path, sample_rate: int) -> np.ndarray:
    import soundfile

    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    if rate != sample_rate:
        raise D2MError(f"{path} is at {rate} Hz; convert it to {sample_rate} Hz")
    return samples[:, 0]
