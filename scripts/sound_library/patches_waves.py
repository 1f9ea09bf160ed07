"""Sustained waves of the library, shared by many presets."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from . import dsp
from .model import RATE, Zone
from .waves import (
    detuned,
    formants,
    hertz_of,
    loop_length,
    loops,
    partials,
    pulse_slope,
    saw_slope,
    smeared,
)

_WIDE = tuple(range(36, 97, 6))
_PAD = tuple(range(36, 97, 6))
_LOW = tuple(range(24, 61, 6))


@lru_cache(maxsize=1)
def supersaw() -> list[Zone]:
    """Return seven sawtooths on each side, spread like those of the JP-8000 (Szabo 2010): 0, 11, 29 and 50 cents at
    most.
    """

    def make(key: float, side: int) -> np.ndarray:
        cents = (-22, -13, -5, 0, 5.5, 12.5, 21) if side else (-21, -12.5, -5.5, 0, 5, 13, 22)
        wave = detuned(key, cents, 2.2 if key < 60 else 1.7, saw_slope, 70 + 2 * round(key) + side)
        return _high_passed(wave, 0.6 * hertz_of(key))

    return loops("supersaw", make, _WIDE, True, 0.5)


@lru_cache(maxsize=1)
def saw_pair() -> list[Zone]:
    """Return two sawtooths 9 cents apart."""
    return loops("saw pair", lambda key, _: detuned(key, (-4.5, 4.5), 1.3, saw_slope, 5 + round(key)), _WIDE)


@lru_cache(maxsize=1)
def saw_one() -> list[Zone]:
    return loops("saw", lambda key, _: detuned(key, (0,), 0.25, saw_slope, 1), tuple(range(24, 103, 6)))


@lru_cache(maxsize=1)
def square() -> list[Zone]:
    return loops("square", lambda key, _: detuned(key, (0,), 0.25, pulse_slope(0.5), 1), tuple(range(24, 103, 6)))


@lru_cache(maxsize=1)
def narrow_pulse() -> list[Zone]:
    return loops("pulse", lambda key, _: detuned(key, (0,), 0.25, pulse_slope(0.22), 1), tuple(range(30, 97, 6)))


@lru_cache(maxsize=1)
def sine() -> list[Zone]:
    only_first = lambda numbers: (numbers == 1) * 1.0  # noqa: E731
    return loops("sine", lambda key, _: detuned(key, (0,), 0.2, only_first, 1), tuple(range(24, 109, 12)), quality=0.8)


@lru_cache(maxsize=1)
def sub() -> list[Zone]:
    """Return a sine with a little of its second and third harmonics, which small speakers need to hear it."""
    slope = lambda n: np.select([n == 1, n == 2, n == 3, n == 4], [1.0, 0.11, 0.07, 0.02], 0.0)  # noqa: E731
    return loops("sub", lambda key, _: detuned(key, (0,), 0.25, slope, 1), tuple(range(24, 73, 12)), quality=0.8)


@lru_cache(maxsize=1)
def reese() -> list[Zone]:
    """Return three sawtooths 25 cents apart whose beats never meet, low-passed at 900 Hz, driven."""

    def make(key: float, _: int) -> np.ndarray:
        wave = detuned(key, (-14, 0, 11), 2.6, saw_slope, 40 + round(key))
        wave = _spectrum(wave, lambda hertz: 1.0 / np.sqrt(1.0 + (hertz / 900.0) ** 4))
        return np.tanh(1.8 * wave / np.abs(wave).max())

    return loops("reese", make, _LOW, quality=0.4)


@lru_cache(maxsize=1)
def growl() -> list[Zone]:
    """Return a sawtooth driven through two moving vowels, one turn of the vowels in a loop."""

    def make(key: float, _: int) -> np.ndarray:
        _, count = loop_length(hertz_of(key), 1.0)
        wave = np.tile(detuned(key, (0,), 1.0, saw_slope, 1)[:count], 2)
        turn = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2 * count) / count)
        wave = dsp.saturate(wave / np.abs(wave).max(), 2.0)
        voiced = dsp.ladder(wave, 250.0 + 2300.0 * turn**2, 0.55, 1.5) + 0.6 * dsp.low_pass(wave, 160.0)
        return np.tanh(1.5 * voiced[count:] / np.abs(voiced).max())

    return loops("growl", make, _LOW, quality=0.45)


@lru_cache(maxsize=1)
def organ() -> list[Zone]:
    """Return drawbars 88 8000 001: the percussive organ of house records; the wheels slightly apart."""
    bars = {1: 1.0, 2: 1.0, 3: 0.9, 8: 0.22, 4: 0.12, 6: 0.08}
    slope = lambda n: np.select([n == k for k in bars], list(bars.values()), 0.0)  # noqa: E731

    def make(key: float, _: int) -> np.ndarray:
        cycles, count = loop_length(hertz_of(key - 12), 0.8)
        return partials(count, [(cycles, 1.0)], slope, 3)

    return loops("drawbars", make, tuple(range(36, 97, 8)))


@lru_cache(maxsize=1)
def strings_machine() -> list[Zone]:
    """Return the ensemble of a string machine: sawtooth partials smeared as its three delay lines smear them."""
    level = lambda hertz: hertz**-0.9 * (1.0 + 0.8 * np.exp(-(((hertz - 2600.0) / 1500.0) ** 2)))  # noqa: E731

    def make(key: float, side: int) -> np.ndarray:
        return smeared(key, 2.6, level, 7.0, 500 + 2 * round(key) + side)

    return loops("string machine", make, _PAD, True, 0.4)


@lru_cache(maxsize=1)
def warm() -> list[Zone]:
    level = lambda hertz: hertz**-1.25 / (1.0 + (hertz / 2400.0) ** 2)  # noqa: E731

    def make(key: float, side: int) -> np.ndarray:
        return smeared(key, 3.0, level, 11.0, 700 + 2 * round(key) + side)

    return loops("warm", make, _PAD, True, 0.35)


@lru_cache(maxsize=1)
def choir() -> list[Zone]:
    """Return voices on an open vowel, formants of a male voice below and a female one above (Peterson and Barney
    1952).
    """
    low = formants(((730, 0, 120), (1090, -3, 130), (2440, -18, 200), (3400, -24, 300)), 0.55)
    high = formants(((850, 0, 140), (1220, -4, 150), (2810, -18, 220), (3900, -24, 320)), 0.55)

    def make(key: float, side: int) -> np.ndarray:
        return smeared(key, 2.6, low if key < 60 else high, 9.0, 900 + 2 * round(key) + side)

    return loops("choir", make, tuple(range(42, 91, 6)), True, 0.4)


@lru_cache(maxsize=1)
def glass() -> list[Zone]:
    """Return a pad of few, high, pure partials with air between them."""

    def make(key: float, side: int) -> np.ndarray:
        level = lambda hertz: np.select(  # noqa: E731
            [np.isclose(hertz, hertz_of(key) * n) for n in (1, 2, 4, 6, 9, 12)], [1.0, 0.5, 0.4, 0.25, 0.16, 0.1], 0.006
        )
        return smeared(key, 2.6, level, 4.0, 1100 + 2 * round(key) + side, 24)

    return loops("glass", make, tuple(range(48, 97, 8)), True, 0.4)


@lru_cache(maxsize=1)
def air() -> list[Zone]:
    """Return breath at a pitch: wide bands around the partials."""
    level = lambda hertz: hertz**-0.6  # noqa: E731
    return loops(
        "air",
        lambda key, side: smeared(key, 2.4, level, 60.0, 1300 + round(key), 40),
        tuple(range(48, 85, 12)),
        quality=0.3,
    )


def _spectrum(loop: np.ndarray, gain) -> np.ndarray:
    """A loop with the levels of its frequencies changed."""
    return np.fft.irfft(np.fft.rfft(loop) * gain(np.fft.rfftfreq(len(loop), 1.0 / RATE)), len(loop))


def _high_passed(loop: np.ndarray, hertz: float) -> np.ndarray:
    return _spectrum(loop, lambda grid: (grid / hertz) ** 2 / (1.0 + (grid / hertz) ** 2))
