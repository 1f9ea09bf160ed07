"""Groups of notes, places in the bar, and clean parts, for the modules that change a score by mood."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from d2m.sounds.patches import genre_sounds
from d2m.symbolic.melody_extract import monophonic
from d2m.types import BeatGrid, Part, Score

STEPS_PER_BEAT = 4
#: Notes that start within so many beats of each other are one stroke: a strummed chord.
_TOGETHER = 0.11
#: Strokes of one key nearer than this, in beats, are the same stroke.
_SAME = 0.05
#: Offsets from the sixteenth beyond this, in beats, are not swing.
_MOST_SWING = 0.12
#: General MIDI programs of the strings track that are solo instruments: brass, winds, synthesiser leads.
_SOLO = (*range(56, 61), *range(64, 88))


@dataclass(frozen=True)
class Pulse:
    """Sixteenths of a score, with its bars and its swing.

    Attributes:
        lines: float64 (B,), positions of the bar lines in beats, rising; they cover the score.
        swing: float64 (4,), beats by which the sixteenths of a beat fall late.
    """

    lines: np.ndarray
    swing: np.ndarray

    def bars(self, positions: np.ndarray) -> np.ndarray:
        """Return the number of the bar of each position; the nearest sixteenth decides.

        Args:
            positions: beats.
        """
        near = np.round(np.asarray(positions) * STEPS_PER_BEAT) / STEPS_PER_BEAT
        return np.clip(np.searchsorted(self.lines, near + 1e-6) - 1, 0, len(self.lines) - 1)

    def places(self, positions: np.ndarray) -> np.ndarray:
        """Return the sixteenth of the bar nearest to each position.

        Args:
            positions: beats.
        """
        starts = self.lines[self.bars(positions)]
        return np.round((np.asarray(positions) - starts) * STEPS_PER_BEAT).astype(np.int64)

    def position(self, step: float) -> float:
        """Return where a sixteenth is played, in beats.

        Args:
            step: written position in beats, a multiple of a sixteenth.
        """
        return float(step + self.swing[round(step * STEPS_PER_BEAT) % STEPS_PER_BEAT])


def pulse_of(score: Score) -> Pulse:
    """Find the bar lines and the swing of a score.

    Args:
        score: the score.
    """
    lines = bar_lines(score.grid, score.duration)
    onsets = [part.starts for part in score.parts if not part.is_effect]
    starts = np.concatenate(onsets) if onsets else np.zeros(0)
    steps = np.round(starts * STEPS_PER_BEAT)
    late = starts - steps / STEPS_PER_BEAT
    swing = np.zeros(STEPS_PER_BEAT)
    for place in range(1, STEPS_PER_BEAT):
        here = late[(steps % STEPS_PER_BEAT == place) & (np.abs(late) < _MOST_SWING)]
        swing[place] = float(np.median(here)) if len(here) else 0.0
    return Pulse(lines, swing)


def bar_lines(grid: BeatGrid, duration: float) -> np.ndarray:
    """Return the bar lines from the one at or before time 0 to the one after the end, in beats.

    Args:
        grid: the grid.
        duration: seconds.
    """
    usual = max(int(grid.beats_per_bar), 1)
    first, last = float(grid.position_of(0.0)), float(grid.position_of(duration))
    lines = [float(line) for line in np.unique(grid.downbeats)] or [0.0]
    before = np.arange(lines[0] - usual, first - usual, -usual)[::-1] if lines[0] > first else np.zeros(0)
    after = np.arange(lines[-1] + usual, last + usual, usual)
    return np.concatenate([before, lines, after])


def pitched(score: Score) -> list[Part]:
    """Return the parts with pitches and notes.

    Args:
        score: the score.
    """
    return [part for part in score.parts if not (part.is_drum or part.is_effect) and len(part.starts)]


def lead_of(score: Score) -> int | None:
    """Return the number of the part that plays the tune: one voice of a solo instrument.

    Of several, leads come before other patches that the genre uses for its tunes, then the highest part.

    Args:
        score: the score.

    Returns:
        None if there is no such part.
    """
    tunes = genre_sounds()[score.genre].weights["lead"] if score.genre in genre_sounds() else {}
    solos = []
    for number, part in enumerate(score.parts):
        if not len(part.starts) or part.is_drum or part.track == "bass" or not monophonic(part):
            continue
        is_lead = part.patch.startswith("lead.")
        plain = not part.patch and part.track == "strings" and part.program in _SOLO
        if is_lead or plain or part.patch in tunes:
            solos.append((is_lead, float(part.pitches.mean()), number))
    return max(solos)[2] if solos else None


def strokes(part: Part) -> np.ndarray:
    """Return the number of the stroke of each note: notes that start together are one.

    Args:
        part: notes sorted by start.
    """
    numbers, number, begin = np.zeros(len(part.starts), np.int64), -1, -np.inf
    for i, start in enumerate(part.starts):
        if start - begin > _TOGETHER:
            number, begin = number + 1, start
        numbers[i] = number
    return numbers


def is_pad(part: Part) -> bool:
    """Tell whether a part holds its notes for two beats or more, mostly.

    Args:
        part: the part.
    """
    return len(part.starts) > 0 and float(np.median(part.ends - part.starts)) >= 2.0


def chosen(part: Part, which: np.ndarray) -> Part:
    """Return a part with some of its notes.

    Args:
        part: the part.
        which: bool or int, rows.
    """
    return replace(
        part,
        starts=part.starts[which],
        ends=part.ends[which],
        pitches=part.pitches[which],
        velocities=part.velocities[which],
    )


def with_notes(part: Part, rows: list[tuple[float, float, int, float]]) -> Part:
    """Return a part with more notes.

    Args:
        part: the part.
        rows: start and end in beats, key, velocity.
    """
    if not rows:
        return part
    starts, ends, pitches, velocities = (np.array(column) for column in zip(*rows, strict=True))
    return tidy(
        replace(
            part,
            starts=np.concatenate([part.starts, starts]),
            ends=np.concatenate([part.ends, ends]),
            pitches=np.concatenate([part.pitches, pitches.astype(np.int64)]),
            velocities=np.concatenate([part.velocities, to_velocities(velocities)]),
        )
    )


def to_velocities(values: np.ndarray) -> np.ndarray:
    """Round to MIDI velocities.

    Args:
        values: any numbers.

    Returns:
        int64, 1 to 127.
    """
    return np.clip(np.round(values), 1, 127).astype(np.int64)


def tidy(part: Part) -> Part:
    """Sort a part, drop second strokes of a key at one time, and end each note before its key is struck again.

    Args:
        part: notes in any order.
    """
    part = chosen(part, np.lexsort((part.pitches, part.starts)))
    ends, keep = part.ends.copy(), np.ones(len(part.starts), bool)
    last: dict[int, int] = {}
    for i, key in enumerate(part.pitches.tolist()):
        before = last.get(key)
        if before is not None and part.starts[i] - part.starts[before] < _SAME:
            keep[i] = False
            continue
        if before is not None and ends[before] > part.starts[i]:
            ends[before] = part.starts[i]
        last[key] = i
    return chosen(replace(part, ends=ends), keep)
