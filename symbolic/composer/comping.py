"""Accompaniment in chords: block chords and stabs, strums, arpeggios, pads and string runs.

In an arpeggio the signs ``0``, ``1``, ``2``... count the notes of the voicing from the bottom up.
"""

from __future__ import annotations

import numpy as np

from d2m.symbolic.chords import Chord, allowed, chord_at
from d2m.symbolic.composer.form import Bar, Form
from d2m.symbolic.composer.harmony import voice
from d2m.symbolic.composer.lines import Line, steps
from d2m.symbolic.composer.style import Layer

_TOUCH = {"X": 16.0, "x": 0.0, "o": -14.0, "g": -30.0}


class Comper:
    """One layer's player: keeps a voicing from chord to chord and a rhythm from phrase to phrase."""

    def __init__(
        self, layer: Layer, program: int, chords: list[Chord], scale: frozenset[int], rng: np.random.Generator
    ):
        self.layer, self.chords, self.scale, self.rng = layer, chords, scale, rng
        self.line = Line(layer.track, program, steady=layer.manner in ("chords", "strum"))
        self._voicings: dict[Chord, tuple[int, ...]] = {}
        self._habits: dict[tuple[int, str], tuple[int, ...]] = {}
        self._before: tuple[int, ...] | None = None
        self._rhythms: dict[tuple[str, int], str] = {}

    def play(self, bar: Bar, form: Form) -> None:
        """Write one bar.

        Args:
            bar: bar of the piece.
            form: form of the piece.
        """
        manner = {
            "chords": self._chords, "strum": self._strum, "arpeggio": self._arpeggio,
            "pad": self._pad, "runs": self._runs,
        }[self.layer.manner]  # fmt: skip
        manner(bar, form)

    def close(self, form: Form) -> None:
        """Write the last chord, held to the end.

        Args:
            form: form of the piece.
        """
        home = self.chords[-1]
        for key in self._voice(home):
            self.line.add(form.final, form.last, key, self.layer.loudness + 12)

    def swell(self, form: Form) -> None:
        """Write the first chord, held from the start of the piece to where the band comes in.

        Args:
            form: form of the piece.
        """
        for key in self._voice(chord_at(self.chords, form.entry)):
            self.line.add(form.first - 0.1, form.entry, key, self.layer.loudness - 4)

    def hit(self, position: float) -> None:
        """Write a short chord together with the rest of the band.

        Args:
            position: beats.
        """
        for key in self._voice(chord_at(self.chords, position)):
            self.line.add(position, position + 0.45, key, self.layer.loudness + 22)

    def _voice(self, chord: Chord) -> tuple[int, ...]:
        if chord not in self._voicings:
            layer, name = self.layer, (chord.root, chord.quality)
            habit = self._habits.get(name)
            # A loop is known by its voicings: the same chord comes back in the same shape unless that means a leap.
            if habit is None or (self._before and abs(habit[-1] - self._before[-1]) > 5):
                habit = voice(chord, self._before, layer.low, layer.high, layer.size)
                self._habits[name] = habit
            self._before = self._voicings[chord] = habit
        return self._voicings[chord]

    def _rhythm(self, bar: Bar) -> str:
        """The same rhythm for the same part of the form; another one for its next eight bars."""
        name = (bar.role, bar.place // 8)
        if name not in self._rhythms:
            taken = set(self._rhythms.values())
            fresh = [r for r in self.layer.rhythms if r not in taken] or list(self.layer.rhythms)
            self._rhythms[name] = fresh[int(self.rng.integers(0, len(fresh)))]
        return self._rhythms[name]

    def _notes(self, bar: Bar, form: Form) -> list[tuple[float, str, int]]:
        """The bar's rhythm, in every fourth bar sometimes a hit fewer or one more at its end."""
        notes = [n for n in steps(self._rhythm(bar), bar) if n[0] < form.final - 1e-6]
        if form.slow > 0.5:
            notes = [n for n in notes if n[0] % 1.0 != 0.75 or n[2] > 2]
        if bar.place % 4 == 3 and len(notes) > 3:
            turn = self.rng.random()
            if turn < 0.3:
                notes.pop(int(self.rng.integers(1, len(notes))))
            elif turn < 0.6 and notes[-1][0] < bar.end - 0.5 and notes[-1][0] + 0.5 < form.final:
                notes.append((notes[-1][0] + 0.5, notes[-1][1], 1))
        return notes

    def _velocity(self, bar: Bar, form: Form, sign: str, at: float) -> float:
        beat = 7.0 if abs(at - round(at)) < 1e-6 else -6.0 - 12.0 * form.slow
        return self.layer.loudness + _TOUCH.get(sign, 0.0) + beat + 12.0 * (bar.level - 0.6)

    def _until(self, at: float, length: int, chord: Chord, form: Form) -> float:
        return min(at + length / 4 * self.layer.gate, max(chord.end, at + 0.2), form.final)

    def _chords(self, bar: Bar, form: Form) -> None:
        for at, sign, length in self._notes(bar, form):
            chord = self._anticipate(at)
            keys = self._voice(chord)
            # A ghosted chord is a finger brushing one key.
            for key in keys[:1] if sign == "g" else keys:
                self.line.add(at, self._until(at, length, chord, form), key, self._velocity(bar, form, sign, at))

    def _anticipate(self, at: float) -> Chord:
        """A chord struck a sixteenth or an eighth before a change already belongs to the next one."""
        here = chord_at(self.chords, at)
        return chord_at(self.chords, at + 0.5) if 0 < here.end - at <= 0.5 and here.end - here.start > 0.6 else here

    def _strum(self, bar: Bar, form: Form) -> None:
        for at, sign, length in self._notes(bar, form):
            chord = chord_at(self.chords, at)
            keys = self._voice(chord)
            down = round(at * 4) % 2 == 0
            for i, key in enumerate(keys if down else keys[::-1]):
                # On a beat the strum's middle is on it, between beats its beginning.
                late = max(at + 0.018 * (i - (0.5 * (len(keys) - 1) if at % 1.0 == 0 else 0)), min(at, form.entry))
                velocity = self._velocity(bar, form, sign, at) - (0 if down else 6) - 2 * i
                end = at + 0.1 if sign == "g" else self._until(at, length, chord, form)
                self.line.add(late, max(end, late + 0.08), key, velocity)

    def _arpeggio(self, bar: Bar, form: Form) -> None:
        for at, sign, length in self._notes(bar, form):
            chord = chord_at(self.chords, at)
            keys = self._voice(chord)
            place = int(sign)
            key = keys[place % len(keys)] + 12 * (place // len(keys))
            while key > self.layer.high + 5:
                key -= 12
            self.line.add(at, self._until(at, length, chord, form), key, self._velocity(bar, form, "x", at))

    def _pad(self, bar: Bar, form: Form) -> None:
        for chord in self.chords:
            start, end = max(chord.start, bar.start), min(chord.end, bar.end, form.final)
            if start >= end - 1e-6:
                continue
            for key in self._voice(chord):
                held = self.line.notes[-8:]
                joined = next((n for n in held if n[2] == key and abs(n[1] - start) < 1e-6), None)
                if joined and joined[0] > start - 7.9:
                    # A voice without a nearer chord tone keeps its note.
                    self.line.notes.remove(joined)
                    start_of = joined[0]
                else:
                    start_of = start
                self.line.add(start_of, end, key, self.layer.loudness + 14.0 * (bar.level - 0.6))

    def _runs(self, bar: Bar, form: Form) -> None:
        """Octaves held high over the band, and a run of sixteenths up or down into every fourth bar line."""
        running = bar.place % 4 == 3 or (bar.place % 2 == 1 and self.rng.random() < 0.25)
        beats = min(2.0 if self.rng.random() < 0.5 else 1.0, bar.beats - 1.0) if running else 0.0
        turn = min(bar.end, form.final) - beats
        for at, sign, length in self._notes(bar, form):
            if at >= turn - 1e-6:
                continue
            chord = chord_at(self.chords, at)
            top = self._voice(chord)[-1]
            end = min(self._until(at, length, chord, form), turn)
            for key in (top, top - 12):
                self.line.add(at, end, key, self._velocity(bar, form, sign, at))
        if beats <= 0 or turn < bar.start:
            return
        goal = self._voice(chord_at(self.chords, turn + beats))[-1]
        climbing = self.rng.random() < 0.65
        key = goal
        for i in range(int(beats * 4)):
            at = turn + beats - (i + 1) / 4
            tones = allowed(chord_at(self.chords, at), self.scale)
            key += -1 if climbing else 1
            while key % 12 not in tones:
                key += -1 if climbing else 1
            if self.layer.low - 12 <= key <= self.layer.high + 4:
                self.line.add(at, at + 0.24, key, self._velocity(bar, form, "x", at) - 1.5 * i)
