"""Arrangers write the score that an engine plays: the composer's rules, MuseGAN, or a MIDI file of the user."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from d2m.engines.score import FALLBACK_GENRE, write_score
from d2m.errors import D2MError
from d2m.registry import Registry
from d2m.types import Dance, Score


class Arranger(Protocol):
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


class ArrangerKind(Protocol):
    """Entry of the registry of arrangers: a class, or a function, that makes an arranger.

    It is called without arguments, or with the name or file of weights if the user gives one (``NAME:WEIGHTS``).
    """

    def __call__(self, *weights: str) -> Arranger: ...


#: The arrangers by the names that ``--arranger`` takes.
ARRANGERS: Registry[ArrangerKind] = Registry(
    "arranger",
    "d2m.arrangers",
    {"composer": "d2m.engines.arrangers:RuleArranger", "musegan": "d2m.engines.arrangers:MuseGanArranger"},
)
#: Weights of MuseGAN that are used unless others are named.
STUDIO_MUSEGAN = "studio-musegan"
#: Arranger that is used if neither an arranger nor a MIDI file is named.
DEFAULT = "composer"


@dataclass(frozen=True)
class RuleArranger:
    """Scores by the rule-based composer, from tables of the genre."""

    name: str = field(default="composer", init=False)
    weights: tuple[str, ...] = field(default=(), init=False)

    def write(self, dance: Dance, seed: int) -> Score:
        """Write a score; see :class:`Arranger`.

        Args:
            dance: analysis of a video.
            seed: random seed.
        """
        return write_score(dance, seed)


class MuseGanArranger:
    """Scores by MuseGAN with a rhythm section of the genre (:mod:`d2m.symbolic.musegan.band`).

    Args:
        model: name or file of the weights of a model that makes all tracks.
    """

    def __init__(self, model: str = STUDIO_MUSEGAN) -> None:
        from d2m.symbolic.musegan.files import load

        self._muse = load(model)
        self.name = "musegan" if model == STUDIO_MUSEGAN else f"musegan:{model}"
        self.weights: tuple[str, ...] = (self._muse.name,)

    def write(self, dance: Dance, seed: int) -> Score:
        """Write a score; see :class:`Arranger`.

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
            brief=dance.brief,
        )


def is_arranger(name: str) -> bool:
    """Return whether a text names an arranger, with or without weights (``NAME:WEIGHTS``).

    Args:
        name: the text.
    """
    return name.partition(":")[0] in ARRANGERS


def make_arranger(name: str) -> Arranger:
    """Make an arranger.

    Args:
        name: one of :data:`ARRANGERS`, or ``NAME:WEIGHTS`` with the name or file of weights.

    Raises:
        D2MError: if there is no such arranger, it takes no weights, or they cannot be used.
    """
    kind, _, weights = name.partition(":")
    make = ARRANGERS.get(kind)
    if not weights:
        return make()
    try:
        inspect.signature(make).bind(weights)
    except TypeError as error:
        raise D2MError(f"the arranger {kind} takes no weights; leave out ':{weights}'") from error
    return make(weights)


def load_arranger(arranger: str | None = None, sketch: str | None = None) -> Arranger:
    """Load an arranger.

    Args:
        arranger: see :func:`make_arranger`; None for the default.
        sketch: path of a MIDI file that takes its place, or None. The name of an arranger is accepted, as it was
            before 0.2.

    Raises:
        D2MError: if both are given, there is no such arranger, or the file cannot be used.
    """
    if sketch is None:
        return make_arranger(arranger or DEFAULT)
    if arranger is not None:
        raise D2MError("--sketch gives the notes in place of an arranger; leave out --sketch or --arranger")
    if sketch in ARRANGERS:
        return make_arranger(sketch)
    path = Path(sketch)
    if path.suffix.lower() in (".mid", ".midi") or path.is_file():
        from d2m.engines.arrangers_midi import MidiArranger

        return MidiArranger(path)
    raise D2MError(f"no MIDI file {sketch}; give --sketch a file (.mid), or choose --arranger {' or '.join(ARRANGERS)}")
