"""Likelihood of events under evenly spaced beats of a tempo and a phase, relative to chance.

An event comes from a beat, from half-way between two beats, or from anywhere. The density around beats is divided by
the density of chance, so that fast tempos, whose beats are near to any event, have no advantage.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from d2m.features.envelope import MotionEvents

PHASES = 64
#: Looseness of dancer and measurement, seconds.
LOOSENESS = 0.05
#: Share of the events on a beat and half-way between.
ON_BEAT, HALF_WAY = 0.45, 0.15
#: How much of an independent observation one unit of event weight is.
TRUST = 4.0
#: Window (seconds) through which long clips are seen.
WINDOW = 8.0


def likelihood(events: MotionEvents, tempos: np.ndarray, centre: float, windowed: bool) -> np.ndarray:
    """Compute log likelihood ratios of beats against chance, for events in a window.

    Args:
        events: times and weights.
        tempos: beats per minute.
        centre: time in seconds at which phases are measured.
        windowed: weight the events by their distance from the centre.

    Returns:
        float64 (tempos, phases); a phase is the beat position (0..1) at ``centre``.
    """
    offset = events.times - centre
    weight = events.weights * TRUST
    if windowed:
        near = np.abs(offset) < WINDOW / 2
        # Two neighbouring windows together count every event once.
        offset, weight = offset[near], weight[near] * np.cos(np.pi * offset[near] / WINDOW) ** 2
    place = (offset * tempos[:, None] / 60.0 % 1.0) * PHASES
    low = np.floor(place).astype(np.int64)
    part = place - low
    row = np.arange(len(tempos))[:, None] * PHASES
    counts = np.zeros(len(tempos) * PHASES)
    for cell, share in ((low, 1.0 - part), (low + 1, part)):
        counts += np.bincount((row + cell % PHASES).ravel(), (weight * share).ravel(), counts.size)
    # Correlation: an event at place u fits phase p when u + p is a whole number.
    spectrum = np.conj(np.fft.rfft(counts.reshape(len(tempos), PHASES)))
    return np.fft.irfft(spectrum * _density_spectra(tuple(tempos.tolist())), PHASES)


@lru_cache(maxsize=4)
def _density_spectra(tempos: tuple[float, ...]) -> np.ndarray:
    return np.stack([np.fft.rfft(log_density(60.0 / tempo)) for tempo in tempos])


def log_density(period: float) -> np.ndarray:
    """Compute the log density of events over one beat relative to chance; it is symmetric.

    Args:
        period: period of a beat in seconds.

    Returns:
        float64 (PHASES,).
    """
    place = np.arange(PHASES) / PHASES
    width = LOOSENESS / period

    def bump(middle: float) -> np.ndarray:
        away = (place[:, None] - middle + np.arange(-2, 3)) / width
        return np.exp(-0.5 * away**2).sum(axis=1) / (width * np.sqrt(2 * np.pi))

    return np.log(1.0 - ON_BEAT - HALF_WAY + ON_BEAT * bump(0.0) + HALF_WAY * bump(0.5))
