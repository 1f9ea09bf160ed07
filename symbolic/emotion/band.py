"""Accompaniment of a melody: its chords on a piano, and the tracks that a MuseGAN conditioned on the piano adds to
them.

The piano tracks that such a model was trained on contain chords, not single melodies; so the melody is harmonised first
(:mod:`d2m.symbolic.emotion.chords`), one chord per bar, and these chords are the given track.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from d2m.symbolic.emotion.chords import estimate_chords
from d2m.symbolic.emotion.emotions import Emotion
from d2m.symbolic.emotion.encoder import one_hot
from d2m.symbolic.melody import BEATS_PER_BAR, FIRST_KEY, LOWEST, STEPS_PER_BAR
from d2m.symbolic.musegan.accompaniment import accompany_roll
from d2m.symbolic.musegan.sampler import MuseGan
from d2m.symbolic.pianoroll import from_score, to_score
from d2m.types import Part, Score

#: Semitones of a triad above its root, major and minor.
_TRIADS = ((0, 4, 7), (0, 3, 7))
#: Lowest key of a chord's root in the left hand, and of the triad in the right.
_LEFT, _RIGHT = 40, 52
_VELOCITY = 68
_STEPS_PER_BEAT = 24


def piano_chords(melody: np.ndarray, arousal: float, first: float = 0.0) -> Part:
    """Return a chord to every bar of a melody, struck more often the more aroused the music is.

    Args:
        melody: uint8 (bars * 16,); before its first note and after its last nothing is played.
        arousal: -1 to 1; below -0.3 a chord is held for the bar, up to 0.3 for half of it, above for a beat.
        first: position of its beginning, in beats.
    """
    chords = estimate_chords(one_hot(torch.from_numpy(melody)[None]))[0].tolist()
    played = np.flatnonzero((melody >= FIRST_KEY).reshape(-1, STEPS_PER_BAR).any(axis=1))
    every = 4 if arousal < -0.3 else 2 if arousal <= 0.3 else 1
    rows = []
    for bar in range(played[0], played[-1] + 1) if len(played) else ():
        root, begin = chords[bar] % 12, first + bar * BEATS_PER_BAR
        rows.append((begin, begin + BEATS_PER_BAR, _LEFT + (root - _LEFT) % 12))
        keys = sorted(_RIGHT + (root + step - _RIGHT) % 12 for step in _TRIADS[chords[bar] // 12])
        rows += [(begin + beat, begin + beat + every, key) for beat in range(0, BEATS_PER_BAR, every) for key in keys]
    notes = np.array(sorted(rows), dtype=np.float64).reshape(-1, 3)
    pitches = notes[:, 2].astype(np.int64)
    return Part("piano", 0, notes[:, 0], notes[:, 1], pitches, np.full(len(notes), _VELOCITY, np.int64))


def with_band(score: Score, emotion: Emotion, muse: MuseGan, seed: int = 0) -> Score:
    """Add an accompaniment to a melody.

    Args:
        score: score of the melody alone, in bars of four beats where it plays.
        emotion: how aroused the band is.
        muse: a model that is given the piano.
        seed: random seed of the band.

    Raises:
        D2MError: if the model is given another track or none, or the music is too long.
    """
    melody = score.parts[0]
    piano = _chords_under(melody, score, emotion.arousal)
    band = to_score(accompany_roll(muse, from_score(replace(score, parts=(piano,)), _STEPS_PER_BEAT), seed))
    # The roll has a clock of its own.
    starts, ends = (band.grid.position_of(score.grid.time_of(at)) for at in (melody.starts, melody.ends))
    lead = replace(melody, starts=starts, ends=ends)
    return replace(band, parts=(lead, *band.parts), duration=max(band.duration, score.duration))


def _chords_under(melody: Part, score: Score, arousal: float) -> Part:
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
    parts = [piano_chords(np.concatenate(classes), arousal)]
    at = parts[0].starts
    bars = np.minimum((at // BEATS_PER_BAR).astype(np.int64), len(lines) - 1)
    moved = np.array(lines)[bars] - BEATS_PER_BAR * bars
    return replace(parts[0], starts=at + moved, ends=parts[0].ends + moved)
