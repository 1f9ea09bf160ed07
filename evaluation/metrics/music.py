"""Metrics of whole pieces of music without a reference: harmony and structure."""

from __future__ import annotations

from collections.abc import Callable

from d2m.evaluation.structure import contrast, repetition

from .base import Metric, Piece, Score


def _harmony(name: str) -> Callable[[Piece], Score]:
    return lambda piece: None if piece.harmony is None else getattr(piece.harmony, name)


def _repetition(piece: Piece) -> Score:
    return None if piece.similarity is None else repetition(piece.similarity)


def _contrast(piece: Piece) -> Score:
    return None if piece.similarity is None else contrast(piece.similarity)


KEY_CLARITY = Metric(
    "key_clarity",
    "key clarity",
    "music",
    _harmony("clarity"),
    "higher",
    "correlation of the pitch classes that sound with the profile of the best of the 24 keys",
    "Krumhansl, Cognitive Foundations of Musical Pitch, 1990, chapter 4; profiles of d2m.symbolic.keys",
    low=-1.0,
    fooled_by="a single chord that never changes",
    fools=("shuffled", "scrambled"),
)
IN_KEY = Metric(
    "in_key",
    "in key",
    "music",
    _harmony("in_key"),
    "neither",
    "share of the energy from 55 Hz to 2 kHz in the seven pitch classes of the best key; 0.58 where all are equal",
    "d2m.evaluation.harmony",
    fooled_by="few pitches: a metronome's tone is entirely in key",
)
HARMONIC_CHANGE = Metric(
    "harmonic_change",
    "harmonic change",
    "music",
    _harmony("change"),
    "neither",
    "mean distance of the tonal centroids of successive half seconds",
    "Harte, Sandler and Gasser, Detecting Harmonic Change in Musical Audio, AMCMM 2006",
    high=2.5,
    fooled_by="nothing to be good at; wrong notes change the harmony, too",
)
REPETITION = Metric(
    "repetition",
    "repetition",
    "music",
    _repetition,
    "neither",
    "likeness of stretches of 4 s with the most similar one at least 4 s away, less the mean likeness; from 20 s on",
    "Goto, IEEE TASLP 14(5), 2006; Müller, Fundamentals of Music Processing, 2015, chapter 4",
    high=2.0,
    fooled_by="a loop: a metronome repeats itself more than any song",
)
SECTION_CONTRAST = Metric(
    "section_contrast",
    "section contrast",
    "music",
    _contrast,
    "neither",
    "highest novelty: likeness within the 4 s before and after an instant less that between them; from 20 s on",
    "Foote, Automatic Audio Segmentation Using a Measure of Audio Novelty, ICME 2000",
    high=2.0,
    fooled_by="one abrupt change, such as a fault",
)
