"""Analogue drum machines, synthesised from published descriptions of their circuits.

Frequencies and times of the TR-808 are those of its service notes (Roland, 1981) and of Werner, Abel and Smith ("A
physically-informed, circuit-bendable, digital model of the Roland TR-808 bass drum circuit", DAFx 2014; "The TR-808
cymbal", ICMC 2014); those of the TR-909 are of its service notes (Roland, 1984). The cymbals of the TR-909 are
recordings in read-only memory, so those here are partials and noise instead.
"""

from __future__ import annotations

import numpy as np

from . import dsp
from .model import RATE

#: The 808's six Schmitt trigger oscillators, hertz.
METAL = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)


def kick_808(t60: float, pitch: float = 49.5, click: float = 0.5, drive: float = 0.0) -> np.ndarray:
    """Return the bridged-T bass drum: an octave above its pitch for the first 6 ms, then a sine that sinks by a
    twentieth.
    """
    time = dsp.seconds(min(1.15 * t60, 3.2))
    # The trigger lowers the network's resistance (higher and shorter); the leak lets the pitch sigh.
    hertz = pitch * (1.0 + 1.3 * np.exp(-time / 0.006) + 0.06 * np.exp(-time / 0.12))
    body = dsp.sine(hertz, len(time), 0.05) * dsp.decay(time, t60) * np.minimum(time / 0.0012, 1.0)
    beater = click * dsp.low_pass(np.exp(-time / 0.0009), 2600.0, 1)
    wave = body + beater - beater.mean()
    return dsp.peak(dsp.trimmed(dsp.saturate(wave, drive) if drive else wave, -60.0, 0.03))


def snare_808(tone: float, snappy: float, seed: int, noise_t60: float = 0.26) -> np.ndarray:
    """Return two bridged-T networks at 180 and 330 Hz and high-passed noise."""
    time = dsp.seconds(0.42)
    drive = np.zeros(len(time))
    drive[0] = 1.0
    low = dsp.resonator(drive, 182.0, 0.19) * (1.0 + 0.2 * np.exp(-time / 0.004))
    high = dsp.resonator(drive, 334.0, 0.11)
    hiss = dsp.high_pass(dsp.noise(len(time), seed), 1400.0, 2) * dsp.decay(time, noise_t60)
    snap = dsp.high_pass(dsp.noise(len(time), seed + 1), 4000.0) * np.exp(-time / 0.004)
    wave = 0.75 * low + 0.5 * tone * high + 1.15 * snappy * hiss + 0.6 * snappy * snap
    return dsp.peak(dsp.trimmed(dsp.saturate(dsp.peak(wave), 1.9), -56.0))


def clap(
    seed: int, bursts: tuple[float, ...] = (0.0, 0.0105, 0.0205), tail: float = 0.32, low: float = 700.0
) -> np.ndarray:
    """Return noise around 1 kHz: sawtooth bursts ten milliseconds apart, then a longer one for the room."""
    time = dsp.seconds(bursts[-1] + tail + 0.1)
    hiss = dsp.noise(len(time), seed)
    narrow = dsp.band_pass(hiss, low, 2.4 * low, 1) + 0.25 * dsp.high_pass(hiss, 2500.0, 1)
    gate = np.zeros(len(time))
    for begin in bursts:
        gate = np.maximum(gate, np.where(time >= begin, np.exp(-(time - begin) / 0.0034), 0.0))
    last = bursts[-1] + 0.010
    gate = np.maximum(gate, np.where(time >= last, 0.85 * dsp.decay(time - last, tail), 0.0))
    return dsp.peak(dsp.trimmed(dsp.saturate(narrow * gate, 1.6), -54.0))


def _metal(count: int, low: float, high: float, start: float) -> np.ndarray:
    """The 808's six square waves, mixed and band-passed."""
    mix = sum(dsp.pulse(hertz, count, 0.5, start * number) for number, hertz in enumerate(METAL, 1))
    return dsp.band_pass(np.asarray(mix), low, high, 2)


def hat_808(t60: float, start: float = 0.13) -> np.ndarray:
    time = dsp.seconds(min(1.1 * t60, 1.1))
    wave = _metal(len(time), 6200.0, 15000.0, start)
    wave = dsp.high_pass(wave, 6800.0, 2) * dsp.decay(time, t60) * np.minimum(time / 0.0008, 1.0)
    return dsp.peak(dsp.trimmed(dsp.saturate(dsp.peak(wave), 2.2), -54.0))


def cymbal_808(t60: float = 1.6) -> np.ndarray:
    """Return two bands of the six oscillators, the high one shorter."""
    time = dsp.seconds(1.05 * t60)
    low = _metal(len(time), 2400.0, 5200.0, 0.11) * dsp.decay(time, t60)
    high = _metal(len(time), 6500.0, 14000.0, 0.17) * (dsp.decay(time, 0.55 * t60) + 0.4 * np.exp(-time / 0.02))
    return dsp.peak(dsp.trimmed(0.5 * low + high, -56.0, 0.1))


def cowbell_808() -> np.ndarray:
    """Return two of the six oscillators (540 and 800 Hz) with a sharp attack on a longer fall."""
    time = dsp.seconds(0.45)
    wave = dsp.pulse(540.0, len(time)) + dsp.pulse(800.0, len(time), 0.5, 0.3)
    wave = dsp.band_pass(wave, 520.0, 3200.0, 1) * (0.7 * np.exp(-time / 0.012) + 0.5 * dsp.decay(time, 0.5))
    return dsp.peak(dsp.trimmed(dsp.saturate(wave, 1.5), -54.0))


def rim_808() -> np.ndarray:
    """Return two bridged-T networks, 455 and 1667 Hz, clipped and high-passed."""
    drive = np.zeros(int(0.08 * RATE))
    drive[0] = 1.0
    wave = dsp.resonator(drive, 1667.0, 0.030) + 0.8 * dsp.resonator(drive, 455.0, 0.045)
    return dsp.peak(dsp.trimmed(dsp.high_pass(dsp.saturate(wave, 2.5), 400.0), -54.0))


def clave_808() -> np.ndarray:
    drive = np.zeros(int(0.12 * RATE))
    drive[0] = 1.0
    return dsp.peak(dsp.trimmed(dsp.resonator(drive, 2500.0, 0.085) + 0.2 * dsp.resonator(drive, 1750.0, 0.03), -56.0))


def maracas_808(seed: int) -> np.ndarray:
    time = dsp.seconds(0.09)
    wave = dsp.high_pass(dsp.noise(len(time), seed), 5200.0) * np.minimum(time / 0.006, 1.0)
    return dsp.peak(dsp.trimmed(wave * np.exp(-np.maximum(time - 0.008, 0.0) / 0.010), -50.0))


def tom_808(hertz: float, t60: float, hiss: float, seed: int) -> np.ndarray:
    """Return a bridged-T network that sinks a little, with pink noise for the toms and none for the congas."""
    time = dsp.seconds(1.1 * t60)
    body = dsp.sine(hertz * (1.0 + 0.28 * np.exp(-time / 0.028)), len(time), 0.04) * dsp.decay(time, t60)
    air = dsp.low_pass(dsp.noise(len(time), seed), 900.0, 1) * dsp.decay(time, 0.8 * t60)
    stick = 0.25 * dsp.low_pass(np.exp(-time / 0.0008), 4000.0, 1)
    return dsp.peak(dsp.trimmed(dsp.attack(body + hiss * air + stick, 0.0008), -56.0))


def kick_909(
    t60: float, tune: float = 51.0, click: float = 0.6, sweep: float = 0.032, drive: float = 1.3
) -> np.ndarray:
    """Return a triangle shaped to a sine that falls from five times its pitch, with a click of noise and of a pulse."""
    time = dsp.seconds(1.1 * t60)
    hertz = tune * (1.0 + 3.6 * np.exp(-time / sweep) + 2.4 * np.exp(-time / 0.006))
    body = dsp.saturate(dsp.sine(hertz, len(time)), 1.4) * dsp.decay(np.maximum(time - 0.05, 0.0), t60)
    hiss = dsp.band_pass(dsp.noise(len(time), 909), 1500.0, 9000.0, 1) * np.exp(-time / 0.0035)
    pulse = dsp.high_pass(np.where(time < 0.0009, 1.0, 0.0), 300.0, 1)
    wave = body + click * (2.4 * hiss + 0.5 * pulse)
    return dsp.peak(dsp.trimmed(dsp.saturate(wave, drive), -60.0, 0.03))


def snare_909(tune: float, tone: float, snappy: float, seed: int, t60: float = 0.28) -> np.ndarray:
    """Return two swept oscillators and two paths of noise, one low-passed for the body, one high-passed for the
    snares.
    """
    time = dsp.seconds(0.45)
    bend = 1.0 + 0.55 * np.exp(-time / 0.010)
    low = dsp.saturate(dsp.sine(tune * bend, len(time)), 1.5) * dsp.decay(time, 0.17)
    high = dsp.sine(1.83 * tune * bend, len(time)) * dsp.decay(time, 0.09)
    hiss = dsp.noise(len(time), seed)
    body = dsp.low_pass(hiss, 5500.0, 1) * dsp.decay(time, 0.12)
    snares = dsp.high_pass(hiss, 2200.0, 1) * dsp.decay(time, t60)
    wave = 0.8 * low + 0.45 * high + tone * body + 1.2 * snappy * snares
    return dsp.peak(dsp.trimmed(dsp.saturate(wave, 1.4), -56.0))


def tom_909(hertz: float, t60: float, seed: int) -> np.ndarray:
    """Return three oscillators that fall together, and a puff of noise."""
    time = dsp.seconds(1.1 * t60)
    bend = 1.0 + 0.9 * np.exp(-time / 0.035)
    parts = ((1.0, 1.0, 1.0), (1.5, 0.35, 0.6), (2.77, 0.16, 0.35))
    body = sum(
        level * dsp.sine(ratio * hertz * bend, len(time)) * dsp.decay(time, t60 * length)
        for ratio, level, length in parts
    )
    hiss = dsp.band_pass(dsp.noise(len(time), seed), 400.0, 5000.0, 1) * np.exp(-time / 0.012)
    return dsp.peak(dsp.trimmed(dsp.saturate(np.asarray(body) + 0.5 * hiss, 1.2), -56.0))


def rim_909() -> np.ndarray:
    """Return three bridged-T networks (220, 500 and 1000 Hz) driven hard, high-passed."""
    drive = np.zeros(int(0.08 * RATE))
    drive[0] = 1.0
    wave = sum(dsp.resonator(drive, hertz, 0.035) for hertz in (220.0, 500.0, 1000.0))
    return dsp.peak(dsp.trimmed(dsp.high_pass(dsp.saturate(np.asarray(wave), 4.0), 350.0), -54.0))


def cymbal(
    t60: float, low: float, high: float, seed: int, bell: float = 0.0, wash: float = 1.0, build: float = 0.0
) -> np.ndarray:
    """Return a struck plate: 260 partials spread like a plate's modes, the high ones shorter, and noise between them.

    Args:
        t60: t60 of the partials in the middle.
        low, high: their lowest and highest frequencies in hertz.
        seed: random seed of frequencies, phases and levels.
        bell: bell of three strong modes of a ride's bell.
        wash: level of the noise.
        build: seconds in which the wash rises (a crash takes a moment to speak).
    """
    draw = np.random.default_rng(seed)
    time = dsp.seconds(min(1.1 * t60, 3.0))
    hertz = np.exp(draw.uniform(np.log(low), np.log(high), 260))
    wave = np.zeros(len(time))
    for one, level, start in zip(hertz, draw.rayleigh(1.0, 260), draw.uniform(0, 1, 260), strict=True):
        length = t60 * np.clip((3500.0 / one) ** 0.45, 0.35, 1.4)
        wave += level * (one / 4000.0) ** 0.25 * np.sin(2 * np.pi * (one * time + start)) * dsp.decay(time, length)
    wave /= np.sqrt(260.0)
    hiss = dsp.band_pass(dsp.noise(len(time), seed + 1), 2.0 * low, min(high, 16000.0), 1)
    rise = 1.0 - np.exp(-time / build) if build else 1.0
    wave += 1.6 * wash * hiss * dsp.decay(time, 0.75 * t60) * rise
    for ratio in (1.0, 1.52, 2.36) if bell else ():
        wave += bell * np.sin(2 * np.pi * 1180.0 * ratio * time) * dsp.decay(time, 0.8 * t60 / ratio)
    stick = dsp.high_pass(dsp.noise(len(time), seed + 2), 3000.0) * np.exp(-time / 0.003)
    return dsp.peak(dsp.trimmed(dsp.attack(wave + 1.2 * stick, 0.0005), -54.0, 0.15))


def hat(t60: float, seed: int, low: float = 5200.0, ring: float = 0.6) -> np.ndarray:
    """Return a closed or open hi-hat: a pair of small plates, high-passed."""
    wave = cymbal(t60, 3200.0, 15500.0, seed, wash=1.3)[: int(1.1 * t60 * RATE)]
    sharp = dsp.high_pass(wave, low, 2) * (ring + (1 - ring) * np.exp(-dsp.seconds(len(wave) / RATE) / (0.2 * t60)))
    return dsp.peak(dsp.trimmed(dsp.saturate(dsp.peak(sharp), 2.2), -52.0))
