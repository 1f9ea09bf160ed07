"""Input spectrogram of the beat tracker for sound: log-mel frames at 50 Hz, normalised in loudness."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

#: Samples and frames a second; frame i is centred at i / FRAMES seconds.
RATE, FRAMES = 22050, 50
HOP, WINDOW, MELS = RATE // FRAMES, 1024, 80
_LOW, _HIGH = 30.0, 10000.0
#: Power to which the loudest frames are brought, and what is added before the logarithm.
_TARGET, _FLOOR = 1.0, 1e-3
_CHUNK = 3000


def spectrum(waveform: np.ndarray, rate: float) -> np.ndarray:
    """Return log-mel spectrogram.

    Args:
        waveform: float (samples,) or (channels, samples).
        rate: hertz.

    Returns:
        float32 (T, 80), T = samples / rate * 50, rounded up; silence is 0, loud music reaches about 9.
    """
    wave = _at_rate(waveform, rate)
    count = int(np.ceil(len(wave) / HOP))
    padded = np.pad(wave, (WINDOW // 2, WINDOW))
    mel = np.empty((count, MELS), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:count]
    shape = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    for first in range(0, count, _CHUNK):
        part = np.fft.rfft(windows[first : first + _CHUNK] * shape, axis=1)
        mel[first : first + _CHUNK] = np.abs(part).astype(np.float32) @ filters()
    loud = np.sort((mel**2).mean(axis=1))[-max(len(mel) // 5, 1) :].mean() if len(mel) else 0.0
    # A floor, so that silence stays silence.
    scale = np.sqrt(_TARGET / max(float(loud), 1e-5))
    return np.log1p(mel * np.float32(scale / _FLOOR))


def _at_rate(waveform: np.ndarray, rate: float) -> np.ndarray:
    wave = np.asarray(waveform, np.float32)
    wave = wave.mean(axis=0) if wave.ndim == 2 else wave
    if rate == RATE or not len(wave):
        return wave
    import soxr

    return soxr.resample(wave, rate, RATE)


@lru_cache(maxsize=1)
def filters() -> np.ndarray:
    """Return triangles evenly spaced in mels (O'Shaughnessy), each of sum 1 at the least a bin wide: float32 (bins,
    80).
    """
    edges = 700.0 * (10.0 ** (np.linspace(_mel(_LOW), _mel(_HIGH), MELS + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(WINDOW, 1.0 / RATE)[:, None]
    width = RATE / WINDOW
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rise = (bins - centre) / np.maximum(centre - left, width) + 1.0
    fall = (centre - bins) / np.maximum(right - centre, width) + 1.0
    triangles = np.clip(np.minimum(rise, fall), 0.0, None)
    return (triangles / np.maximum(triangles.sum(axis=0), 1e-9)).astype(np.float32)


def _mel(hertz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hertz / 700.0))
