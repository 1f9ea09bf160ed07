"""A MuseGAN playing for a dancer: its phrases on somebody's beats, tidied, with a drummer of the genre.

The work is shared. From MuseGAN comes what is played: the harmony, the rhythms, lines and voicings of four
instruments, and which of the genre's grooves its drums are nearest to. From the composer comes what makes it a dance:
the form that follows the dancer's energy, the drummer who keeps the beats and catches the strong moves, the feel, the
instruments of the genre and the end. Between the two the notes are tidied: all phrases are moved into one key, and a
note that neither the chord of the moment nor the scale knows goes to its neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.composer.arrange import STYLES
from d2m.symbolic.composer.form import Bar, Form, plan
from d2m.symbolic.composer.grooves import Drummer
from d2m.symbolic.composer.harmony import Chord, allowed, chord_at, pitch_classes, voice
from d2m.symbolic.composer.lines import Feel, Line, perform, rhythm
from d2m.symbolic.composer.style import RANGES, Layer, Style
from d2m.symbolic.musegan.choice import Pool, Wanted, choose, draw_pool
from d2m.symbolic.musegan.harmonise import Phrase, read_phrase
from d2m.symbolic.musegan.sampler import MuseGan
from d2m.symbolic.tracks import BASS, DRUMS
from d2m.types import TRACKS, BeatGrid, Score

_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_KICKS, _SNARES = (35, 36), (37, 38, 39, 40)
#: Most keys of one instrument that are struck together.
_FINGERS = 4
#: What a note gains in velocity on a beat, and between beats.
_ON_BEAT, _OFF_BEAT = 7.0, -6.0
#: A bass that leaps an octave up is heard as another instrument.
_BASS_RANGE = (RANGES["bass"][0], 48)
#: A track that the genre has no instrument for joins in when it gets this full.
_SPARE = {
    "piano": Layer("piano", (4, 0), "chords", (), 50, 76, 0.5, loudness=74),
    "guitar": Layer("guitar", (27, 25), "chords", (), 52, 77, 0.7, loudness=72),
    "strings": Layer("strings", (48,), "pad", (), 55, 80, 0.7, loudness=66),
}


@dataclass(frozen=True)
class _Place:
    """A bar of the piece and the bar of a phrase that is played in it."""

    bar: Bar
    phrase: Phrase
    number: int


def play_for(
    muse: MuseGan,
    grid: BeatGrid,
    duration: float,
    genre: str,
    seed: int,
    *,
    energy: np.ndarray | None = None,
    accents: np.ndarray | None = None,
) -> Score:
    """Music by a MuseGAN for a beat grid; arguments as of :func:`d2m.symbolic.composer.compose`.

    Args:
        muse: a model from scratch.
        seed: of the phrases and of every choice.

    Raises:
        D2MError: if the model needs a given track or makes silence only, the genre is unknown or the duration is not a
            positive number.
    """
    if genre not in STYLES:
        raise D2MError(f"no style for genre '{genre}'; choose one of {', '.join(STYLES)}")
    if not (np.isfinite(duration) and duration > 0):
        raise D2MError(f"cannot make {duration} seconds of music; the duration must be a positive number")
    if muse.config.conditional:
        raise D2MError(f"{muse.name or 'this model'} accompanies a given track; choose a model that makes all of them")
    style, rng = STYLES[genre], np.random.default_rng(seed)
    form = plan(grid, duration, rng, energy, accents)
    places = _places(draw_pool(muse, seed), muse, form)
    minor = _is_minor(places)
    tonic = int(rng.choice(style.tonics))
    # Phrases are read in C, whose relative minor is A.
    shift = (tonic - (9 if minor else 0) + 6) % 12 - 6
    chords = _chords(places, form, shift, minor)
    feel = Feel(
        float(rng.uniform(*style.swing)),
        float(rng.uniform(*style.shuffle)),
        float(rng.uniform(*style.lag)) / 1000.0,
        style.looseness / 1000.0,
    )
    scale = pitch_classes("minor" if minor else "major", tonic)
    lines = [_drums(places, style, form, grid.tempo, rng)]
    lines += _Players(style, form, chords, scale, shift, feel, rng).play(places)
    parts = [perform(line, feel, grid, form, rng) for line in lines]
    key = f"{_NAMES[tonic]}:{'min' if minor else 'maj'}"
    return Score(tuple(p for p in parts if p is not None), grid, float(duration), genre, key)


def _places(pool: Pool, muse: MuseGan, form: Form) -> list[_Place]:
    """Every bar of the piece with its bar of a phrase: sections of one kind share their phrases, two by turns."""
    length = muse.config.bars
    groups: list[list[Bar]] = []
    for bar in form.bars:
        if bar.place % length == 0 or not groups:
            groups.append([])
        groups[-1].append(bar)
    wanted = [
        Wanted(f"{bars[0].role} {bars[0].place // length % 2}", float(np.mean([bar.level for bar in bars])))
        for bars in groups
    ]
    phrases: dict[int, Phrase] = {}
    places = []
    for bars, row in zip(groups, choose(pool, wanted), strict=True):
        if row not in phrases:
            phrases[row] = read_phrase(pool.held[row], int(pool.tonic[row]), muse)
        places += [_Place(bar, phrases[row], bar.place % length) for bar in bars]
    if not any(len(notes) for phrase in phrases.values() for notes in phrase.notes[DRUMS + 1 :]):
        raise D2MError("the model made only silence; take another --seed, or --sketch composer")
    return places


def _is_minor(places: list[_Place]) -> bool:
    """Whether the phrases rest on the chord of A more than on that of C."""
    weight = {0: 0.0, 9: 0.0}
    for place in places:
        for chord in place.phrase.chords:
            if chord.root in weight:
                weight[chord.root] += chord.end - chord.start
    return weight[9] > weight[0]


def _chords(places: list[_Place], form: Form, shift: int, minor: bool) -> list[Chord]:
    """The phrases' chords in the key of the piece; the chord of G leads home to the last hit."""
    chords: list[Chord] = []
    for place in places:
        begin = 4.0 * place.number
        for chord in place.phrase.chords:
            start = max(chord.start - begin, 0.0) + place.bar.start
            end = min(chord.end - begin, float(place.bar.beats)) + place.bar.start
            end = min(end, form.final)
            if start < end - 1e-6 and chord.end > begin and chord.start < begin + 4.0:
                chords.append(Chord(start, end, (chord.root + shift) % 12, chord.quality))
    home = Chord(
        form.final, max(places[-1].bar.end, form.final + 4.0), (shift + 9 * minor) % 12, "m" if minor else "maj"
    )
    if chords and len(places) >= 4:
        turn = max(chords[-1].start, form.final - 2.0)
        last = chords.pop()
        if turn > last.start + 1e-6:
            chords.append(replace(last, end=turn))
        chords.append(Chord(turn, form.final, (7 + shift) % 12, "maj"))
    return [*chords, home]


def _drums(places: list[_Place], style: Style, form: Form, tempo: float, rng: np.random.Generator) -> Line:
    """The genre's drummer, beginning with the groove that is nearest to MuseGAN's, and its strokes between, softly."""
    drummer = Drummer(style, int(rng.choice(style.kits)), tempo, rng)
    kicks, snares = (_strokes(places, keys) for keys in (_KICKS, _SNARES))
    near = [
        float(np.dot(kicks, _pattern(groove.kick)) + np.dot(snares, _pattern(groove.snare)))
        for groove in drummer.grooves
    ]
    drummer.grooves = [drummer.grooves[i] for i in np.argsort(near, kind="stable")[::-1]]
    line = drummer.play(form)
    struck = {(round(start * 4), key) for start, _, key, _ in line.notes}
    for place in places:
        bar = place.bar
        if bar.level < 0.5 or form.slow > 0.5 or bar.place == bar.length - 1:
            continue
        for start, _, key in place.phrase.bar(DRUMS, place.number).tolist():
            at, where = bar.start + start, round(start * 4) % 4
            tone = 36 if key in _KICKS else 38 if key in _SNARES else None
            free = tone is not None and (round(at * 4), tone) not in struck
            if free and where and form.entry <= at < form.final - 0.5 and start < bar.beats:
                struck.add((round(at * 4), tone))
                line.add(at, at + 0.2, tone, 66.0 if tone == 36 and where == 2 else 44.0)
    return line


def _strokes(places: list[_Place], keys: tuple[int, ...]) -> np.ndarray:
    """float (16,): at which sixteenths of a bar these drums are struck, as a vector of length 1."""
    counts = np.zeros(16)
    for place in places:
        for start, _, key in place.phrase.bar(DRUMS, place.number).tolist():
            if key in keys:
                counts[round(start * 4) % 16] += 1
    counts -= counts.mean()
    return counts / max(float(np.linalg.norm(counts)), 1e-9)


def _pattern(text: str) -> np.ndarray:
    """float (16,): a written rhythm as :func:`_strokes`."""
    counts = np.array([sign in "Xxo" for sign in rhythm(text)], dtype=float).reshape(-1, 16).sum(0)
    counts -= counts.mean()
    return counts / max(float(np.linalg.norm(counts)), 1e-9)


@dataclass
class _Players:
    """The four pitched tracks of one piece."""

    style: Style
    form: Form
    chords: list[Chord]
    scale: frozenset[int]
    shift: int
    feel: Feel
    rng: np.random.Generator

    def play(self, places: list[_Place]) -> list[Line]:
        layers = {name: self._layer(name) for name in TRACKS[DRUMS + 1 :]}
        calls = self._calls(layers, places)
        return [
            self._line(track, layers[name], places, calls[name]) for track, name in enumerate(TRACKS) if name in layers
        ]

    def _layer(self, name: str) -> Layer:
        """The instrument of the genre that comes in first on a track."""
        if name == "bass":
            return Layer(
                "bass", self.style.bass_programs, "", (), *RANGES["bass"], 0.2, loudness=self.style.bass_loudness
            )
        own = [layer for layer in self.style.layers if layer.track == name]
        return min(own, key=lambda layer: layer.enters) if own else _SPARE[name]

    def _calls(self, layers: dict[str, Layer], places: list[_Place]) -> dict[str, list[bool]]:
        """Which tracks play in which bars: the fuller the music, the more; somebody always holds the harmony."""
        calls: dict[str, list[bool]] = {name: [] for name in layers}
        for number, place in enumerate(places):
            bar = place.bar
            alone = bar.section in self.form.drum_breaks and bar.place < bar.length - 1
            there = {name: len(place.phrase.bar(TRACKS.index(name), place.number)) > 0 for name in layers}
            for name, layer in layers.items():
                calls[name].append(there[name] and not alone and bar.level >= layer.enters - 0.03)
            chordal = [name for name in layers if name != "bass" and there[name]]
            if not alone and chordal and not any(calls[name][number] for name in chordal):
                calls[min(chordal, key=lambda name: layers[name].enters)][number] = True
        return calls

    def _line(self, track: int, layer: Layer, places: list[_Place], calls: list[bool]) -> Line:
        low = track == BASS
        line = Line(layer.track, int(self.rng.choice(layer.programs)), single=low, steady=layer.track != "strings")
        line.lag = self.feel.lag * (0.5 if low else 1.0)
        for place, called in zip(places, calls, strict=True):
            if called:
                self._bar(line, layer, place, place.phrase.bar(track, place.number), low)
        self._hits(line, layer, places, calls, low)
        if any(calls):
            self._close(line, layer, low)
        return line

    def _bar(self, line: Line, layer: Layer, place: _Place, notes: np.ndarray, low: bool) -> None:
        bar, form = place.bar, self.form
        fingers: dict[float, set[int]] = {}
        for start, end, key in notes.tolist():
            at, length = bar.start + start, end - start
            between = abs(start * 4 - round(start * 2) * 2) > 0.5
            thinned = (bar.level < 0.45 and between) or (form.slow > 0.5 and at % 1.0 == 0.75)
            if start >= bar.beats or at >= form.final - 1e-6 or (thinned and length <= 0.5):
                continue
            key = self._key(int(key) + self.shift, at, length, layer, low)
            struck = fingers.setdefault(round(at, 3), set())
            if key in struck or len(struck) >= (1 if low else _FINGERS):
                continue
            struck.add(key)
            chord = chord_at(self.chords, at)
            stop = min(at + length, form.final, max(chord.end, at + 0.25))
            beat = _ON_BEAT if abs(at - round(at)) < 1e-6 else _OFF_BEAT - 12.0 * form.slow
            line.add(at, stop - 0.02, key, layer.loudness + beat + 12.0 * (bar.level - 0.6))

    def _key(self, key: int, at: float, length: float, layer: Layer, low: bool) -> int:
        """The nearest key that fits: a chord's on beats and for long notes, and the root of a bass at a change."""
        chord = chord_at(self.chords, at)
        strong = abs(at - round(at)) < 1e-6 or length >= 1.0
        tones = frozenset(chord.tones) if strong else allowed(chord, self.scale)
        if low and abs(at - chord.start) < 0.26:
            tones = frozenset({chord.root})
        bottom, top = _BASS_RANGE if low else (layer.low - 4, layer.high + 7)
        while key < bottom:
            key += 12
        while key > top:
            key -= 12
        return min((k for k in range(key - 6, key + 7) if k % 12 in tones), key=lambda k: (abs(k - key), k))

    def _voice(self, chord: Chord, layer: Layer, low: bool) -> tuple[int, ...]:
        if low:
            return (28 + (chord.root - 28) % 12,)
        return voice(chord, None, layer.low, layer.high, 3)

    def _hits(self, line: Line, layer: Layer, places: list[_Place], calls: list[bool], low: bool) -> None:
        """Strong moves are played together, by whoever plays there."""
        if layer.track == "strings":
            return
        struck = {round(note[0], 3) for note in line.notes}
        for position, strength in self.form.hits:
            here = next((i for i, p in enumerate(places) if p.bar.start <= position < p.bar.end), None)
            if here is None or not calls[here] or round(position, 3) in struck:
                continue
            for key in self._voice(chord_at(self.chords, position), layer, low):
                line.add(position, position + 0.45, key, layer.loudness + 10 + 12 * strength)

    def _close(self, line: Line, layer: Layer, low: bool) -> None:
        """The last chord, held to the end; and one from the start of the piece to where a late band comes in."""
        form = self.form
        for key in self._voice(self.chords[-1], layer, low):
            line.add(form.final, form.last, key, layer.loudness + 12)
        if form.entry > form.first and layer.track in ("bass", "strings"):
            for key in self._voice(chord_at(self.chords, form.entry), layer, low):
                line.add(form.first - 0.1, form.entry, key, layer.loudness - 12)
