"""Loudness of sounds: K-weighted levels of hits and phrases, and the attenuation that makes presets equally loud."""

from __future__ import annotations

from functools import cache

import numpy as np

from d2m.audio.loudness import _k_weighting
from d2m.symbolic.sound import soundfont_file as sf

from .model import Preset, Sample, Zone

_HIT = 0.2
_EMU = 0.4


def _weighted(wave: np.ndarray, rate: int) -> np.ndarray:
    from scipy.signal import lfilter

    for numerator, denominator in _k_weighting(rate):
        wave = lfilter(numerator, denominator, wave)
    return wave


@cache
def _sample_level(sample: Sample) -> float:
    """K-weighted energy of the first 0.2 s over that time, dB."""
    count = int(_HIT * sample.rate)
    weighted = _weighted(np.asarray(sample.wave[: 2 * count], dtype=np.float64), sample.rate)[:count]
    return float(10.0 * np.log10(np.sum(weighted**2) / count + 1e-12))


def hit_level(zones: list[Zone]) -> float:
    """Level of zones that sound together, in dB, their attenuations counted, pans left out."""
    power = sum(
        10.0 ** ((_sample_level(zone.sample) - _EMU * zone.generators.get(sf.ATTENUATION, 0) / 10.0) / 10.0)
        for zone in zones
    )
    return float(10.0 * np.log10(max(power, 1e-12)))


def settle(preset: Preset, change: float) -> bool:
    """Make a preset louder by ``change`` dB; False where that would need an attenuation under 0 for many zones."""
    step = round(-change * 10.0 / _EMU)
    values = [zone.generators.get(sf.ATTENUATION, 0) + step for zone in preset.zones]
    preset.zones = [zone.with_(attenuation=max(value, 0)) for zone, value in zip(preset.zones, values, strict=True)]
    return sum(value < -3 for value in values) <= 0.25 * len(values)
