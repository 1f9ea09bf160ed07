"""Chords: read progressions, distribute them over the bars, and choose voicings with minimal movement."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from d2m.symbolic.chords import QUALITIES, Chord
from d2m.symbolic.composer.form import Bar
from d2m.symbolic.composer.style import Song

_DEGREES = dict(zip(("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7"), range(12), strict=True))


def is_minor(song: Song) -> bool:
    """Tell whether a song is in a minor key, by the third of its tonic chord.

    Args:
        song: progressions of a piece.
    """
    return QUALITIES[song.home.split(":")[1]][0] == 3


@lru_cache(maxsize=256)
def read(progression: str) -> tuple[tuple[tuple[int, str], ...], ...]:
    """Parse a progression such as ``"1:m9 | 4:13 b7:9"``, whose bars are separated by bar lines.

    Args:
        progression: chords in text.

    Returns:
        For each bar its chords as (semitones above the tonic, quality).
    """
    return tuple(tuple(_read_chord(word) for word in bar.split()) for bar in progression.split("|"))


def _read_chord(word: str) -> tuple[int, str]:
    degree, quality = word.split(":")
    if quality not in QUALITIES:
        raise ValueError(f"unknown chord quality in '{word}'")
    return _DEGREES[degree], quality


def lay_out(bars: list[Bar], song: Song, tonic: int, final: float) -> list[Chord]:
    """Distribute chords over all bars, changing at most once per beat; from ``final`` on the tonic chord.

    Args:
        bars: number of bars of the piece.
        song: progressions.
        tonic: pitch class.
        final: position in beats.
    """
    chords: list[Chord] = []
    for number, bar in enumerate(bars):
        kind = {"chorus": song.chorus, "lift": song.bridge, "break": song.bridge}.get(bar.role, song.verse)
        plan = read(kind)
        here = plan[bar.place % len(plan)]
        turning = bar.place == bar.length - 1 and number + 1 < len(bars) and bar.length >= 4
        if turning and bars[number + 1].role != bar.role and len(here) == 1 and bar.beats >= 4:
            here = (*here, _read_chord(song.cadence))
        width = max(bar.beats // len(here), 1)
        for i, (degree, quality) in enumerate(here):
            start = bar.start + i * width
            end = bar.start + bar.beats if i == len(here) - 1 else start + width
            if start < end:
                chords.append(Chord(start, end, (tonic + degree) % 12, quality))
    return _end_at_home(chords, song, tonic, final, cadence=len(bars) >= 4)


def _end_at_home(chords: list[Chord], song: Song, tonic: int, final: float, cadence: bool) -> list[Chord]:
    degree, quality = _read_chord(song.home)
    end = chords[-1].end
    kept = [Chord(c.start, min(c.end, final), c.root, c.quality) for c in chords if c.start < final - 1e-6]
    if cadence and kept:
        tension, kind = _read_chord(song.cadence)
        turn = max(kept[-1].start, final - 2.0)
        last = kept.pop()
        if turn > last.start + 1e-6:
            kept.append(Chord(last.start, turn, last.root, last.quality))
        kept.append(Chord(turn, final, (tonic + tension) % 12, kind))
    return [*kept, Chord(final, max(end, final + 4.0), (tonic + degree) % 12, quality)]


@lru_cache(maxsize=4096)
def _candidates(root: int, quality: str, low: int, high: int, size: int) -> tuple[tuple[int, ...], ...]:
    """Close and drop-two voicings of a chord between two keys."""
    tones = tuple((root + step) % 12 for step in QUALITIES[quality])[:size]
    found = set()
    for bottom in range(low, high + 1):
        if bottom % 12 not in tones:
            continue
        notes = [bottom]
        while len(notes) < len(tones):
            notes.append(next(n for n in range(notes[-1] + 1, notes[-1] + 13) if n % 12 in tones))
        dropped = [*notes[:-2], notes[-2] - 12, notes[-1]] if len(notes) == 4 else notes
        for shape in (tuple(notes), tuple(sorted(dropped))):
            clear = all(b - a > (2 if a < 52 else 0) for a, b in pairwise(shape))
            # A semitone at the top of a voicing hides its melody note.
            if shape[0] >= low and shape[-1] <= high and clear and shape[-1] - shape[-2] > 1:
                found.add(shape)
    return tuple(sorted(found))


def voice(chord: Chord, before: tuple[int, ...] | None, low: int, high: int, size: int) -> tuple[int, ...]:
    """Choose a voicing as near as possible to the one before.

    Args:
        chord: the chord.
        before: keys of the previous voicing, or None.
        low, high: range of keys.
        size: number of notes.

    Returns:
        Keys, as MIDI note numbers.
    """
    shapes: tuple[tuple[int, ...], ...] = ()
    for number in range(min(size, len(chord.tones)), 1, -1):
        shapes = _candidates(chord.root, chord.quality, low, high, number)
        if shapes:
            break
    if not shapes:
        root = low + (chord.root - low) % 12
        return (root, root + 7) if root + 7 <= high else (root,)
    middle = (low + high) / 2

    def cost(shape: tuple[int, ...]) -> float:
        drift = 0.35 * abs(sum(shape) / len(shape) - middle)
        if not before:
            return drift
        return drift + sum(min(abs(n - b) for b in before) for n in shape) + 0.8 * abs(shape[-1] - before[-1])

    return min(shapes, key=cost)
