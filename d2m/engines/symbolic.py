"""Symbolic engine: a score on the dancer's beats, played by a sound library or SoundFont in stereo.

D2M-GAN's authors suggest notes instead of waveforms against the limits of neural audio codecs (Zhu et al. 2022,
section 5): the sound quality is that of the instruments, and the music can be edited in a DAW.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from d2m.audio.mastering import master
from d2m.audio.presets import preset
from d2m.engines.arrangers import Arranger, RuleArranger, load_arranger
from d2m.engines.base import Engine, Progress
from d2m.engines.options import SymbolicOptions
from d2m.engines.score import ATTACK
from d2m.symbolic.sound.player import RATE
from d2m.types import Dance, Score, Soundtrack

#: Seconds played before the video begins, and cut off.
_LEAD_IN = 0.1


@dataclass
class SymbolicEngine(Engine):
    """Symbolic engine; see the module's docstring.

    Attributes:
        soundfont: path or name of a .sf2 file (:func:`d2m.symbolic.sound.find_soundfont`); None for the default.
        arranger: writes the music.
        weights: names of the weights in use.
    """

    soundfont: str | None = None
    arranger: Arranger = field(default_factory=RuleArranger)
    name: str = "symbolic"
    weights: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.weights = self.arranger.weights

    def compose(self, dance: Dance, *, seed: int = 0, progress: Progress | None = None) -> Soundtrack:
        """Return music for ``dance``, in stereo.

        Args:
            dance: what the music follows.
            seed: random seed of the score.
            progress: called with the share done.

        Raises:
            D2MError: if the soundfont cannot be used.
        """
        from d2m.symbolic.sound import find_soundfont

        font = find_soundfont(self.soundfont)
        score = self.arranger.write(dance, seed)
        if progress:
            progress(0.2)
        waveform = _play_ahead(score, font)
        if progress:
            progress(0.9)
        mastered = master(waveform, RATE, dance.duration, preset(score.genre, score.character).bus.crest)
        if progress:
            progress(1.0)
        return Soundtrack(
            mastered,
            RATE,
            score.grid,
            score,
            None,
            {
                "engine": self.name,
                "weights": list(self.weights),
                "seed": seed,
                "genre": score.genre,
                "details": {"soundfont": font.name, "arranger": self.arranger.name},
            },
        )


def _play_ahead(score: Score, font: Path) -> np.ndarray:
    """Mix the score, every note :data:`ATTACK` early: float32 (2, samples) at the player's rate."""
    from d2m.symbolic.sound.render import mix_down

    # A note on the first frame starts before the video does: the piece is played with a lead-in, which is cut off.
    lead = round(_LEAD_IN * RATE)
    later = replace(score.grid, beats=score.grid.beats + lead / RATE - ATTACK)
    played = replace(score, grid=later, duration=score.duration + lead / RATE)
    return mix_down(played, font).mix[:, lead:]


def load_engine(options: SymbolicOptions) -> SymbolicEngine:
    """Load the engine with its SoundFont and its arranger.

    Args:
        options: options of the engine.

    Raises:
        D2MError: if there is no such SoundFont, arranger or MIDI file.
    """
    from d2m.symbolic.sound import find_soundfont

    font = str(find_soundfont(options.soundfont))
    return SymbolicEngine(font, load_arranger(options.arranger, options.sketch))
