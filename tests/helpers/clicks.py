"""A small engine, for tests of what is around engines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.engines import Engine
from d2m.types import Dance, Soundtrack

RATE = 22050


@dataclass
class Clicks(Engine):
    """An engine that plays a click on each beat, a higher one on downbeats."""

    name: str = "clicks"
    weights: tuple[str, ...] = ()

    def compose(self, dance: Dance, *, seed: int = 0, progress=None) -> Soundtrack:
        sound = np.zeros(round(dance.duration * RATE), np.float32)
        time = np.arange(RATE // 10) / RATE
        for index, beat in enumerate(dance.grid.beats):
            start = round(beat * RATE)
            if 0 <= start < len(sound):
                pitch = 1600 if index in dance.grid.downbeats else 800
                click = 0.8 * np.exp(-60 * time) * np.sin(2 * np.pi * pitch * time)
                sound[start : start + len(click)] += click[: len(sound) - start]
        if progress:
            progress(1.0)
        return Soundtrack(sound[None], RATE, dance.grid, provenance={"seed": seed, "genre": dance.genre})
