"""Metrics of notes: the figures of :mod:`d2m.symbolic.metrics`, of five-track music."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from d2m.symbolic.metrics import Metrics

from .base import Metric, Score

_DONG = "Dong et al., MuseGAN, AAAI 2018, section Objective Metrics for Evaluation"
_MUSPY = "Dong et al., MusPy: A Toolkit for Symbolic Music Generation, ISMIR 2020"
_WU = "Wu and Yang, The Jazz Transformer on the Front Line, ISMIR 2020, section 5.1; " + _MUSPY
_CORPUS = "better near the corpus that was learnt from, see d2m symbolic metrics"


def _field(name: str) -> Callable[[Metrics], Score]:
    return lambda figures: figures.to_json()[name]


def _of(
    name: str,
    title: str,
    about: str,
    reference: str,
    fooled: str,
    unit: str = "",
    high: float = 1.0,
    better: Literal["higher", "neither"] = "neither",
) -> Metric:
    about = about if better == "higher" else f"{about}; {_CORPUS}"
    return Metric(name, title, "symbolic", _field(name), better, about, reference, unit, high=high, fooled_by=fooled)


EMPTY_BARS = _of("empty_bars", "EB", "share of bars in which a track rests", _DONG, "any note", "%", 100.0)
PITCH_CLASSES = _of(
    "used_pitch_classes",
    "UPC",
    "pitch classes of a track in a bar",
    _DONG,
    "random notes raise it, one note lowers it",
    high=12.0,
)
QUALIFIED = _of(
    "qualified_notes",
    "QN",
    "share of notes of a 32nd or longer",
    _DONG,
    "long notes of any pitch",
    "%",
    100.0,
    "higher",
)
DRUM_PATTERN = _of(
    "drum_pattern",
    "DP",
    "share of drum strokes on sixteenths",
    _DONG,
    "one stroke on every sixteenth",
    "%",
    100.0,
    "higher",
)
TONAL_DISTANCE = _of(
    "tonal_distance",
    "TD",
    "distance of the tonal centroids of two tracks, beat by beat",
    _DONG,
    "unison: two tracks that play the same have 0",
    high=math.inf,
)
POLYPHONY = _of("polyphony", "polyphony", "share of steps with several keys", _MUSPY, "held clusters", "%", 100.0)
SCALE_CONSISTENCY = _of(
    "in_scale",
    "scale consistency",
    "share of what sounds in the best fitting major scale or its relative minor",
    _MUSPY,
    "one note, or few; random white keys",
    "%",
    100.0,
    "higher",
)
PITCH_ENTROPY = _of(
    "pitch_class_entropy",
    "pitch-class entropy",
    "entropy of the pitch classes of the notes of a phrase",
    _WU,
    "random notes, which reach the highest value, 3.58 bits",
    "bits",
    math.log2(12),
)
GROOVE = _of(
    "groove_consistency",
    "groove consistency",
    "likeness of the onsets of neighbouring bars: 1 less the share of steps that differ",
    _WU,
    "a bar that is repeated for ever",
    "%",
    100.0,
)
