"""What a metric is, and what metrics of each group are computed from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from d2m.evaluation.distances import Embedded, Floor
    from d2m.evaluation.fidelity import StftDistance
    from d2m.evaluation.harmony import Harmony
    from d2m.evaluation.rhythm_features import RhythmFeatures
    from d2m.evaluation.sound import Levels

#: A number; values by name; None where a metric is undefined.
Score = float | dict[str, Any] | None

#: What the metrics of a group are computed from, and who computes them.
GROUPS: dict[str, str] = {
    "beats": "BeatPair: d2m evaluate beats, d2m benchmark",
    "true_beats": "TrueBeats: d2m benchmark on data whose beats are known",
    "alignment": "Timing: d2m evaluate alignment, d2m benchmark; each with its chance level",
    "alignment_aist": "Timing, with the motion beats of AIST++'s script: the same commands",
    "sets": "Sets: d2m evaluate fidelity, d2m benchmark",
    "genre": "GenreVerdict: d2m evaluate genre, d2m benchmark",
    "sound": "Sound: d2m evaluate fidelity, d2m benchmark",
    "music": "Piece: d2m evaluate sound, d2m benchmark over whole dances",
    "pairs": "Waveforms: d2m evaluate fidelity, d2m benchmark for reconstructions",
    "rhythm": "d2m.evaluation.rhythm.ClipScore: d2m evaluate rhythm",
    "symbolic": "d2m.symbolic.metrics.Metrics: d2m evaluate symbolic",
}


@dataclass(frozen=True)
class BeatPair:
    """Rhythm of generated music and of the original music of the same dance.

    Attributes:
        reference: the original.
        generated: the generated music.
    """

    reference: RhythmFeatures
    generated: RhythmFeatures

    @property
    def duration(self) -> float:
        """Seconds that both last."""
        return min(self.reference.duration, self.generated.duration)

    @property
    def onsets(self) -> tuple[np.ndarray, np.ndarray]:
        """Onsets of reference and generated music in seconds, as long as both last."""
        return self._within(self.reference.onsets), self._within(self.generated.onsets)

    @property
    def beats(self) -> tuple[np.ndarray, np.ndarray]:
        """Tracked beats of reference and generated music in seconds, as long as both last."""
        return self._within(self.reference.beats), self._within(self.generated.beats)

    def _within(self, times: np.ndarray) -> np.ndarray:
        return times[times < self.duration]


@dataclass(frozen=True)
class TrueBeats:
    """Rhythm of generated music, and the beats that the original was written on.

    Attributes:
        beats: seconds.
        generated: the generated music.
    """

    beats: np.ndarray
    generated: RhythmFeatures


@dataclass(frozen=True)
class Timing:
    """Motion beats of a dancer, and events of the music: onsets or beats.

    Attributes:
        motion, music: rising times in seconds, at least one each.
        sigma: tolerance of the beat-align score in seconds.
        window: tolerance of the hit rate in seconds.
    """

    motion: np.ndarray
    music: np.ndarray
    sigma: float
    window: float


@dataclass(frozen=True)
class Waveforms:
    """A recording and the original that it is to equal sample by sample.

    Attributes:
        generated, reference: float32 (samples,).
        sample_rate: hertz.
    """

    generated: np.ndarray
    reference: np.ndarray
    sample_rate: int

    @cached_property
    def stft(self) -> StftDistance:
        """Distance of the spectrograms."""
        from d2m.evaluation.fidelity import stft_distance

        return stft_distance(self.generated, self.reference, self.sample_rate)


@dataclass(frozen=True)
class Sound:
    """A recording.

    Attributes:
        waveform: float32 (channels, samples).
        sample_rate: hertz.
    """

    waveform: np.ndarray
    sample_rate: int

    @cached_property
    def levels(self) -> Levels:
        """Peak, loudness, clipping and silence."""
        from d2m.evaluation.sound import levels

        return levels(self.waveform, self.sample_rate)

    @cached_property
    def flatness(self) -> float:
        """Spectral flatness."""
        from d2m.evaluation.sound import spectral_flatness

        return spectral_flatness(self.waveform)

    @cached_property
    def clicks(self) -> int:
        """Number of clicks."""
        from d2m.evaluation.faults import clicks

        return len(clicks(self.waveform, self.sample_rate))


@dataclass(frozen=True)
class Piece:
    """A whole recording, for metrics of harmony and structure.

    Attributes:
        waveform: float32 (samples,), 22,050 Hz.
    """

    waveform: np.ndarray

    @cached_property
    def harmony(self) -> Harmony | None:
        """Key and harmony; None for silence."""
        from d2m.evaluation.harmony import harmony

        return harmony(self.waveform)

    @cached_property
    def similarity(self) -> np.ndarray | None:
        """Likeness of all pairs of half seconds; None for a short piece, or one that never changes."""
        from d2m.evaluation.structure import self_similarity

        return self_similarity(self.waveform)


@dataclass(frozen=True)
class Sets:
    """Generated recordings and original ones in an embedding, at least two windows each.

    Attributes:
        generated, reference: the sets.
        rng: random generator of halves and draws.
        same: whether the generated set is the reference itself.
    """

    generated: Embedded
    reference: Embedded
    rng: np.random.Generator
    same: bool = False

    @cached_property
    def floor(self) -> Floor | None:
        """Fréchet distances to one half of the reference; None where there are too few recordings."""
        from d2m.evaluation.distances import frechet_against_itself

        return frechet_against_itself(self.generated, self.reference, self.rng)


@dataclass(frozen=True)
class GenreVerdict:
    """What a genre network says of a recording; genres are indices into :data:`d2m.types.GENRES`.

    Attributes:
        dance: genre of the dance.
        heard: likeliest genre of the music.
        nearest: genre of the nearest song of the network's training, or None where it keeps none.
    """

    dance: int
    heard: int
    nearest: int | None


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: key in the reports: letters, digits and underscores.
        title: heading of its column.
        group: key of :data:`GROUPS`.
        compute: function of what the group is computed from. Returns a number, or None where the metric is undefined;
            a mapping of numbers for several figures under one name. With an interval: ``value`` and ``interval`` (two
            numbers, or None). Metrics of alignment return numbers; chance is added by the caller.
        better: ``"higher"``, ``"lower"``, ``"nearer"`` (to ``target``), or ``"neither"``.
        about: what it is, in one line, for the reports' legend.
        reference: source: paper, section, script.
        unit: unit, or ``""`` for shares and ratios.
        low, high: range.
        target: best value of a metric with ``better="nearer"``.
        digits: decimals in tables.
        headline: heading in the benchmark's short table; ``""`` if it is not there.
        headline_interval: whether the short table has its interval.
        interval: whether the benchmark adds a bootstrap interval over dances to the mean (groups ``"beats"`` and
            ``"true_beats"``; other groups have intervals anyway or none).
        column: whether the benchmark's tables have a column of it.
        events: of alignment, the music's events that have a column: ``"beats"``, ``"onsets"``.
        chance_column: of alignment, whether score and chance have a column of their own.
        pooled: function of the scores of all pieces of music, in place of the mean of its own.
        indented: of rhythm, whether the printed line adds to the one above.
        counted: whether ``d2m evaluate beats`` states for how many pairs it is defined.
        version: changes whenever a figure would.
        fooled_by: what scores well without being good, in one line; ``""`` if nothing is known.
        fools: keys of the benchmark's baselines that reach real music, see ``scripts/reproduce/metric_baselines.py``.
    """

    name: str
    title: str
    group: str
    compute: Callable[[Any], Score]
    better: Literal["higher", "lower", "nearer", "neither"]
    about: str
    reference: str
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    target: float | None = None
    digits: int = 3
    headline: str = ""
    headline_interval: bool = False
    interval: bool = False
    column: bool = True
    events: tuple[str, ...] = ("beats",)
    chance_column: bool = False
    pooled: Callable[[Sequence[Mapping[str, Any]]], Score] | None = None
    indented: bool = False
    counted: bool = True
    version: str = "1"
    fooled_by: str = ""
    fools: tuple[str, ...] = ()

    def combine(self, rows: Sequence[Mapping[str, Any]]) -> Score:
        """Combine the scores of several pieces of music.

        Args:
            rows: scores by name of each piece, at least one.

        Returns:
            The mean where the metric is defined, of each value where it is a mapping; None if it is defined nowhere.
        """
        if self.pooled is not None:
            return self.pooled(rows)
        known = [row[self.name] for row in rows if row[self.name] is not None]
        if known and isinstance(known[0], Mapping):
            return {key: mean([scores[key] for scores in known]) for key in known[0]}
        return mean(known)

    @property
    def direction(self) -> str:
        """Which values are better, in words."""
        words = {"higher": "higher is better", "lower": "lower is better", "neither": "neither direction is better"}
        return words.get(self.better, f"best at {self.target:g}" if self.target is not None else self.better)

    @property
    def properties(self) -> str:
        """Direction, unit and range in words; no range where it has no end."""
        unit = f" {self.unit}" if self.unit else ""
        if math.isinf(self.high):
            ends = f"at least {self.low:g}{unit}" if math.isfinite(self.low) else self.unit
        else:
            ends = (
                f"{self.low:g} to {self.high:.4g}{unit}" if math.isfinite(self.low) else f"at most {self.high:g}{unit}"
            )
        return "; ".join(part for part in (self.direction, ends) if part)

    def plain(self) -> dict[str, Any]:
        """Return the description as plain JSON values."""
        return {
            "title": self.title,
            "unit": self.unit,
            "better": self.better,
            **({} if self.target is None else {"target": self.target}),
            "range": [plain(self.low), plain(self.high)],
            "about": self.about,
            "reference": self.reference,
            **({"fooled_by": self.fooled_by} if self.fooled_by else {}),
        }


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are not None, or None without any.

    Args:
        values: numbers or None.
    """
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def plain(value: Any) -> Any:
    """Return a value with None for numbers that are not finite, which JSON cannot hold.

    Args:
        value: number, mapping, sequence, or other JSON value.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def reading(score: Score) -> tuple[float | None, list[float] | None]:
    """Return the value of a score and its interval.

    Args:
        score: a number, a mapping with ``value`` or ``excess`` and ``interval``, or None.
    """
    if isinstance(score, Mapping):
        value = score.get("excess", score.get("value"))
        return value, score.get("interval")
    return score, None
