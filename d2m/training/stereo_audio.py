"""Random crops of stereo music from a folder of sound files, for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from d2m.errors import D2MError

_SHORTEST = 1.0


class StereoCrops:
    """Crops of songs that stay on the disk.

    Args:
        folder: .flac and .wav files with two channels at ``sample_rate``, a second or longer.
        sample_rate: sample rate in hertz.

    Raises:
        D2MError: if the folder holds none of these, or a file that is damaged or of another format.
    """

    def __init__(self, folder: str | Path, sample_rate: int = 44100) -> None:
        self.folder, self.sample_rate = Path(folder), sample_rate
        self.paths = sorted(path for end in ("flac", "wav") for path in self.folder.glob(f"*.{end}"))
        if not self.paths:
            raise D2MError(f"no .flac or .wav files in {folder}; give a folder of 'd2m data music'")
        self.lengths = np.array([_length(path, sample_rate) for path in self.paths])
        self._weights = self.lengths / self.lengths.sum()

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int, start: int, length: int) -> np.ndarray:
        """Read part of a song; samples beyond its end are 0.

        Args:
            index: index of the song.
            start: first sample.
            length: number of samples.

        Returns:
            float32 (2, length).
        """
        import soundfile

        try:
            samples, _ = soundfile.read(
                self.paths[index], frames=length, start=start, dtype="float32", always_2d=True, fill_value=0.0
            )
        except (OSError, ValueError, soundfile.SoundFileError) as error:
            raise D2MError(f"{self.paths[index]} is damaged; make it again, or remove it") from error
        return np.ascontiguousarray(samples.T)

    def middle(self, index: int, length: int) -> np.ndarray:
        """Read the middle of a song.

        Args:
            index: index of the song.
            length: number of samples.

        Returns:
            float32 (2, length).
        """
        return self.read(index, max(0, (int(self.lengths[index]) - length) // 2), length)

    def batch(self, rng: np.random.Generator, size: int, length: int, gain_db: float = 0.0) -> np.ndarray:
        """Draw random crops with a random gain.

        Each crop is turned down by 0 to ``gain_db`` dB, its sides are exchanged in every second, silent ones are drawn
        again, and the stereo image of about half of them is changed (:func:`reimaged`).

        Args:
            rng: random generator.
            size: number of crops.
            length: samples.
            gain_db: maximum attenuation in decibels.

        Returns:
            float32 (size, 2, length).
        """
        out = np.zeros((size, 2, length), np.float32)
        for row in out:
            for _ in range(8):
                index = int(rng.choice(len(self.paths), p=self._weights))
                crop = self.read(index, int(rng.integers(0, max(1, self.lengths[index] - length))), length)
                if crop.std() > 1e-3:
                    break
            turned = reimaged(crop, self.sample_rate, rng)[:: (1 if rng.random() < 0.5 else -1)]
            row[:] = turned * 10 ** (-rng.uniform(0, gain_db) / 20)
        return out


def reimaged(crop: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Change the stereo image of a crop at random.

    Old and wide mixes differ from those of the studio. Each change is made with a probability of its own: the balance
    moves by up to 8 dB, the side is scaled by 0 to 2, one channel is delayed by 1 to 15 ms. The studio's mixes have no
    side in the bass; balance and delay add some.

    Args:
        crop: float32 (2, samples).
        sample_rate: sample rate in hertz.
        rng: random generator.

    Returns:
        float32 (2, samples).
    """
    if rng.random() < 0.2:
        crop = crop * 10 ** (np.array([[0.0], [-rng.uniform(0, 8)]], np.float32) / 20)
    if rng.random() < 0.2:
        middle, factor = crop.mean(0, keepdims=True), rng.uniform(0, 2)
        crop = np.clip(middle + np.float32(factor) * (crop - middle), -1, 1)
    if rng.random() < 0.2:
        late = int(rng.uniform(0.001, 0.015) * sample_rate)
        crop = np.stack([crop[0], np.pad(crop[1], (late, 0))[: crop.shape[1]]])
    return crop


def _length(path: Path, sample_rate: int) -> int:
    import soundfile

    try:
        info = soundfile.info(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise D2MError(f"{path} is damaged; make it again, or remove it") from error
    if info.samplerate != sample_rate or info.channels != 2 or info.frames < _SHORTEST * sample_rate:
        raise D2MError(f"{path} is not stereo at {sample_rate} Hz, a second or longer; convert it or remove it")
    return int(info.frames)
