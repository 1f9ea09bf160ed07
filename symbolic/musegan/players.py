"""Instruments that play MuseGAN's own notes: corrected to the chords, thinned where the dancer is quiet, with an
ending.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.symbolic.chords import Chord, allowed, chord_at
from d2m.symbolic.composer.form import Bar, Form
from d2m.symbolic.composer.harmony import voice
from d2m.symbolic.composer.lines import Line
from d2m.symbolic.composer.style import Layer, Style
from d2m.symbolic.musegan.harmonise import Phrase
from d2m.types import TRACKS

#: What a note gains in velocity on a beat, and between beats.
_ON_BEAT, _OFF_BEAT = 10.0, -16.0
#: Most keys of one instrument that are struck together.
_FINGERS = 4
#: For a track that the genre has no instrument for, and how full the music is when it joins in.
_SPARE = {
    "piano": Layer("piano", (4, 0), "chords", (), 50, 76, 0.5, loudness=74),
    "guitar": Layer("guitar", (27, 25), "chords", (), 52, 77, 0.7, loudness=72),
    "strings": Layer("strings", (48,), "pad", (), 55, 80, 0.7, loudness=66),
}


@dataclass(frozen=True)
class Place:
    """A bar of the piece and the bar of a phrase that is played in it."""

    bar: Bar
    phrase: Phrase
    number: int


@dataclass(frozen=True)
class Players:
    """The tracks of one piece that play MuseGAN's notes.

    Attributes:
        style: style of the genre.
        form, chords, scale: of the piece.
        shift: semitones from C, in which phrases are read, to the piece's key.
        lag: seconds by which they lean back.
    """

    style: Style
    form: Form
    chords: list[Chord]
    scale: frozenset[int]
    shift: int
    lag: float

    def play(self, tracks: tuple[str, ...], places: list[Place], rng: np.random.Generator) -> list[Line]:
        """Write the lines of tracks.

        Args:
            tracks: names of the tracks.
            places: phrase and bar of each place.
            rng: random generator for the instruments.

        Returns:
            A line for each track.
        """
        layers = {name: self._layer(name) for name in tracks}
        calls = self._calls(layers, places)
        return [self._line(layer, places, calls[name], rng) for name, layer in layers.items()]

    def _layer(self, name: str) -> Layer:
        """The instrument of the genre that comes in first on a track."""
        own = [layer for layer in self.style.layers if layer.track == name]
        return min(own, key=lambda layer: layer.enters) if own else _SPARE[name]

    def _calls(self, layers: dict[str, Layer], places: list[Place]) -> dict[str, list[bool]]:
        """Which tracks play in which bars: the fuller the music, the more; somebody always holds the harmony."""
        calls: dict[str, list[bool]] = {name: [] for name in layers}
        for number, place in enumerate(places):
            there = [name for name in layers if len(place.phrase.bar(TRACKS.index(name), place.number))]
            alone = drums_alone(place.bar, self.form)
            for name, layer in layers.items():
                calls[name].append(name in there and not alone and place.bar.level >= layer.enters - 0.03)
            if there and not alone and not any(calls[name][number] for name in there):
                calls[min(there, key=lambda name: layers[name].enters)][number] = True
        return calls

    def _line(self, layer: Layer, places: list[Place], calls: list[bool], rng: np.random.Generator) -> Line:
        line = Line(layer.track, int(rng.choice(layer.programs)), self.lag, steady=layer.track != "strings")
        track = TRACKS.index(layer.track)
        for place, called in zip(places, calls, strict=True):
            if called:
                self._bar(line, layer, place.bar, place.phrase.bar(track, place.number))
        if any(calls):
            self._close(line, layer)
        return line

    def _bar(self, line: Line, layer: Layer, bar: Bar, notes: np.ndarray) -> None:
        form = self.form
        fingers: dict[float, set[int]] = {}
        for start, end, key in notes.tolist():
            at, length = bar.start + start, end - start
            between = abs(2 * start - round(2 * start)) > 0.1
            thinned = (bar.level < 0.45 and between) or (form.slow > 0.5 and at % 1.0 == 0.75)
            if start >= bar.beats or at >= form.final - 1e-6 or (thinned and length <= 0.5):
                continue
            fitted = self._key(int(key) + self.shift, at, length, layer)
            struck = fingers.setdefault(round(at, 3), set())
            if fitted in struck or len(struck) >= _FINGERS:
                continue
            struck.add(fitted)
            stop = min(at + length, form.final, max(chord_at(self.chords, at).end, at + 0.25))
            beat = _ON_BEAT if abs(at - round(at)) < 1e-6 else _OFF_BEAT - 12.0 * form.slow
            line.add(at, stop - 0.02, fitted, layer.loudness + beat + 12.0 * (bar.level - 0.6))

    def _key(self, key: int, at: float, length: float, layer: Layer) -> int:
        """The nearest key that fits: the chord's on beats and for long notes, between them also the scale's."""
        chord = chord_at(self.chords, at)
        strong = abs(at - round(at)) < 1e-6 or length >= 1.0
        tones = frozenset(chord.tones) if strong else allowed(chord, self.scale)
        while key < layer.low - 4:
            key += 12
        while key > layer.high + 7:
            key -= 12
        return min((k for k in range(key - 6, key + 7) if k % 12 in tones), key=lambda k: (abs(k - key), k))

    def _close(self, line: Line, layer: Layer) -> None:
        """The last chord, held to the end; strings also hold the first one until a band comes in late."""
        form = self.form
        for key in voice(self.chords[-1], None, layer.low, layer.high, 3):
            line.add(form.final, form.last, key, layer.loudness + 12)
        if form.entry > form.first and layer.track == "strings":
            for key in voice(chord_at(self.chords, form.entry), None, layer.low, layer.high, 3):
                line.add(form.first - 0.1, form.entry, key, layer.loudness - 12)


def drums_alone(bar: Bar, form: Form) -> bool:
    """Tell whether a bar belongs to a break with drums alone; its last bar does not.

    Args:
        bar: bar of the piece.
        form: form of the piece.
    """
    return bar.section in form.drum_breaks and bar.place < bar.length - 1
