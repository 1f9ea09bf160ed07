"""Accompaniment of a melody: its chords on a piano, and the tracks that a MuseGAN conditioned on the piano adds to
them.

The piano tracks that such a model was trained on contain chords, not single melodies; so the melody is harmonised first
(:mod:`d2m.symbolic.emotion.chords`), one chord per bar, and these chords are the given track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from d2m.symbolic.chords import Chord, chord_notes
from d2m.symbolic.emotion.chords import estimate_chords
from d2m.symbolic.emotion.emotions import Emotion
from d2m.symbolic.emotion.encoder import one_hot
from d2m.symbolic.melody import BEATS_PER_BAR, FIRST_KEY, LOWEST, STEPS_PER_BAR
from d2m.symbolic.musegan.accompaniment import accompany_roll
from d2m.symbolic.musegan.sampler import MuseGan
from d2m.symbolic.pianoroll import from_score, to_score
from d2m.symbolic.shape import Words
from d2m.types import Part, Score

_VELOCITY = 68
_STEPS_PER_BEAT = 24


def melody_chords(melody: np.ndarray) -> list[Chord]:
    """Return a chord for every bar of a melody from the one of its first note to that of its last.

    Args:
        melody: uint8 (bars * 16,).
    """
    chords = estimate_chords(one_hot(torch.from_numpy(melody)[None]))[0].tolist()
    played = np.flatnonzero((melody >= FIRST_KEY).reshape(-1, STEPS_PER_BAR).any(axis=1))
    return [
        Chord(
            float(bar * BEATS_PER_BAR),
            float((bar + 1) * BEATS_PER_BAR),
            chords[bar] % 12,
            "m" if chords[bar] >= 12 else "maj",
        )
        for bar in (range(played[0], played[-1] + 1) if len(played) else ())
    ]


def piano_part(chords: Sequence[Chord], arousal: float) -> Part:
    """Return chords as a piano plays them, struck more often the more aroused the music is.

    Args:
        chords: chords; positions in beats.
        arousal: -1 to 1; below -0.3 a chord is held for four beats, up to 0.3 for two, above for one.
    """
    every = 4.0 if arousal < -0.3 else 2.0 if arousal <= 0.3 else 1.0
    rows = [row for chord in chords for row in chord_notes(chord, chord.start, chord.end, every)]
    notes = np.array(sorted(rows), dtype=np.float64).reshape(-1, 3)
    pitches = notes[:, 2].astype(np.int64)
    return Part("piano", 0, notes[:, 0], notes[:, 1], pitches, np.full(len(notes), _VELOCITY, np.int64))


def with_band(score: Score, emotion: Emotion, muse: MuseGan, seed: int = 0, words: Words | None = None) -> Score:
    """Add an accompaniment to a melody.

    Args:
        score: score of the melody alone, in bars of four beats where it plays.
        emotion: how aroused the band is.
        muse: a model that is given the piano.
        seed: random seed of the band.
        words: chords and key of the band, and tracks that are left out; None for the melody's own chords.

    Raises:
        D2MError: if the model is given another track or none, or the music is too long.
    """
    words = words or Words()
    melody = score.parts[0]
    piano = piano_part(words.shape.lay_out(score) or _chords_under(melody, score), emotion.arousal)
    band = to_score(accompany_roll(muse, from_score(replace(score, parts=(piano,)), _STEPS_PER_BEAT), seed))
    band = words.shape.fit(band)
    band = replace(band, parts=tuple(part for part in band.parts if part.track not in words.without))
    # The roll has a clock of its own.
    starts, ends = (band.grid.position_of(score.grid.time_of(at)) for at in (melody.starts, melody.ends))
    lead = replace(melody, starts=starts, ends=ends)
    return replace(band, parts=(lead, *band.parts), duration=max(band.duration, score.duration), key=score.key)


def _chords_under(melody: Part, score: Score) -> list[Chord]:
    """Chords to a part, bar by bar of the score's grid."""
    lines = [int(line) for line in score.grid.downbeats]
    last = float(melody.ends.max())
    while lines[-1] + BEATS_PER_BAR < last:
        lines.append(lines[-1] + BEATS_PER_BAR)
    classes = []
    for line in lines:
        steps = np.round((melody.starts - line) * 4).astype(np.int64)
        here = (steps >= 0) & (steps < STEPS_PER_BAR)
        bar = np.zeros(STEPS_PER_BAR, np.uint8)
        bar[steps[here]] = melody.pitches[here] - LOWEST + FIRST_KEY
        classes.append(bar)
    found = melody_chords(np.concatenate(classes))
    moved = [lines[min(int(chord.start) // BEATS_PER_BAR, len(lines) - 1)] - chord.start for chord in found]
    return [replace(chord, start=chord.start + by, end=chord.end + by) for chord, by in zip(found, moved, strict=True)]
