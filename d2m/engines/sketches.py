"""Sources of the score that an engine plays: the composer, MuseGAN, or a MIDI file of the user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from d2m.engines.score import FALLBACK_GENRE, write_score
from d2m.errors import D2MError
from d2m.types import Dance, Score

#: What ``--sketch`` takes besides the name of a MIDI file.
SKETCHES: tuple[str, ...] = ("composer", "musegan")


class Sketch(Protocol):
    """Source of scores.

    Attributes:
        name: name for reports.
        weights: names of the weights in use.
    """

    @property
    def name(self) -> str: ...

    @property
    def weights(self) -> tuple[str, ...]: ...

    def write(self, dance: Dance, seed: int) -> Score:
        """Write a score on the dancer's beats, as long as the dance. The same arguments give the same score.

        Args:
            dance: analysis of a video.
            seed: random seed.
        """
        ...


@dataclass(frozen=True)
class ComposerSketch:
    """Scores by the rule-based composer, from tables of the genre."""

    name: str = "composer"
    weights: tuple[str, ...] = ()

    def write(self, dance: Dance, seed: int) -> Score:
        """Write a score; see :class:`Sketch`.

        Args:
            dance: analysis of a video.
            seed: random seed.
        """
        return write_score(dance, seed)


class MuseGanSketch:
    """Scores by MuseGAN with a rhythm section of the genre (:mod:`d2m.symbolic.musegan.band`).

    Args:
        model: name or file of the weights of a model that makes all tracks.
    """

    def __init__(self, model: str = "studio-musegan") -> None:
        from d2m.symbolic.musegan.files import load

        self._muse = load(model)
        self.name = "musegan"
        self.weights: tuple[str, ...] = (self._muse.name,)

    def write(self, dance: Dance, seed: int) -> Score:
        """Write a score; see :class:`Sketch`.

        Args:
            dance: analysis of a video.
            seed: random seed.
        """
        from d2m.symbolic.musegan.band import play_for

        genre = dance.genre or FALLBACK_GENRE
        return play_for(
            *(self._muse, dance.grid, dance.duration, genre, seed),
            energy=dance.energy,
            accents=dance.accents,
            forgiving=dance.forgiving,
        )


def load_sketch(name: str = "composer") -> Sketch:
    """Load the source of scores that ``--sketch`` names.

    Args:
        name: one of :data:`SKETCHES`, or the path of a MIDI file.

    Raises:
        D2MError: if it is neither, or the file cannot be used.
    """
    if name == "composer":
        return ComposerSketch()
    if name == "musegan":
        return MuseGanSketch()
    path = Path(name)
    if path.suffix.lower() in (".mid", ".midi") or path.is_file():
        from d2m.engines.sketches_midi import MidiSketch

        return MidiSketch(path)
    raise D2MError(f"no sketch '{name}'; choose {', '.join(SKETCHES)} or give a MIDI file (.mid)")
