"""Melodies as classes on a grid of sixteenths, the input format of MusicVAE (Roberts et al. 2018, section 5.1).

Every step has one of 90 classes: 0 continues (the note, or the silence), 1 ends the sounding note, and 2 to 89
start the keys 21 to 108 of a piano. These are the classes of Magenta's one-hot melodies (``note_seq``,
``MelodyOneHotEncoding`` between ``PIANO_MIN_MIDI_PITCH`` and ``PIANO_MAX_MIDI_PITCH``), so weights can be shared.

A melody is canonical if note-offs occur only where a note sounds. Then the conversion to notes on the grid and back is
lossless.
"""

from __future__ import annotations

import numpy as np

from d2m.symbolic.midi import track_of
from d2m.types import BeatGrid, Part, Score

STEPS_PER_BEAT, BEATS_PER_BAR, BARS = 4, 4, 16
STEPS_PER_BAR = STEPS_PER_BEAT * BEATS_PER_BAR
STEPS = BARS * STEPS_PER_BAR
HOLD, NOTE_OFF, FIRST_KEY = 0, 1, 2
LOWEST, HIGHEST = 21, 108
CLASSES = HIGHEST - LOWEST + 1 + FIRST_KEY
_MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])


def from_notes(notes: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Return notes on the grid as a melody.

    Args:
        notes: int (N, 3) of start step, end step and MIDI pitch, sorted by start, no two at the same start. A note
            ends where the next begins; what lies outside 0..steps is cut off, a note begun before 0 left out.
        steps: length of the melody.

    Returns:
        uint8 (steps,), canonical.

    Raises:
        ValueError: if a pitch is outside 21..108, or the starts do not rise.
    """
    notes = np.asarray(notes, dtype=np.int64).reshape(-1, 3)
    starts, ends, pitches = notes[(notes[:, 0] >= 0) & (notes[:, 0] < steps)].T
    if np.any(np.diff(starts) <= 0) or np.any(ends <= starts):
        raise ValueError("the starts of a melody's notes rise, and every note lasts at least a step")
    if np.any((pitches < LOWEST) | (pitches > HIGHEST)):
        raise ValueError(f"a melody's pitches lie between {LOWEST} and {HIGHEST}")
    ends = np.minimum(ends, np.append(starts[1:], steps))
    melody = np.full(steps, HOLD, np.uint8)
    melody[ends[ends < steps]] = NOTE_OFF
    melody[starts] = pitches - LOWEST + FIRST_KEY
    return melody


def to_notes(melody: np.ndarray) -> np.ndarray:
    """Convert a melody to notes; a note-off or a continuation where nothing sounds is silence.

    Any sequence of classes is read: a note-off or a hold where nothing sounds is silence.

    Args:
        melody: uint8 (steps,).

    Returns:
        int64 (N, 3), start step, end step and MIDI pitch.
    """
    melody = np.asarray(melody)
    events = np.flatnonzero(melody != HOLD)
    ends = np.append(events, len(melody))[1:]
    struck = melody[events] >= FIRST_KEY
    pitches = melody[events].astype(np.int64) - FIRST_KEY + LOWEST
    return np.stack([events, ends, pitches], axis=1)[struck].astype(np.int64)


def canonical(melody: np.ndarray) -> np.ndarray:
    """Remove note-offs where no note sounds.

    Args:
        melody: uint8 (steps,).

    Returns:
        uint8 (steps,).
    """
    return from_notes(to_notes(melody), len(melody))


def transpose(melodies: np.ndarray, semitones: int | np.ndarray) -> np.ndarray:
    """Return melodies moved up or down; the shape stays.

    Args:
        melodies: uint8 (..., steps).
        semitones: one for all, or (...,) one for each.

    Raises:
        ValueError: if a note would leave 21..108 (:func:`room` tells how far one can go).
    """
    shift = np.asarray(semitones, dtype=np.int64)[..., None]
    moved = np.where(melodies >= FIRST_KEY, melodies.astype(np.int64) + shift, melodies)
    struck = moved[np.asarray(melodies) >= FIRST_KEY]
    if struck.size and (struck.min() < FIRST_KEY or struck.max() >= CLASSES):
        raise ValueError(f"a note would leave the pitches {LOWEST} to {HIGHEST}")
    return moved.astype(np.uint8)


def scale_roots(melodies: np.ndarray) -> np.ndarray:
    """Return the root of the major scale that contains most onsets of each melody.

    Args:
        melodies: uint8 (N, steps).

    Returns:
        int64 (N,), pitch classes; 0 for melodies without onsets.
    """
    rows, steps = np.nonzero(melodies >= FIRST_KEY)
    classes = (melodies[rows, steps].astype(np.int64) - FIRST_KEY + LOWEST) % 12
    count = np.bincount(rows * 12 + classes, minlength=12 * len(melodies)).reshape(-1, 12)
    return np.stack([count[:, (_MAJOR + root) % 12].sum(axis=1) for root in range(12)]).argmax(axis=0)


def in_scale(roots: np.ndarray) -> np.ndarray:
    """Tell which classes start a note of a major scale; hold and note-off belong to every scale.

    Args:
        roots: pitch classes int (N,).

    Returns:
        bool (N, 90).
    """
    degrees = (np.arange(CLASSES) - FIRST_KEY + LOWEST - np.asarray(roots)[:, None]) % 12
    return np.isin(degrees, _MAJOR) | (np.arange(CLASSES) < FIRST_KEY)


def diatonic(melodies: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Return melodies moved by steps of their own scale, so that they say something else in the same key.

    The scale is the major one that holds most of a melody's onsets; notes between its tones go with the tone below.

    Args:
        melodies: uint8 (N, steps).
        degrees: how many steps up (or down, below 0), int (N,).
    """
    keys = np.where(melodies >= FIRST_KEY, melodies.astype(np.int64) - FIRST_KEY + LOWEST, -1)
    roots = scale_roots(melodies)[:, None]
    above = (keys - roots) % 12
    tone = np.searchsorted(_MAJOR, above, side="right") - 1
    octave, place = np.divmod(tone + np.asarray(degrees)[:, None], len(_MAJOR))
    moved = keys + 12 * octave + _MAJOR[place] - _MAJOR[tone]
    moved = moved + 12 * ((moved < LOWEST).astype(np.int64) - (moved > HIGHEST))
    return np.where(keys >= 0, moved - LOWEST + FIRST_KEY, melodies).astype(np.uint8)


def room(melodies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the possible transpositions of each melody.

    Args:
        melodies: uint8 (..., steps).

    Returns:
        Semitones downwards (0 or less) and upwards (0 or more): two int64 (...,).
    """
    struck = melodies >= FIRST_KEY
    low = np.where(struck, melodies, CLASSES - 1).min(axis=-1).astype(np.int64)
    high = np.where(struck, melodies, FIRST_KEY).max(axis=-1).astype(np.int64)
    return FIRST_KEY - low, CLASSES - 1 - high


def to_score(melody: np.ndarray, tempo: float = 100.0, program: int = 0, velocity: int = 90) -> Score:
    """Return a melody as a score of one part.

    Args:
        melody: classes, any length.
        tempo: beats a minute.
        program: General MIDI program.
        velocity: velocity of every note, 1..127.
    """
    melody = np.asarray(melody)
    notes = to_notes(melody)
    duration = len(melody) / STEPS_PER_BEAT * 60.0 / tempo
    part = Part(
        track_of(program),
        program,
        notes[:, 0] / STEPS_PER_BEAT,
        notes[:, 1] / STEPS_PER_BEAT,
        notes[:, 2],
        np.full(len(notes), velocity, np.int64),
    )
    return Score((part,), BeatGrid.steady(tempo, duration, confidence=1.0), duration)
