"""Loudness as ITU-R BS.1770-4 measures it."""

from __future__ import annotations

import numpy as np


def loudness(waveform: np.ndarray, sample_rate: int) -> float:
    """Integrated loudness in LUFS of (channels, samples), gated at -70 LUFS and 10 LU under the mean.

    Returns:
        LUFS; ``-inf`` for silence or less than 0.4 s.
    """
    from scipy.signal import lfilter

    weighted = waveform.astype(np.float64)
    for numerator, denominator in _k_weighting(sample_rate):
        weighted = lfilter(numerator, denominator, weighted, axis=-1)
    block, step = int(0.4 * sample_rate), int(0.1 * sample_rate)
    starts = range(0, weighted.shape[-1] - block + 1, step)
    power = np.array([np.square(weighted[:, s : s + block]).mean(-1).sum() for s in starts])
    level = -0.691 + 10 * np.log10(np.maximum(power, 1e-12))
    power, level = power[level > -70], level[level > -70]
    if not len(power):
        return float("-inf")
    relative = -0.691 + 10 * np.log10(power.mean()) - 10
    return float(-0.691 + 10 * np.log10(power[level > relative].mean()))


def _k_weighting(sample_rate: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The shelf and high-pass of BS.1770 at any sample rate: their analogue prototypes by the bilinear transform.

    BS.1770 tabulates coefficients for 48 kHz only; the prototypes' frequencies, Q and gain are those behind its
    table.
    """
    k = np.tan(np.pi * 1681.974450955533 / sample_rate)
    gain, q = 10 ** (3.999843853973347 / 20), 0.7071752369554196
    b = gain**0.4996667741545416
    shelf = np.array([gain + b * k / q + k * k, 2 * (k * k - gain), gain - b * k / q + k * k])
    shelf_poles = np.array([1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    k, q = np.tan(np.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    poles = np.array([1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    return [(shelf / shelf_poles[0], shelf_poles / shelf_poles[0]), (np.array([1.0, -2.0, 1.0]), poles / poles[0])]
