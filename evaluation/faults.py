"""Clicks in a recording: samples that the sound around them does not explain.

A linear predictor is fitted to 1024 samples at a time. Where a drum is struck, its error stays high for many
milliseconds; a click (a lost sample, a cut within a wave) is an error of a few samples that is far above the errors
before and after.

References
----------
S. Godsill and P. Rayner, "Digital Audio Restoration", 1998, chapter 5 (detection of clicks by linear prediction).
"""

from __future__ import annotations

import numpy as np

#: Samples of a frame at any rate, order of the predictor, error over its usual size that counts as a click.
_FRAME, _ORDER, _FACTOR = 1024, 24, 10.0
#: Seconds: a click is shorter than the first, has no other errors within the second, and the next starts after it.
_SHORT, _AROUND = 0.0005, 0.004
#: An error below this amplitude cannot be heard as a click, -50 dBFS.
_SMALLEST = 0.003


def clicks(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Find clicks in a recording.

    Args:
        waveform: float (samples,) or (channels, samples).
        sample_rate: hertz.

    Returns:
        float64 (K,), seconds, rising; of all channels, those within 4 ms of one another once.
    """
    channels = np.atleast_2d(np.asarray(waveform, np.float64))
    found = np.sort(np.concatenate([_clicks(channel, sample_rate) for channel in channels]))
    return found[np.diff(found, prepend=-np.inf) > _AROUND]


def _clicks(channel: np.ndarray, rate: int) -> np.ndarray:
    """Seconds of the clicks of one channel."""
    from scipy.ndimage import uniform_filter1d

    error = np.abs(_prediction_error(channel))
    around, short = max(4, round(_AROUND * rate)), max(2, round(_SHORT * rate))
    # A first choice that the exact comparison below would not add to.
    candidates = np.flatnonzero((error > _SMALLEST) & (error > 0.6 * _FACTOR * uniform_filter1d(error, 2 * around)))
    places: list[int] = []
    after = -1
    for place in candidates.tolist():
        if place < after:
            continue
        peak = place + int(error[place : place + short].argmax())
        before, behind = error[max(0, peak - around) : max(0, peak - short)], error[peak + short : peak + around]
        usual = max(_level(before), _level(behind), 1e-6)
        # Where a note begins, what follows is louder than what was before.
        louder = _rms(channel[peak + short : peak + around]) > 3 * _rms(channel[max(0, peak - around) : peak]) + 1e-3
        if len(before) and len(behind) and error[peak] > _FACTOR * usual and not louder:
            places.append(peak)
            after = peak + around
    return np.array(places, np.float64) / rate


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.square(samples).mean())) if len(samples) else 0.0


def _level(error: np.ndarray) -> float:
    """The 90th percentile: what follows a stroke stays high."""
    return float(np.quantile(error, 0.9)) if len(error) else 0.0


def _prediction_error(channel: np.ndarray) -> np.ndarray:
    """Error of a linear predictor fitted to each frame by its autocorrelation; 0 in silence."""
    from scipy.linalg import solve_toeplitz
    from scipy.signal import lfilter

    error, window = np.zeros(len(channel)), np.hanning(_FRAME)
    for start in range(0, len(channel), _FRAME):
        frame = channel[max(0, start - _ORDER) : start + _FRAME]
        middle = channel[max(0, min(start, len(channel) - _FRAME)) :][:_FRAME]
        if len(middle) < _FRAME or np.abs(frame).max() < 1e-4:
            continue
        spectrum = np.abs(np.fft.rfft(middle * window, 2 * _FRAME)) ** 2
        correlation = np.fft.irfft(spectrum)[: _ORDER + 1]
        # A little noise, -80 dB, keeps the predictor of a constant or a pure tone finite.
        correlation[0] *= 1 + 1e-8
        correlation[0] += 1e-12
        predictor = solve_toeplitz(correlation[:-1], correlation[1:])
        errors = lfilter(np.concatenate([[1.0], -predictor]), [1.0], frame)
        first = start - max(0, start - _ORDER)
        error[start : start + len(errors) - first] = errors[first:]
    error[:_ORDER] = 0
    return error
