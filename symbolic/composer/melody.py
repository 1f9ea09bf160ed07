"""Melodies: a motif, its answer and its variations in phrases of four and eight bars.

A motif is a rhythm and a contour in scale steps. Over other chords it keeps its shape and adapts to the harmony: notes
on the beat and long notes are chord tones, the notes between come from the scale. A phrase plays the motif, repeats it
with a variation, and ends on a long note; the next phrase answers, and closes on the tonic chord.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from d2m.symbolic.chords import Chord, allowed, chord_at
from d2m.symbolic.composer.form import Bar, Form
from d2m.symbolic.composer.lines import Line, rhythm, steps
from d2m.symbolic.composer.style import Layer

#: What the four bars of a phrase do: a motif by letter, primes varied, a dot for silence where others answer.
_PHRASES = (
    ("a", "a'", "b", "c"),
    ("a", ".", "a'", "c"),
    ("a", "b", "a'", "c"),
    ("a", "a'", "a''", "c"),
    ("a", "b", ".", "c"),
)


@dataclass(frozen=True)
class Motif:
    """Notes of one bar: their rhythm, and scale steps from the phrase's first note."""

    rhythm: str
    contour: tuple[int, ...]


class Lead:
    """Plays a tune (``lead``), or fills the gaps that the tune leaves (``answer``)."""

    def __init__(
        self, layer: Layer, program: int, chords: list[Chord], scale: frozenset[int], rng: np.random.Generator
    ):
        self.layer, self.chords, self.scale, self.rng = layer, chords, scale, rng
        self.line = Line(layer.track, program, single=True)
        self.busy: list[tuple[float, float]] = []
        self._themes: dict[str, dict[str, Motif]] = {}
        self._plans: dict[tuple[str, int], tuple[str, ...]] = {}
        self._anchor = (layer.low + layer.high) // 2

    def play(self, bar: Bar, form: Form) -> None:
        """Write one bar of the melody.

        Args:
            bar: bar of the piece.
            form: form of the piece.
        """
        phrase = bar.place // 4
        name = (bar.role, phrase)
        if name not in self._plans:
            self._plans[name] = _PHRASES[int(self.rng.integers(0, len(_PHRASES)))]
        letter = self._plans[name][bar.place % 4]
        if letter == ".":
            return
        motif = self._theme(bar.role)[letter[0]]
        for _ in range(letter.count("'") + (1 if phrase % 2 and letter != "c" else 0)):
            motif = self._vary(motif)
        closing = bar.place % 4 == 3 or bar.place == bar.length - 1
        self._sing(motif, bar, form, closing)

    def answer(self, bar: Bar, form: Form, lead: list[tuple[float, float]]) -> None:
        """Write one bar where another melody leaves room.

        Args:
            bar: bar of the piece.
            form: form of the piece.
            lead: (start, end) in beats of the other melody's notes.
        """
        free = 1.0 - sum(max(0.0, min(e, bar.end) - max(s, bar.start)) for s, e in lead) / bar.beats
        if free < 0.45 and lead or bar.place % 2 == 0 and not lead and self.rng.random() < 0.6:
            return
        motif = self._theme(bar.role)["a" if bar.place % 4 < 2 else "b"]
        self._sing(self._vary(motif) if bar.place >= 4 else motif, bar, form, bar.place % 4 == 3)

    def close(self, form: Form) -> None:
        """Write the last note: third or root of the last chord.

        Args:
            form: form of the piece.
        """
        home = self.chords[-1]
        key = self._nearest(self._anchor, {home.root, home.third})
        self.line.add(form.final, form.last, key, self.layer.loudness + 10)

    def _theme(self, role: str) -> dict[str, Motif]:
        """The verse has its tune, the chorus another, higher one; other sections borrow the verse's."""
        kind = "chorus" if role == "chorus" else "verse"
        if kind not in self._themes:
            chosen = rhythm(self.layer.rhythms[int(self.rng.integers(0, len(self.layer.rhythms)))])
            bars = [chosen[i : i + 16] for i in range(0, len(chosen), 16)]
            other = rhythm(self.layer.rhythms[int(self.rng.integers(0, len(self.layer.rhythms)))])[:16]
            a = self._invent(bars[0])
            self._themes[kind] = {"a": a, "b": self._invent(other), "c": self._invent(bars[-1], falling=True)}
        return self._themes[kind]

    def _invent(self, pattern: str, falling: bool = False) -> Motif:
        """A contour that walks by step, leaps now and then, and turns back after a leap."""
        place, leap, contour = 0, 0, []
        for _ in range(sum(sign not in ".-" for sign in pattern)):
            contour.append(place)
            if leap:
                move = -int(np.sign(leap))
                leap = 0
            elif self.rng.random() < 0.25:
                leap = move = int(self.rng.choice([-3, -2, 2, 3, 4]))
            else:
                move = int(self.rng.choice([-1, 0, 1], p=[0.5, 0.15, 0.35] if falling else [0.38, 0.2, 0.42]))
            place = int(np.clip(place + move, -4, 5))
        return Motif(pattern, tuple(contour))

    def _vary(self, motif: Motif) -> Motif:
        """One change: another tail, a note left out, a note repeated, or everything a step or two higher."""
        contour, rng = list(motif.contour), self.rng
        places = [i for i, sign in enumerate(motif.rhythm) if sign not in ".-"]
        turn = int(rng.integers(0, 4))
        if turn == 0 and len(contour) > 2:
            contour[-2:] = [contour[-2] + int(rng.choice([-1, 1])), contour[-1] + int(rng.choice([-2, -1, 1, 2]))]
        elif turn == 1 and len(contour) > 3:
            gone = int(rng.integers(1, len(contour) - 1))
            contour.pop(gone)
            signs = list(motif.rhythm)
            signs[places[gone]] = "-"
            return Motif("".join(signs), tuple(contour))
        elif turn == 2 and places:
            split = int(rng.integers(0, len(places)))
            if places[split] + 2 < 16 and motif.rhythm[places[split] + 2] == "-":
                signs = list(motif.rhythm)
                signs[places[split] + 2] = "x"
                contour.insert(split + 1, contour[split] + int(rng.choice([-1, 0, 1])))
                return Motif("".join(signs), tuple(contour))
        else:
            shift = int(rng.choice([-2, -1, 1, 2]))
            contour = [c + shift for c in contour]
        return replace(motif, contour=tuple(contour))

    def _sing(self, motif: Motif, bar: Bar, form: Form, closing: bool) -> None:
        layer = self.layer
        lift = 4 if bar.role == "chorus" else 0
        middle = (layer.low + layer.high) // 2 + lift
        ladder_start = self._nearest(int(round(0.6 * middle + 0.4 * self._anchor)), set(self.scale))
        notes = [n for n in steps(motif.rhythm, replace(bar, place=0)) if n[0] < form.final - 0.2]
        for i, (at, _, length) in enumerate(notes):
            chord = chord_at(self.chords, at)
            tones = allowed(chord, self.scale)
            strong = abs(at - round(at)) < 1e-6 or length >= 4
            key = self._climb(ladder_start, motif.contour[min(i, len(motif.contour) - 1)])
            last = i == len(notes) - 1
            if closing and last:
                length = max(length, 4)
                key = self._nearest(key, {chord.root, chord.third, chord.fifth})
            else:
                key = self._nearest(key, set(chord.tones) if strong else set(tones))
            end = min(at + length / 4 * layer.gate, max(chord.end, at + 0.25), form.final)
            velocity = layer.loudness + lift + 8 + 12.0 * (bar.level - 0.7)
            velocity += 5 if strong else -4 - 8 * form.slow
            self.line.add(at, end, key, velocity)
            self.busy.append((at, end))
            self._anchor = key

    def _climb(self, key: int, count: int) -> int:
        """The key a number of scale steps above (below if negative)."""
        step = 1 if count > 0 else -1
        while count:
            key += step
            if key % 12 in self.scale:
                count -= step
        return key

    def _nearest(self, key: int, tones: set[int]) -> int:
        low, high = self.layer.low, self.layer.high
        options = [k for k in range(low, high + 1) if k % 12 in tones]
        return min(options, key=lambda k: (abs(k - key), k)) if options else int(np.clip(key, low, high))
