"""Single recordings from the Sonic Pi samples, all under CC0."""

from __future__ import annotations

from functools import cache

import numpy as np

from . import dsp, sources
from .model import RATE


@cache
def one_shot(name: str) -> np.ndarray:
    """Return a recording without the silence before it, float64 (channels, n) at 44.1 kHz."""
    import soundfile
    import soxr

    path, _, _ = sources.one_shot(name)
    wave, rate = soundfile.read(path, dtype="float64", always_2d=True)
    wave = wave if rate == RATE else soxr.resample(wave, rate, RATE)
    loud = np.flatnonzero(np.abs(wave).max(1) > 0.01 * np.abs(wave).max())
    wave = wave[max(int(loud[0]) - 16, 0) :].T
    return wave - wave.mean(1, keepdims=True)


def mono(name: str, seconds: float = 9.0) -> np.ndarray:
    """Return one channel, cut after some seconds, peak 0.89."""
    wave = one_shot(name).mean(0)[: int(seconds * RATE)]
    return dsp.peak(dsp.trimmed(wave, -60.0, 0.03))
