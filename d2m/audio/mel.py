"""Mel filters."""

from __future__ import annotations

import numpy as np


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, f_min: float = 0.0, f_max: float | None = None
) -> np.ndarray:
    """Return triangular filters (n_mels, n_fft // 2 + 1) of unit area on Slaney's mel scale, as librosa's default.

    The scale is linear below 1 kHz (3 mels each 200 Hz) and logarithmic above (27 mels each factor 6.4); Slaney,
    Auditory Toolbox, 1998.

    Args:
        sample_rate: hertz.
        n_fft: points of the transform.
        n_mels: number of filters.
        f_min, f_max: range in hertz; None for half the sample rate.
    """

    def to_mel(hertz: np.ndarray | np.float64) -> np.ndarray:
        linear = hertz * 3 / 200
        return np.where(hertz < 1000, linear, 15 + 27 * np.log(np.maximum(hertz, 1e-9) / 1000) / np.log(6.4))

    def to_hertz(mel: np.ndarray) -> np.ndarray:
        return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))

    edges = to_hertz(np.linspace(to_mel(np.float64(f_min)), to_mel(np.float64(f_max or sample_rate / 2)), n_mels + 2))
    bins = np.arange(n_fft // 2 + 1) * sample_rate / n_fft
    rising = (bins[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins[None]) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
