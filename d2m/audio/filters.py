"""Second-order filters and filters that keep their state between blocks.

References:
    R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients" (W3C Working Group Note, 2021).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Kind = Literal["peak", "low_shelf", "high_shelf"]
_HIGHEST = 0.47


def biquad(kind: Kind, frequency: float, gain_db: float, q: float, sample_rate: int) -> np.ndarray:
    """Compute a second-order section that boosts or cuts a band.

    Args:
        kind: ``"peak"``, ``"low_shelf"`` or ``"high_shelf"``.
        frequency: centre or corner in hertz.
        gain_db: gain in dB at the centre or beyond the corner.
        q: quality factor.
        sample_rate: sample rate in hertz.

    Returns:
        float64 (1, 6), one row as :func:`scipy.signal.sosfilt` takes it.
    """
    w = 2 * np.pi * min(frequency, _HIGHEST * sample_rate) / sample_rate
    cosine, alpha, a = np.cos(w), np.sin(w) / (2 * q), 10 ** (gain_db / 40)
    if kind == "peak":
        b = [1 + alpha * a, -2 * cosine, 1 - alpha * a]
        poles = [1 + alpha / a, -2 * cosine, 1 - alpha / a]
    else:
        sign = 1.0 if kind == "low_shelf" else -1.0
        slope = 2 * np.sqrt(a) * alpha
        b = [
            a * ((a + 1) - sign * (a - 1) * cosine + slope),
            sign * 2 * a * ((a - 1) - sign * (a + 1) * cosine),
            a * ((a + 1) - sign * (a - 1) * cosine - slope),
        ]
        poles = [
            (a + 1) + sign * (a - 1) * cosine + slope,
            sign * -2 * ((a - 1) + sign * (a + 1) * cosine),
            (a + 1) + sign * (a - 1) * cosine - slope,
        ]
    return np.array([[*b, *poles]]) / poles[0]


def highpass(frequency: float, sample_rate: int, order: int = 2) -> np.ndarray:
    """Compute a Butterworth high-pass filter as second-order sections (n, 6).

    Args:
        frequency: cutoff in hertz.
        sample_rate: hertz.
        order: order of the filter.

    Returns:
        float64 (n, 6), second-order sections.
    """
    from scipy.signal import butter

    return butter(order, frequency, "highpass", fs=sample_rate, output="sos")


def lowpass(frequency: float, sample_rate: int, order: int = 2) -> np.ndarray:
    """Compute a Butterworth low-pass filter as second-order sections (n, 6).

    Args:
        frequency: cutoff in hertz.
        sample_rate: hertz.
        order: order of the filter.

    Returns:
        float64 (n, 6), second-order sections.
    """
    from scipy.signal import butter

    return butter(order, min(frequency, _HIGHEST * sample_rate), fs=sample_rate, output="sos")


class StateFilter:
    """Second-order filter sections that keep their state between blocks.

    Args:
        sections: float (n, 6).
        channels: channels of the signal.
    """

    def __init__(self, sections: np.ndarray, channels: int = 2) -> None:
        self.sections = sections.astype(np.float32)
        #: Never written into, so that a copy of the processor may share it.
        self.state = np.zeros((len(sections), channels, 2), np.float32)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Filter a block: float32 (channels, n) to the same shape."""
        from scipy.signal import sosfilt

        out, self.state = sosfilt(self.sections, block, axis=-1, zi=self.state)
        return out


class SweptLowpass:
    """Low-pass filter with a moving cutoff: two one-pole filters in series, 6 dB per octave each.

    Corners are given per block and go from the last one to the new one in steps of :attr:`STEP` samples.

    Args:
        sample_rate: sample rate in hertz.
        channels: channels of the signal.
    """

    STEP, OPEN = 256, 19900.0

    def __init__(self, sample_rate: int, channels: int = 2) -> None:
        self.sample_rate = sample_rate
        self.state = np.zeros((1, channels, 2), np.float32)

    def __call__(self, block: np.ndarray, corners: np.ndarray) -> np.ndarray:
        """Filter a block.

        Args:
            block: float32 (channels, n).
            corners: (ceil(n / STEP),) in hertz; where all are above :attr:`OPEN` the signal passes unchanged.

        Returns:
            float32 (channels, n).
        """
        from scipy.signal import sosfilt

        if corners.min() >= self.OPEN:
            # The state of a filter that lets everything pass is the signal's own end.
            self.state = np.zeros_like(self.state)
            return block
        out = np.empty_like(block)
        for number, corner in enumerate(corners):
            piece = slice(number * self.STEP, min((number + 1) * self.STEP, block.shape[1]))
            sections = self._sections(float(corner))
            out[:, piece], self.state = sosfilt(sections, block[:, piece], axis=-1, zi=self.state)
        return out

    def _sections(self, corner: float) -> np.ndarray:
        # Corners above a quarter of the rate are warped towards the Nyquist frequency by this form: harmless there.
        g = 1.0 - np.exp(-2 * np.pi * min(corner, 0.45 * self.sample_rate) / self.sample_rate)
        return np.array([[g * g, 0, 0, 1, -2 * (1 - g), (1 - g) ** 2]], np.float32)
