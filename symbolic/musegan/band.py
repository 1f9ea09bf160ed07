"""Scores by a MuseGAN for a dancer, with a rhythm section of the genre.

The chords, and the notes of piano, guitar and strings, come from MuseGAN. The rule-based composer provides what depends
on the dance and the genre: the form that follows the dancer's energy, the drums with accents on strong moves, which
begin with the groove most similar to MuseGAN's drums, the bass and one comping instrument on MuseGAN's chords, the
feel, and the ending. All phrases are moved into one key, and notes that belong to neither the current chord nor the
scale are moved to their neighbours.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from d2m.audio.presets import characters
from d2m.errors import D2MError
from d2m.sounds.patches import drawn
from d2m.symbolic.chords import Chord, pitch_classes
from d2m.symbolic.composer import bass
from d2m.symbolic.composer.arrange import style_of
from d2m.symbolic.composer.comping import Comper
from d2m.symbolic.composer.dress import dress
from d2m.symbolic.composer.form import Bar, Form, plan
from d2m.symbolic.composer.grooves import Drummer
from d2m.symbolic.composer.lines import Feel, Line, perform, rhythm
from d2m.symbolic.composer.production import produce
from d2m.symbolic.composer.sections import generators, section_of
from d2m.symbolic.composer.style import Style
from d2m.symbolic.keys import key_name, read_key
from d2m.symbolic.musegan.choice import Pool, Wanted, choose, draw_pool
from d2m.symbolic.musegan.harmonise import read_phrase
from d2m.symbolic.musegan.players import Place, Players, drums_alone
from d2m.symbolic.musegan.sampler import MuseGan
from d2m.symbolic.tracks import DRUMS
from d2m.types import BeatGrid, Brief, Score

_KICKS, _SNARES = (35, 36), (37, 38, 39, 40)
#: Tracks that play MuseGAN's notes, but for the one that the rhythm section's comping takes.
_IN_FRONT = ("piano", "guitar", "strings")
_COMPING = ("chords", "strum", "arpeggio", "runs")


def play_for(
    muse: MuseGan,
    grid: BeatGrid,
    duration: float,
    genre: str,
    seed: int,
    *,
    energy: np.ndarray | None = None,
    accents: np.ndarray | None = None,
    forgiving: bool = False,
    brief: Brief | None = None,
) -> Score:
    """Return music by a MuseGAN for a beat grid; arguments as of :func:`d2m.symbolic.composer.compose`.

    Args:
        muse: a model that needs no given track.
        grid: beats of the dance.
        duration: length of the music in seconds.
        genre: AIST code.
        seed: random seed.
        energy: float32 (N,) in 0..1 per beat interval, or None.
        accents: float32 (N,) in 0..1 per beat, or None.
        forgiving: make wrong beats less audible.
        brief: what is asked besides; the mode of a key is MuseGAN's own.

    Raises:
        D2MError: if the model needs a given track or makes silence only, the genre is unknown or the duration is not a
            positive number.
    """
    style = style_of(genre)
    if not (np.isfinite(duration) and duration > 0):
        raise D2MError(f"cannot make {duration} seconds of music; the duration must be a positive number")
    if muse.config.conditional:
        raise D2MError(
            f"{muse.name or 'this model'} is conditioned on a track; choose a model that generates all tracks"
        )
    rng = np.random.default_rng(seed)
    material = rng
    if brief is not None and brief.is_section:
        material, rng = generators(rng, brief.role)
    form = plan(grid, duration, rng, energy, accents, forgiving, brief)
    places = _places(draw_pool(muse, seed), muse, form)
    minor = _is_minor(places)
    tonic = int(material.choice(style.tonics))
    if brief is not None and brief.key is not None:
        tonic = read_key(brief.key)[0]
    # Phrases are read in C, whose relative minor is A.
    shift = (tonic - (9 if minor else 0) + 6) % 12 - 6
    chords, scale = _chords(places, form, shift, minor), pitch_classes("minor" if minor else "major", tonic)
    feel = Feel(
        float(material.uniform(*style.swing)),
        float(material.uniform(*style.shuffle)),
        float(material.uniform(*style.lag)) / 1000.0,
        style.looseness / 1000.0,
    )
    drummer = _drummer(places, style, form, grid.tempo, rng)
    low = bass.play(form, chords, style, int(material.choice(style.bass_programs)), drummer, scale, rng)
    low.lag = 0.5 * feel.lag
    comping = _comping(style, form, chords, scale, feel, rng)
    free = tuple(name for name in _IN_FRONT if name != comping.track)
    front = Players(style, form, chords, scale, shift, feel.lag).play(free, places, rng)
    parts = [perform(line, feel, grid, form, rng) for line in (drummer.line, low, comping, *front)]
    score = Score(tuple(p for p in parts if p is not None), grid, float(duration), genre, key_name(tonic + 12 * minor))
    score = dress(score, material)
    character = drawn(characters(genre), material) if material is not rng else None
    return section_of(produce(score, form, rng, character), brief)


def _places(pool: Pool, muse: MuseGan, form: Form) -> list[Place]:
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
    rows = choose(pool, wanted)
    phrases = {row: read_phrase(pool.held[row], int(pool.tonic[row]), muse) for row in set(rows)}
    if not any(len(notes) for phrase in phrases.values() for notes in phrase.notes[DRUMS + 1 :]):
        raise D2MError("the model generated only silence; choose another --seed, or --arranger composer")
    return [
        Place(bar, phrases[row], bar.place % length)
        for bars, row in zip(groups, rows, strict=True)
        for bar in bars
    ]  # fmt: skip


def _is_minor(places: list[Place]) -> bool:
    """Whether the phrases rest on the chord of A more than on that of C."""
    weight = {0: 0.0, 9: 0.0}
    for place in places:
        for chord in place.phrase.chords:
            if chord.root in weight:
                weight[chord.root] += chord.end - chord.start
    return weight[9] > weight[0]


def _chords(places: list[Place], form: Form, shift: int, minor: bool) -> list[Chord]:
    """The phrases' chords in the key of the piece; the chord of G leads home to the last hit."""
    chords: list[Chord] = []
    for place in places:
        begin = 4.0 * place.number
        for chord in place.phrase.chords:
            start = max(chord.start - begin, 0.0) + place.bar.start
            end = min(min(chord.end - begin, float(place.bar.beats)) + place.bar.start, form.final)
            if start < end - 1e-6 and chord.end > begin and chord.start < begin + 4.0:
                chords.append(Chord(start, end, (chord.root + shift) % 12, chord.quality))
    if chords and len(places) >= 4:
        last = chords.pop()
        turn = max(last.start, form.final - 2.0)
        if turn > last.start + 1e-6:
            chords.append(replace(last, end=turn))
        chords.append(Chord(turn, form.final, (7 + shift) % 12, "maj"))
    end = max(places[-1].bar.end, form.final + 4.0)
    return [*chords, Chord(form.final, end, (shift + 9 * minor) % 12, "m" if minor else "maj")]


def _comping(
    style: Style, form: Form, chords: list[Chord], scale: frozenset[int], feel: Feel, rng: np.random.Generator
) -> Line:
    """The genre's own comping instrument on MuseGAN's chords."""
    layer = min((layer for layer in style.layers if layer.manner in _COMPING), key=lambda layer: layer.enters)
    player = Comper(layer, int(rng.choice(layer.programs)), chords, scale, rng)
    player.line.lag = feel.lag
    called = [bar.level >= layer.enters - 0.03 and not drums_alone(bar, form) for bar in form.bars]
    for bar, plays in zip(form.bars, called, strict=True):
        if plays and bar.start < form.final:
            player.play(bar, form)
    for position, strength in form.hits:
        here = next((i for i, bar in enumerate(form.bars) if bar.start <= position < bar.end), None)
        if here is not None and (called[here] or strength > 0.75):
            player.hit(position)
    if player.line.notes:
        player.close(form)
    return player.line


def _drummer(places: list[Place], style: Style, form: Form, tempo: float, rng: np.random.Generator) -> Drummer:
    """The genre's drummer, beginning with the groove that is nearest to MuseGAN's, and its strokes between, softly."""
    drummer = Drummer(style, int(rng.choice(style.kits)), tempo, rng)
    kicks, snares = (_strokes(places, keys) for keys in (_KICKS, _SNARES))
    near = [kicks @ _pattern(groove.kick) + snares @ _pattern(groove.snare) for groove in drummer.grooves]
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
            if tone is None:
                continue
            free = (round(at * 4), tone) not in struck and at >= form.drums_from
            if free and where and form.entry <= at < form.final - 0.5 and start < bar.beats:
                struck.add((round(at * 4), tone))
                line.add(at, at + 0.2, tone, 66.0 if tone == 36 and where == 2 else 44.0)
    return drummer


def _strokes(places: list[Place], keys: tuple[int, ...]) -> np.ndarray:
    """float64 (16,): how much more often than the mean these drums are struck at each sixteenth, of length 1."""
    counts = np.zeros(16)
    for place in places:
        for start, _, key in place.phrase.bar(DRUMS, place.number).tolist():
            if key in keys:
                counts[round(start * 4) % 16] += 1
    return _centred(counts)


def _pattern(text: str) -> np.ndarray:
    """The same of a written rhythm."""
    return _centred(np.array([sign in "Xxo" for sign in rhythm(text)], dtype=np.float64).reshape(-1, 16).sum(0))


def _centred(counts: np.ndarray) -> np.ndarray:
    counts = counts - counts.mean()
    return counts / max(float(np.linalg.norm(counts)), 1e-9)
