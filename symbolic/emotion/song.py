"""Change the emotion of a song's melody of any length: windows of 16 bars are changed one by one and joined.

The windows lie end to end; the last begins 16 bars before the end, and only its bars that no other window has are used.
A section of less than 16 bars is repeated until it is long enough. The song as a whole is moved to the targets of an
emotion; half of the difference between its verses and choruses is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.emotion.actor_critic import EmotionModel
from d2m.symbolic.emotion.edit import MelodySegment, edited, find_edit
from d2m.symbolic.emotion.emotions import Emotion, attributes, check_strength
from d2m.symbolic.emotion.performance import pace, part, toned
from d2m.symbolic.emotion.statistics import sounding
from d2m.symbolic.melody import BARS, FIRST_KEY, STEPS, STEPS_PER_BAR, canonical
from d2m.symbolic.melody_extract import in_fours, melody_on_grid, only_chords, sections
from d2m.symbolic.midi import read_midi
from d2m.types import BeatGrid, Score

#: What is left of the differences between a song's windows in pitch and density.
_CONTRAST = 0.5


@dataclass(frozen=True)
class Song:
    """The melody of a song.

    Attributes:
        grid: the song's beats, in bars of four where it has any.
        duration: seconds.
        melodies: melodies of each section in 4/4, uint8 (bars * 16,).
        firsts: beat of each section's first bar line.
    """

    grid: BeatGrid
    duration: float
    melodies: tuple[np.ndarray, ...]
    firsts: tuple[float, ...]

    @property
    def tempo(self) -> float:
        """Mean of the whole song, beats a minute."""
        first, last = self.grid.position_of(np.array([0.0, self.duration]))
        return float(60.0 * (last - first) / self.duration)

    def at_pace(self, faster: float) -> Song:
        """Change the playback speed; tempo changes are kept.

        Args:
            faster: factor of the speed.
        """
        grid = replace(self.grid, beats=self.grid.beats / faster, tempo=self.grid.tempo * faster)
        return replace(self, grid=grid, duration=self.duration / faster)


def read_song(path: str | Path, skyline: bool = False) -> Song:
    """Return the melody of a MIDI file.

    Args:
        path: the file.
        skyline: take the highest notes where all parts play several notes at a time.

    Raises:
        D2MError: if the file cannot be read; has no melody, or one only among chords; no bar of 4/4; or less than a
            bar of melody.
    """
    score = read_midi(path)
    names = [part.name for part in score.parts]
    try:
        return find_song(score, names, skyline)
    except D2MError as error:
        raise D2MError(f"{path}: {error}") from None


def find_song(score: Score, names: Sequence[str] = (), skyline: bool = False) -> Song:
    """Find the melody of a score, as :func:`read_song` does for a file.

    Args:
        score: the score.
        names: names of its parts.
        skyline: use the highest notes if all parts play chords.
    """
    melodies = melody_on_grid(score, names)
    if not skyline and only_chords(score, names):
        raise D2MError("no melody found: every part plays several notes at a time; --skyline takes the highest ones")
    struck = [np.flatnonzero(sounding(melody)) for melody in melodies]
    spans = [at[-1] + 1 - at[0] for at in struck if len(at)]
    if sum(spans) < STEPS_PER_BAR:
        raise D2MError("the melody is shorter than a bar of 4/4; give a longer one")
    return Song(in_fours(score.grid), score.duration, tuple(melodies), tuple(first for first, _ in sections(score)))


def recolour_song(
    model: EmotionModel,
    song: Song,
    emotion: Emotion,
    strength: float = 1.0,
    temperature: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Song:
    """Return the song with its own melody, changed as the actor changes MusicVAE's rendering of it
    (:mod:`d2m.symbolic.emotion.edit`); at strength 0 note for note the same.

    Args:
        model: actor and MusicVAE.
        song: song of any length.
        emotion: where to.
        strength: 0 to 1.
        temperature, rng: see :meth:`~d2m.symbolic.emotion.musicvae.MusicVae.decode`.

    Raises:
        D2MError: if the strength is not between 0 and 1.
    """
    strength = check_strength(strength)
    rows = np.concatenate([_windows(melody) for melody in song.melodies])
    plays = np.any(rows >= FIRST_KEY, axis=1)
    if strength == 0 or not plays.any():
        return song
    values = attributes(rows[plays])
    targets = np.array([emotion.pitch, emotion.density]) + _CONTRAST * (values - values.mean(axis=0))
    targets[:, 1] = targets[:, 1].clip(0.5, 16.0)
    edit = find_edit(model, rows[plays], targets, temperature, rng)
    stretches = _stretches(song.melodies, plays)
    return replace(song, melodies=tuple(edited(song.melodies, stretches, edit, strength)))


def perform_song(song: Song, emotion: Emotion, strength: float = 1.0) -> Score:
    """Play a song's melody with an emotion, with a scaled tempo map.

    Args:
        song: the song.
        emotion: entry of the table.
        strength: 0 to 1.

    Returns:
        A score of one part.
    """
    played = song.at_pace(pace(emotion, song.tempo, strength))
    parts = [
        part(toned(melody, emotion, strength), emotion, strength, first)
        for melody, first in zip(song.melodies, song.firsts, strict=True)
    ]
    together = replace(
        parts[0],
        starts=np.concatenate([one.starts for one in parts]),
        ends=np.concatenate([one.ends for one in parts]),
        pitches=np.concatenate([one.pitches for one in parts]),
        velocities=np.concatenate([one.velocities for one in parts]),
    )
    return Score((together,), played.grid, played.duration)


def _plan(bars: int) -> list[tuple[int, int, int]]:
    """Windows of so many bars: where each begins, and the first bar and the one after the last that it gives."""
    whole = [(first, first, min(first + BARS, bars)) for first in range(0, max(bars - BARS, 0) + 1, BARS)]
    rest = bars % BARS if bars > BARS else 0
    return whole + [(bars - BARS, bars - rest, bars)] * bool(rest)


def _windows(melody: np.ndarray) -> np.ndarray:
    """The windows of a melody, uint8 (N, 256)."""
    bars = len(melody) // STEPS_PER_BAR
    filled = np.resize(melody, max(len(melody), STEPS))
    return np.stack([canonical(filled[first * STEPS_PER_BAR :][:STEPS]) for first, _, _ in _plan(bars)])


def _stretches(melodies: Sequence[np.ndarray], plays: np.ndarray) -> list[MelodySegment]:
    """Where the windows in which something plays lie."""
    row_of, at, found = np.cumsum(plays) - 1, 0, []
    for section, melody in enumerate(melodies):
        for bars in _plan(len(melody) // STEPS_PER_BAR):
            if plays[at]:
                found.append(MelodySegment(section, int(row_of[at]), *(bar * STEPS_PER_BAR for bar in bars)))
            at += 1
    return found
