"""Typical phrases of every preset, and the gains that make them equally loud."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from d2m.audio.loudness import loudness
from d2m.symbolic.sound.soundfont import DRUM_BANK, SoundFont

from .levels import settle
from .model import RATE, Preset

#: Loudness of every phrase at velocity 100, LUFS.
TARGET = -23.0
_VELOCITY = 100
_BEAT = 0.5

_MONO_RANGES = {
    40: (60, 84), 41: (52, 76), 42: (40, 64), 43: (30, 50), 47: (41, 53), 56: (58, 77), 57: (46, 65), 58: (34, 53),
    59: (58, 77), 60: (46, 65), 64: (60, 77), 65: (55, 74), 66: (48, 67), 67: (41, 60), 68: (60, 79), 69: (55, 74),
    70: (41, 60), 71: (55, 77), 72: (76, 91), 73: (64, 84), 110: (60, 84),
}  # fmt: skip


def role(bank: int, program: int) -> tuple[str, int, int]:
    """Return (``"kit"``, ``"line"``, ``"chords"`` or ``"hit"``, lowest key, highest key) of a preset's typical
    phrase.
    """
    if bank == DRUM_BANK:
        return "kit", 0, 127
    if bank == 16:
        return "hit", 60, 60
    if program in _MONO_RANGES:
        return "line", *_MONO_RANGES[program]
    if program == 85 and bank:
        return "line", *((60, 76) if bank == 1 else (48, 64) if bank == 2 else (48, 59))
    if program == 87 and bank == 1:
        return "line", 28, 45
    for last, kind, low, high in (
        (7, "chords", 48, 76),
        (15, "line", 60, 84),
        (23, "chords", 48, 76),
        (31, "chords", 45, 69),
        (39, "line", 28, 47),
        (46, "chords", 48, 76),
        (55, "chords", 50, 74),
        (63, "chords", 50, 72),
        (87, "line", 60, 79),
        (103, "chords", 50, 74),
        (111, "line", 52, 72),
    ):
        if program <= last:
            return kind, low, high
    return "hit", 60, 60


def notes(bank: int, program: int) -> list[tuple[float, float, int]]:
    """Return (start, length in seconds, key) of a preset's typical phrase of four beats."""
    kind, low, high = role(bank, program)
    if kind == "kit":
        hats = [(0.25 * i, 0.2, 42) for i in range(8)]
        return [(0.0, 0.4, 36), (1.0, 0.4, 36), (0.5, 0.4, 38), (1.5, 0.4, 38), *hats]
    if kind == "hit":
        return [(0.0, 4.2, 60)]
    if kind == "line":
        steps = np.linspace(low, high, 8).round().astype(int)[[0, 2, 4, 1, 5, 7, 3, 6]]
        return [(0.25 * i, 0.22, int(key)) for i, key in enumerate(steps)]
    root = (low + high) // 2 - 5
    chords = [(root, root + 4, root + 7), (root + 5, root + 9, root + 12)]
    return [(_BEAT * 2 * i, 0.95, key) for i, chord in enumerate(chords) for key in chord]


def phrase(font: SoundFont, bank: int, program: int) -> np.ndarray:
    """Return the phrase played: float32 (2, n)."""
    drums = bank == DRUM_BANK
    mix = np.zeros((2, int((4.4 if role(bank, program)[0] == "hit" else 2.2) * RATE)), dtype=np.float32)
    for start, length, key in notes(bank, program):
        release = min(font.release(program, drums, key, _VELOCITY, 0 if drums else bank), 0.3)
        tone = font.tone(
            program, drums, key, _VELOCITY, RATE, 2.0 if drums else length + release, 2, bank=0 if drums else bank
        )
        if tone is None:
            continue
        wave = tone.wave[:, : mix.shape[1] - int(start * RATE)].copy()
        if not drums:
            wave = wave[:, : int((length + release) * RATE)]
            tail = max(wave.shape[1] - int(length * RATE), 0)
            if tail:
                wave[:, -tail:] *= 10.0 ** (-4.0 * np.arange(tail, dtype=np.float32) / tail)
        mix[:, int(start * RATE) : int(start * RATE) + wave.shape[1]] += wave * np.float32((_VELOCITY / 127.0) ** 2)
    return mix


def level(font: SoundFont, bank: int, program: int) -> float:
    """Return the loudness of the phrase, LUFS; of a single hit that of its loudest 0.4 s."""
    wave = phrase(font, bank, program)
    if role(bank, program)[0] != "hit":
        return loudness(wave, RATE)
    blocks = range(0, wave.shape[1] - int(0.4 * RATE), int(0.1 * RATE))
    return max(loudness(wave[:, start : start + int(0.4 * RATE) + 1], RATE) for start in blocks)


def takes_of(preset: Preset) -> tuple[int, int]:
    """Return (bank, program) of the first take of a preset: kits have their second take 64 programs above."""
    return preset.bank, preset.program % 64 if preset.bank == DRUM_BANK else preset.program


def equalise(draft: Path, presets: list[Preset]) -> list[str]:
    """Set the presets' gains by what a draft of the library measures; what stays quieter is told."""
    font = SoundFont(draft)
    told = []
    found = {(preset.bank, preset.program): level(font, preset.bank, preset.program) for preset in presets}
    for preset in presets:
        change = TARGET - found[takes_of(preset)]
        if not settle(preset, min(change, 60.0)):
            told.append(
                f"{preset.bank}:{preset.program} {preset.name}: {TARGET - change:.1f} LUFS, {change:+.1f} dB wanted"
            )
    return told
