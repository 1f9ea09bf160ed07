"""Chords: read progressions, distribute them over the bars, and choose voicings with minimal movement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from d2m.symbolic.composer.form import Bar
from d2m.symbolic.composer.style import Song

#: Scale name -> semitones above the tonic.
SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "blues": (0, 3, 5, 6, 7, 10),
}

_DEGREES = dict(zip(("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7"), range(12), strict=True))

#: Chord quality -> semitones above the root, the notes that name it first.
_QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (4, 7, 0),
    "m": (3, 7, 0),
    "add9": (4, 2, 7, 0),
    "maj7": (4, 11, 7, 0),
    "maj9": (4, 11, 2, 7, 0),
    "m6": (3, 9, 7, 0),
    "m7": (3, 10, 7, 0),
    "m9": (3, 10, 2, 7, 0),
    "m7b5": (3, 10, 6, 0),
    "7": (4, 10, 7, 0),
    "9": (4, 10, 2, 7, 0),
    "13": (4, 10, 9, 2, 0),
    "9sus": (5, 10, 2, 7, 0),
    "7#9": (4, 10, 3, 7, 0),
    "7b9": (4, 10, 1, 7, 0),
    "6": (4, 9, 7, 0),
    "mmaj7": (3, 11, 7, 0),
    "sus2": (2, 7, 0),
    "sus4": (5, 7, 0),
    "7sus4": (5, 10, 7, 0),
    "dim": (3, 6, 0),
    "dim7": (3, 9, 6, 0),
    "aug": (4, 8, 0),
}


@dataclass(frozen=True)
class Chord:
    """A chord from ``start`` to ``end`` (positions in beats): pitch class of its root, and its quality."""

    start: float
    end: float
    root: int
    quality: str

    @property
    def tones(self) -> tuple[int, ...]:
        """Pitch classes, the most telling first."""
        return tuple((self.root + step) % 12 for step in _QUALITIES[self.quality])

    @property
    def third(self) -> int:
        return (self.root + _QUALITIES[self.quality][0]) % 12

    @property
    def fifth(self) -> int:
        return (self.root + {"m7b5": 6, "dim": 6, "dim7": 6, "aug": 8}.get(self.quality, 7)) % 12

    @property
    def seventh(self) -> int:
        """The seventh, or the sixth or octave of a chord that has none."""
        steps = _QUALITIES[self.quality]
        return (self.root + next((s for s in (10, 11, 9) if s in steps), 0)) % 12


def is_minor(song: Song) -> bool:
    """Tell whether a song is in a minor key, by the third of its tonic chord.

    Args:
        song: progressions of a piece.
    """
    return _QUALITIES[song.home.split(":")[1]][0] == 3


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
    if quality not in _QUALITIES:
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


def chord_at(chords: list[Chord], position: float) -> Chord:
    """Return the chord that sounds at a position; the first or last one beyond the ends.

    Args:
        chords: in order.
        position: beats.
    """
    from bisect import bisect_right

    place = bisect_right(chords, position + 1e-6, key=lambda c: c.start)
    return chords[max(place - 1, 0)]


def allowed(chord: Chord, scale: frozenset[int]) -> frozenset[int]:
    """Return the pitch classes of a melody over a chord: the scale without notes that are dissonant to the chord.

    Args:
        chord: the chord.
        scale: pitch classes.
    """
    tones = frozenset(chord.tones)
    foreign = tones - scale
    return tones | frozenset(p for p in scale if not any((p - f) % 12 in (1, 11) for f in foreign))


def pitch_classes(scale: str, tonic: int) -> frozenset[int]:
    """Return the pitch classes of a scale.

    Args:
        scale: its name.
        tonic: pitch class.
    """
    return frozenset((tonic + step) % 12 for step in SCALES[scale])


@lru_cache(maxsize=4096)
def _candidates(root: int, quality: str, low: int, high: int, size: int) -> tuple[tuple[int, ...], ...]:
    """Close and drop-two voicings of a chord between two keys."""
    tones = tuple((root + step) % 12 for step in _QUALITIES[quality])[:size]
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
