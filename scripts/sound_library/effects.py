"""Transitions and noises: risers, falls, impacts, sweeps, vinyl, sirens; each 44.1 kHz, one side at a time."""

from __future__ import annotations

import numpy as np

from . import dsp
from .machines import cymbal, kick_808
from .model import RATE


def riser(length: float, side: int) -> np.ndarray:
    """Return noise whose band climbs four octaves while it swells, with a sawtooth below it; ends on its last
    sample.
    """
    time = dsp.seconds(length)
    up = time / length
    hiss = dsp.noise(len(time), 1000 + side)
    swept = dsp.ladder(hiss, 250.0 * 2.0 ** (5.6 * up), 0.45, 1.0)
    tone = sum(
        dsp.saw(110.0 * 2.0 ** (2.0 * up**1.5 + cents / 1200), len(time), 0.2 * n)
        for n, cents in enumerate((-9 + side, 8))
    )
    tone = dsp.ladder(np.asarray(tone), 300.0 * 2.0 ** (4.5 * up), 0.2)
    tremor = 1.0 - 0.35 * up * (0.5 + 0.5 * np.sin(2 * np.pi * np.cumsum(4.0 + 14.0 * up) / RATE))
    wave = (dsp.peak(swept) + 0.35 * dsp.peak(tone)) * (0.04 + 0.96 * up**2) * tremor
    return dsp.faded(dsp.high_pass(wave, 120.0), 0.012)


def fall(length: float, side: int) -> np.ndarray:
    """Return the reverse: noise that sinks and fades after a change."""
    time = dsp.seconds(length)
    down = time / length
    swept = dsp.ladder(dsp.noise(len(time), 1100 + side), 14000.0 * 2.0 ** (-6.0 * down), 0.4)
    return dsp.faded(dsp.high_pass(swept * dsp.decay(time, 1.4 * length), 60.0), 0.2)


def impact(side: int) -> np.ndarray:
    """Return a boom: a falling sine, a burst and a large room."""
    time = dsp.seconds(2.8)
    boom = dsp.sine(34.0 + 80.0 * np.exp(-time / 0.05), len(time)) * dsp.decay(time, 2.2)
    burst = dsp.ladder(dsp.noise(len(time), 1200), 7000.0 * np.exp(-time / 0.09) + 200.0, 0.1) * dsp.decay(time, 0.8)
    wet = dsp.room(dsp.peak(burst)[: int(0.5 * RATE)], 2.4, 0.9, 1210 + side, 90.0, 5000.0)[: len(time)]
    return dsp.faded(dsp.saturate(dsp.mixed(0.9 * boom, 0.7 * wet), 1.6), 0.6)[: len(time)]


def sub_drop() -> np.ndarray:
    """Return a sine that sinks from 90 to 28 Hz."""
    time = dsp.seconds(2.2)
    wave = dsp.saturate(dsp.sine(28.0 + 62.0 * np.exp(-time / 0.7), len(time)) * dsp.decay(time, 3.5), 1.5)
    return dsp.faded(dsp.attack(wave, 0.008), 0.4)


def reverse_cymbal(side: int) -> np.ndarray:
    wave = cymbal(1.9, 350.0, 15000.0, 1300 + side, build=0.004)[::-1]
    return dsp.faded(dsp.attack(wave.copy(), 0.25), 0.012)


def zap() -> np.ndarray:
    """Return a sine that falls seven octaves in a fifth of a second: the laser of electro records."""
    time = dsp.seconds(0.35)
    return dsp.faded(
        dsp.saturate(dsp.sine(60.0 + 7000.0 * np.exp(-time / 0.035), len(time)), 1.6) * dsp.decay(time, 0.4), 0.03
    )


def siren() -> np.ndarray:
    """Return a dub siren: two seconds of a square wave whose pitch goes up and down."""
    time = dsp.seconds(2.0)
    wave = dsp.pulse(520.0 + 240.0 * np.sin(2 * np.pi * 2.0 * time), len(time))
    return dsp.faded(dsp.attack(dsp.low_pass(wave, 4200.0), 0.01), 0.05)


def horn(side: int) -> np.ndarray:
    """Return three compressed-air horns of one boat: a bright chord with a fall at its end."""
    time = dsp.seconds(1.1)
    bend = 2.0 ** ((-0.8 * np.exp(-time / 0.03) - 2.5 * np.maximum(time - 0.85, 0.0) / 0.25) / 12.0)
    wave = sum(
        dsp.saw(hertz * bend * (1 + 0.002 * side), len(time), 0.2 * n)
        for n, hertz in enumerate((466.2, 470.5, 587.3, 698.5))
    )
    wave = dsp.bell(dsp.band_pass(np.asarray(wave), 350.0, 7500.0, 1), 1400.0, 6.0)
    return dsp.faded(dsp.saturate(dsp.peak(wave), 2.5) * np.minimum(time / 0.02, 1.0), 0.12)


def vinyl(seed: int, length: float = 3.0) -> np.ndarray:
    """Return the surface of a record: hiss, rumble of 33 turns a minute, crackles of a thousand sizes; loops."""
    draw = np.random.default_rng(seed)
    count = int((length + 0.5) * RATE)
    wave = 0.02 * dsp.high_pass(dsp.noise(count, seed), 1500.0, 1) + 0.05 * dsp.band_pass(
        dsp.noise(count, seed + 1), 25.0, 90.0, 1
    )
    clicks = np.zeros(count)
    places = draw.integers(0, count, int(38 * length))
    clicks[places] = draw.standard_normal(len(places)) * draw.pareto(2.2, len(places)).clip(0, 12)
    return wave + 0.12 * dsp.band_pass(clicks, 900.0, 6500.0, 1)


def scratch(seed: int, forward: float, back: float) -> np.ndarray:
    """Return a record pushed and pulled: a vowel-like loop read at a changing speed, the fader cut between the moves.

    Args:
        seed: random seed of the noise on the record.
        forward, back: seconds of the two moves.
    """
    count = int((forward + back) * RATE)
    t = np.arange(count) / RATE
    push = (
        np.sign(forward - t) * np.abs(np.sin(np.pi * np.where(t < forward, t / forward, (t - forward) / back))) ** 0.8
    )
    source_time = dsp.seconds(1.2)
    groove = dsp.saw(165.0, len(source_time)) + 0.8 * dsp.noise(len(source_time), seed)
    groove = sum(
        dsp.band_pass(groove, 0.8 * f, 1.25 * f, 1) * g for f, g in ((520.0, 1.0), (1200.0, 0.9), (2700.0, 0.6))
    )
    place = np.clip(0.15 * RATE + np.cumsum(2.4 * push), 0, len(source_time) - 2)
    wave = np.interp(place, np.arange(len(source_time)), groove) * np.abs(push) ** 0.5
    return dsp.faded(dsp.peak(dsp.saturate(dsp.peak(wave), 1.6)), 0.01)


def sweep(length: float, side: int) -> np.ndarray:
    """Return noise through a band that goes up and comes down."""
    time = dsp.seconds(length)
    arc = np.sin(np.pi * time / length)
    wave = dsp.ladder(dsp.noise(len(time), 1500 + side), 300.0 * 2.0 ** (5.0 * arc), 0.55) * arc**1.5
    return dsp.high_pass(wave, 150.0)


def boom_808() -> np.ndarray:
    return dsp.saturate(kick_808(2.8, 41.2, 0.6), 2.0)
