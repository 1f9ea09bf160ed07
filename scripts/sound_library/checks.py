"""Check coded samples: coding error in auditory bands, noise before attacks, seams of loops."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .model import Preset, Sample
from .sf3 import all_samples, encode, settled_loop


@dataclass(frozen=True)
class Coded:
    """How a sample came through.

    Attributes:
        loss: mean absolute difference of 64 log-mel bands over the original's loudest 50 dB, dB.
        early: energy of the coder's error in the 5 ms before the attack's peak against that of the 5 ms after it, dB.
        seam: jump of the slope at the loop's end over the largest that the loop has anywhere, a ratio.
        offset: direct current over the peak.
    """

    name: str
    loss: float
    early: float
    seam: float
    offset: float


def check(presets: list[Preset], cache: Path) -> list[Coded]:
    """Return all samples, the worst loss first."""
    import soundfile

    out = []
    for sample in all_samples(presets):
        stream = encode(sample, cache)
        wave, _ = soundfile.read(io.BytesIO(stream), dtype="float64")
        out.append(_compared(sample, wave, settled_loop(sample, stream)))
    return sorted(out, key=lambda one: -one.loss)


def _compared(sample: Sample, coded: np.ndarray, loop_at: tuple[int, int]) -> Coded:
    plain = np.asarray(sample.wave, dtype=np.float64)
    count = min(len(plain), len(coded))
    a, b = _mel(plain[:count], sample.rate), _mel(coded[:count], sample.rate)
    heard = a > a.max() - 50.0
    top = int(np.argmax(np.abs(plain[: int(0.05 * sample.rate)])))
    before, after = slice(max(top - int(0.005 * sample.rate), 0), top + 1), slice(top, top + int(0.005 * sample.rate))
    error = np.sum((coded[:count][before] - plain[:count][before]) ** 2)
    early = 10.0 * np.log10((error + 1e-9) / (np.sum(plain[after] ** 2) + 1e-9))
    seam = 0.0
    if sample.loop is not None:
        first, last = loop_at
        loop = coded[first:last]
        turn = np.concatenate([loop, loop[: max(64, len(loop) // 8)]])
        bends = np.abs(np.diff(turn, 2))
        joint = slice(len(loop) - 3, len(loop) + 2)
        seam = float(bends[joint].max() / max(np.abs(np.diff(loop, 2)).max(), 1e-9))
    return Coded(
        sample.name,
        float(np.abs(a - b)[heard].mean()),
        float(early),
        seam,
        float(abs(coded.mean()) / np.abs(coded).max()),
    )


def _mel(wave: np.ndarray, rate: int) -> np.ndarray:
    """Power of 64 mel bands in dB (bands, frames), windows of 23 ms."""
    size, hop = 1024, 512
    wave = np.pad(wave, (0, max(size - len(wave), 0) + hop))
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = 700.0 * (10.0 ** (np.linspace(0, 2595 * np.log10(1 + min(16000, rate / 2) / 700), 66) / 2595) - 1.0)
    bins = np.fft.rfftfreq(size, 1.0 / rate)
    bank = np.stack([np.interp(bins, edges[i : i + 3], [0.0, 1.0, 0.0]) for i in range(64)])
    return 10.0 * np.log10(bank @ power.T + 1e-9)
