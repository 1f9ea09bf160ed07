"""Songs for mixing: their own notes for playback, and five tracks of sixteenths with bars and keys for analysis.

All decisions about a song use the grid of four steps per beat and 72 keys that the networks use; playback uses the
song's own notes at their own times and levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.bridge.bars import Bars, look_at
from d2m.symbolic.five_tracks import five_tracks
from d2m.symbolic.keys import find_keys, signature
from d2m.symbolic.midi import load, score_of
from d2m.symbolic.phrases import boundaries
from d2m.symbolic.pianoroll import PITCHES, VELOCITIES, Metre, PianoRoll, to_score
from d2m.symbolic.pianoroll_file import load_npz
from d2m.symbolic.pianoroll_tensor import COMPACT, articulate, to_tensor
from d2m.symbolic.score_edit import at_tempo, swung_part
from d2m.symbolic.shape import Words
from d2m.symbolic.tracks import DRUMS
from d2m.types import TRACKS, Part, Score

BEATS = 4
#: Fewer bars leave no room for a mix point: the first and last are never one.
LEAST_BARS = 3


@dataclass(frozen=True)
class Song:
    """One song.

    Attributes:
        name: name of the song.
        score: its own notes, for playing.
        roll: its five tracks at four steps a beat, with its own tempo, bar lines and metres.
        swing: place of the second of two eighths in its beat when the song is played, see
            :func:`~d2m.symbolic.score_edit.swung`.
        without: names of tracks that are not played.
    """

    name: str
    score: Score
    roll: PianoRoll
    swing: float = 0.5
    without: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return Bars."""
        return len(self.roll.downbeats)

    @cached_property
    def whole(self) -> np.ndarray:
        """bool (B,): bars in 4/4."""
        return self.roll.bar_lengths == BEATS * self.roll.steps_per_beat

    @cached_property
    def held(self) -> np.ndarray:
        """bool (B, 16, 72, 5): sounding keys of each bar, with gaps before repeated notes; bars in other metres are
        silent.
        """
        out = np.zeros((len(self), *COMPACT.shape()[1:]), dtype=bool)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.whole, [False]]).astype(int)))
        for first, stop in edges.reshape(-1, 2).tolist():
            held, onsets = to_tensor(self.roll, COMPACT, first, stop - first)
            flat = ((stop - first) * COMPACT.steps, *held.shape[2:])
            clear = articulate(held.reshape(flat), onsets.reshape(flat), not COMPACT.strikes_only)
            out[first:stop] = clear.reshape(held.shape)
        return out

    @cached_property
    def bars(self) -> Bars:
        """Features of all bars."""
        return look_at(self.held)

    @cached_property
    def keys(self) -> np.ndarray:
        """int64 (B,): the key of each bar, as :mod:`~d2m.symbolic.keys` numbers them."""
        return find_keys(self.bars.chroma.sum(axis=1))

    @cached_property
    def phrase_starts(self) -> np.ndarray:
        """int64: the bars at which sections begin, 0 the first."""
        return boundaries(self.roll)

    @cached_property
    def levels(self) -> np.ndarray:
        """float64 (5,): the usual velocity of each track, of its own notes."""
        found = np.array(VELOCITIES, dtype=np.float64)
        for number, track in enumerate(TRACKS):
            loud = [part.velocities for part in self.score.parts if part.track == track]
            if loud:
                found[number] = np.median(np.concatenate(loud))
        return found

    def player(self, bar: int, track: int) -> int | None:
        """Return the General MIDI program that plays a track in a bar.

        Args:
            bar: its number.
            track: its number.

        Returns:
            The program, or None where the track rests.
        """
        if not self.held[bar, ..., track].any():
            return None
        part = self.voice(bar, track)
        return self.roll.programs[track] if part is None else part.program

    def voice(self, bar: int, track: int) -> Part | None:
        """Return the part that plays a track in a bar; of several, the one with most notes.

        Of several the one with most notes there; a file may give its instruments other tracks than their programs say.

        Args:
            bar: its number.
            track: its number.

        Returns:
            The part, or None.
        """
        sounding = self.held[bar, ..., track]
        first, stop = self.position(bar), self.position(bar + 1)
        best, most = None, 0
        for part in self.score.parts:
            if part.is_drum != (track == DRUMS):
                continue
            heard = (part.starts < stop - 1e-3) & (part.ends > first + 1e-3)
            steps = np.clip(np.round((part.starts[heard] - first) * COMPACT.steps / BEATS), 0, COMPACT.steps - 1)
            keys = part.pitches[heard] - COMPACT.lowest
            inside = (keys >= 0) & (keys < COMPACT.pitches)
            count = int(sounding[steps[inside].astype(np.int64), keys[inside]].sum())
            if count > most:
                best, most = part, count
        return best

    def level(self, part: Part | None, track: int) -> float:
        """Return the usual velocity of a part.

        Args:
            part: the part, or None.
            track: number of the track.
        """
        named = any(own.track == TRACKS[track] for own in self.score.parts)
        if part is None or named or not len(part.velocities):
            return float(self.levels[track])
        return float(np.median(part.velocities))

    def moved(self, semitones: int) -> Song:
        """Transpose the song except its drums; notes that leave the range of MIDI are moved by an octave.

        Args:
            semitones: upwards.
        """
        if not semitones:
            return self
        parts = []
        for part in self.score.parts:
            keys = part.pitches + (0 if part.is_drum else semitones)
            parts.append(replace(part, pitches=keys + 12 * (keys < 0) - 12 * (keys >= PITCHES)))
        arrays = []
        for array in (self.roll.held, self.roll.onsets):
            shifted = np.roll(array, semitones, axis=2)
            shifted[DRUMS] = array[DRUMS]
            arrays.append(shifted)
        roll = replace(self.roll, held=arrays[0], onsets=arrays[1])
        return replace(self, score=replace(self.score, parts=tuple(parts)), roll=roll)

    def at_tempo(self, tempo: float) -> Song:
        """Change the median tempo of the song; changes of tempo within it are kept in proportion.

        Args:
            tempo: quarter notes per minute.
        """
        score = at_tempo(self.score, tempo)
        factor = score.grid.tempo / self.score.grid.tempo
        return replace(self, score=score, roll=replace(self.roll, tempo=self.roll.tempo * factor))

    def shaped(self, words: Words) -> Song:
        """Return the song in the key and at the tempo that are asked for, to be played with swing and without tracks.

        Args:
            words: what is asked for; its chords, length and new tracks do not matter.

        Raises:
            D2MError: if no track is left.
        """
        song = self if words.tempo is None else self.at_tempo(words.tempo)
        if words.shape.key is not None:
            usual = int(np.bincount(song.keys).argmax())
            song = song.moved((signature(words.shape.key) - signature(usual) + 6) % 12 - 6)
        song = replace(song, swing=words.shape.swing, without=words.without)
        if not song.played(song.score.parts):
            raise D2MError(f"{self.name} plays only what --without leaves out")
        return song

    def played(self, parts: Sequence[Part]) -> list[Part]:
        """Return parts of the song or of a bridge as they are played: with swing, without tracks that are left out.

        Args:
            parts: the parts.
        """
        dropped = {name.casefold() for name in self.without}
        kept = [part for part in parts if part.track not in dropped and part.name.casefold() not in dropped]
        return kept if self.swing == 0.5 else [swung_part(part, self.swing) for part in kept]

    def excerpt(self, first: int, stop: int) -> Song:
        """Return some bars for analysis: bars are numbered from 0, the score is unchanged.

        Args:
            first, stop: range of bars.
        """
        lines = np.append(self.roll.downbeats, self.roll.steps)
        return replace(self, roll=self.roll.excerpt(int(lines[first]), int(lines[min(stop, len(self))])))

    @cached_property
    def positions(self) -> np.ndarray:
        """float64 (B + 1,): where each bar begins on the grid of the score, in beats, and where the last one ends."""
        roll = self.roll
        seconds = roll.seconds()
        end = int(roll.downbeats[-1] + roll.bar_lengths[-1])
        late = (end - min(end, roll.steps)) * 60.0 / (roll.tempo[-1] * roll.steps_per_beat)
        times = np.append(seconds[roll.downbeats], seconds[min(end, roll.steps)] + late)
        return self.score.grid.position_of(times)

    def position(self, bar: int) -> float:
        """Return the position of a bar line on the grid of the score; ``len(self)`` is the end of the last bar.

        Args:
            bar: its number.

        Returns:
            Beats.
        """
        return float(self.positions[bar])

    def tempo(self, bar: int) -> float:
        """Return the median tempo of a bar.

        Args:
            bar: its number.

        Returns:
            Quarter notes per minute.
        """
        start = int(self.roll.downbeats[bar])
        return float(np.median(self.roll.tempo[start : start + int(self.roll.bar_lengths[bar])]))


def read_song(path: str | Path) -> Song:
    """Read a MIDI file (``.mid``, ``.midi``) or a piano-roll (``.npz``, as LPD's).

    Args:
        path: the file.

    Raises:
        D2MError: if it cannot be read, has no notes for the five tracks, or fewer than three bars in 4/4.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        fine = load_npz(path)
        score, roll = to_score(fine), fine.resampled(COMPACT.steps_per_beat)
    else:
        file = load(path)
        try:
            roll = five_tracks(file, COMPACT.steps_per_beat, path.stem)
        except D2MError as error:
            raise D2MError(f"{path}: {error}") from None
        score = score_of(file, path)
    try:
        return song_of(score, roll, path.stem)
    except D2MError as error:
        raise D2MError(f"{path}: {error}") from None


def song_of(score: Score, roll: PianoRoll, name: str = "") -> Song:
    """Return a song of a score and its roll at four steps a beat.

    Args:
        score: score for playing.
        roll: to look at; its first step is at the score's time 0, which :func:`~d2m.symbolic.pianoroll.from_score` does
            not promise of scores that begin within a beat.
        name: name of the song.

    Raises:
        D2MError: if it has fewer than three bars in 4/4 with notes.
    """
    song = Song(name or roll.name, score, in_fours(roll))
    sounding = int(song.held.any(axis=(1, 2, 3)).sum())
    if sounding < LEAST_BARS:
        found = "no bar" if not sounding else "one bar" if sounding == 1 else "two bars"
        raise D2MError(
            f"it has {found} of music in 4/4, at least {LEAST_BARS} are needed; other metres cannot be mixed yet"
        )
    return song


def in_fours(roll: PianoRoll) -> PianoRoll:
    """Join bars of one and two quarter notes to bars of four, unless the music has bars in 4/4.

    Music that has bars in 4/4 already stays as it is.

    Args:
        roll: piano-roll of a song.
    """
    beat = roll.steps_per_beat
    lengths = roll.bar_lengths
    if (lengths == BEATS * beat).any() or not np.isin(lengths[1:], (beat, 2 * beat)).all():
        return roll
    # What comes before the first whole bar is a pickup if it does not fit.
    total = int(lengths.sum())
    lines = np.arange(0, total, BEATS * beat, dtype=np.int64)
    return replace(roll, downbeats=lines[lines < roll.steps], metres=(Metre(0, 4, 4),))
