"""Compose a score for a beat grid and a genre."""

from __future__ import annotations

import numpy as np

from d2m.audio.presets import characters
from d2m.errors import D2MError
from d2m.genres import added_genre
from d2m.sounds.patches import drawn
from d2m.symbolic.chords import Chord, pitch_classes
from d2m.symbolic.composer import bass, club, funk, hiphop
from d2m.symbolic.composer.comping import Comper
from d2m.symbolic.composer.dress import dress
from d2m.symbolic.composer.form import Bar, Form, plan
from d2m.symbolic.composer.grooves import Drummer
from d2m.symbolic.composer.harmony import is_minor, lay_out
from d2m.symbolic.composer.lines import Feel, Line, perform
from d2m.symbolic.composer.melody import Lead
from d2m.symbolic.composer.production import produce
from d2m.symbolic.composer.sections import Band, generators, section_of
from d2m.symbolic.composer.style import Layer, Song, Style
from d2m.symbolic.composer.style_table import read_style
from d2m.symbolic.composer.vocals import sing
from d2m.symbolic.keys import key_name, read_key
from d2m.types import BeatGrid, Brief, Score

#: AIST code -> style.
STYLES: dict[str, Style] = {
    "gBR": funk.BREAK,
    "gPO": funk.POPPING,
    "gLO": funk.LOCKING,
    "gMH": hiphop.MIDDLE,
    "gLH": hiphop.LA,
    "gHO": club.HOUSE,
    "gWA": club.WAACK,
    "gKR": hiphop.KRUMP,
    "gJS": club.STREET_JAZZ,
    "gJB": club.BALLET_JAZZ,
}


def style_of(genre: str) -> Style:
    """Return the style of a genre.

    Args:
        genre: AIST code, or name of a genre that another package adds (:mod:`d2m.genres`).

    Raises:
        D2MError: if there is no such genre, or its style cannot be used.
    """
    if genre in STYLES:
        return STYLES[genre]
    added = added_genre(genre)
    if added is None:
        raise D2MError(f"no style for genre '{genre}'; choose one of {', '.join(STYLES)}")
    return read_style(added.style, STYLES[added.like], genre)


def compose(
    grid: BeatGrid,
    duration: float,
    genre: str,
    rng: np.random.Generator,
    *,
    energy: np.ndarray | None = None,
    accents: np.ndarray | None = None,
    forgiving: bool = False,
    brief: Brief | None = None,
) -> Score:
    """Write music for a beat grid.

    The same arguments (and state of ``rng``) give the same score.

    Args:
        grid: the beats; bars begin at its downbeats and go on beyond both of its ends where the music does.
        duration: seconds, more than 0; the piece fills it, with a last hit shortly before its end.
        genre: AIST code such as ``"gHO"``.
        rng: makes every choice.
        energy: (N,) in 0..1 per beat of the grid, how full the arrangement is; None follows the form.
        accents: (N,) in 0..1 per beat of the grid; the strongest are played by the whole band.
        forgiving: the beats may be wrong: begin without drums and bass, leave out hits and crashes, play with fewer
            instruments.
        brief: what is asked besides. Sections of one piece that get generators of one state share their material:
            song, key, instruments and feel.

    Returns:
        A score in which each of the five tracks has one part or more, unless it rests throughout, with patches of the
        sound library, effects and movements of the mix.

    Raises:
        D2MError: if the genre is unknown or the duration is not a positive number.
    """
    style = style_of(genre)
    if not (np.isfinite(duration) and duration > 0):
        raise D2MError(f"cannot compose {duration} seconds of music; the duration must be a positive number")
    material = rng
    if brief is not None and brief.is_section:
        material, rng = generators(rng, brief.role)
    form = plan(grid, duration, rng, energy, accents, forgiving, brief)
    song, tonic = _song(style, brief.key if brief else None, material)
    chords = lay_out(form.bars, song, tonic, form.final)
    feel = Feel(
        float(material.uniform(*style.swing)),
        float(material.uniform(*style.shuffle)),
        float(material.uniform(*style.lag)) / 1000.0,
        style.looseness / 1000.0,
    )
    band = Band.of(style, material) if material is not rng else None
    lines = _write(style, song, form, chords, tonic, feel, grid.tempo, rng, band)
    parts = [perform(line, feel, grid, form, rng) for line in lines]
    key = key_name(tonic + 12 * is_minor(song))
    score = Score(tuple(p for p in parts if p is not None), grid, float(duration), genre, key)
    voices = (form, chords, pitch_classes(song.scale, tonic), feel, material.spawn(1)[0], rng.spawn(1)[0])
    if band is None:
        return sing(produce(dress(score, rng), form, rng), *voices)
    score = dress(score, material, band.roster(style))
    score = sing(produce(score, form, rng, drawn(characters(genre), material)), *voices)
    return section_of(score, brief)


def _song(style: Style, key: str | None, rng: np.random.Generator) -> tuple[Song, int]:
    """Draw a song and its tonic; with a given key, one of its mode where the style has any."""
    song = style.songs[int(rng.integers(0, len(style.songs)))]
    tonic = int(rng.choice(style.tonics))
    if key is None:
        return song, tonic
    tonic, minor = read_key(key)
    fitting = [each for each in style.songs if is_minor(each) == minor]
    return (song if song in fitting or not fitting else fitting[int(rng.integers(0, len(fitting)))]), tonic


def _write(
    style: Style,
    song: Song,
    form: Form,
    chords: list[Chord],
    tonic: int,
    feel: Feel,
    tempo: float,
    rng: np.random.Generator,
    band: Band | None = None,
) -> list[Line]:
    scale = pitch_classes(song.scale, tonic)
    drummer = Drummer(style, band.kit if band else int(rng.choice(style.kits)), tempo, rng)
    drums = drummer.play(form)
    program = band.bass if band else int(rng.choice(style.bass_programs))
    low = bass.play(form, chords, style, program, drummer, scale, rng)
    low.lag = 0.5 * feel.lag
    lines = [drums, low]
    players: list[Comper | Lead] = []
    for index, layer in enumerate(style.layers):
        program = band.layers[index] if band else int(rng.choice(layer.programs))
        leads = layer.manner in ("lead", "answer")
        players.append((Lead if leads else Comper)(layer, program, chords, scale, rng))
    for player, wanted in zip(players, _calls(style.layers, form, rng), strict=True):
        player.line.lag = feel.lag
        _play(player, wanted, form, players)
        if isinstance(player, Comper) and player.layer.manner == "pad" and form.entry > form.first:
            player.swell(form)
        if player.line.notes:
            player.close(form)
            lines.append(player.line)
    return lines


def _play(player: Comper | Lead, wanted: list[bool], form: Form, players: list[Comper | Lead]) -> None:
    """All bars that a player is called for, and the band's hits."""
    for bar, playing in zip(form.bars, wanted, strict=True):
        if not playing or bar.start >= form.final:
            continue
        if isinstance(player, Lead) and player.layer.manner == "answer":
            busy = [b for other in players if isinstance(other, Lead) and other is not player for b in other.busy]
            player.answer(bar, form, [b for b in busy if b[0] < bar.end and b[1] > bar.start])
        else:
            player.play(bar, form)
    if isinstance(player, Comper) and player.layer.manner in ("chords", "strum"):
        for position, strength in form.hits:
            place = next((i for i, b in enumerate(form.bars) if b.start <= position < b.end), None)
            if place is not None and (wanted[place] or strength > 0.75):
                player.hit(position)


def _calls(layers: tuple[Layer, ...], form: Form, rng: np.random.Generator) -> list[list[bool]]:
    """For each layer, whether it plays in each bar: by how full the music is, rested here and there for contrast."""
    sections: dict[int, list[Bar]] = {}
    for bar in form.bars:
        sections.setdefault(bar.section, []).append(bar)
    calls: list[list[bool]] = [[] for _ in layers]
    for number, bars in sections.items():
        mean = float(np.mean([b.level for b in bars]))
        resting = {i for i, layer in enumerate(layers) if layer.enters > 0.3 and rng.random() < 0.2}
        if mean > 0.85 or len(sections) == 1:
            resting = {min(resting)} if len(resting) > 1 and len(sections) > 1 else set()
        for i, layer in enumerate(layers):
            for bar in bars:
                enough = 0.5 * (mean + bar.level) >= layer.enters - 0.03
                alone = number in form.drum_breaks and bar.place < bar.length - 1
                calls[i].append(enough and not alone and i not in resting)
    for i, bar in enumerate(form.bars):
        # Before the drums come in, the softest instrument that plays chords carries the music.
        if bar.start < form.drums_from - 1e-6:
            calls[_softest(layers)][i] = True
    for i in range(len(form.bars)):
        # One instrument always plays the harmony, except in a drum break.
        bar = form.bars[i]
        if bar.section not in form.drum_breaks and not any(c[i] for c in calls):
            calls[min(range(len(layers)), key=lambda k: layers[k].enters)][i] = True
    return calls


def _softest(layers: tuple[Layer, ...]) -> int:
    """Which layer holds chords most softly: a pad if there is one."""
    manners = ("pad", "arpeggio", "chords", "strum", "runs", "lead", "answer")
    return min(range(len(layers)), key=lambda i: (manners.index(layers[i].manner), layers[i].enters))
