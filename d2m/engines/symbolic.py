"""Symbolic engine: a score on the dancer's beats, played by a sound library or SoundFont in stereo.

D2M-GAN's authors suggest notes instead of waveforms against the limits of neural audio codecs (Zhu et al. 2022,
section 5): the sound quality is that of the instruments, and the music can be edited in a DAW.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from d2m.audio.mastering import TARGET_LUFS, mastering
from d2m.audio.presets import preset
from d2m.engines.arrangers import Arranger, RuleArranger, load_arranger
from d2m.engines.base import Progress, ScoreEngine
from d2m.engines.options import SymbolicOptions
from d2m.engines.play_ahead import play_ahead
from d2m.symbolic.sound.player import RATE
from d2m.types import Dance, Score, Soundtrack

#: Seconds before a bar line in which its first notes may begin.
_EARLY = 0.1


@dataclass
class SymbolicEngine(ScoreEngine):
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

    @property
    def sees(self) -> bool:
        """Whether the music depends on motion or picture: it does not."""
        return False

    @property
    def is_causal(self) -> bool:
        """Whether the music depends on earlier notes alone, up to a bar before the end of a section: it does."""
        return True

    def perform(
        self,
        score: Score,
        dance: Dance,
        *,
        seed: int = 0,
        stems: bool = False,
        progress: Progress | None = None,
    ) -> Soundtrack:
        """Play a score in stereo; see :meth:`ScoreEngine.perform`.

        Args:
            score: what to play.
            dance: what the music follows.
            seed: of the score, for the provenance.
            stems: give the channels of the mixer, too.
            progress: called with the share done.

        Raises:
            D2MError: if the SoundFont cannot be used.
        """
        from d2m.symbolic.sound import find_soundfont

        font = find_soundfont(self.soundfont)
        if progress:
            progress(0.2)
        own = _own_part(dance)
        played = play_ahead(score, font, stems=stems, border=own)
        if progress:
            progress(0.9)
        gains = mastering(
            *(played.mix, RATE, dance.duration, preset(score.genre, score.character).bus.crest),
            target=TARGET_LUFS + score.loudness,
            measured=own,
        )
        if progress:
            progress(1.0)
        return Soundtrack(
            gains.apply_in_place(played.mix),
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
            {name: gains.apply_in_place(stem) for name, stem in played.stems.items()},
        )


def _own_part(dance: Dance) -> float | None:
    """Return the seconds before the last bar of a section, in which a transition may lead on; None for all."""
    if dance.brief is None or dance.brief.end is None:
        return None
    bar = dance.grid.beats_per_bar
    line = float(dance.grid.time_of(round(float(dance.grid.position_of(dance.brief.end))) - bar))
    return (line if line > dance.brief.begin + 1.0 else dance.brief.end) - _EARLY


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
