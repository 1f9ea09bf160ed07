"""Crops of music for training, from a folder of examples, of wav files, or from a prepared data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from d2m.datasets.examples import read_song
from d2m.datasets.prepared import SPLITS, Manifest, find_music, read_entry, read_split
from d2m.errors import D2MError
from d2m.training.monitor import Sample

#: Seconds: less is no music, and shorter than what a codec makes of one code.
_SHORTEST = 0.04


class SongCrops:
    """Random crops of songs.

    Args:
        folder: examples (npz files with an int16 array ``waveform``; :mod:`d2m.datasets.pairs`) or wav files at
            ``sample_rate``, of which the channels' mean is taken; or ``PREPARED/train`` and ``PREPARED/held_out``,
            where ``PREPARED`` is a prepared data set (:mod:`d2m.datasets.prepared`): the music of that split, each
            piece once. Held out is the music of ``val``, or ``test``, that is not in ``train``.
        sample_rate: hertz.

    Raises:
        D2MError: if the folder holds none of these, music of another rate or of next to no length, or a file that is
            damaged.
    """

    def __init__(self, folder: str | Path, sample_rate: int = 22050) -> None:
        folder = Path(folder)
        self.songs: list[np.ndarray] = []
        readers = {"*.npz": read_song, "*.wav": lambda path: _read_wav(path, sample_rate)}
        for pattern, read in readers.items():
            for path in sorted(folder.glob(pattern)):
                self.songs.append(read(path))
                if len(self.songs[-1]) < _SHORTEST * sample_rate:
                    raise D2MError(f"{path} holds less than {_SHORTEST:g} s of sound; remove it")
        if not folder.exists() and (folder.parent / "prepared.json").is_file():
            self.songs = [song for song, _ in prepared_songs(folder.parent, folder.name, sample_rate)]
        if not self.songs:
            raise D2MError(f"no music to train on in {folder}; give one of 'd2m data prepare' or 'd2m data examples'")
        self._weights = np.array([len(song) for song in self.songs], float)
        self._weights /= self._weights.sum()

    def __len__(self) -> int:
        return len(self.songs)

    def excerpts(self, count: int, length: int) -> list[np.ndarray]:
        """Return excerpts from the middle of the first songs.

        Args:
            count: number of songs.
            length: maximum length in samples.

        Returns:
            float32 (up to ``length``,) each.
        """
        middles = [(song, max(0, len(song) // 2 - length // 2)) for song in self.songs[:count]]
        return [song[start : start + length].astype(np.float32) / 32768 for song, start in middles]

    def batch(self, rng: np.random.Generator, size: int, length: int, gain_db: float = 0.0) -> np.ndarray:
        """Draw random crops with a random gain; silent ones are drawn again.

        Args:
            rng: random generator.
            size: number of crops.
            length: samples.
            gain_db: maximum attenuation in decibels.

        Returns:
            float32 (size, length).
        """
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


def compared(
    songs: SongCrops, sample_rate: int, hop: int, reconstruct: Callable[[Tensor], Tensor], device: torch.device
) -> list[Sample]:
    """Return a model's reconstructions of four seconds of three songs.

    Args:
        songs: held out.
        sample_rate: hertz.
        hop: samples that the model takes at a time.
        reconstruct: (1, T) -> (1, T).
        device: device of the model.
    """
    samples = []
    for number, wave in enumerate(songs.excerpts(3, 4 * sample_rate // hop * hop), 1):
        wave = wave[: len(wave) // hop * hop]
        with torch.no_grad():
            made = reconstruct(torch.from_numpy(wave)[None].to(device))[0].float().cpu().numpy()
        samples.append(Sample(f"song{number}", made, wave, sample_rate))
    return samples


def prepared_songs(data: Path, split: str, sample_rate: int) -> list[tuple[np.ndarray, int]]:
    """Return the music of a prepared data set, each piece once, and the genre that is danced to it (-1 where unknown).

    Args:
        data: the prepared data set.
        split: ``"train"``, or ``"held_out"``: the music of ``val``, or ``test``, that is not in ``train``.
        sample_rate: hertz.

    Raises:
        D2MError: if the music is at another rate, or none is held out.
    """
    manifest = Manifest.read(data)
    if manifest.sample_rate != sample_rate:
        raise D2MError(f"{data} holds music at {manifest.sample_rate} Hz; prepare it at {sample_rate} Hz")

    def genres_of(name: str) -> dict[str, int]:
        entries = (read_entry(data, sequence, manifest) for sequence in read_split(data, name))
        return {entry.music: entry.genre for entry in entries}

    wanted = genres_of("train")
    if split != "train":
        held_out = next((music for name in SPLITS[1:] if (music := genres_of(name))), {})
        wanted = {music: genre for music, genre in held_out.items() if music not in wanted}
        if not wanted:
            raise D2MError(f"all held-out music of {data} is also in the training set; prepare it with splits by music")
    # Left on the disk: a data set may be larger than memory.
    return [
        (np.load(find_music(data, music).path, mmap_mode="r", allow_pickle=False), genre)
        for music, genre in wanted.items()
    ]


def _read_wav(path: Path, sample_rate: int) -> np.ndarray:
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        raise D2MError(f"{path} is damaged or not a .wav file; make it again, or remove it") from error
    if rate != sample_rate:
        raise D2MError(f"{path} is at {rate} Hz; convert it to {sample_rate} Hz")
    if not len(samples):
        raise D2MError(f"{path} holds no sound; remove it")
    if not np.isfinite(samples).all():
        raise D2MError(f"{path} holds samples that are not numbers (NaN or infinite); make it again, or remove it")
    return np.clip(np.round(samples.mean(axis=1) * 32768), -32768, 32767).astype(np.int16)
