"""Five-track piano-rolls: which keys sound at which step, and where they are struck.

A roll counts time in steps, a fixed number to a quarter note, and keeps beside the notes what gives them their place:
the tempo of every step, the bar lines and the metres. MuseGAN sees only the notes (Dong et al., AAAI 2018, "Data
Representation"); the rest makes the way back to MIDI, scores and sound exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.tracks import PROGRAMS
from d2m.types import TRACKS, BeatGrid, Part, Score

PITCHES = 128
#: Longer rolls are refused: this many steps, 35 minutes at 24 a beat and 120 bpm, take 128 MB.
MOST_STEPS = 100_000
#: Velocity of a plain note of each track, for music whose loudness is not known.
VELOCITIES: tuple[int, ...] = (100, 82, 80, 98, 74)


class Metre(NamedTuple):
    """A time signature, and the step from which it counts."""

    step: int
    numerator: int
    denominator: int


@dataclass(frozen=True)
class PianoRoll:
    """Music in five tracks on a grid of steps.

    Attributes:
        held: bool (5, T, 128): key ``p`` of a track (order of :data:`d2m.types.TRACKS`) sounds during step ``t``.
        onsets: bool (5, T, 128): a note begins here. Part of ``held``, and true wherever a key starts to sound, so
            that a repeated key is told from a held one.
        steps_per_beat: steps in a quarter note: 24 in the paper, 4 in the compact resolution.
        tempo: float64 (T,), quarter notes a minute during each step.
        downbeats: int64 (B,), the first step of every bar, rising from 0. A pickup is a short first bar.
        metres: changes of time signature, the first at step 0.
        programs: General MIDI program of each track.
        name: name of the piece.
    """

    held: np.ndarray
    onsets: np.ndarray
    steps_per_beat: int
    tempo: np.ndarray
    downbeats: np.ndarray
    metres: tuple[Metre, ...]
    programs: tuple[int, ...] = PROGRAMS
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        shape = (len(TRACKS), self.steps, PITCHES)
        if self.held.shape != shape or self.onsets.shape != shape or self.tempo.shape != shape[1:2]:
            raise ValueError(f"held {self.held.shape}, onsets {self.onsets.shape} and tempo {self.tempo.shape} differ")
        if not len(self.downbeats) or self.downbeats[0] != 0 or np.any(np.diff(self.downbeats) <= 0):
            raise ValueError("bar lines must rise from step 0")

    @property
    def steps(self) -> int:
        return self.held.shape[1]

    @property
    def bar_lengths(self) -> np.ndarray:
        """int64 (B,): steps in each bar; the last one has the length of its metre, or more if the music continues."""
        last = self.metres[-1]
        whole = int(round(4 * last.numerator * self.steps_per_beat / last.denominator))
        end = max(self.steps, int(self.downbeats[-1]) + whole)
        return np.diff(np.append(self.downbeats, end))

    def notes(self, track: int) -> np.ndarray:
        """Return the notes of a track by start and key.

        Args:
            track: its number.

        Returns:
            int64 (N, 3), first step, step after the last, and key.
        """
        used = np.flatnonzero(self.held[track].any(axis=0))
        held, onsets = (np.ascontiguousarray(a[track][:, used].T) for a in (self.held, self.onsets))
        ends = held.copy()
        ends[:, :-1] &= ~held[:, 1:] | onsets[:, 1:]
        keys, starts = np.nonzero(onsets)
        stops = np.nonzero(ends)[1] + 1
        order = np.lexsort((keys, starts))
        return np.stack([starts, stops, used[keys]], axis=1)[order].astype(np.int64)

    def seconds(self) -> np.ndarray:
        """Return float64 (T + 1,): the time at which every step begins, and the end."""
        return np.concatenate([[0.0], np.cumsum(60.0 / (self.tempo * self.steps_per_beat))])

    def excerpt(self, start: int, stop: int) -> PianoRoll:
        """Cut a range of steps; notes that are sounding at its beginning start there.

        Args:
            start, stop: range of steps.
        """
        start, stop = max(start, 0), min(stop, self.steps)
        if stop <= start:
            raise ValueError(f"no steps between {start} and {stop}")
        held = self.held[:, start:stop]
        lines = self.downbeats[(self.downbeats > start) & (self.downbeats < stop)] - start
        metres = [m for m in self.metres if m.step <= start][-1:] + [m for m in self.metres if start < m.step < stop]
        return replace(
            self,
            held=held,
            onsets=struck(held, self.onsets[:, start:stop]),
            tempo=self.tempo[start:stop],
            downbeats=np.concatenate([[0], lines]).astype(np.int64),
            metres=tuple(m._replace(step=max(m.step - start, 0)) for m in metres),
        )

    def resampled(self, steps_per_beat: int) -> PianoRoll:
        """Convert to a finer or coarser grid; every note keeps at least one step.

        Args:
            steps_per_beat: steps per beat of the new grid.
        """
        if steps_per_beat == self.steps_per_beat:
            return self
        ratio = steps_per_beat / self.steps_per_beat
        total = max(int(np.ceil(self.steps * ratio - 1e-9)), 1)
        check_length(total)
        notes = []
        for track in range(len(TRACKS)):
            found = self.notes(track)
            starts = np.minimum(_nearest(found[:, 0] * ratio), total - 1)
            stops = np.maximum(_nearest(found[:, 1] * ratio), starts + 1)
            notes.append(np.stack([starts, stops, found[:, 2]], axis=1))
        edges = np.minimum(np.arange(total + 1) / ratio, self.steps)
        times = np.interp(edges, np.arange(self.steps + 1), self.seconds())
        spans = np.diff(edges) / self.steps_per_beat
        held, onsets = fill(notes, total)
        lines = np.unique(_nearest(self.downbeats * ratio))
        metres = {int(_nearest(m.step * ratio)): m for m in self.metres}
        return replace(
            self,
            held=held,
            onsets=onsets,
            steps_per_beat=steps_per_beat,
            tempo=60.0 * spans / np.diff(times),
            downbeats=lines[lines < total],
            metres=tuple(m._replace(step=step) for step, m in sorted(metres.items()) if step < total),
        )


def _nearest(values: np.ndarray | float) -> np.ndarray:
    """Whole numbers, halves upwards, so that equal lengths stay equal wherever they begin."""
    return np.floor(np.asarray(values) + 0.5).astype(np.int64)


def check_length(steps: int) -> None:
    """Check the number of steps of a roll.

    Args:
        steps: number of steps.

    Raises:
        D2MError: if there are more than a roll may have.
    """
    if steps > MOST_STEPS:
        raise D2MError(f"the music is {steps} steps long, at most {MOST_STEPS} fit; cut it, or take fewer steps a beat")


def struck(held: np.ndarray, onsets: np.ndarray) -> np.ndarray:
    """Correct onsets to the held keys: only where keys sound, and wherever one starts to.

    Args:
        held, onsets: bool (tracks, T, 128).

    Returns:
        bool (tracks, T, 128).
    """
    rising = held.copy()
    rising[:, 1:] &= ~held[:, :-1]
    return (onsets & held) | rising


def fill(notes: Sequence[np.ndarray], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Convert notes to arrays.

    Notes beyond either end are cut; where notes of one key overlap, each ends where the next begins.

    Args:
        notes: as of :meth:`PianoRoll.notes`, one array per track.
        steps: length of the roll.

    Returns:
        ``held`` and ``onsets``, bool (5, steps, 128).
    """
    held = np.zeros((len(TRACKS), steps, PITCHES), dtype=bool)
    onsets = np.zeros_like(held)
    for track, found in enumerate(notes):
        starts, stops, keys = np.asarray(found, dtype=np.int64).reshape(-1, 3).T
        heard = (starts < steps) & (stops > 0) & (stops > starts)
        starts, stops = np.maximum(starts[heard], 0), np.minimum(stops[heard], steps)
        used, column = np.unique(keys[heard], return_inverse=True)
        # Counting how many notes sound takes no longer for many long ones on top of each other.
        change = np.zeros((steps + 1, len(used)), dtype=np.int32)
        np.add.at(change, (starts, column), 1)
        np.add.at(change, (stops, column), -1)
        held[track][:, used] = np.cumsum(change[:-1], axis=0) > 0
        onsets[track][starts, used[column]] = True
    return held, onsets


def metre_of(steps: int, steps_per_beat: int) -> tuple[int, int]:
    """Return the metre of a bar, in quarters if they are whole, otherwise in finer notes.

    Args:
        steps: length of the bar.
        steps_per_beat: steps per beat of the grid.

    Returns:
        Numerator and denominator.
    """
    for denominator in (4, 8, 16, 32, 64):
        count = steps * denominator / (4 * steps_per_beat)
        if abs(count - round(count)) < 1e-9 and 1 <= count <= 255:
            return int(round(count)), denominator
    return max(min(int(round(steps * 16 / steps_per_beat)), 255), 1), 64


def metres_of(downbeats: np.ndarray, steps: int, steps_per_beat: int) -> tuple[Metre, ...]:
    """Infer metres from bar lines; the last bar, which may be incomplete, is assumed to be like the one before.

    Args:
        downbeats: steps of the bar lines.
        steps: length of the roll.
        steps_per_beat: steps per beat of the grid.
    """
    lengths = np.diff(np.append(downbeats, steps)).tolist()
    lengths[-1] = max(lengths[-1], lengths[-2] if len(lengths) > 2 else 4 * steps_per_beat)
    found: list[Metre] = []
    for step, length in zip(downbeats.tolist(), lengths, strict=True):
        metre = metre_of(length, steps_per_beat)
        if not found or found[-1][1:] != metre:
            found.append(Metre(step, *metre))
    return tuple(found)


def from_score(score: Score, steps_per_beat: int = 24, name: str = "") -> PianoRoll:
    """Convert a score to a piano-roll on the grid of its own beats.

    Each beat of the score's grid becomes ``steps_per_beat`` steps, whatever its length in seconds; step 0 is the beat
    at or before time 0. What :func:`d2m.symbolic.sound.render` would not play (before 0, after the duration) is left
    out.

    Args:
        score: the score.
        steps_per_beat: steps per beat of the grid.
        name: name of the music.

    Raises:
        D2MError: if the score has no notes within its duration or is longer than a roll may be.
    """
    grid = score.grid
    first, last = float(grid.position_of(0.0)), float(grid.position_of(score.duration))
    origin = int(np.floor(first + 1e-6))
    total = int(np.ceil((last - origin) * steps_per_beat - 1e-6))
    check_length(total)
    notes: list[list[np.ndarray]] = [[] for _ in TRACKS]
    players: list[dict[int, int]] = [{} for _ in TRACKS]
    for part in score.instruments().parts:
        track = TRACKS.index(part.track)
        heard = (part.starts > first - 1e-6) & (part.starts < last)
        starts = np.minimum(_nearest((part.starts[heard] - origin) * steps_per_beat), total - 1)
        stops = np.maximum(_nearest((part.ends[heard] - origin) * steps_per_beat), starts + 1)
        notes[track].append(np.stack([starts, stops, part.pitches[heard]], axis=1))
        players[track][part.program] = players[track].get(part.program, 0) + int(heard.sum())
    if not any(len(found) for track in notes for found in track):
        raise D2MError("the score has no notes; give one with music in it")
    held, onsets = fill([np.concatenate(n) if n else np.zeros((0, 3), np.int64) for n in notes], total)
    edges = grid.time_of(origin + np.arange(total + 1) / steps_per_beat)
    lines = (_bar_lines(grid, origin, last) - origin) * steps_per_beat
    downbeats = np.unique(np.concatenate([[0], lines[lines < total]])).astype(np.int64)
    programs = tuple(
        max(p, key=lambda k: (p[k], -k)) if p else usual for p, usual in zip(players, PROGRAMS, strict=True)
    )
    metres = metres_of(downbeats, total, steps_per_beat)
    return PianoRoll(
        held, onsets, steps_per_beat, 60.0 / (np.diff(edges) * steps_per_beat), downbeats, metres, programs, name
    )


def _bar_lines(grid: BeatGrid, first: int, last: float) -> np.ndarray:
    """Bar lines from beat ``first`` to ``last``, going on beyond the grid's ends."""
    bar = max(int(grid.beats_per_bar), 1)
    lines = np.asarray(grid.downbeats, dtype=np.int64)
    lines = lines if len(lines) else np.zeros(1, np.int64)
    before = lines[0] - bar * np.arange(max((lines[0] - first) // bar + 1, 0), 0, -1)
    after = lines[-1] + bar * np.arange(1, max(int(last - lines[-1]) // bar, 0) + 2)
    lines = np.concatenate([before, lines, after])
    return lines[(lines >= first) & (lines < last)]


def beat_steps(roll: PianoRoll) -> np.ndarray:
    """Return the steps of the quarter notes, counted from every bar line; in a pickup backwards from its end.

    Args:
        roll: piano-roll.

    Returns:
        int64 (N,).
    """
    beats: list[np.ndarray] = []
    lengths = roll.bar_lengths
    for number, (start, length) in enumerate(zip(roll.downbeats.tolist(), lengths.tolist(), strict=True)):
        here = np.arange(0, length, roll.steps_per_beat)
        if number == 0 and len(lengths) > 1 and length < lengths[1] and length % roll.steps_per_beat:
            here = np.unique(np.append(length - here[1:], 0))
        beats.append(start + here)
    return np.append(np.concatenate(beats), roll.downbeats[-1] + lengths[-1]).astype(np.int64)


def to_score(roll: PianoRoll, genre: str | None = None, key: str | None = None) -> Score:
    """Convert a piano-roll to a score whose beats are its quarter notes; one part for each track that plays.

    Loudness, which a roll has not, follows the metre: strongest on bar lines, then on beats.

    Args:
        roll: piano-roll.
        genre: AIST code, or None.
        key: such as ``"A:min"``, or None.
    """
    beats = beat_steps(roll)
    seconds = roll.seconds()
    pace = 60.0 / (roll.tempo[-1] * roll.steps_per_beat)
    times = np.interp(beats, np.arange(roll.steps + 1), seconds) + np.maximum(beats - roll.steps, 0) * pace
    downbeats = np.searchsorted(beats, roll.downbeats)
    usual = int(np.bincount(np.diff(np.append(downbeats, len(beats) - 1))).argmax())
    grid = BeatGrid(times, downbeats.astype(np.int64), float(60.0 / np.median(np.diff(times))), 1.0, max(usual, 1))
    parts = []
    for track, name in enumerate(TRACKS):
        notes = roll.notes(track)
        if len(notes):
            starts, ends = (np.interp(notes[:, i], beats, np.arange(len(beats))) for i in (0, 1))
            velocities = VELOCITIES[track] + accents(roll, notes[:, 0])
            parts.append(Part(name, roll.programs[track], starts, ends, notes[:, 2], velocities))
    return Score(tuple(parts), grid, float(seconds[-1]), genre, key)


def accents(roll: PianoRoll, steps: np.ndarray) -> np.ndarray:
    """Compute the increase in velocity by the metrical position.

    Args:
        roll: piano-roll.
        steps: positions of N notes in steps.

    Returns:
        int64 (N,).
    """
    bar = np.searchsorted(roll.downbeats, steps, side="right") - 1
    place = steps - roll.downbeats[bar]
    return np.select([place == 0, place % roll.steps_per_beat == 0], [10, 4], -6).astype(np.int64)


def plays(roll: PianoRoll) -> list[str]:
    """Return the names of the tracks that have notes.

    Args:
        roll: piano-roll.
    """
    return [name for i, name in enumerate(TRACKS) if roll.held[i].any()]
