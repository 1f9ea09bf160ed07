"""Oscillators, filters, envelopes and processors for the synthesised sounds, all at 44.1 kHz."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .model import RATE

Hertz = float | np.ndarray


def seconds(length: float) -> np.ndarray:
    """Return the instants of a sound of so many seconds (n,)."""
    return np.arange(int(round(length * RATE))) / RATE


def decay(time: np.ndarray, t60: float) -> np.ndarray:
    """Return an exponential fall by 60 dB in ``t60`` seconds."""
    return 10.0 ** (-3.0 * np.maximum(time, 0.0) / t60)


def phase_of(hertz: Hertz, count: int, rate: float = RATE, start: float = 0.0) -> np.ndarray:
    """Turn (count,) of an oscillator, from ``start``."""
    steps = np.broadcast_to(np.asarray(hertz, dtype=np.float64) / rate, (count,))
    return start + np.concatenate([[0.0], np.cumsum(steps[:-1])])


def sine(hertz: Hertz, count: int, start: float = 0.0) -> np.ndarray:
    return np.sin(2.0 * np.pi * phase_of(hertz, count, start=start))


def saw(hertz: Hertz, count: int, start: float = 0.0) -> np.ndarray:
    """Return a falling sawtooth with polynomial band-limited steps (Valimaki and Huovilainen 2007), at four times the
    rate.
    """
    return _decimated(_poly_saw(hertz, count, start))


def pulse(hertz: Hertz, count: int, width: Hertz = 0.5, start: float = 0.0) -> np.ndarray:
    """Return a band-limited pulse without direct current: the difference of two sawtooths."""
    fine = np.repeat(np.broadcast_to(np.asarray(width, dtype=np.float64), (count,)), 4)
    return _decimated(_poly_saw(hertz, count, start) - _poly_saw(hertz, count, start, fine))


def _poly_saw(hertz: Hertz, count: int, start: float, offset: Hertz = 0.0) -> np.ndarray:
    step = np.repeat(np.broadcast_to(np.asarray(hertz, dtype=np.float64) / (4 * RATE), (count,)), 4)
    phase = (start + np.cumsum(step) + offset) % 1.0
    out = 1.0 - 2.0 * phase
    after, before = phase < step, phase > 1.0 - step
    t = phase[after] / step[after]
    out[after] -= 1.0 - 2.0 * t + t * t
    t = (1.0 - phase[before]) / step[before]
    out[before] += 1.0 - 2.0 * t + t * t
    return out


def _decimated(wave: np.ndarray) -> np.ndarray:
    from scipy.signal import resample_poly

    return resample_poly(wave, 1, 4)


def noise(count: int, seed: int) -> np.ndarray:
    """Return white noise with a standard deviation of 0.3."""
    return 0.3 * np.random.default_rng(seed).standard_normal(count)


def low_pass(wave: np.ndarray, hertz: float, order: int = 2) -> np.ndarray:
    return _butter(wave, hertz, "lowpass", order)


def high_pass(wave: np.ndarray, hertz: float, order: int = 2) -> np.ndarray:
    return _butter(wave, hertz, "highpass", order)


def band_pass(wave: np.ndarray, low: float, high: float, order: int = 2) -> np.ndarray:
    return _butter(wave, (low, high), "bandpass", order)


def _butter(wave: np.ndarray, hertz: float | tuple[float, float], kind: str, order: int) -> np.ndarray:
    from scipy.signal import butter, sosfilt

    return sosfilt(butter(order, hertz, kind, fs=RATE, output="sos"), wave)


def bell(wave: np.ndarray, hertz: float, gain: float, q: float = 1.0) -> np.ndarray:
    """Return a peak (or a dip) of so many decibels, as in R. Bristow-Johnson's audio EQ cookbook."""
    from scipy.signal import lfilter

    a = 10.0 ** (gain / 40.0)
    angle = 2.0 * np.pi * hertz / RATE
    alpha, cosine = np.sin(angle) / (2.0 * q), np.cos(angle)
    return lfilter([1 + alpha * a, -2 * cosine, 1 - alpha * a], [1 + alpha / a, -2 * cosine, 1 - alpha / a], wave)


def shelf(wave: np.ndarray, hertz: float, gain: float, high: bool = True) -> np.ndarray:
    """Return a shelf of so many decibels over (or under) a frequency, of the first order."""
    from scipy.signal import butter, lfilter

    b, a = butter(1, hertz, "highpass" if high else "lowpass", fs=RATE)
    return wave + (10.0 ** (gain / 20.0) - 1.0) * lfilter(b, a, wave)


def resonator(drive: np.ndarray, hertz: float, t60: float) -> np.ndarray:
    """Return a bridged-T network's answer to ``drive``: a decaying sine of a frequency, peak 1 for an impulse of 1."""
    from scipy.signal import lfilter

    radius = 10.0 ** (-3.0 / (t60 * RATE))
    angle = 2.0 * np.pi * hertz / RATE
    return lfilter([np.sin(angle)], [1.0, -2.0 * radius * np.cos(angle), radius * radius], drive)


def ladder(wave: np.ndarray, hertz: Hertz, resonance: float, drive: float = 1.0) -> np.ndarray:
    """Return a four-pole transistor ladder with saturation; ``resonance`` 1 is the edge of self-oscillation.

    The one-pole stages are trapezoidal and their feedback is solved without delay (Zavalishin, The Art of VA Filter
    Design, chapter 5), the saturation sits at the input; computed at twice the rate.
    """
    from scipy.signal import resample_poly

    double = resample_poly(wave * drive, 2, 1)
    cutoff = np.repeat(np.broadcast_to(np.asarray(hertz, dtype=np.float64), (len(wave),)), 2)
    g = np.tan(np.pi * np.clip(cutoff, 10.0, 20000.0) / (2 * RATE))
    return resample_poly(_ladder_kernel()(double, g, 4.0 * resonance), 1, 2)[: len(wave)]


@lru_cache(maxsize=1)
def _ladder_kernel():
    from numba import njit

    @njit(cache=True)
    def run(wave: np.ndarray, g: np.ndarray, k: float) -> np.ndarray:
        out = np.empty_like(wave)
        s1 = s2 = s3 = s4 = 0.0
        for i in range(len(wave)):
            gain = g[i] / (1.0 + g[i])
            rest = 1.0 / (1.0 + g[i])
            state = rest * (gain * (gain * (gain * s1 + s2) + s3) + s4)
            u = np.tanh((wave[i] - k * state) / (1.0 + k * gain**4))
            v = (u - s1) * gain
            y = v + s1
            s1 = y + v
            v = (y - s2) * gain
            y = v + s2
            s2 = y + v
            v = (y - s3) * gain
            y = v + s3
            s3 = y + v
            v = (y - s4) * gain
            y = v + s4
            s4 = y + v
            out[i] = y * (1.0 + 0.5 * k)
        return out

    return run


def saturate(wave: np.ndarray, drive: float) -> np.ndarray:
    """Return soft clipping that keeps a full-scale peak at full scale."""
    return np.tanh(drive * wave) / np.tanh(drive)


def crushed(wave: np.ndarray, bits: int, rate: float) -> np.ndarray:
    """As an early sampler holds it: fewer bits, a lower rate without reconstruction (aliases and all)."""
    held = wave[np.floor(np.floor(np.arange(len(wave)) * rate / RATE) * RATE / rate).astype(int)]
    return np.round(held * 2 ** (bits - 1)) / 2 ** (bits - 1)


def compressed(wave: np.ndarray, threshold: float, ratio: float, attack: float, release: float) -> np.ndarray:
    """Return a feed-forward compressor; ``threshold`` in dBFS, times in seconds. A slow attack lets the beater
    through.
    """
    level = 20.0 * np.log10(np.maximum(np.abs(wave), 1e-6))
    over = np.maximum(level - threshold, 0.0) * (1.0 - 1.0 / ratio)
    return wave * 10.0 ** (-_follower()(over, np.exp(-1 / (attack * RATE)), np.exp(-1 / (release * RATE))) / 20.0)


@lru_cache(maxsize=1)
def _follower():
    from numba import njit

    @njit(cache=True)
    def run(over: np.ndarray, up: float, down: float) -> np.ndarray:
        out = np.empty_like(over)
        state = 0.0
        for i in range(len(over)):
            c = up if over[i] > state else down
            state = c * state + (1.0 - c) * over[i]
            out[i] = state
        return out

    return run


def attack(wave: np.ndarray, length: float) -> np.ndarray:
    """Return a straight rise over the first ``length`` seconds."""
    out = wave.copy()
    count = min(int(length * RATE), len(out))
    out[:count] *= np.arange(count) / max(count, 1)
    return out


def faded(wave: np.ndarray, length: float) -> np.ndarray:
    """Return a raised-cosine fall to 0 over the last ``length`` seconds."""
    out = wave.copy()
    count = min(int(length * RATE), len(out))
    if count:
        out[len(out) - count :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, count + 1) / count)
    return out


def trimmed(wave: np.ndarray, floor: float = -66.0, fade: float = 0.02) -> np.ndarray:
    """Return a sound cut where it stays under ``floor`` dB of its peak."""
    loud = np.flatnonzero(np.abs(wave) > np.abs(wave).max() * 10.0 ** (floor / 20.0))
    return faded(wave[: loud[-1] + int(fade * RATE)], fade) if len(loud) else wave[:64]


def peak(wave: np.ndarray, level: float = 0.89) -> np.ndarray:
    """Return scaled so that its largest value is ``level``, without direct current over long sounds."""
    return wave * (level / max(float(np.abs(wave).max()), 1e-9))


def mixed(*waves: np.ndarray) -> np.ndarray:
    """Return the sum of sounds of any lengths."""
    out = np.zeros(max(map(len, waves)))
    for wave in waves:
        out[: len(wave)] += wave
    return out


def late(wave: np.ndarray, by: float) -> np.ndarray:
    return np.concatenate([np.zeros(int(by * RATE)), wave])


def looped(wave: np.ndarray, start: int, end: int, fade: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return a loop whose end runs into its beginning: the last ``fade`` samples become those before the beginning.

    Similar ends are crossed by amplitude, unrelated ones by power.
    """
    fade = min(fade, start, end - start)
    out = wave[:end].copy()
    old, new = out[end - fade : end], wave[start - fade : start]
    alike = float(np.dot(old, new) / np.sqrt(np.dot(old, old) * np.dot(new, new) + 1e-12))
    t = (np.arange(fade) + 0.5) / fade
    rise, fall = (t, 1.0 - t) if alike > 0.7 else (np.sin(0.5 * np.pi * t), np.cos(0.5 * np.pi * t))
    out[end - fade : end] = fall * old + rise * new
    return out, (start, end)


def room(
    wave: np.ndarray, t60: float, amount: float, seed: int, low: float = 200.0, high: float = 7000.0
) -> np.ndarray:
    """Return a sound with a short reverberation: an exponentially falling noise between two frequencies."""
    from scipy.signal import oaconvolve

    answer = band_pass(noise(len(seconds(t60)), seed), low, high, 1) * decay(seconds(t60), t60)
    answer /= np.sqrt(np.sum(answer**2))
    wet = oaconvolve(wave, answer)
    return mixed(wave, late(amount * wet, 0.008))
