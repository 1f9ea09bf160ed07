"""Move notes into a key, and onto the chords of a progression.

Into a key: the key of each bar is estimated, and every note keeps its degree of the scale; degrees that differ between
major and minor are altered. Onto chords: a note that begins on a beat, sounds on one or lasts a beat goes to the
nearest chord tone; others go to the nearest tone of the scale that agrees with the chord. The bass plays the bass note
of a chord where the chord begins, and only the lowest of notes that are struck together. A note that is held into the
next chord ends there, and the nearest tone of that chord is struck if it was to last for another beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from d2m.symbolic.chords import Chord, allowed, chord_at, find_chords
from d2m.symbolic.keys import KEYS, find_keys, scale
from d2m.types import Part, Score

#: Degrees of the scale that differ, in semitones above the tonic: in major, and in natural minor.
_MAJOR_ONLY, _MINOR_ONLY = (4, 9, 11), (3, 8, 10)
#: Lowest and highest key of the bass, and the number of keys of one instrument that are struck together at most.
_BASS, _FINGERS = (28, 60), 6
#: Length in beats from which a note is heard as part of the harmony, and the length of the shortest note.
_LONG, _SHORTEST = 1.0, 0.1
#: A note that begins so many beats before a chord belongs to it.
_EARLY = 0.06

Note = tuple[float, float, int, int]


def bar_lines(score: Score) -> np.ndarray:
    """Return the bar lines of a score from its beginning to its end, in beats.

    Args:
        score: the score.

    Returns:
        float64 (B,), B >= 1; they go on before the first and after the last downbeat of the grid.
    """
    grid = score.grid
    bar = max(int(grid.beats_per_bar), 1)
    first, last = (float(value) for value in grid.position_of(np.array([0.0, score.duration])))
    lines = np.asarray(grid.downbeats, dtype=np.float64)
    lines = lines if len(lines) else np.zeros(1)
    before = lines[0] - bar * np.arange(max(int(np.ceil((lines[0] - first - 1e-6) / bar)), 0), 0, -1)
    after = lines[-1] + bar * np.arange(1, max(int(np.ceil((last - lines[-1]) / bar)), 1))
    lines = np.concatenate([before, lines, after])
    inside = lines[(lines > first - bar + 1e-6) & (lines < last - 1e-6)]
    return inside if len(inside) else lines[:1]


def bar_chroma(parts: Sequence[Part], edges: np.ndarray) -> np.ndarray:
    """Compute for how long each pitch class sounds between positions; the bass counts twice.

    Args:
        parts: pitched parts; drums are left out.
        edges: float (N + 1,), rising positions in beats.

    Returns:
        float64 (N, 12).
    """
    found = np.zeros((len(edges) - 1, 12))
    for part in parts:
        if part.is_drum or not len(part.starts):
            continue
        weight = 2.0 if part.track == "bass" else 1.0
        first = np.clip(np.searchsorted(edges, part.starts + 1e-6, side="right") - 1, 0, len(edges) - 2)
        last = np.clip(np.searchsorted(edges, part.ends - 1e-6) - 1, 0, len(edges) - 2)
        for step in range(int((last - first).max(initial=0)) + 1):
            here = first + step <= last
            span = first[here] + step
            sounds = np.minimum(part.ends[here], edges[span + 1]) - np.maximum(part.starts[here], edges[span])
            np.add.at(found, (span, part.pitches[here] % 12), weight * np.maximum(sounds, 0.0))
    return found


def keys_of(score: Score) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the key of every bar.

    Args:
        score: the score.

    Returns:
        Bar lines in beats (B,), and numbers of keys (B,).
    """
    lines = bar_lines(score)
    end = max(float(score.grid.position_of(score.duration)), float(lines[-1]) + 1e-3)
    return lines, find_keys(bar_chroma(score.parts, np.append(lines, end)))


def main_key(score: Score) -> int:
    """Return the key that most bars are in.

    Args:
        score: the score.
    """
    return int(np.bincount(keys_of(score)[1], minlength=1).argmax())


def chords_of(score: Score) -> list[Chord]:
    """Estimate the chords of a score, see :func:`~d2m.symbolic.chords.find_chords`.

    Args:
        score: the score.
    """
    lines, keys = keys_of(score)
    stop = float(lines[-1]) + (float(lines[-1] - lines[-2]) if len(lines) > 1 else score.grid.beats_per_bar)
    ends = np.append(lines[1:], stop)
    edges = np.unique(np.concatenate([lines, 0.5 * (lines + ends), ends]))
    return find_chords(bar_chroma(score.parts, edges).reshape(-1, 2, 12), np.column_stack([lines, ends]), keys)


def into_key(score: Score, key: int) -> Score:
    """Move all pitched notes into a key; each bar is moved from the key that it is in.

    Where the result sounds more like another key (mostly the relative one), the whole score is taken to be in the key
    that leaves the fewest notes outside the scale of those from which the result is heard in the right key.

    Args:
        score: the score.
        key: number of the key (:mod:`d2m.symbolic.keys`).
    """
    lines, keys = keys_of(score)
    moved, _ = _from_keys(score, lines, keys, key)
    if main_key(moved) == key:
        return moved
    tried = [_from_keys(score, lines, np.full(len(lines), own), key) for own in range(KEYS)]
    for other, _ in sorted(tried, key=lambda each: each[1]):
        if main_key(other) == key:
            return other
    return moved


def _from_keys(score: Score, lines: np.ndarray, keys: np.ndarray, key: int) -> tuple[Score, int]:
    """Move a score whose bars are in ``keys`` into a key; also the number of notes that were outside the scale."""
    inside = scale(key)
    parts, foreign = [], 0
    for part in score.parts:
        if part.is_drum or not len(part.starts):
            parts.append(part)
            continue
        at = np.clip(np.searchsorted(lines, part.starts + _EARLY, side="right") - 1, 0, len(lines) - 1)
        pitches = _moved(part.pitches, keys[at], key)
        outside = ~inside[pitches % 12]
        foreign += int(outside.sum())
        pitches = np.where(outside, np.where(inside[(pitches - 1) % 12], pitches - 1, pitches + 1), pitches)
        parts.append(without_doubles(replace(part, pitches=_in_range(pitches))))
    return replace(score, parts=tuple(parts)), foreign


def _moved(pitches: np.ndarray, own: np.ndarray, key: int) -> np.ndarray:
    """Pitches in keys ``own`` as the same degrees of another key."""
    shift = (key % 12 - own % 12 + 6) % 12 - 6
    degree = (pitches - own % 12) % 12
    if key >= 12:
        return pitches + shift - ((own < 12) & np.isin(degree, _MAJOR_ONLY))
    return pitches + shift + ((own >= 12) & np.isin(degree, _MINOR_ONLY))


def _in_range(pitches: np.ndarray) -> np.ndarray:
    return pitches + 12 * (pitches < 0) - 12 * (pitches > 127)


def onto_chords(score: Score, chords: Sequence[Chord], key: int, only: Sequence[Part] | None = None) -> Score:
    """Move pitched notes onto chords.

    Args:
        score: the score, in or near the key.
        chords: in order without gaps.
        key: number of the key, whose scale is played between the beats.
        only: parts that are moved; None for all.
    """
    notes = frozenset(np.flatnonzero(scale(key)).tolist())
    chosen = {id(part) for part in (score.parts if only is None else only)}
    parts = [part if part.is_drum or id(part) not in chosen else _fitted(part, chords, notes) for part in score.parts]
    return replace(score, parts=tuple(parts))


def _fitted(part: Part, chords: Sequence[Chord], inside: frozenset[int]) -> Part:
    """A part moved onto chords."""
    pieces: list[tuple[Note, Chord, bool]] = []
    for start, end, key, loud in zip(
        part.starts.tolist(), part.ends.tolist(), part.pitches.tolist(), part.velocities.tolist(), strict=True
    ):
        pieces += _pieces((start, end, key, loud), chords)
    is_bass = part.track == "bass"
    # The highest of notes struck together is a tune's and moves least; of a bass only the lowest is played.
    pieces.sort(key=lambda piece: (piece[0][0], piece[0][2] if is_bass else -piece[0][2]))
    found: list[Note] = []
    together: dict[float, set[int]] = {}
    rooted: set[float] = set()
    for (start, end, key, loud), chord, strong in pieces:
        struck = together.setdefault(round(start, 2), set())
        if is_bass:
            fitted = _bass_key(key, chord, inside, strong, chord.start not in rooted)
            rooted.add(chord.start)
        else:
            tones = frozenset(chord.tones) if strong else allowed(chord, inside)
            fitted = _nearest(key, tones, struck)
        if fitted is None or fitted in struck or len(struck) >= (1 if is_bass else _FINGERS):
            continue
        struck.add(fitted)
        found.append((start, end, fitted, loud))
    table = np.array(found, dtype=np.float64).reshape(-1, 4)
    pitches, velocities = table[:, 2].astype(np.int64), table[:, 3].astype(np.int64)
    return without_doubles(replace(part, starts=table[:, 0], ends=table[:, 1], pitches=pitches, velocities=velocities))


def _pieces(note: Note, chords: Sequence[Chord]) -> list[tuple[Note, Chord, bool]]:
    """A note cut where chords change, with the chord of each piece and whether it is heard as part of it."""
    start, end, key, loud = note
    found: list[tuple[Note, Chord, bool]] = []
    at = start
    while True:
        chord = chord_at(chords, at + _EARLY)
        stop = end if chord.end <= at + _EARLY else min(end, chord.end)
        length = stop - at
        if not found or length >= _LONG:
            beat = np.ceil(at - _EARLY)
            found.append(((at, stop, key, loud), chord, bool(beat < stop - 0.02 or length >= _LONG)))
        if stop >= end - 1e-6:
            return found
        at = stop


def _nearest(key: int, tones: frozenset[int], taken: set[int]) -> int | None:
    """The nearest key of these pitch classes that is not taken."""
    able = [k for k in range(max(key - 8, 0), min(key + 9, 128)) if k % 12 in tones and k not in taken]
    return min(able, key=lambda k: (abs(k - key), k)) if able else None


def _bass_key(key: int, chord: Chord, inside: frozenset[int], strong: bool, first: bool) -> int | None:
    """A key of the bass: the bass note where a chord begins, a chord tone on beats, else a tone of the scale."""
    tones = frozenset({chord.bass}) if first else frozenset(chord.tones) if strong else allowed(chord, inside)
    low, high = _BASS
    while key < low:
        key += 12
    while key > high:
        key -= 12
    return _nearest(key, tones, set())


def without_doubles(part: Part) -> Part:
    """Remove notes that repeat a sounding key at once, and end each note where its key is struck again.

    Args:
        part: the part; its notes may be in any order.
    """
    order = np.lexsort((part.pitches, part.starts))
    starts, ends = part.starts[order], part.ends[order].copy()
    pitches, velocities = part.pitches[order], part.velocities[order].copy()
    keep = np.ones(len(order), dtype=bool)
    sounding: dict[int, int] = {}
    for index, key in enumerate(pitches.tolist()):
        before = sounding.get(key)
        if before is not None and starts[index] - starts[before] < _SHORTEST:
            ends[before] = max(ends[before], ends[index])
            velocities[before] = max(velocities[before], velocities[index])
            keep[index] = False
            continue
        if before is not None and ends[before] > starts[index]:
            ends[before] = starts[index]
        sounding[key] = index
    starts, ends, pitches, velocities = starts[keep], ends[keep], pitches[keep], velocities[keep]
    return replace(part, starts=starts, ends=ends, pitches=pitches, velocities=velocities)
