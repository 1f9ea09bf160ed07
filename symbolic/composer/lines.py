"""Lines of notes in composition, and the feel (swing, timing deviations) of their performance."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from d2m.symbolic.composer.form import Bar, Form
from d2m.types import BeatGrid, Part


@dataclass(frozen=True)
class Feel:
    """Timing of a performance: swing and deviations.

    Attributes:
        swing: where the second of two sixteenths falls in its eighth (0.5 straight).
        shuffle: where the second of two eighths falls in its beat.
        lag: seconds by which tunes lean back, and bass and chords between the beats.
        looseness: standard deviation of human timing in seconds.
    """

    swing: float
    shuffle: float
    lag: float
    looseness: float

    def warp(self, position: float) -> float:
        """Convert a written position to a played one.

        Args:
            position: beats.

        Returns:
            Beats.
        """
        beat = np.floor(position + 1e-9)
        half, fine = divmod(2.0 * (position - beat), 1.0)
        fine = fine * 2 * self.swing if fine < 0.5 else self.swing + (fine - 0.5) * 2 * (1 - self.swing)
        inside = half + fine
        inside = inside * self.shuffle if inside < 1 else self.shuffle + (inside - 1) * (1 - self.shuffle)
        return float(beat + inside)


@lru_cache(maxsize=1024)
def rhythm(pattern: str) -> str:
    """Remove blanks and bar lines from a pattern.

    Args:
        pattern: with 16 characters per bar.
    """
    plain = pattern.replace(" ", "").replace("|", "")
    if len(plain) % 16:
        raise ValueError(f"a pattern needs 16 steps a bar: '{pattern}'")
    return plain


def steps(pattern: str, bar: Bar) -> list[tuple[float, str, int]]:
    """Return the notes of a pattern in a bar; bars of other than four beats repeat or shorten the pattern.

    Bars of another length than four beats repeat or shorten the pattern.

    Args:
        pattern: with 16 characters per bar.
        bar: bar of the piece.

    Returns:
        (position in beats, character, length in sixteenths) of each note.
    """
    plain = rhythm(pattern)
    shift = 16 * (bar.place % (len(plain) // 16))
    here = [plain[shift + i % 16] for i in range(4 * bar.beats)]
    found = []
    for i, sign in enumerate(here):
        if sign in ".-":
            continue
        length = 1
        while i + length < len(here) and here[i + length] == "-":
            length += 1
        found.append((bar.start + i / 4, sign, length))
    return found


@dataclass
class Line:
    """Notes of one instrument as written: (start, end, key, velocity), positions in beats without swing.

    A ``single`` line is one voice: each note ends where the next begins. A ``steady`` line carries the beat: it leans
    back only between the beats, and what it plays on them is on time, bar by bar, however loosely each note falls.
    """

    track: str
    program: int
    lag: float = 0.0
    single: bool = False
    steady: bool = False
    notes: list[tuple[float, float, int, float]] = field(default_factory=list)

    def add(self, start: float, end: float, key: int, velocity: float) -> None:
        """Add a note.

        Args:
            start, end: beats.
            key: MIDI note number.
            velocity: 1 to 127.
        """
        self.notes.append((start, end, int(key), velocity))


def perform(line: Line, feel: Feel, grid: BeatGrid, form: Form, rng: np.random.Generator) -> Part | None:
    """Return the line as played within the piece, or None if nothing is left of it.

    Swing, leaning and looseness move the notes; chords stay together; a held note that began before the music is
    cut to its beginning; one key never sounds twice at once.

    Args:
        line: written notes.
        feel: swing and timing deviations.
        grid: beats of the dance.
        form: form of the piece.
        rng: random generator.

    Returns:
        The part, or None if no note is left.
    """
    first, last = form.first, form.last
    drums = line.track == "drums"
    starts = np.array([feel.warp(n[0]) for n in line.notes], dtype=np.float64)
    ends = np.array([feel.warp(n[1]) for n in line.notes], dtype=np.float64)
    keys = np.array([n[2] for n in line.notes], dtype=np.int64)
    velocities = np.array([n[3] for n in line.notes], dtype=np.float64)
    held = (starts < first) & (ends > first + 0.3) & (not drums)
    starts = np.where(held, first, starts)
    keep = (held | (starts >= form.entry - 1e-9)) & (starts < last)
    starts, ends, keys, velocities = starts[keep], ends[keep], keys[keep], velocities[keep]
    if len(starts) == 0:
        return None
    together, which = np.unique(np.round(starts, 6), return_inverse=True)
    drift = np.clip(rng.standard_normal(len(together)), -2.0, 2.0) * feel.looseness
    each = np.clip(rng.standard_normal(len(starts)), -2.0, 2.0) * feel.looseness * (0.5 if drums else 0.25)
    human = drift[which.ravel()] * (0.5 if drums else 1.0) + each + line.lag
    if line.steady:
        human = _centred(human, starts)
    moved = grid.time_of(starts) + human
    earliest = float(grid.time_of(first))
    starts = grid.position_of(np.maximum(moved, earliest))
    velocities = velocities + rng.normal(0.0, 3.0, len(velocities))
    ends = np.minimum(np.maximum(ends, starts + 0.06), last + 0.5)
    return _part(line, starts, ends, keys, np.clip(np.round(velocities), 1, 127).astype(np.int64))


def _centred(offsets: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Offsets in seconds with those of the notes on the beats (strummed ones too) shifted to a mean of 0 per bar."""
    carrying = np.nonzero(np.abs(starts - np.round(starts)) < 0.04)[0]
    bars = np.floor(np.round(starts[carrying]) / 4.0)
    offsets = offsets.copy()
    for bar in np.unique(bars):
        here = carrying[bars == bar]
        offsets[here] -= offsets[here].mean()
    return offsets


def _part(line: Line, starts: np.ndarray, ends: np.ndarray, keys: np.ndarray, velocities: np.ndarray) -> Part:
    order = np.lexsort((keys, starts))
    starts, ends, keys, velocities = starts[order], ends[order], keys[order], velocities[order]
    sounding: dict[int, int] = {}
    keep = np.ones(len(starts), dtype=bool)
    for i, key in enumerate(keys.tolist()):
        before = sounding.get(key)
        if before is not None and starts[i] - starts[before] < 0.05:
            velocities[before] = max(velocities[before], velocities[i])
            ends[before] = max(ends[before], ends[i])
            keep[i] = False
            continue
        if before is not None and ends[before] > starts[i]:
            ends[before] = starts[i]
        sounding[key] = i
    if line.single:
        following = np.append(starts[keep][1:], np.inf)
        ends[keep] = np.minimum(ends[keep], np.maximum(following, starts[keep] + 0.05))
    return Part(line.track, line.program, starts[keep], ends[keep], keys[keep], velocities[keep])
