"""Chords as the given track of a MuseGAN: for music whose given track is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from d2m.symbolic.chords import Chord, chord_notes
from d2m.symbolic.pianoroll import PianoRoll, beat_steps

#: Beats between strokes of the right hand.
_EVERY = 2.0


def chords_as_track(roll: PianoRoll, chords: Sequence[Chord], track: int) -> PianoRoll:
    """Return a piece in which a track plays chords.

    Args:
        roll: the piece.
        chords: positions in beats, counted as by :func:`~d2m.symbolic.pianoroll.to_score`.
        track: number of the track.
    """
    beats = beat_steps(roll)
    held, onsets = roll.held.copy(), roll.onsets.copy()
    held[track], onsets[track] = False, False
    for chord in chords:
        for start, end, key in chord_notes(chord, chord.start, chord.end, _EVERY):
            first, stop = (int(round(at)) for at in np.interp((start, end), np.arange(len(beats)), beats))
            first, stop = max(first, 0), min(stop, roll.steps)
            if stop > first:
                held[track, first:stop, key] = True
                onsets[track, first, key] = True
    return replace(roll, held=held, onsets=onsets)
