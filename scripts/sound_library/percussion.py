"""Further drums of dance music: layered kicks and snares, snaps, shakers, and acoustic drums with stronger attacks."""

from __future__ import annotations

import numpy as np

from . import dsp
from .machines import clap, kick_808, snare_909
from .model import RATE


def kick_layered(
    body: float, t60: float, knock: float, drive: float, seed: int, sweep: float = 0.022, top: float = 5.0
) -> np.ndarray:
    """Return a produced kick: a swept sine, a knock of 2-5 kHz, saturated together.

    Args:
        body: pitch in hertz.
        t60: its fall.
        knock: level of the beater.
        drive: saturation.
        seed: random seed of the beater's noise.
        sweep: seconds in which the pitch falls by two thirds.
        top: how many times its pitch the body begins at.
    """
    time = dsp.seconds(1.1 * t60)
    hertz = body * (1.0 + (top - 1.0) * np.exp(-time / sweep))
    wave = dsp.sine(hertz, len(time)) * dsp.decay(np.maximum(time - 0.06, 0.0), t60)
    tick = dsp.band_pass(dsp.noise(len(time), seed), 1800.0, 7000.0, 1) * np.exp(-time / 0.005)
    wood = dsp.sine(190.0 + 400.0 * np.exp(-time / 0.004), len(time)) * np.exp(-time / 0.012)
    wave = dsp.saturate(wave + knock * (2.6 * tick + 0.7 * wood), drive)
    return dsp.peak(dsp.trimmed(dsp.shelf(wave, 3500.0, 2.0), -60.0, 0.03))


def knocking(wave: np.ndarray, seed: int) -> np.ndarray:
    """Return a low bass drum with a beater of 2-6 kHz, so that small speakers tell its moment."""
    time = dsp.seconds(0.03)
    tick = dsp.band_pass(dsp.noise(len(time), seed), 1900.0, 6500.0, 1) * np.exp(-time / 0.005)
    return dsp.peak(dsp.mixed(dsp.peak(wave), 1.5 * tick))


def kick_distorted(pitch: float, t60: float) -> np.ndarray:
    """Return the long bass drum of heavy hip-hop, driven until its harmonics are heard on small speakers."""
    wave = kick_808(t60, pitch, 0.9)
    driven = dsp.saturate(wave, 4.5)
    return dsp.peak(dsp.trimmed(dsp.bell(dsp.bell(driven, 700.0, 7.0, 0.6), 2500.0, 6.0, 0.8), -56.0, 0.05))


def snare_tight(tune: float, seed: int, t60: float = 0.16, snap: float = 1.0) -> np.ndarray:
    """Return a high, short snare with much top, as over slow 808 beats."""
    wave = snare_909(tune, 0.5, 1.0, seed, t60)
    time = dsp.seconds(len(wave) / RATE)
    wave = wave + 0.5 * snap * dsp.high_pass(dsp.noise(len(wave), seed + 5), 6000.0) * dsp.decay(time, 0.5 * t60)
    return dsp.peak(dsp.trimmed(dsp.saturate(dsp.bell(wave, 3800.0, 4.0), 1.8), -54.0))


def snare_big(seed: int, side: int) -> np.ndarray:
    """Return a snare under a clap in a gated room."""
    dry = dsp.mixed(snare_909(172.0, 0.7, 0.9, seed), 0.6 * clap(seed + 7, tail=0.25))
    wet = dsp.room(dry, 0.55, 0.55, seed + 20 + side, 250.0, 9000.0)[: int(0.62 * RATE)]
    return dsp.peak(dsp.faded(dsp.compressed(dsp.peak(wet), -14.0, 3.0, 0.008, 0.08), 0.12))


def clap_wide(seed: int, side: int, tail: float = 0.28) -> np.ndarray:
    """Return a stack of four people: bursts at their own times, one stack on each side."""
    draw = np.random.default_rng(seed + 100 * side)
    wave = np.zeros(1)
    for person in range(4):
        moments = np.sort(draw.uniform(0.0, 0.022, 3)) if person else np.array([0.0, 0.009, 0.018])
        one = clap(seed + 10 * side + person, tuple(moments - moments[0]), tail, draw.uniform(650.0, 1100.0))
        wave = dsp.mixed(wave, dsp.late(one, float(moments[0]) * 0.5))
    return dsp.peak(dsp.trimmed(dsp.bell(dsp.saturate(dsp.peak(wave), 1.5), 1500.0, 2.0), -52.0))


def snap(seed: int) -> np.ndarray:
    """Return a finger snap: a short resonant click near 2 kHz with a small room."""
    time = dsp.seconds(0.22)
    hiss = dsp.band_pass(dsp.noise(len(time), seed), 1500.0, 3600.0, 2) * np.exp(-time / 0.006)
    ring = dsp.sine(2150.0, len(time)) * np.exp(-time / 0.010)
    wave = dsp.attack(hiss + 0.25 * ring, 0.0007)
    return dsp.peak(dsp.trimmed(dsp.room(wave, 0.18, 0.35, seed + 3, 800.0, 6000.0), -52.0))


def shaker(seed: int, length: float, softness: float) -> np.ndarray:
    """Return beads that swell for ``softness`` seconds and fall."""
    time = dsp.seconds(length)
    draw = np.random.default_rng(seed)
    grains = dsp.noise(len(time), seed) * (0.4 + 0.6 * draw.random(len(time)) ** 6)
    shape = np.minimum(time / softness, 1.0) ** 2 * np.exp(-np.maximum(time - softness, 0.0) / (0.22 * length))
    return dsp.peak(dsp.trimmed(dsp.band_pass(grains, 4500.0, 13000.0, 1) * shape, -50.0))


def tambourine(seed: int, length: float) -> np.ndarray:
    """Return jingles: bursts of eight clusters of high partials."""
    draw = np.random.default_rng(seed)
    time = dsp.seconds(length)
    wave = np.zeros(len(time))
    for _ in range(8):
        begin, hertz = draw.uniform(0.0, 0.018), draw.uniform(5200.0, 11500.0, 5)
        since = np.maximum(time - begin, 0.0)
        ring = sum(np.sin(2 * np.pi * one * since + draw.uniform(0, 6)) for one in hertz)
        wave += (time >= begin) * ring * dsp.decay(since, draw.uniform(0.5, 1.1) * length)
    hiss = dsp.high_pass(dsp.noise(len(time), seed), 6000.0) * dsp.decay(time, 0.6 * length)
    return dsp.peak(dsp.trimmed(wave / 8.0 + hiss, -50.0))


def block(hertz: float, t60: float) -> np.ndarray:
    """Return a wood block: two modes and a tick."""
    time = dsp.seconds(1.2 * t60)
    wave = dsp.sine(hertz, len(time)) * dsp.decay(time, t60) + 0.4 * dsp.sine(2.71 * hertz, len(time)) * dsp.decay(
        time, 0.4 * t60
    )
    return dsp.peak(dsp.trimmed(dsp.attack(wave, 0.0004), -54.0))


def produced(wave: np.ndarray, kind: str) -> np.ndarray:
    """Return a recorded drum as a record has it: equalised, compressed behind its attack, saturated.

    Args:
        wave: the recording (n,).
        kind: ``"kick"``, ``"snare"``, ``"tom"`` or ``"cymbal"``.
    """
    wave = dsp.peak(np.asarray(wave, dtype=np.float64))
    if kind == "kick":
        wave = dsp.bell(dsp.bell(dsp.bell(wave, 62.0, 5.0, 1.0), 320.0, -6.0, 0.9), 3600.0, 6.0, 0.9)
        return dsp.peak(dsp.saturate(dsp.peak(dsp.compressed(dsp.peak(wave), -18.0, 3.0, 0.012, 0.09)), 2.8))
    if kind == "snare":
        wave = dsp.bell(dsp.bell(dsp.bell(wave, 200.0, 3.5, 1.2), 550.0, -4.0, 1.2), 5200.0, 4.5, 0.7)
        return dsp.peak(dsp.saturate(dsp.peak(dsp.compressed(dsp.peak(wave), -20.0, 3.5, 0.007, 0.08)), 2.8))
    if kind == "tom":
        wave = dsp.bell(dsp.bell(wave, 110.0, 3.0, 1.0), 450.0, -4.0, 1.0)
        return dsp.peak(dsp.compressed(dsp.peak(wave), -18.0, 2.5, 0.012, 0.12))
    return dsp.peak(dsp.high_pass(dsp.shelf(wave, 7000.0, 2.5), 250.0))


def sampled(wave: np.ndarray, speed: float = 1.0, bits: int = 12, rate: float = 26040.0) -> np.ndarray:
    """As a 12-bit sampler of the eighties plays it: at its own rate, driven, with less top."""
    place = np.arange(int(len(wave) / speed)) * speed
    moved = np.interp(place, np.arange(len(wave)), wave)
    gritty = dsp.crushed(dsp.saturate(dsp.peak(moved), 1.8), bits, rate)
    return dsp.peak(dsp.low_pass(gritty, 11500.0, 1))
