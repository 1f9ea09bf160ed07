"""The last step of every engine: an even level that never clips."""

from __future__ import annotations

import numpy as np

from d2m.loudness import loudness

#: Peaks are kept this far under full scale, so that AAC's overshoot does not clip either.
CEILING_DB = -1.0
TARGET_LUFS = -14.0


def limit(waveform: np.ndarray, sample_rate: int, ceiling: float) -> np.ndarray:
    """A look-ahead peak limiter: gain falls before a peak and recovers over 80 ms; nothing passes ``ceiling``."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d
    from scipy.signal import lfilter

    need = np.minimum(1.0, ceiling / np.maximum(np.abs(waveform).max(0), 1e-9))
    # The minimum spans twice the mean that follows, which keeps the smoothed gain below what each peak needs.
    window = 2 * int(0.0025 * sample_rate) + 1
    gain = uniform_filter1d(minimum_filter1d(need, 2 * window - 1), window)
    release = np.exp(-1 / (0.08 * sample_rate))
    slow = 1 - lfilter([1 - release], [1, -release], 1 - gain)
    return waveform * np.minimum(gain, slow)


def master(waveform: np.ndarray, sample_rate: int, duration: float) -> np.ndarray:
    """Level, limit, and end a piece: (channels, samples) float, cut or padded to ``duration`` seconds.

    The loudness is brought to -14 LUFS as far as a limiter that works on peaks alone allows, peaks to at most -1 dBFS,
    and 15 ms fades take the clicks off both ends.
    """
    samples = int(round(duration * sample_rate))
    out = np.zeros((waveform.shape[0], samples), np.float64)
    kept = min(samples, waveform.shape[1])
    out[:, :kept] = waveform[:, :kept] - waveform[:, :kept].mean(1, keepdims=True)
    level = loudness(out, sample_rate)
    ceiling = 10 ** (CEILING_DB / 20)
    if np.isfinite(level):
        out *= 10 ** ((TARGET_LUFS - level) / 20)
        # Quiet, spiky material would be squashed to reach the target: peaks are asked down by 6 dB at the most.
        out *= min(1.0, 2 * ceiling / max(np.abs(out).max(), 1e-9))
        out = limit(out, sample_rate, ceiling)
    fade = min(int(0.015 * sample_rate), samples // 2)
    ramp = np.linspace(0, 1, fade)
    out[:, :fade] *= ramp
    out[:, samples - fade :] *= ramp[::-1]
    return out.astype(np.float32)
