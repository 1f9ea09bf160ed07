"""Make the pieces for ``--candidates``: their plans, their sound, and what the ranking needs of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from d2m.candidate_distance import embedding_of
from d2m.candidate_wishes import wish_of
from d2m.engines import Engine, load
from d2m.engines.base import ScoreEngine
from d2m.generate_options import GenerateOptions
from d2m.parallel import Helpers
from d2m.plans.ask import planned
from d2m.plans.play import name_in_plan, play
from d2m.types import BeatGrid, Dance, Soundtrack

if TYPE_CHECKING:
    from d2m.features import Analysis
    from d2m.plans.types import Plan

#: Options of an engine, by name.
Settings: TypeAlias = tuple[tuple[str, Any], ...]
#: A plan, and the dance that it was made for.
Work: TypeAlias = "tuple[Plan, Dance]"
#: Seconds of the music with which another process loads what it needs.
_WARM_UP = 1.0


@dataclass(frozen=True)
class Impression:
    """What the ranking needs of the sound of a piece.

    Attributes:
        fit: see :func:`fit_to`.
        embedding: see :func:`d2m.candidate_distance.embedding_of`.
    """

    fit: float
    embedding: np.ndarray | None

    @classmethod
    def of(cls, sound: Soundtrack, dance: Dance) -> Impression:
        """Listen to a piece.

        Args:
            sound: the piece.
            dance: the dance that it follows.
        """
        return cls(fit_to(sound, dance), embedding_of(sound))


@dataclass(frozen=True)
class Piece:
    """One of several pieces for a video.

    Attributes:
        plan: its plan.
        sound: its sound.
        heard: what the ranking needs of its sound.
    """

    plan: Plan
    sound: Soundtrack
    heard: Impression


def fit_to(sound: Soundtrack, dance: Dance) -> float:
    """Return the correlation of the loudness of the beats of a piece with the dancer's energy.

    Args:
        sound: the piece.
        dance: the dance that it follows.
    """
    edges = np.round(np.clip(dance.grid.beats, 0.0, dance.duration) * sound.sample_rate).astype(int)
    mono = np.asarray(sound.waveform, np.float64).mean(0)
    total = np.concatenate([[0.0], np.cumsum(mono**2)])
    edges = np.minimum(edges, len(mono))
    length = np.diff(edges)
    usable = length > 0
    level = 10 * np.log10(np.diff(total[edges])[usable] / length[usable] + 1e-8)
    energy = np.asarray(dance.energy, np.float64)[: len(usable)][usable]
    if len(level) < 3 or level.std() < 1e-6 or energy.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(level, energy)[0, 1])


class PieceMakers:
    """This process and others, which make the pieces; the others end with the ``with`` block."""

    def __init__(self, engine: ScoreEngine, name: str | None, settings: Mapping[str, Any], processes: int) -> None:
        """Start the other processes, which load the engine.

        Args:
            engine: engine of this process.
            name: its name, as it was loaded; None if it was chosen by the settings.
            settings: its options, plain values.
            processes: number of processes, with this one.
        """
        self._engine = engine
        self._loading = (name, tuple(settings.items()))
        self._helpers = Helpers(processes - 1, _make_away, (*self._loading, None))

    def __enter__(self) -> PieceMakers:
        return self

    def __exit__(self, *exc: object) -> None:
        self._helpers.__exit__(*exc)

    def make(
        self, analysis: Analysis, options: GenerateOptions, count: int, tell: Callable[[float], None]
    ) -> tuple[Dance, list[Piece]]:
        """Plan, play and hear several pieces. They do not depend on the number of processes.

        Args:
            analysis: analysis of the video.
            options: what is asked for.
            count: number of pieces.
            tell: called with the share done.

        Returns:
            The dance that they follow, and the pieces in the order of their wishes.

        Raises:
            D2MError: if a piece cannot be made.
        """
        arranger = name_in_plan(self._engine.arranger)
        asked = [planned(analysis, *wish_of(options, index, arranger)) for index in range(count)]
        made: dict[int, tuple[Soundtrack, Future[Impression]]] = {}

        def make_here(name: str | None, settings: Settings, work: Work) -> Soundtrack:
            return play(work[0], self._engine, work[1])

        # A piece is heard while the next one is played.
        with ThreadPoolExecutor(1, thread_name_prefix="listen") as listener:
            for index, sound in self._helpers.share([(*self._loading, work) for work in asked], make_here):
                made[index] = sound, listener.submit(Impression.of, sound, asked[index][1])
                tell(len(made) / count)
        pieces = [Piece(plan, made[index][0], made[index][1].result()) for index, (plan, _) in enumerate(asked)]
        return asked[-1][1], pieces


@functools.lru_cache(maxsize=1)
def _loaded(name: str | None, settings: Settings) -> Engine:
    return load(name, **dict(settings))


def _make_away(name: str | None, settings: Settings, work: Work | None) -> Soundtrack | None:
    """Make a piece in another process; without work, load what it needs."""
    engine = _loaded(name, settings)
    assert isinstance(engine, ScoreEngine)
    if work is not None:
        return play(work[0], engine, work[1])
    grid = BeatGrid.steady(120.0, _WARM_UP)
    steady = np.full(len(grid.beats), 0.5, np.float32)
    engine.compose(Dance(_WARM_UP, None, grid, steady, steady, "gHO"))
    return None
