"""Genre network computed with NumPy: the embeddings of :class:`d2m.music_genre_net.GenreNet`, without PyTorch.

PyTorch takes about two seconds of processor time to load; this takes 0.1 s for ten seconds of music.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from d2m.audio.mel import mel_filters
from d2m.errors import D2MError

#: Name of the weights, and their kind.
WEIGHTS, KIND = "studio-genre", "genre"
#: Frames of a window, and from one window to the next.
WINDOW, STEP = 128, 64
#: What batch normalisation adds to variances, and the least value of the spectrogram.
_EPSILON, _FLOOR = 1e-5, 1e-4


class GenreEar:
    """Genre network for embeddings.

    Args:
        name: name of weights, or a file.

    Attributes:
        songs: float32 (S, E), embeddings of the songs of the training set.
        song_genres: int64 (S,), their genres, as indices into :data:`d2m.types.GENRES`.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """

    def __init__(self, name: str | Path = WEIGHTS) -> None:
        from d2m.weights.arrays import load_arrays

        arrays, config = load_arrays(name, KIND)
        try:
            self.songs, self.song_genres = arrays["songs"], arrays["song_genres"]
            self._rate, self._n_fft, self._hop = (int(config[key]) for key in ("sample_rate", "n_fft", "hop"))
            self._filters = mel_filters(self._rate, self._n_fft, int(config["mels"])).astype(np.float32)
            self._layers = [_folded(arrays, 7 * stage + place) for stage in range(config["stages"]) for place in (0, 3)]
            self._describe = arrays["describe.weight"], arrays["describe.bias"]
        except (KeyError, TypeError, ValueError) as error:
            raise D2MError(f"{name} lacks parts of a genre network ({error}); train it again") from error

    def embedding(self, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
        """Compute the embedding of a recording: the mean over its windows.

        Args:
            waveform: (samples,) or (channels, samples).
            sample_rate: hertz.

        Returns:
            float32 (E,).

        Raises:
            D2MError: if it is empty, silent, or holds values that are not finite.
        """
        parts = windows(prepared(waveform, sample_rate, self._rate), self._hop)
        return np.stack([self._of_window(part) for part in parts]).mean(axis=0, dtype=np.float64).astype(np.float32)

    def _of_window(self, samples: np.ndarray) -> np.ndarray:
        mel = self._spectrogram(samples)
        maps = (mel - mel.mean())[..., None]
        for number, (kernel, bias) in enumerate(self._layers):
            maps = np.maximum(_convolved(maps, kernel, bias), 0.0)
            if number % 2:
                maps = _halved(maps)
        # The network was trained with channels before bands.
        pooled = np.concatenate([maps.mean(1).T, maps.max(1).T]).ravel()
        weight, bias = self._describe
        return weight @ pooled + bias

    def _spectrogram(self, samples: np.ndarray) -> np.ndarray:
        """Return the log-mel spectrogram (mels, frames), in decades."""
        from scipy.fft import rfft

        pad = (self._n_fft - self._hop) // 2
        padded = np.pad(samples, pad, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, self._n_fft)[:: self._hop]
        hann = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(self._n_fft) / self._n_fft)).astype(np.float32)
        magnitude = np.abs(rfft(frames * hann, axis=1)).astype(np.float32)
        return np.log10(np.maximum(self._filters @ magnitude.T, _FLOOR))


@lru_cache(maxsize=1)
def genre_ear() -> GenreEar:
    """Return the shipped network."""
    return GenreEar()


def prepared(waveform: np.ndarray, sample_rate: int, wanted: int) -> np.ndarray:
    """Return a recording as the network takes it.

    Args:
        waveform: (samples,) or (channels, samples).
        sample_rate: hertz.
        wanted: sample rate of the network.

    Returns:
        float32 (samples,), mono.

    Raises:
        D2MError: if it is empty, silent, or holds values that are not finite.
    """
    samples = np.asarray(waveform, np.float32)
    samples = samples.mean(0) if samples.ndim == 2 else samples
    if not samples.size or not np.isfinite(samples).all():
        raise D2MError("the recording is empty or holds values that are not finite")
    if samples.std() < 1e-5:
        raise D2MError("the recording is silent; silence has no genre")
    if sample_rate != wanted:
        from math import gcd

        from scipy.signal import resample_poly

        common = gcd(int(sample_rate), wanted)
        samples = resample_poly(samples, wanted // common, int(sample_rate) // common).astype(np.float32)
    return samples


def windows(samples: np.ndarray, hop: int) -> list[np.ndarray]:
    """Return windows of :data:`WINDOW` frames, half overlapping; a shorter recording is repeated until it fills one.

    Args:
        samples: float32 (samples,).
        hop: samples per frame.
    """
    length = WINDOW * hop
    if len(samples) < length:
        samples = np.tile(samples, -(-length // len(samples)))[:length]
    return [samples[first : first + length] for first in range(0, len(samples) - length + 1, STEP * hop)]


def _folded(arrays: dict[str, np.ndarray], number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a convolution with the batch normalisation after it: kernel (9 * in, out) and bias (out,)."""
    weight, norm = arrays[f"stages.{number}.weight"], f"stages.{number + 1}."
    scale = arrays[norm + "weight"] / np.sqrt(arrays[norm + "running_var"] + _EPSILON)
    kernel = weight * scale[:, None, None, None]
    return kernel.transpose(2, 3, 1, 0).reshape(-1, len(weight)), arrays[norm + "bias"] - arrays[
        norm + "running_mean"
    ] * scale


def _convolved(maps: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """3 x 3 convolution with zeros around: (H, W, in) to (H, W, out)."""
    high, wide, _ = maps.shape
    padded = np.pad(maps, ((1, 1), (1, 1), (0, 0)))
    seen = [padded[row : row + high, column : column + wide] for row in range(3) for column in range(3)]
    return np.concatenate(seen, axis=2) @ kernel + bias


def _halved(maps: np.ndarray) -> np.ndarray:
    """The greatest of two by two values: (H, W, C) to (H / 2, W / 2, C)."""
    high, wide, channels = maps.shape
    return maps.reshape(high // 2, 2, wide // 2, 2, channels).max(axis=(1, 3))
