"""How freely a studio dancer moves around the beat.

The dances of a clear dancer mark almost every beat. People do not: over 196 dances of AIST++ (motion capture, 28
dancers), the speed of the body varies with a period of four beats as much as with one (mean Fourier coefficients of the
normalised logarithm of the speed: 0.51 at four beats, 0.46 at two, 0.39 at one, 0.25 at half a beat), and the place of
the lowest speed within the beat differs from genre to genre and from dancer to dancer. :data:`FREE` was adjusted to
those figures, which ``scripts/measure_choreographer.py`` prints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.types import BeatGrid

#: Beats of a phrase, and of the cell within it whose accents and timing repeat.
PHRASE, CELL = 8, 4


#: Deviations (beats) of four landings from even ones, with at least half a beat between landings.
_RHYTHMS = (
    (0.0, 0.5, 0.0, 0.0), (0.0, -0.5, 0.0, 0.0), (0.0, 0.0, 0.0, 0.5), (0.0, 0.0, 0.0, -0.5), (0.0, 0.5, 0.0, 0.5),
    (0.0, -0.5, 0.0, -0.5), (0.0, 0.5, 0.5, 0.0), (0.0, -0.5, -0.5, 0.0), (0.0, 0.0, 0.5, 0.5), (0.0, 0.25, 0.5, 0.25),
)  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """Distribution of the choices of free dancers.

    Attributes:
        steps: beats from one landing to the next -> probability.
        lags: genre -> mean lag of its landings in beats (positive: after the beat).
        lag: standard deviation of a dancer's lag around it, beats.
        phrase_lag: standard deviation of a phrase's lag around the dancer's, beats.
        uneven: probability that landings are not evenly spaced within four beats.
        accents: standard deviation of the logarithm of the size of landings within four beats.
        pulses: bounces per beat -> probability; 0 is no bounce.
        bounce: lowest and highest depth of the bounce, relative to the style's.
        alone: probability that only the arms dance in a phrase, and the same for the feet.
        hold: probability that a phrase ends in a pose that is held.
        flow: lowest and highest flow of a phrase (see :class:`~d2m.datasets.studio.routine.Key`).
        sway: slow movement of all parts, relative to that of a dancer who stands.
        keep: probability that a phrase keeps the choices of the one before it.
    """

    steps: dict[float, float]
    lags: dict[str, float]
    lag: float
    phrase_lag: float
    uneven: float
    accents: float
    pulses: dict[float, float]
    bounce: tuple[float, float]
    alone: float
    hold: float
    flow: tuple[float, float]
    sway: float
    keep: float


FREE = Manner(
    steps={0.5: 0.14, 1.0: 0.30, 2.0: 0.38, 4.0: 0.18},
    lags={
        "gBR": -0.10, "gPO": -0.10, "gLO": 0.10, "gMH": -0.20, "gLH": 0.05, "gHO": -0.20, "gWA": 0.10, "gKR": 0.0,
        "gJS": 0.0, "gJB": 0.05,
    },
    lag=0.10,
    phrase_lag=0.08,
    uneven=0.45,
    accents=0.6,
    pulses={1.0: 0.38, 0.5: 0.22, 2.0: 0.10, 0.0: 0.30},
    bounce=(0.2, 0.9),
    alone=0.12,
    hold=0.10,
    flow=(0.0, 0.7),
    sway=4.0,
    keep=0.6,
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """Choices of a free dancer for a phrase of eight beats.

    Attributes:
        step: beats from one landing to the next.
        lag: how late the phrase lands, beats.
        offsets: (4,), deviation of the landings within four beats from even ones, beats.
        accents: (4,), relative size of landings within four beats.
        pulse: bounces per beat; 0 is no bounce.
        bounce: depth of the bounce, relative to the style's.
        flow: 0 stops at each pose, towards 1 passes through.
        hold: whether the phrase ends in a pose that is held.
        feet, arms: whether they dance.
    """

    step: float
    lag: float
    offsets: np.ndarray
    accents: np.ndarray
    pulse: float
    bounce: float
    flow: float
    hold: bool
    feet: bool
    arms: bool


def draw_figures(manner: Manner, genre: str, count: int, rng: np.random.Generator) -> list[Figure]:
    """Draw the choices for each phrase of a dance.

    Args:
        manner: distribution of the choices.
        genre: AIST code.
        count: number of phrases.
        rng: random generator of the dance.
    """
    own = manner.lags.get(genre, 0.0) + rng.normal(0.0, manner.lag)
    figures = [_draw(manner, own, rng)]
    while len(figures) < count:
        figures.append(figures[-1] if rng.random() < manner.keep else _draw(manner, own, rng))
    return figures


def _draw(manner: Manner, lag: float, rng: np.random.Generator) -> Figure:
    alone = rng.random()
    offsets = np.array(_RHYTHMS[int(rng.integers(len(_RHYTHMS)))] if rng.random() < manner.uneven else (0.0,) * CELL)
    accents = np.exp(rng.normal(0.0, manner.accents, CELL))
    return Figure(
        step=_choice(manner.steps, rng),
        lag=float(np.clip(lag + rng.normal(0.0, manner.phrase_lag), -0.5, 0.5)),
        offsets=offsets,
        accents=np.clip(accents / accents.mean(), 0.3, 1.7),
        pulse=_choice(manner.pulses, rng),
        bounce=float(rng.uniform(*manner.bounce)),
        flow=float(rng.uniform(*manner.flow)),
        hold=bool(rng.random() < manner.hold),
        feet=not alone < manner.alone,
        arms=not alone > 1.0 - manner.alone,
    )


def _choice(probabilities: dict[float, float], rng: np.random.Generator) -> float:
    values = list(probabilities)
    return float(values[int(rng.choice(len(values), p=list(probabilities.values())))])


def phrase_starts(grid: BeatGrid, duration: float) -> np.ndarray:
    """Return the positions in beats at which the phrases of a dance begin.

    Args:
        grid: beats of the music.
        duration: seconds.
    """
    bar = int(grid.downbeats[0]) if len(grid.downbeats) else 0
    first = int(np.floor(grid.position_of(0.0))) - 2
    last = int(np.ceil(grid.position_of(duration))) + 4
    return np.arange(bar + ((first - bar) // PHRASE) * PHRASE, last, PHRASE, dtype=np.float64)


@dataclass(frozen=True)
class Choices:
    """Choices of a free dancer for a whole dance.

    Attributes:
        start: position in beats at which the first phrase begins.
        figures: choices of each phrase.
        sway: see :class:`Manner`.
    """

    start: float
    figures: list[Figure]
    sway: float

    @classmethod
    def draw(cls, manner: Manner, genre: str, grid: BeatGrid, duration: float, rng: np.random.Generator) -> Choices:
        """Draw the choices for a dance.

        Args:
            manner: their distribution.
            genre: AIST code.
            grid: beats of the music.
            duration: seconds.
            rng: random generator of the dance.
        """
        starts = phrase_starts(grid, duration)
        return cls(float(starts[0]), draw_figures(manner, genre, len(starts), rng), manner.sway)

    def figure(self, at: float) -> Figure:
        """Return the choices at a position in beats."""
        return self.figures[int(np.clip((at - self.start) // PHRASE, 0, len(self.figures) - 1))]

    def accent(self, at: float) -> float:
        """Return the relative size of a landing at a position in beats."""
        return float(self.figure(at).accents[int(round(at - self.start)) % CELL])

    def lags(self, positions: np.ndarray) -> np.ndarray:
        """Return the lag (beats) of the phrases at positions in beats."""
        return np.array([self.figure(at).lag for at in positions])

    def offsets(self, positions: np.ndarray) -> np.ndarray:
        """Return how far (beats) landings at whole positions deviate from them."""
        places = [int(round(at - self.start)) % CELL for at in positions]
        moved = [self.figure(at).offsets[place] for at, place in zip(positions, places, strict=True)]
        return self.lags(positions) + np.array(moved)

    def bounces(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return depth and bounces per beat at positions in beats."""
        figures = [self.figure(at) for at in positions]
        return np.array([one.bounce for one in figures]), np.array([one.pulse for one in figures])
