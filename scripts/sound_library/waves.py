"""Sustained waves with seamless loops, made from spectra whose partials all fit into the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from d2m.symbolic.sound import soundfont_file as sf

from .model import RATE, Sample, Zone, spread_keys

COMPUTED = "d2m"
#: Values before the loop, so that a player's interpolation has something to read.
_LEAD = 32

Wave = Callable[[float, int], np.ndarray]


def hertz_of(key: float) -> float:
    return 440.0 * 2.0 ** ((key - 69) / 12)


def loop_length(hertz: float, seconds: float) -> tuple[int, int]:
    """Return (cycles, samples) of the loop nearest to some seconds that holds whole cycles of a pitch."""
    cycles = max(round(seconds * hertz), 1)
    return cycles, round(cycles * RATE / hertz)


def partials(
    count: int, bins: Sequence[tuple[int, float]], slope: Callable[[np.ndarray], np.ndarray], seed: int
) -> np.ndarray:
    """Return a loop of ``count`` samples with harmonic oscillators.

    Args:
        count: samples of the loop.
        bins: for each oscillator its whole number of cycles in the loop and its level.
        slope: level of harmonic numbers (n,), signs included.
        seed: random seed of the oscillators' places in their cycles; harmonics of one oscillator stay in step.
    """
    draw = np.random.default_rng(seed)
    spectrum = np.zeros(count // 2 + 1, dtype=complex)
    top = min(19000.0 / RATE * count, count // 2)
    for cycles, level in bins:
        numbers = np.arange(1, int(top / cycles) + 1)
        turn = draw.random() if len(bins) > 1 else 0.0
        spectrum[numbers * cycles] += level * slope(numbers) * -0.5j * np.exp(2j * np.pi * turn * numbers)
    return np.fft.irfft(spectrum, count) * count


def saw_slope(numbers: np.ndarray) -> np.ndarray:
    return 1.0 / numbers


def pulse_slope(width: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda numbers: np.sin(np.pi * numbers * width) / numbers


def detuned(key: float, cents: Sequence[float], seconds: float, slope: Callable, seed: int) -> np.ndarray:
    """Return oscillators some cents beside each other, their beats fitted into the loop."""
    cycles, count = loop_length(hertz_of(key), seconds)
    bins = [(max(round(cycles * 2.0 ** (one / 1200.0)), 1), 1.0 if one == 0 else 0.85) for one in cents]
    return partials(count, bins, slope, seed)


def smeared(
    key: float, seconds: float, level: Callable[[np.ndarray], np.ndarray], cents: float, seed: int, many: int = 64
) -> np.ndarray:
    """Return an ensemble: each partial a band of noise around its frequency (the PADsynth method of N. O. Paul).

    Args:
        key: the pitch.
        seconds: length of the loop in seconds.
        level: level of frequencies in hertz, (n,) -> (n,); the partials lie at multiples of the pitch.
        cents: standard deviation of each band.
        seed: random seed of the phases; another gives the other side of a stereo pair.
        many: most partials.
    """
    hertz = hertz_of(key)
    _, count = loop_length(hertz, seconds)
    grid = np.fft.rfftfreq(count, 1.0 / RATE)
    spectrum = np.zeros(len(grid))
    numbers = np.arange(1, min(many, int(18000.0 / hertz)) + 1)
    for number, one in zip(numbers, level(numbers * hertz), strict=True):
        # The width grows with the number, as it does for players who are a little apart.
        width = max(number * hertz * (2.0 ** (cents / 1200.0) - 1.0), 0.4)
        near = slice(*np.searchsorted(grid, [number * hertz - 4 * width, number * hertz + 4 * width]))
        spectrum[near] += one * np.exp(-0.5 * ((grid[near] - number * hertz) / width) ** 2) / np.sqrt(width)
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(grid))
    return np.fft.irfft(spectrum * np.exp(1j * phases), count)


def formants(peaks: Sequence[tuple[float, float, float]], tilt: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the level of frequencies behind a vocal tract: (hertz, decibels, bandwidth) of each formant over a
    tilt.
    """

    def level(hertz: np.ndarray) -> np.ndarray:
        gain = sum(10.0 ** (db / 20.0) / (1.0 + ((hertz - at) / (0.5 * wide)) ** 2) for at, db, wide in peaks)
        return (gain + 0.01) * (hertz / 200.0) ** -tilt

    return level


def loops(name: str, make: Wave, roots: Sequence[int], stereo: bool = False, quality: float = 0.45) -> list[Zone]:
    """Return a multisample of seamless loops.

    Args:
        name: name of its samples, at most 14 characters.
        make: (key, side) -> one loop.
        roots: rising keys.
        stereo: both sides.
        quality: quality of the coder.
    """
    zones = []
    for root, keys in zip(roots, spread_keys(roots), strict=True):
        sides = [np.asarray(make(root, side)) for side in range(2 if stereo else 1)]
        sides = [wave - wave.mean() for wave in sides]
        loudest = max(float(np.abs(wave).max()) for wave in sides)
        made = []
        for wave, letter in zip(sides, "LR" if stereo else " ", strict=True):
            whole = np.concatenate([wave, wave[:_LEAD]]) * (0.8 / loudest)
            label = f"{name} {root}{letter}".strip()
            made.append(Sample(label, whole.astype(np.float32), COMPUTED, RATE, root, 0, (_LEAD, len(whole)), quality))
        zones += paired(made, keys)
    return zones


def paired(made: Sequence[Sample], keys: tuple[int, int], velocities: tuple[int, int] = (0, 127)) -> list[Zone]:
    """Return one zone for a sample, or two, far left and far right, for a stereo pair."""
    if len(made) == 1:
        return [Zone(made[0], keys, velocities)]
    made[0].partner, made[1].partner = made[1], made[0]
    return [Zone(made[0], keys, velocities, {sf.PAN: -500}), Zone(made[1], keys, velocities, {sf.PAN: 500})]


def tuned(zones: Sequence[Zone], **generators: int) -> list[Zone]:
    """Return all zones with more generators."""
    return [zone.with_(**generators) for zone in zones]


def moved(zones: Sequence[Zone], semitones: int, decibel: float = 0.0, cents: int = 0) -> list[Zone]:
    """Return the same samples sounding some semitones higher, their keys moved so that nothing is stretched further."""
    out = []
    for zone in zones:
        keys = (max(zone.keys[0] - semitones, 0) if zone.keys[0] else 0, min(zone.keys[1] - semitones, 127))
        if zone.keys[1] == 127:
            keys = (keys[0], 127)
        if keys[1] < 0:
            continue
        quiet = zone.generators.get(sf.ATTENUATION, 0) + round(-decibel * 25)
        out.append(replace(zone, keys=keys).with_(coarse=semitones, fine=cents, attenuation=quiet))
    return out
