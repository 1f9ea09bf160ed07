"""Performance of a melody with an emotion: tempo, mode, register, instrument, articulation and loudness of the table.

Gradual properties (tempo, articulation, loudness) follow the strength; the others (mode, register, instrument) change
at a strength of one half.
"""

from __future__ import annotations

import numpy as np

from d2m.symbolic.emotion.emotions import Emotion
from d2m.symbolic.emotion.mode import in_mode
from d2m.symbolic.melody import HIGHEST, LOWEST, STEPS_PER_BAR, STEPS_PER_BEAT, to_notes
from d2m.symbolic.midi import track_of
from d2m.types import BeatGrid, Part, Score

#: Share of a note's length that sounds.
_SOUNDS = {"legato": 1.0, "accented": 0.9, "detached": 0.8, "staccato": 0.5}
#: What notes gain in velocity on the bar line, on another beat and between beats; twice that where accented.
_METRE = (8, 3, -4)
#: Velocity of an emotion without arousal, and what arousal of 1 adds.
_VELOCITY, _AROUSED = 82, 26
_PIANO = 0


def takes_hold(strength: float) -> bool:
    """Tell whether properties that are not gradual change at a strength.

    Args:
        strength: 0 to 1.
    """
    return strength >= 0.5


def pace(emotion: Emotion, tempo: float, strength: float) -> float:
    """Compute the factor of the playback speed; at strength 1 the tempo is the emotion's.

    Args:
        emotion: entry of the table.
        tempo: tempo of the music in beats per minute.
        strength: 0 to 1.
    """
    return float((emotion.tempo / tempo) ** strength)


def toned(melody: np.ndarray, emotion: Emotion, strength: float) -> np.ndarray:
    """Change the mode of a melody to that of an emotion, if the strength requires it.

    Args:
        melody: uint8 (bars * 16,).
        emotion: entry of the table.
        strength: 0 to 1.
    """
    return in_mode(melody, emotion.mode) if takes_hold(strength) else melody


def part(melody: np.ndarray, emotion: Emotion, strength: float = 1.0, first: float = 0.0) -> Part:
    """Convert a melody to a part with an emotion's performance.

    Args:
        melody: uint8 (bars * 16,), in its mode already.
        emotion: from the table.
        strength: 0 to 1.
        first: position of its beginning, in beats.
    """
    notes = to_notes(melody)
    starts, ends, pitches = notes.T
    sounds = 1.0 + strength * (_SOUNDS[emotion.articulation] - 1.0)
    place = starts % STEPS_PER_BAR
    metre = np.select([place == 0, place % STEPS_PER_BEAT == 0], _METRE[:2], _METRE[2])
    metre = metre * (1 + strength * (emotion.articulation == "accented"))
    loud = _VELOCITY + strength * _AROUSED * emotion.arousal + metre
    program, register = (emotion.program, emotion.register) if takes_hold(strength) else (_PIANO, 0)
    return Part(
        track_of(program),
        program,
        first + starts / STEPS_PER_BEAT,
        first + (starts + (ends - starts) * sounds) / STEPS_PER_BEAT,
        _within(pitches + register),
        np.clip(np.round(loud), 1, 127).astype(np.int64),
    )


def perform(melody: np.ndarray, emotion: Emotion, strength: float = 1.0, tempo: float = 100.0) -> Score:
    """Return a melody as a score of one part.

    Args:
        melody: uint8 (bars * 16,).
        emotion: from the table.
        strength: 0 to 1.
        tempo: beats a minute at strength 0.
    """
    melody = toned(melody, emotion, strength)
    tempo = tempo * pace(emotion, tempo, strength)
    duration = len(melody) / STEPS_PER_BEAT * 60.0 / tempo
    return Score((part(melody, emotion, strength),), BeatGrid.steady(tempo, duration, confidence=1.0), duration)


def _within(pitches: np.ndarray) -> np.ndarray:
    """Pitches taken into the range of a piano by octaves."""
    pitches = np.where(pitches < LOWEST, pitches + 12 * -((pitches - LOWEST) // 12), pitches)
    return np.where(pitches > HIGHEST, pitches - 12 * -((HIGHEST - pitches) // 12), pitches)
