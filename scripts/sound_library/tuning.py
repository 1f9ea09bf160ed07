"""Measure the tuning of samples and correct the zones."""

from __future__ import annotations

from functools import cache

import numpy as np

from d2m.symbolic.sound import soundfont_file as sf

from .model import Sample, Zone

_REACH, _LEAST, _MOST = 70.0, 2.0, 45.0


def deviation(wave: np.ndarray, rate: int, hertz: float) -> float:
    """Return cents by which a steady sound is above a pitch, within 70 either way.

    The spectrum is read along the first six harmonics of every candidate pitch; where several voices sound a few cents
    apart, their mean counts.
    """
    count = 1 << 17
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), count))
    cents = np.arange(-_REACH, _REACH + 0.5, 0.5)
    score = np.zeros(len(cents))
    for number in range(1, 7):
        place = number * hertz * 2.0 ** (cents / 1200.0) * count / rate
        if place[-1] < len(spectrum) - 2:
            score += np.interp(place, np.arange(len(spectrum)), spectrum) ** 0.5
    best = cents[int(np.argmax(score))]
    near = np.abs(cents - best) <= 25.0
    weight = (score[near] / score.max()) ** 8
    return float(np.sum(weight * cents[near]) / np.sum(weight))


@cache
def _of_sample(sample: Sample, hertz: float) -> float:
    wave = np.asarray(sample.wave, dtype=np.float64)
    if sample.loop is not None:
        first, last = sample.loop
        wave = np.concatenate([wave[:last], np.resize(wave[first:last], sample.rate)])
    skipped = int(min(0.12 * sample.rate, 0.3 * len(wave)))
    return deviation(wave[skipped : skipped + sample.rate], sample.rate, hertz)


def in_tune(zones: list[Zone]) -> list[Zone]:
    """Return zones whose fine tuning puts their samples right; those within 2 cents or beyond 45 stay as they are."""
    out = []
    for zone in zones:
        root = zone.generators.get(sf.ROOT, -1)
        root = root if root >= 0 else zone.sample.root
        tuned = 100 * zone.generators.get(sf.COARSE, 0) + zone.generators.get(sf.FINE, 0) + zone.sample.cents
        native = 440.0 * 2.0 ** ((100 * root - tuned - 6900) / 1200.0)
        away = _of_sample(zone.sample, native)
        if _LEAST < abs(away) < _MOST:
            zone = zone.with_(fine=zone.generators.get(sf.FINE, 0) - away)
        out.append(zone)
    return out
