"""Control baselines at 22,050 Hz: signals without musical content, which expose weaknesses of a metric."""

from __future__ import annotations

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation.recordings import SAMPLE_RATE

#: The wrong metronome's tempo over the right one: no simple multiple.
WRONG = 1.23
#: Amplitude of noise for a dance without original music, -20 dBFS.
QUIET_NOISE = 0.1
#: A click: hertz, seconds until it has fallen to a third, and its peak.
_PITCH, _DECAY, _PEAK = 1500.0, 0.012, 0.7


def clicks(times: np.ndarray, samples: int) -> np.ndarray:
    """Generate a short tone at each time.

    Args:
        times: seconds.
        samples: length.

    Returns:
        float32 (samples,).
    """
    sound = np.zeros(samples)
    time = np.arange(round(0.08 * SAMPLE_RATE)) / SAMPLE_RATE
    click = _PEAK * np.sin(2 * np.pi * _PITCH * time) * np.exp(-time / _DECAY)
    for start in np.rint(np.asarray(times) * SAMPLE_RATE).astype(int):
        if 0 <= start < samples:
            end = min(samples, start + len(click))
            sound[start:end] += click[: end - start]
    return np.clip(sound, -1, 1).astype(np.float32)


def metronome(beats: np.ndarray, samples: int, which: str) -> np.ndarray:
    """Return a metronome for music with these beats (seconds, rising).

    Args:
        beats: beats of the original.
        samples: length.
        which: ``"metronome"`` on every beat, ``"metronome-late"`` half-way to the next (and half a beat before the
            first), ``"metronome-wrong"`` at :data:`WRONG` times the tempo through the first beat.

    Raises:
        D2MError: if there are fewer than two beats.
    """
    if len(beats) < 2:
        raise D2MError("the original has no beats for a metronome")
    if which == "metronome":
        return clicks(beats, samples)
    period = float(np.median(np.diff(beats)))
    if which == "metronome-late":
        middle = (beats[:-1] + beats[1:]) / 2
        return clicks(np.concatenate([[beats[0] - period / 2], middle, [beats[-1] + period / 2]]), samples)
    step = period / WRONG
    first = beats[0] - step * np.floor(beats[0] / step)
    return clicks(np.arange(first, samples / SAMPLE_RATE, step), samples)


def noise(original: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Generate white noise with the power of the original.

    Args:
        original: float32 (T,).
        rng: random generator.

    Returns:
        float32 (T,).
    """
    power = float(np.sqrt(np.mean(np.square(original, dtype=np.float64))))
    return np.clip(power * rng.standard_normal(len(original)), -1, 1).astype(np.float32)


def scrambled(music: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Play the seconds of music in random order, with fades of 5 ms where they meet.

    Args:
        music: float32 (T,).
        rng: random generator.

    Returns:
        float32 (T,).
    """
    edges = np.append(np.arange(0, len(music), SAMPLE_RATE), len(music))
    ramp = np.minimum(np.arange(1, 111) / 110, 1.0)
    parts = []
    for place in rng.permutation(len(edges) - 1):
        part = music[edges[place] : edges[place + 1]].copy()
        width = min(len(ramp), len(part) // 2)
        part[:width] *= ramp[:width]
        part[len(part) - width :] *= ramp[:width][::-1]
        parts.append(part)
    return np.concatenate(parts).astype(np.float32)


def fitted(music: np.ndarray, samples: int) -> np.ndarray:
    """Cut or repeat music to a length.

    Args:
        music: float32 (T,).
        samples: length.

    Returns:
        float32 (samples,).
    """
    return np.resize(music, samples).astype(np.float32)
