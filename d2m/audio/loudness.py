"""Loudness measurement by ITU-R BS.1770-4."""

from __future__ import annotations

import numpy as np


def loudness(waveform: np.ndarray, sample_rate: int) -> float:
    """Measure the integrated loudness, gated at -70 LUFS and at 10 LU below the mean.

    Args:
        waveform: (channels, samples).
        sample_rate: hertz.

    Returns:
        LUFS; ``-inf`` for silence or less than 0.4 s.
    """
    weighted = np.square(k_weighted(waveform.astype(np.float64), sample_rate)).sum(0)
    return gated_loudness(weighted, 1, sample_rate)


def k_weighted(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Apply the K-weighting of BS.1770 to (channels, samples).

    Args:
        waveform: (channels, samples).
        sample_rate: hertz.

    Returns:
        The filtered signal (channels, samples).
    """
    return KWeighting(sample_rate, waveform.shape[0], waveform.dtype)(waveform)


class KWeighting:
    """K-weighting of BS.1770 of a signal in blocks.

    Args:
        sample_rate: hertz.
        channels: number of channels.
        dtype: type of the samples.
    """

    def __init__(self, sample_rate: int, channels: int, dtype: np.dtype) -> None:
        sections = np.array([[*numerator, *denominator] for numerator, denominator in _k_weighting(sample_rate)])
        self._sections = sections.astype(dtype)
        self._state = np.zeros((len(sections), channels, 2), dtype)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Filter the next block.

        Args:
            block: (channels, n).

        Returns:
            The filtered block (channels, n).
        """
        from scipy.signal import sosfilt

        filtered, self._state = sosfilt(self._sections, block, axis=-1, zi=self._state)
        return filtered


def gated_loudness(power: np.ndarray, step: int, sample_rate: int) -> float:
    """Compute the integrated loudness from K-weighted powers.

    Args:
        power: (K,), the sum over channels of the mean squares of consecutive steps.
        step: samples of a step.
        sample_rate: sample rate in hertz.

    Returns:
        LUFS; ``-inf`` for silence or less than 0.4 s.
    """
    block, hop = int(0.4 * sample_rate) / step, 0.1 * sample_rate / step
    if len(power) < int(block):
        return float("-inf")
    total = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    starts = np.arange(0, len(power) - int(block) + 1e-9, hop).astype(int)
    means = (total[starts + int(block)] - total[starts]) / int(block)
    level = -0.691 + 10 * np.log10(np.maximum(means, 1e-12))
    means, level = means[level > -70], level[level > -70]
    if not len(means):
        return float("-inf")
    relative = -0.691 + 10 * np.log10(means.mean()) - 10
    return float(-0.691 + 10 * np.log10(means[level > relative].mean()))


def true_peak(waveform: np.ndarray) -> float:
    """Measure the true peak in dBTP of (channels, samples), oversampled four times (BS.1770-4, annex 2).

    Args:
        waveform: (channels, samples).

    Returns:
        Peak in dBTP.
    """
    from scipy.signal import resample_poly

    highest = np.abs(resample_poly(waveform.astype(np.float64), 4, 1, axis=-1)).max(initial=0.0)
    return float(20 * np.log10(max(highest, np.abs(waveform).max(initial=0.0), 1e-9)))


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
