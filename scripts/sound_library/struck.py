"""Synthesised sounds that change over time: basses, plucks, stabs, keys and bells, with filter sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from . import dsp
from .machines import kick_808
from .model import RATE, Sample, Zone, spread_keys
from .waves import COMPUTED, hertz_of, paired

Stroke = Callable[[int, int], np.ndarray]


def strokes(
    name: str,
    make: Stroke,
    roots: Sequence[int],
    stereo: bool = False,
    quality: float = 0.5,
    velocities: tuple[int, int] = (0, 127),
    loop: float = 0.0,
) -> list[Zone]:
    """Return a multisample of sounds that die away, or that end in a loop.

    Args:
        name: name of its samples, at most 14 characters.
        make: (key, side) -> a sound.
        roots: rising keys.
        stereo: both sides.
        quality: quality of the coder.
        velocities: that play it.
        loop: seconds at the end that go on for ever, rounded to whole cycles; 0 for none.
    """
    zones = []
    for root, keys in zip(roots, spread_keys(roots), strict=True):
        # Saturated, resonant waves carry direct current.
        sides = [dsp.high_pass(np.asarray(make(root, side)), 18.0, 1) for side in range(2 if stereo else 1)]
        loudest = max(float(np.abs(wave).max()) for wave in sides)
        made = []
        for wave, letter in zip(sides, "LR" if stereo else " ", strict=True):
            wave, place = wave * (0.89 / loudest), None
            if loop:
                period = RATE / hertz_of(root)
                count = round(max(round(loop * RATE / period), 1) * period)
                wave, place = dsp.looped(wave, len(wave) - count, len(wave), min(count, int(0.06 * RATE)))
            label = f"{name} {root}{letter}".strip()
            made.append(Sample(label, wave.astype(np.float32), COMPUTED, RATE, root, 0, place, quality))
        zones += paired(made, keys, velocities)
    return zones


def _fall(time: np.ndarray, start: float, end: float, length: float) -> np.ndarray:
    """A cutoff in hertz that falls exponentially from ``start`` towards ``end``."""
    return end + (start - end) * np.exp(-time / length)


@lru_cache(maxsize=1)
def analogue_bass() -> list[Zone]:
    """Return two sawtooths and a square an octave below, through a ladder whose cutoff falls; two strengths."""

    def make(hard: bool) -> Stroke:
        def one(key: int, _: int) -> np.ndarray:
            hertz, time = hertz_of(key), dsp.seconds(1.25)
            wave = (
                dsp.saw(hertz, len(time))
                + dsp.saw(hertz * 1.003, len(time), 0.4)
                + 0.7 * dsp.pulse(hertz / 2, len(time))
            )
            top = hertz * (26.0 if hard else 13.0) + 300.0
            return dsp.attack(dsp.ladder(wave / 2.7, _fall(time, top, 4.0 * hertz + 140.0, 0.14), 0.3, 1.6), 0.002)

        return one

    roots = tuple(range(24, 61, 5))
    soft = strokes("analogue bass s", make(False), roots, quality=0.4, velocities=(0, 92), loop=0.5)
    return soft + strokes("analogue bass h", make(True), roots, quality=0.4, velocities=(93, 127), loop=0.5)


@lru_cache(maxsize=1)
def acid_bass() -> list[Zone]:
    """Return a sawtooth through a ladder near self-oscillation; harder keys open it further, as the accent does."""

    def make(accent: float) -> Stroke:
        def one(key: int, _: int) -> np.ndarray:
            hertz, time = hertz_of(key), dsp.seconds(0.95)
            wave = dsp.saw(hertz, len(time))
            cutoff = _fall(
                time, (700.0 + 2600.0 * accent) * (hertz / 80.0) ** 0.4, 190.0 + 1.2 * hertz, 0.16 - 0.06 * accent
            )
            wave = dsp.ladder(wave, cutoff, 0.86 + 0.06 * accent, 1.2)
            wave = dsp.saturate(dsp.peak(wave), 1.5 + accent)
            return dsp.faded(dsp.attack(wave, 0.002) * dsp.decay(time, 2.6), 0.1)

        return one

    roots = tuple(range(28, 65, 5))
    soft = strokes("acid s", make(0.15), roots, quality=0.4, velocities=(0, 84))
    return soft + strokes("acid h", make(0.9), roots, quality=0.4, velocities=(85, 127))


@lru_cache(maxsize=1)
def fm_bass() -> list[Zone]:
    """Return the frequency modulation 1:1 with an index that falls, and a click of 1:5: the bass of the DX
    generation.
    """

    def make(index: float) -> Stroke:
        def one(key: int, _: int) -> np.ndarray:
            hertz, time = hertz_of(key), dsp.seconds(1.3)
            phase = 2 * np.pi * hertz * time
            strength = 0.5 + index * np.exp(-time / 0.16)
            body = np.sin(phase + strength * np.sin(phase) + 0.35 * strength * np.sin(3 * phase))
            click = 0.3 * np.exp(-time / 0.02) * np.sin(phase + index * np.sin(5 * phase))
            return dsp.attack(body * (0.55 + 0.45 * np.exp(-time / 0.35)) + click, 0.0015)

        return one

    roots = tuple(range(24, 61, 6))
    soft = strokes("fm bass s", make(1.4), roots, quality=0.4, velocities=(0, 90), loop=0.4)
    return soft + strokes("fm bass h", make(3.0), roots, quality=0.4, velocities=(91, 127), loop=0.4)


@lru_cache(maxsize=1)
def bass_808() -> list[Zone]:
    """Return the long 808 bass drum played as a bass, driven for its harmonics."""

    def one(key: int, _: int) -> np.ndarray:
        wave = kick_808(2.6, hertz_of(key) * 0.9997, 0.35)
        driven = dsp.saturate(wave, 2.6)
        return dsp.faded(dsp.mixed(driven, 0.25 * dsp.high_pass(dsp.saturate(wave, 7.0), 180.0, 1)), 0.3)

    return strokes("808 bass", one, tuple(range(24, 61, 6)), quality=0.5)


@lru_cache(maxsize=1)
def organ_bass() -> list[Zone]:
    """Return a hollow, short bass with a percussive octave and a half, as on house records of the early nineties."""

    def one(key: int, _: int) -> np.ndarray:
        hertz, time = hertz_of(key), dsp.seconds(0.75)
        phase = 2 * np.pi * hertz * time
        wave = (
            np.sin(phase)
            + 0.55 * np.sin(2 * phase) * np.exp(-time / 0.22)
            + 0.35 * np.sin(3 * phase) * np.exp(-time / 0.09)
        )
        wave += 0.2 * np.sin(5 * phase) * np.exp(-time / 0.025)
        return dsp.faded(dsp.attack(dsp.saturate(0.6 * wave, 1.5) * dsp.decay(time, 1.1), 0.002), 0.05)

    return strokes("organ bass", one, tuple(range(28, 65, 6)), quality=0.5)


@lru_cache(maxsize=1)
def pluck() -> list[Zone]:
    """Return sawtooths through a ladder that closes within a tenth of a second."""

    def one(key: int, side: int) -> np.ndarray:
        hertz, time = hertz_of(key), dsp.seconds(1.0 if key < 72 else 0.7)
        apart = (0.996, 1.0, 1.0035) if side else (0.9965, 1.0, 1.004)
        wave = sum(dsp.saw(hertz * ratio, len(time), 0.3 * n + 0.1 * side) for n, ratio in enumerate(apart))
        cutoff = _fall(time, min(9500.0, 16.0 * hertz + 2500.0), 1.3 * hertz + 120.0, 0.085)
        wave = dsp.ladder(np.asarray(wave) / 3.0, cutoff, 0.25, 1.3) * dsp.decay(time, 1.1)
        return dsp.faded(dsp.attack(wave, 0.001), 0.1)

    return strokes("pluck", one, tuple(range(40, 95, 6)), True, 0.45)


@lru_cache(maxsize=1)
def keys_fm() -> list[Zone]:
    """Return an electric piano by frequency modulation: a body 1:1, a tine 1:14; the index follows the strength."""

    def make(index: float, tine: float) -> Stroke:
        def one(key: int, _: int) -> np.ndarray:
            hertz, length = hertz_of(key), float(np.interp(key, (36, 96), (3.4, 1.5)))
            time = dsp.seconds(length)
            phase = 2 * np.pi * hertz * time
            body = np.sin(phase + index * np.exp(-time / 0.7) * np.sin(phase)) * dsp.decay(time, 1.7 * length)
            second = 0.35 * np.sin(1.0008 * phase + 0.7 * index * np.sin(phase)) * dsp.decay(time, 1.3 * length)
            bright = np.interp(key, (60, 96), (1.0, 0.25)) * tine
            high = np.sin(min(14.0, 15000.0 // hertz) * phase) if hertz < 5000 else 0.0
            ring = bright * np.sin(phase + 0.9 * np.exp(-time / 0.09) * high) * np.exp(-time / 0.35)
            return dsp.faded(dsp.attack(body + second + ring, 0.001), 0.5)

        return one

    roots = tuple(range(36, 97, 8))
    return (
        strokes("fm keys s", make(0.35, 0.15), roots, quality=0.4, velocities=(0, 66))
        + strokes("fm keys m", make(0.9, 0.4), roots, quality=0.4, velocities=(67, 100))
        + strokes("fm keys h", make(1.7, 0.8), roots, quality=0.4, velocities=(101, 127))
    )


@lru_cache(maxsize=1)
def bell_fm() -> list[Zone]:
    """Return bells by frequency modulation with the ratio 1:3.5 (Chowning 1973 used 1:1.4; this one sounds in tune)."""

    def one(key: int, _: int) -> np.ndarray:
        hertz, time = hertz_of(key), dsp.seconds(2.4)
        phase = 2 * np.pi * hertz * time
        wave = np.sin(phase + 1.6 * np.exp(-time / 0.35) * np.sin(3.5 * phase)) * dsp.decay(time, 2.6)
        wave += 0.4 * np.sin(2.0 * phase + 0.8 * np.exp(-time / 0.2) * np.sin(7.0 * phase)) * dsp.decay(time, 1.3)
        return dsp.faded(dsp.attack(wave, 0.001), 0.4)

    return strokes("fm bell", one, tuple(range(48, 97, 8)), quality=0.4)


def _stab(key: int, side: int, chord: tuple[int, ...], bright: float, length: float) -> np.ndarray:
    time = dsp.seconds(length)
    wave = np.zeros(len(time))
    for number, step in enumerate(chord):
        hertz = hertz_of(key + step)
        for apart in (-6.0, 6.0):
            turn = (0.37 * number + 0.11 * side + 0.013 * apart) % 1.0
            wave += dsp.saw(hertz * 2.0 ** ((apart + side) / 1200.0), len(time), turn)
    cutoff = _fall(time, bright, 500.0, 0.16)
    wave = dsp.ladder(wave / len(chord), cutoff, 0.2, 1.6) * dsp.decay(time, 1.5 * length)
    return dsp.faded(dsp.attack(dsp.high_pass(wave, 110.0), 0.001), 0.12)


@lru_cache(maxsize=1)
def stab_minor() -> list[Zone]:
    """Return a minor seventh chord on one key, as house producers sampled them."""
    return strokes(
        "stab m7", lambda key, side: _stab(key, side, (0, 3, 7, 10, 12), 7500.0, 0.8), tuple(range(48, 73, 5)), True
    )


@lru_cache(maxsize=1)
def stab_organ() -> list[Zone]:
    """Return a short organ note with a knock, for stabs of house and garage."""

    def one(key: int, _: int) -> np.ndarray:
        hertz, time = hertz_of(key), dsp.seconds(0.6)
        phase = 2 * np.pi * hertz * time
        wave = sum(
            level * np.sin(n * phase) for n, level in ((0.5, 0.5), (1, 1.0), (2, 0.8), (3, 0.5), (4, 0.35), (6, 0.25))
        )
        knock = dsp.band_pass(dsp.noise(len(time), key), 900.0, 4000.0, 1) * np.exp(-time / 0.006)
        return dsp.faded(dsp.attack(wave * dsp.decay(time, 1.0) + 0.8 * knock, 0.001), 0.08)

    return strokes("organ stab", one, tuple(range(48, 85, 7)))


@lru_cache(maxsize=1)
def brass_stab() -> list[Zone]:
    """Return a section of synthesised brass: sawtooths through a ladder that opens and falls back; loops."""

    def one(key: int, side: int) -> np.ndarray:
        hertz, time = hertz_of(key), dsp.seconds(1.6)
        swell = (1.0 - np.exp(-time / 0.03)) * (0.45 + 0.55 * np.exp(-time / 0.28))
        scoop = 2.0 ** (-0.35 * np.exp(-time / 0.025) / 12.0)
        wave = sum(
            dsp.saw(hertz * ratio * scoop, len(time), 0.27 * n + 0.1 * side)
            for n, ratio in enumerate((0.9975, 1.0, 1.003))
        )
        cutoff = 1.2 * hertz + 300.0 + (6.0 * hertz + 2600.0) * swell
        return dsp.ladder(np.asarray(wave) / 3.0, np.minimum(cutoff, 12000.0), 0.12, 1.3) * np.minimum(
            time / 0.012, 1.0
        )

    return strokes("synth brass", one, tuple(range(40, 89, 6)), True, 0.4, loop=0.8)


@lru_cache(maxsize=1)
def tom_melodic() -> list[Zone]:
    """Return a swept sine for melodic toms and synthesised drums."""

    def one(key: int, _: int) -> np.ndarray:
        hertz, time = hertz_of(key), dsp.seconds(0.7)
        wave = dsp.sine(hertz * (1.0 + 1.1 * np.exp(-time / 0.03)), len(time)) * dsp.decay(time, 0.7)
        return dsp.faded(dsp.attack(wave, 0.001), 0.05)

    return strokes("synth tom", one, tuple(range(36, 85, 12)))
