"""Small songs, and what plays them."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from test_bridge_songs import bars_of, roll_of

from d2m.symbolic.bridge.composer import Composer, build
from d2m.symbolic.bridge.config import BridgeConfig
from d2m.symbolic.pianoroll_midi import write_roll
from d2m.symbolic.sound import find_soundfont
from d2m.symbolic.sound.soundfont import SoundFont
from d2m.symbolic.stream.library import Library
from d2m.symbolic.stream.planning import Planner
from d2m.symbolic.stream.programme import Programme

SMALL = BridgeConfig(width=8, beat_width=12, channels=24, blocks=1, shifts=3)


class Repeater(Composer):
    """Writes the bar before again: a network whose music is known."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(build(SMALL), "repeater")

    def chances(self, context: np.ndarray, bars: int) -> np.ndarray:
        return np.repeat(context[:, :1], bars, axis=1).astype(np.float32)


def write_song(path: Path, chords: str = "CaFGCaFGCaFG", seed: int = 0, tempo: float = 160.0, **style: int) -> Path:
    """A MIDI file of one bar for each chord."""
    write_roll(roll_of(bars_of(chords, seed, **style), len(chords), tempo, path.stem), path)
    return path


def songs(folder: Path, count: int = 3, **what: float) -> Path:
    """A folder of songs named a, b, c …, each in its own style and key."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        name = folder / f"{chr(97 + number)}.mid"
        write_song(name, seed=number, style=number % 3, key=2 * (number % 3), **what)
    return folder


@lru_cache
def font() -> SoundFont:
    """A soundfont for all tests of a process: it keeps the tones that it has made."""
    return SoundFont(find_soundfont("TimGM6mb"))


def planner(**settings: object) -> Planner:
    return Planner(Repeater(), font(), **settings)


def programme(folder: Path, **settings: object) -> Programme:
    told = settings.pop("tell", lambda line: None)
    order = {name: settings.pop(name) for name in ("shuffle", "seed") if name in settings}
    return Programme(Library(folder), planner(**settings), **order, tell=told)


def weights(folder: Path) -> str:
    """A file of weights for the command line."""
    from d2m.symbolic.bridge.files import save

    torch.manual_seed(0)
    path = folder / "small.safetensors"
    save(build(SMALL), path)
    return str(path)


def frames(wav: bytes) -> np.ndarray:
    """int16 (frames, 2) of a .wav in memory."""
    import wave

    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44100)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
