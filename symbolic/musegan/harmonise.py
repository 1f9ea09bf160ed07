"""Transpose a generated phrase to C and estimate its chords."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.symbolic.chords import Chord
from d2m.symbolic.musegan.accompaniment import resolution_of
from d2m.symbolic.musegan.sampler import MuseGan
from d2m.symbolic.pianoroll_tensor import from_tensor
from d2m.symbolic.tracks import BASS, DRUMS
from d2m.types import TRACKS

#: Triads of C major and its relative minor: root and quality. The one on B is never a tonic.
_TRIADS = ((0, "maj"), (2, "m"), (4, "m"), (5, "maj"), (7, "maj"), (9, "m"))
_STEPS = {"maj": (0, 4, 7), "m": (0, 3, 7)}
#: A chord takes its seventh along if that sounds for so much of the time.
_SEVENTH = 0.14
#: How much better two chords must fit a bar than one, of what sounds.
_CHANGE = 0.08


@dataclass(frozen=True)
class Phrase:
    """A phrase in C major or A minor.

    Attributes:
        notes: for each track float64 (N, 3): start and end in beats from the phrase's beginning, and MIDI key.
        chords: in order, without gaps; positions in beats.
    """

    notes: tuple[np.ndarray, ...]
    chords: tuple[Chord, ...]

    def bar(self, track: int, number: int) -> np.ndarray:
        """Return the notes of a track that begin in a bar, relative to its beginning.

        Args:
            track: its number.
            number: number of the bar.
        """
        notes = self.notes[track]
        begin = 4.0 * number
        here = notes[(notes[:, 0] >= begin - 1e-6) & (notes[:, 0] < begin + 4.0 - 1e-6)]
        return here - np.array([begin, begin, 0.0])


def read_phrase(held: np.ndarray, tonic: int, muse: MuseGan) -> Phrase:
    """Return a generated phrase, moved by at most six semitones.

    Args:
        held: bool (bars, steps, pitches, 5).
        tonic: pitch class of its major scale.
        muse: the model that made it.
    """
    roll = from_tensor(held, resolution_of(muse))
    shift = 6 - (tonic + 6) % 12
    notes = []
    for track in range(len(TRACKS)):
        found = roll.notes(track).astype(np.float64)
        found[:, :2] /= roll.steps_per_beat
        if track != DRUMS:
            found[:, 2] += shift
        notes.append(found)
    return Phrase(tuple(notes), tuple(_chords(notes, len(held))))


def _chords(notes: list[np.ndarray], bars: int) -> list[Chord]:
    chords: list[Chord] = []
    for bar in range(bars):
        begin = 4.0 * bar
        halves = [_profile(notes, begin, begin + 2.0), _profile(notes, begin + 2.0, begin + 4.0)]
        whole, fit = _best(halves[0] + halves[1], chords)
        (first, a), (second, b) = (_best(half, chords) for half in halves)
        total = max(float(sum(half.sum() for half in halves)), 1e-9)
        if first != second and (a * halves[0].sum() + b * halves[1].sum()) / total > fit + _CHANGE:
            spans = [(begin, begin + 2.0, first, halves[0]), (begin + 2.0, begin + 4.0, second, halves[1])]
        else:
            spans = [(begin, begin + 4.0, whole, halves[0] + halves[1])]
        chords += [Chord(start, end, root, _quality(root, kind, p)) for start, end, (root, kind), p in spans]
    return chords


def _profile(notes: list[np.ndarray], begin: float, end: float) -> np.ndarray:
    """float64 (12,): beats for which each pitch class sounds; the bass counts three times."""
    profile = np.zeros(12)
    for track in range(DRUMS + 1, len(TRACKS)):
        found = notes[track]
        sounding = np.clip(np.minimum(found[:, 1], end) - np.maximum(found[:, 0], begin), 0.0, None)
        np.add.at(profile, found[:, 2].astype(np.int64) % 12, sounding * (3.0 if track == BASS else 1.0))
    return profile


def _best(profile: np.ndarray, before: list[Chord]) -> tuple[tuple[int, str], float]:
    """The triad that fits best, and what share of the sound is in it; the one before where nothing sounds."""
    total = float(profile.sum())
    if total <= 0.0:
        if before:
            return (before[-1].root, dict(_TRIADS)[before[-1].root]), 0.0
        return _TRIADS[0], 0.0
    # The root weighs more than the fifth, and that more than the third.
    fits = [float(profile[[(root + s) % 12 for s in _STEPS[kind]]] @ (1.2, 0.9, 1.0)) / total for root, kind in _TRIADS]
    best = int(np.argmax(fits))
    return _TRIADS[best], fits[best]


def _quality(root: int, kind: str, profile: np.ndarray) -> str:
    """The triad with the seventh of the scale, if it is heard."""
    seventh = (root + (11 if root in (0, 5) else 10)) % 12
    if profile[seventh] < _SEVENTH * max(float(profile.sum()), 1e-9):
        return kind
    return {"m": "m7"}.get(kind, "maj7" if root in (0, 5) else "7")
