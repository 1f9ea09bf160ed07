"""Chords and scales: types, symbols such as ``F#m7/C#``, progressions in bars, and the chords of given music."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.keys import find_keys, read_note, scale

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

#: Chord quality -> semitones above the root, the notes that name it first.
QUALITIES: dict[str, tuple[int, ...]] = {
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
    "5": (7, 0),
}
#: Other spellings of qualities.
_SPELLINGS = {
    "": "maj", "M": "maj", "major": "maj", "min": "m", "-": "m", "minor": "m", "mi": "m", "M7": "maj7", "Δ": "maj7",
    "Δ7": "maj7", "major7": "maj7", "M9": "maj9", "-7": "m7", "min7": "m7", "mi7": "m7", "min6": "m6", "-6": "m6",
    "min9": "m9", "-9": "m9", "m7-5": "m7b5", "ø": "m7b5", "ø7": "m7b5", "-7b5": "m7b5", "min7b5": "m7b5",
    "hdim7": "m7b5", "mM7": "mmaj7", "minmaj7": "mmaj7", "m(maj7)": "mmaj7", "sus": "sus4", "7sus": "7sus4",
    "9sus4": "9sus", "°": "dim", "o": "dim", "°7": "dim7", "o7": "dim7", "+": "aug", "#5": "aug", "dom7": "7",
    "(add9)": "add9", "maj6": "6", "M6": "6",
}  # fmt: skip
_SYMBOL = re.compile(r"([A-G][#b♯♭]?)([^/:]*)(?:/([A-G][#b♯♭]?))?(?::(.*))?")
_MOST_CHORDS, _LONGEST = 2000, 64.0
_KNOWN = "maj, m, 7, maj7, m7, 6, m6, 9, dim, dim7, m7b5, aug, sus2, sus4, with /bass for another bass note"
#: Triads of :func:`find_chords` as rows of pitch classes, root first, and what the bass note of a chord weighs.
_TRIADS = np.array([[(root + step) % 12 for step in (0, third, 7)] for third in (4, 3) for root in range(12)])
_TRIAD_WEIGHTS = (1.2, 1.0, 0.9)
#: What a triad outside the key and a change of chord within a bar lose, in shares of a bar's notes.
_FOREIGN, _CHANGE = 0.12, 0.12

#: Lowest key of a chord's bass note in the left hand of a piano, and of its other notes in the right.
_LEFT, _RIGHT = 40, 52


@dataclass(frozen=True)
class Chord:
    """A chord from ``start`` to ``end`` (positions in beats): pitch class of its root, quality, and pitch class of its
    bass note if that is not the root."""

    start: float
    end: float
    root: int
    quality: str
    slash: int | None = None

    @property
    def tones(self) -> tuple[int, ...]:
        """Pitch classes, the most telling first; without a bass note that is foreign to the chord."""
        return tuple((self.root + step) % 12 for step in QUALITIES[self.quality])

    @property
    def bass(self) -> int:
        """Pitch class of the bass note."""
        return self.root if self.slash is None else self.slash

    @property
    def third(self) -> int:
        return (self.root + QUALITIES[self.quality][0]) % 12

    @property
    def fifth(self) -> int:
        return (self.root + {"m7b5": 6, "dim": 6, "dim7": 6, "aug": 8}.get(self.quality, 7)) % 12

    @property
    def seventh(self) -> int:
        """The seventh, or the sixth or octave of a chord that has none."""
        steps = QUALITIES[self.quality]
        return (self.root + next((s for s in (10, 11, 9) if s in steps), 0)) % 12


def chord_at(chords: Sequence[Chord], position: float) -> Chord:
    """Return the chord that sounds at a position; the first or last one beyond the ends.

    Args:
        chords: in order.
        position: beats.
    """
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


@dataclass(frozen=True)
class Progression:
    """Chords that are repeated to the length of the music.

    Attributes:
        chords: root, quality, bass note or None, and length in beats or None for a bar.
    """

    chords: tuple[tuple[int, str, int | None, float | None], ...]

    def lay_out(self, lines: np.ndarray, end: float) -> list[Chord]:
        """Distribute the chords over bars.

        A chord without a length ends with its bar; the beats of one with a length are counted from where it begins.

        Args:
            lines: bar lines in beats, rising; music before the first one has the first chord.
            end: end of the music in beats.
        """
        lines = np.asarray(lines, dtype=np.float64)
        at, number, found = float(lines[0]), 0, []
        bar = float(np.median(np.diff(lines))) if len(lines) > 1 else 4.0
        while at < end - 1e-6:
            root, quality, slash, length = self.chords[number % len(self.chords)]
            following = lines[lines > at + 1e-6]
            stop = at + length if length is not None else float(following[0]) if len(following) else at + bar
            found.append(Chord(at, stop, root, quality, slash))
            at, number = stop, number + 1
        return found

    def key(self) -> int:
        """Return the number of the key of the chords (:mod:`d2m.symbolic.keys`).

        It is that of the first chord if its scale has all notes of all chords, otherwise the one that they fit best.
        """
        root, quality, *_ = self.chords[0]
        first = root + 12 * (QUALITIES[quality][0] == 3)
        chroma = np.zeros((1, 12))
        for root, quality, _, length in self.chords:
            for step in QUALITIES[quality]:
                chroma[0, (root + step) % 12] += 4.0 if length is None else length
        return first if scale(first)[chroma[0] > 0].all() else int(find_keys(chroma)[0])


def read_chords(text: str) -> Progression:
    """Read a progression such as ``"Am F C/E G7"`` (one chord per bar) or ``"Am:2 F:2"`` (with lengths in beats).

    Args:
        text: chord symbols separated by blanks, commas or bar lines.

    Returns:
        The progression.

    Raises:
        D2MError: if a symbol is unknown, a length is out of range, or there are no chords.
    """
    words = [word for word in re.split(r"[\s,|]+", text) if word]
    if not words:
        raise D2MError("--chords names no chords; give symbols separated by blanks, such as 'Am F C G'")
    if len(words) > _MOST_CHORDS:
        raise D2MError(f"--chords names {len(words)} chords, at most {_MOST_CHORDS} can be used; give fewer")
    return Progression(tuple(_read_symbol(word) for word in words))


def _read_symbol(word: str) -> tuple[int, str, int | None, float | None]:
    match = _SYMBOL.fullmatch(word)
    quality = None if match is None else _SPELLINGS.get(match[2], match[2])
    if match is None or quality not in QUALITIES:
        raise D2MError(f"unknown chord '{word}'; give a note (C, F#, Bb) and one of {_KNOWN}")
    length = None
    if match[4] is not None:
        try:
            length = float(match[4])
        except ValueError:
            length = 0.0
        if not 0.25 <= length <= _LONGEST:
            raise D2MError(f"chord '{word}': '{match[4]}' is no length; give 0.25 to {_LONGEST:g} beats, such as Am:2")
    slash = None if match[3] is None else read_note(match[3])
    return read_note(match[1]), quality, slash, length


def chord_name(chord: Chord) -> str:
    """Return the symbol of a chord, such as ``"F#m7/C#"``.

    Args:
        chord: the chord.
    """
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    quality = "" if chord.quality == "maj" else chord.quality
    return f"{names[chord.root]}{quality}" + ("" if chord.slash is None else f"/{names[chord.slash]}")


def chord_notes(chord: Chord, begin: float, end: float, every: float) -> list[tuple[float, float, int]]:
    """Return a chord as two hands play it: the bass note held, the others struck regularly.

    Args:
        chord: the chord.
        begin, end: beats.
        every: beats between strokes of the right hand.

    Returns:
        (start, end, key) of each note.
    """
    rows = [(begin, end, _LEFT + (chord.bass - _LEFT) % 12)]
    keys = sorted(_RIGHT + (tone - _RIGHT) % 12 for tone in chord.tones)
    for at in np.arange(begin, end - 1e-6, every).tolist():
        rows += [(at, min(at + every, end), key) for key in keys]
    return rows


def find_chords(chroma: np.ndarray, spans: np.ndarray, keys: np.ndarray) -> list[Chord]:
    """Estimate the triads of given music, one or two to a bar, by how long each pitch class sounds.

    A bar has two chords if they fit its halves clearly better than one fits the bar. Triads of the key of the bar are
    preferred. A bar without notes has the chord before.

    Args:
        chroma: float (B, 2, 12), how long each pitch class sounds in each half of a bar, in any unit.
        spans: float (B, 2), beginning and end of each bar in beats.
        keys: int (B,), key of each bar.

    Returns:
        The chords without gaps.
    """
    found: list[Chord] = []
    last = 0
    for halves, (start, end), key in zip(chroma, spans.tolist(), keys.tolist(), strict=True):
        total = float(halves.sum())
        if total <= 0:
            chosen = [last]
        else:
            fits = np.stack([_fit(half, key) for half in halves]) * (halves.sum(axis=1) / total)[:, None]
            both, each = fits.sum(axis=0), fits.argmax(axis=1)
            split = each[0] != each[1] and fits.max(axis=1).sum() > both.max() + _CHANGE
            chosen = each.tolist() if split else [int(both.argmax())]
        edges = np.linspace(start, end, len(chosen) + 1).tolist()
        for chord, first, stop in zip(chosen, edges, edges[1:], strict=False):
            found.append(Chord(first, stop, chord % 12, "m" if chord >= 12 else "maj"))
        last = chosen[-1]
    return found


def _fit(chroma: np.ndarray, key: int) -> np.ndarray:
    """float64 (24,): share of the sound that lies in each triad, less where the triad is foreign to the key."""
    share = chroma / max(float(chroma.sum()), 1e-9)
    inside = pitch_classes("minor" if key >= 12 else "major", key % 12)
    foreign = np.array(~np.isin(_TRIADS, list(inside)).all(axis=1))
    if key >= 12:
        # The major chord on the fifth degree belongs to minor keys.
        foreign[(key + 7) % 12] = False
    return share[_TRIADS] @ np.array(_TRIAD_WEIGHTS) - _FOREIGN * foreign
