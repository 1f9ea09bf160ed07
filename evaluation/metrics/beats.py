"""Metrics of beats: generated music against the original, or against the beats that the original was written on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from d2m.evaluation.beats import beat_f_measure, continuity, marks_score, summarise, tempo_agrees, tempo_ratio
from d2m.evaluation.chance import against_shifts

from .base import BeatPair, Metric, Score, TrueBeats

_ZHU = (
    "Zhu et al., Quantized GAN for Complex Music Generation from Dance Videos, ECCV 2022, section 4.2; script "
    "github.com/L-YeZhu/Beats_Scores"
)
_YU = "Yu et al., Long-Term Rhythmic Video Soundtracker, ICML 2023, section 5.1; script github.com/OpenGVLab/LORIS"
_DIXON = "Dixon, Onset detection revisited, DAFx 2006; matching of mir_eval"
_DAVIES = (
    "Davies et al., Evaluation methods for musical audio beat tracking algorithms, QMUL C4DM-TR-09-06, 2009; mir_eval"
)
#: Circular shifts behind the chance level of the agreement with the music danced to.
AGREEMENT_SHIFTS = 60
_SECONDS = "sound with an onset in every second: a metronome at any tempo"
_MATCHED = "F-measure at 70 ms against onsets, and tracked beats, of the original; 95 % over dances"


def _marks(script: str, which: int) -> Callable[[BeatPair], float]:
    """Coverage (0) or hit (1) of a published script over the time that both recordings last."""

    def score(pair: BeatPair) -> float:
        end = math.ceil(pair.duration)
        made, true = (heard.marks[script][heard.marks[script] < end] for heard in (pair.generated, pair.reference))
        return marks_score(made, true, script)[which]

    return score


def _summary(field: str) -> Callable[[Sequence[Mapping[str, Any]]], Score]:
    """A figure of LORIS's table over all pairs."""
    return lambda rows: getattr(summarise([(row["bcs"], row["bhs"]) for row in rows]), field)


def _undefined(pair: BeatPair) -> Score:
    return None


def _harmonic_mean(pair: BeatPair) -> Score:
    coverage, hit = _marks("loris", 0)(pair), _marks("loris", 1)(pair)
    return 2 * coverage * hit / (coverage + hit) if coverage + hit > 0 else 0.0


def _onset_f(pair: BeatPair) -> Score:
    reference, generated = pair.onsets
    return beat_f_measure(reference, generated) if len(reference) else None


def _beat_f(pair: BeatPair) -> Score:
    reference, generated = pair.beats
    return beat_f_measure(reference, generated) if len(reference) else None


def _true_beat_f(given: TrueBeats) -> Score:
    return beat_f_measure(given.beats, given.generated.beats) if len(given.beats) else None


def _tempo_ratio(pair: BeatPair) -> Score:
    generated, reference = pair.generated.tempo, pair.reference.tempo
    return tempo_ratio(generated, reference) if generated > 0 and reference > 0 else None


def _tempo_agrees(multiples: bool) -> Callable[[BeatPair], Score]:
    def score(pair: BeatPair) -> Score:
        generated, reference = pair.generated.tempo, pair.reference.tempo
        if reference <= 0:
            return None
        return float(generated > 0 and tempo_agrees(generated, reference, multiples))

    return score


def _agreement(pair: BeatPair) -> Score:
    """Chance is what the same beats score when they are shifted."""
    reference, generated = pair.beats
    if not len(reference) or not len(generated):
        return None
    found = against_shifts(beat_f_measure, reference, generated, pair.duration, AGREEMENT_SHIFTS)
    return {"value": found.value, "chance": found.chance, "excess": found.excess}


def _continuity(pair: BeatPair) -> Score:
    reference, generated = pair.beats
    return asdict(continuity(reference, generated)) if len(reference) else None


D2M_COVERAGE = Metric(
    "d2m_coverage",
    "coverage",
    "beats",
    _marks("d2m-gan", 0),
    "nearer",
    "D2M-GAN's script: number of whole seconds with an onset, over that of the original",
    _ZHU,
    high=math.inf,
    target=1.0,
    fooled_by=_SECONDS + "; more onsets than the original cost little",
    fools=("shuffled", "scrambled"),
)
D2M_HIT = Metric(
    "d2m_hit",
    "hit",
    "beats",
    _marks("d2m-gan", 1),
    "higher",
    "D2M-GAN's script: share of the original's whole seconds with an onset that have one in the generated music, too",
    _ZHU,
    headline="hit",
    fooled_by=_SECONDS,
    fools=("metronome", "metronome-late", "metronome-wrong", "scrambled"),
)
BCS = Metric(
    "bcs",
    "BCS",
    "beats",
    _marks("loris", 0),
    "higher",
    "LORIS's script: share of the generated music's whole seconds with an onset that have one in the original, too",
    _YU,
    pooled=_summary("coverage"),
    fooled_by=_SECONDS + "; noise, of which it counts few onsets",
    fools=("shuffled", "scrambled", "metronome", "metronome-late", "metronome-wrong", "noise"),
)
CSD = Metric(
    "csd",
    "CSD",
    "beats",
    _undefined,
    "lower",
    "LORIS's script: standard deviation of BCS over all segments",
    _YU,
    pooled=_summary("coverage_deviation"),
    counted=False,
    fooled_by="whatever scores the same everywhere: noise and silence have a deviation of 0",
    fools=("shuffled", "scrambled", "metronome", "metronome-late", "metronome-wrong", "noise", "silence"),
)
BHS = Metric(
    "bhs",
    "BHS",
    "beats",
    _marks("loris", 1),
    "higher",
    "LORIS's script: share of the original's whole seconds with an onset that have one in the generated music, too",
    _YU,
    pooled=_summary("hit"),
    fooled_by=_SECONDS,
    fools=("shuffled", "scrambled", "metronome", "metronome-late", "metronome-wrong"),
)
HSD = Metric(
    "hsd",
    "HSD",
    "beats",
    _undefined,
    "lower",
    "LORIS's script: standard deviation of BHS over all segments",
    _YU,
    pooled=_summary("hit_deviation"),
    counted=False,
    fooled_by="whatever scores the same everywhere: noise and silence have a deviation near 0",
    fools=("shuffled", "scrambled", "metronome", "metronome-late", "metronome-wrong", "noise", "silence"),
)
F1 = Metric(
    "f1",
    "F1",
    "beats",
    _harmonic_mean,
    "higher",
    "LORIS's script: harmonic mean of BCS and BHS",
    _YU,
    headline="F1",
    pooled=_summary("f1"),
    counted=False,
    fooled_by=_SECONDS,
    fools=("shuffled", "scrambled", "metronome", "metronome-late", "metronome-wrong"),
)
ONSET_F = Metric(
    "onset_f",
    "onset F",
    "beats",
    _onset_f,
    "higher",
    _MATCHED,
    _DIXON,
    headline="onset F",
    interval=True,
    fooled_by="many onsets: noise reaches half of the score of real music",
)
BEAT_F = Metric(
    "beat_f",
    "beat F",
    "beats",
    _beat_f,
    "higher",
    _MATCHED,
    _DIXON,
    headline="beat F",
    headline_interval=True,
    interval=True,
    fooled_by="a metronome on the original's beats; and chance: regular beats at another tempo reach 0.3",
    fools=("metronome",),
)
TRUE_BEAT_F = Metric(
    "true_beat_f",
    "true beat F",
    "true_beats",
    _true_beat_f,
    "higher",
    "tracked beats against those that the music was written on, where the data tell them",
    _DIXON,
    interval=True,
    fooled_by="a metronome on the original's beats",
    fools=("metronome",),
)
AGREEMENT = Metric(
    "agreement",
    "agreement over chance",
    "beats",
    _agreement,
    "higher",
    "agreement with the music danced to: beat F less its mean over 60 circular shifts of the same beats; 0 is "
    "chance; undefined for music without beats",
    "Dixon, Onset detection revisited, DAFx 2006; Good, Permutation, Parametric, and Bootstrap Tests, 2005, chapter 3",
    low=-1.0,
    interval=True,
    fooled_by="a metronome on the original's beats",
    fools=("metronome",),
)
TEMPO_WITHIN = Metric(
    "tempo_within",
    "tempo within 4 %",
    "beats",
    _tempo_agrees(False),
    "higher",
    "share of segments whose tracked tempo is within 4 % of the original's",
    "Gouyon et al., IEEE TASLP 14(5), 2006 (accuracy 1)",
    fooled_by="a metronome at the right tempo in any phase",
    fools=("metronome", "metronome-late"),
)
TEMPO_OCTAVE = Metric(
    "tempo_octave",
    "or a multiple",
    "beats",
    _tempo_agrees(True),
    "higher",
    "the same, twice, three times, half or a third of the tempo included",
    "Gouyon et al., IEEE TASLP 14(5), 2006 (accuracy 2)",
    fooled_by="a metronome at the right tempo in any phase",
    fools=("metronome", "metronome-late"),
)
TEMPO_RATIO = Metric(
    "tempo_ratio",
    "tempo ratio",
    "beats",
    _tempo_ratio,
    "nearer",
    "tempo heard over the original's; undefined without beats",
    "Gouyon et al., IEEE TASLP 14(5), 2006",
    high=math.inf,
    target=1.0,
    fooled_by="means over segments in which too fast and too slow cancel: use the tempo within 4 %",
    fools=("metronome", "metronome-late", "shuffled", "scrambled"),
)
CONTINUITY = Metric(
    "continuity",
    "continuity",
    "beats",
    _continuity,
    "higher",
    "CMLc, CMLt, AMLc and AMLt of the tracked beats",
    _DAVIES,
    column=False,
    fooled_by="a metronome on the original's beats",
    fools=("metronome",),
)
