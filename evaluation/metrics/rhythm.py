"""Metrics of beats estimated from a dancer's movement against the beats of the music that was danced to."""

from __future__ import annotations

import math
from collections.abc import Callable

from d2m.evaluation.rhythm import ClipScore

from .base import Metric, Score

_DAVIES = (
    "Davies et al., Evaluation methods for musical audio beat tracking algorithms, QMUL C4DM-TR-09-06, 2009; mir_eval"
)
_GOUYON = "Gouyon et al., IEEE TASLP 14(5), 2006"
_DIXON = "Dixon, Onset detection revisited, DAFx 2006; matching of mir_eval"
_FISHER = "Fisher, Statistical Analysis of Circular Data, 1993, chapter 2"


def _phase(name: str) -> Callable[[ClipScore], Score]:
    return lambda score: score.phase[name]


TEMPO_RIGHT = Metric(
    "tempo_right",
    "tempo within 4 %",
    "rhythm",
    lambda score: score.tempo_right,
    "higher",
    "share of clips whose tempo is within 4 % of the music's",
    _GOUYON,
    fooled_by="the commonest tempo of the data, given for every clip",
)
OCTAVE_RIGHT = Metric(
    "octave_right",
    "or half or double",
    "rhythm",
    lambda score: score.octave_right,
    "higher",
    "share of clips whose tempo is within 4 % of the music's, its half or its double",
    _GOUYON,
    indented=True,
    fooled_by="the commonest tempo of the data, given for every clip",
)
F = Metric(
    "f",
    "F-measure at 70 ms",
    "rhythm",
    lambda score: score.f,
    "higher",
    "F-measure of the beats at 70 ms",
    _DIXON,
    fooled_by="chance: a regular grid at any phase reaches 0.3; see the difference",
)
F_CHANCE = Metric(
    "f_chance",
    "shifted grid",
    "rhythm",
    lambda score: score.f_chance,
    "neither",
    "mean F-measure of the same grid shifted by parts of a beat",
    "d2m.evaluation.rhythm.chance_f",
    indented=True,
    fooled_by="nothing to be good at: it is the level of chance",
)
EXCESS = Metric(
    "excess",
    "difference",
    "rhythm",
    lambda score: score.f - score.f_chance,
    "higher",
    "F-measure less that of the shifted grid",
    "d2m.evaluation.rhythm.chance_f",
    low=-1.0,
    indented=True,
)
CMLT = Metric(
    "cmlt",
    "CMLt",
    "rhythm",
    lambda score: score.runs.cmlt,
    "higher",
    "share of beats in continuous agreement at the music's tempo",
    _DAVIES,
)
AMLT = Metric(
    "amlt",
    "AMLt",
    "rhythm",
    lambda score: score.runs.amlt,
    "higher",
    "share of beats in continuous agreement, also off the beat and at twice or half the tempo",
    _DAVIES,
    fooled_by="a grid at half or twice the tempo, which is counted as right",
)
DOWNBEAT_F = Metric(
    "downbeat_f",
    "F-measure of downbeats",
    "rhythm",
    lambda score: score.downbeat_f,
    "higher",
    "F-measure of the first beats of bars at 70 ms",
    _DIXON,
    fooled_by="chance: the beats of bars in any phase",
)
PHASE_ERROR = Metric(
    "phase_error_abs_ms",
    "phase error, ms",
    "rhythm",
    _phase("phase_error_abs_ms"),
    "lower",
    "distance of the circular mean of the music's beats from the grid, where the tempo is right",
    _FISHER,
    unit="ms",
    high=math.inf,
    digits=1,
    fooled_by="few clips: only those of the right tempo count",
)
PHASE_CONCENTRATION = Metric(
    "phase_concentration",
    "phase concentration",
    "rhythm",
    _phase("phase_concentration"),
    "higher",
    "length of the mean vector of the distances of the music's beats from the grid, where the tempo is right",
    _FISHER,
    fooled_by="few clips: only those of the right tempo count",
)
CONFIDENCE = Metric(
    "confidence",
    "confidence",
    "rhythm",
    lambda score: round(float(score.grid.confidence), 4),
    "neither",
    "confidence of the beat search; it is calibrated where it equals the share of right tempos",
    "Brier, Monthly Weather Review 78(1), 1950",
    fooled_by="nothing to be good at: it is a claim, not a result",
)
