"""Instruments rendered key by key by FluidSynth with their original settings, and looped again."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from d2m.symbolic.sound import soundfont_file as sf

from . import dsp, sources
from .model import RATE, Sample, Zone, spread_keys, timecents
from .tuning import in_tune
from .waves import hertz_of, paired

#: Set by the build: folder of what was played before.
CACHE = Path("build/sounds/played")
_BEFORE, _GAP = 0.1, 0.4


def played(font: str, bank: int, program: int, notes: Sequence[tuple[int, int]], seconds: float) -> list[np.ndarray]:
    """Return each note (key, velocity) alone, held for so many seconds: float64 (2, n) each."""
    name = hashlib.sha256(repr((font, bank, program, tuple(notes), seconds)).encode()).hexdigest()[:24]
    kept = CACHE / f"{name}.npy"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.save(kept, _play(sources.soundfont(font), bank, program, notes, seconds))
    whole = np.load(kept).astype(np.float64)
    step = seconds + _GAP
    starts = [int(round((_BEFORE + number * step) * RATE)) for number in range(len(notes))]
    return [whole[:, start : start + int(seconds * RATE)] for start in starts]


def _play(font: Path, bank: int, program: int, notes: Sequence[tuple[int, int]], seconds: float) -> np.ndarray:
    import mido
    import soundfile

    track = mido.MidiTrack()
    # A thousand ticks a second.
    track.append(mido.MetaMessage("set_tempo", tempo=1_000_000))
    track.append(mido.Message("control_change", control=0, value=bank))
    track.append(mido.Message("program_change", program=program))
    rest = int(1000 * _BEFORE)
    for key, velocity in notes:
        track.append(mido.Message("note_on", note=key, velocity=velocity, time=rest))
        track.append(mido.Message("note_off", note=key, time=int(1000 * seconds)))
        # All sound off: nothing rings into the next.
        track.append(mido.Message("control_change", control=120, value=0, time=50))
        rest = int(1000 * _GAP) - 50
    song = mido.MidiFile(ticks_per_beat=1000, tracks=[track])
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "x.mid", Path(folder) / "x.wav"
        song.save(midi)
        settings = [
            "-R",
            "0",
            "-C",
            "0",
            "-g",
            "0.6",
            "-r",
            str(RATE),
            "-O",
            "float",
            "-T",
            "wav",
            "-o",
            "synth.midi-bank-select=gs",
        ]
        command = ["fluidsynth", "-ni", *settings, "-F", str(wav), str(font), str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        wave, rate = soundfile.read(wav, dtype="float32", always_2d=True)
    assert rate == RATE
    return wave.T


def instrument(
    name: str,
    font: str,
    program: int,
    roots: Sequence[int],
    layers: Sequence[tuple[int, int, int]],
    seconds: float,
    source: str,
    loop: float = 0.0,
    bank: int = 0,
    stereo: bool = True,
    quality: float = 0.4,
    release: float = 0.35,
    lengths: tuple[float, float] | None = None,
) -> list[Zone]:
    """Return a multisample of what FluidSynth plays.

    Args:
        name: name of its samples, at most 12 characters.
        font, bank, program: what is played.
        roots: rising keys.
        layers: (velocity that is played, lowest and highest velocity that it serves).
        seconds: length of each note in seconds.
        source: whose recordings they are.
        loop: seconds at the end that go on, crossed into themselves; 0 for notes that die away.
        stereo: both sides, or their mean.
        quality: quality of the coder.
        release: seconds.
        lengths: seconds of the lowest and the highest root, for notes that die away sooner.
    """
    zones = []
    for place, (velocity, low, high) in enumerate(layers):
        waves = played(font, bank, program, [(root, velocity) for root in roots], seconds)
        for root, keys, wave in zip(roots, spread_keys(roots), waves, strict=True):
            sides = wave if stereo else wave.mean(0, keepdims=True)
            sides = sides[:, _onset(sides) :] * (0.89 / np.abs(sides).max())
            if lengths is not None:
                long = float(np.interp(root, (roots[0], roots[-1]), lengths))
                sides = np.stack([dsp.faded(side[: int(long * RATE)], 0.45 * long) for side in sides])
            span = None
            if loop:
                sides, span = _looped(sides, root, loop)
            labels = [f"{name} {root}{'abcd'[place]}{letter}".strip() for letter in ("LR" if stereo else " ")]
            origin = f"program {program}, key {root}, velocity {velocity}"
            made = [
                Sample(label, side.astype(np.float32), source, RATE, root, 0, span, quality, None, origin)
                for label, side in zip(labels, sides, strict=True)
            ]
            zones += in_tune([zone.with_(release=timecents(release)) for zone in paired(made, keys, (low, high))])
    return zones


def _onset(sides: np.ndarray) -> int:
    """Samples of silence before a note."""
    loud = np.flatnonzero(np.abs(sides).max(0) > 0.004 * np.abs(sides).max())
    return max(int(loud[0]) - 24, 0)


def _looped(sides: np.ndarray, root: int, loop: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The same loop on every side, its length that of whole cycles at which the sound resembles itself most."""
    end = sides.shape[1]
    period = RATE / hertz_of(root)
    usual, window = int(loop * RATE), int(0.08 * RATE)
    mono = sides.mean(0)
    tail = mono[end - window : end]
    reach = range(max(int(0.75 * usual), window), int(1.25 * usual), max(int(period / 16), 1))
    scores = [
        float(np.dot(tail, mono[end - c - window : end - c])) / np.linalg.norm(mono[end - c - window : end - c])
        for c in reach
    ]
    count = list(reach)[int(np.argmax(scores))]
    made = [dsp.looped(side, end - count, end, int(0.3 * count)) for side in sides]
    return np.stack([wave for wave, _ in made]), made[0][1]


def softened(zones: list[Zone], cents: int) -> list[Zone]:
    """Return the same with a lower filter."""
    return [zone.with_(filter=zone.generators.get(sf.FILTER, 13500) + cents) for zone in zones]
