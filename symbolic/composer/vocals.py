"""Add voices to composed scores, as records of dance music have them: sung syllables, spoken phrases, and shouts.

Syllables are a melody on the chords of the piece (:class:`d2m.symbolic.composer.melody.Lead`). Spoken phrases have no
pitch: each key of their patches is another phrase. Both are in bars in which no other melody is busy. Shouts are
effects. All have random generators of their own, so that the rest of a piece does not depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from d2m.genres import added_genre
from d2m.sounds.patches import Patch, drawn, patches
from d2m.symbolic.chords import Chord
from d2m.symbolic.composer.form import Bar, Form
from d2m.symbolic.composer.lines import Feel, Line, perform
from d2m.symbolic.composer.melody import Lead
from d2m.symbolic.composer.production import effect_part
from d2m.symbolic.composer.style import Layer
from d2m.types import Part, Score


@dataclass(frozen=True)
class Vocals:
    """Voices of a genre.

    Attributes:
        voices: patches that sing or talk, with their weights; empty for none.
        rhythms: patterns of sung melodies, 16 characters per bar (:func:`d2m.symbolic.composer.lines.steps`).
        shouts: effects that are shouted, with their weights; empty for none.
        beats: positions in beats, in a phrase of four bars, of the shouts in a chorus.
        sung, spoken: velocities.
    """

    voices: dict[str, float] = field(default_factory=dict)
    rhythms: tuple[str, ...] = ()
    shouts: dict[str, float] = field(default_factory=dict)
    beats: tuple[float, ...] = ()
    sung: int = 114
    spoken: int = 124


_HOOK = (
    "x.x. ..x. x... ..x. | x.x. ..x. x-x- x---",
    "..x. x-.x -.x. .... | ..x. x-.x -.x- x---",
    "x..x ..x. x... .... | x..x ..x. x.x- x---",
)
_TUNE = (
    "x-.x -.x- x--- .... | x-.x -.x- x-x- x---",
    "..x- x-x- x-.x ---- | x-.x -.x- x--- ....",
)
_RAP = {"fx.voice-talk-low": 3.0, "fx.voice-talk-high": 1.0}
_EVERY_BAR = tuple(4.0 * bar + beat for bar in range(4) for beat in (1.0, 3.0))
#: AIST code -> voices.
VOCALS: dict[str, Vocals] = {
    "gBR": Vocals(_RAP, _HOOK, {"fx.voice-hey": 2, "fx.voice-uh": 2}, (6.5, 14.5)),
    "gPO": Vocals(
        {"fx.voice-talk-low": 2, "voice.sung-high": 1}, _HOOK, {"fx.voice-hey": 1, "fx.voice-uh": 1}, (7.0, 15.0)
    ),
    "gLO": Vocals(
        {"voice.sung-high": 2, "voice.sung-low": 1}, _HOOK, {"fx.voice-hey": 2, "fx.voice-yeah": 1}, (6.5, 14.5)
    ),
    "gMH": Vocals(_RAP, _HOOK, {"fx.voice-yeah": 1, "fx.voice-uh": 2}, (3.5, 11.5)),
    "gLH": Vocals(_RAP, _HOOK, {"fx.voice-hey": 3, "fx.voice-ho": 1}, _EVERY_BAR),
    "gHO": Vocals(
        {"voice.sung-high": 3, "fx.voice-talk-high": 1}, _HOOK, {"fx.voice-hey": 1, "fx.voice-yeah": 1}, (15.0,)
    ),
    "gWA": Vocals({"voice.sung-high": 1}, _TUNE, {"fx.voice-hey": 1}, (15.5,)),
    "gKR": Vocals(
        {"fx.voice-talk-low": 1},
        _HOOK,
        {"fx.voice-hey": 2, "fx.voice-ho": 2},
        (0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5),
    ),
    "gJS": Vocals({"voice.sung-high": 3, "fx.voice-talk-high": 1}, _TUNE, {"fx.voice-yeah": 1}, (15.0,)),
    "gJB": Vocals(),
}
#: Roles of the sections that have voices, and of those in which every bar may.
_ROLES, _FULL = ("main", "verse", "lift", "chorus"), ("main", "chorus")
#: How full a bar must be.
_LEAST = 0.45
#: Share of a bar that other melodies may take.
_FREE = 0.7
#: Kind of patches that carry a melody.
_MELODY = "lead."
#: Beats of a bar on which spoken phrases begin, and the phrases of four bars by letter.
_TALK_BEATS = ((0.0, 2.0), (0.5, 2.5), (0.0, 1.5, 2.5), (0.0, 2.0, 3.0))
_TALK_ORDERS = ("abac", "aabc", "abab")


def vocals_of(genre: str) -> Vocals:
    """Return the voices of a genre.

    Args:
        genre: AIST code, or name of a genre that another package adds (:mod:`d2m.genres`), which has those of the
            genre that it is like.
    """
    added = added_genre(genre)
    return VOCALS[genre if added is None else added.like]


def sing(
    score: Score,
    form: Form,
    chords: list[Chord],
    scale: frozenset[int],
    feel: Feel,
    material: np.random.Generator,
    rng: np.random.Generator,
) -> Score:
    """Add voices to a score.

    Args:
        score: score with a genre and patches.
        form: form that it was written on.
        chords: its chords.
        scale: pitch classes of its scale.
        feel: swing and timing of its performance.
        material: chooses the voice, as in all sections of the piece.
        rng: makes the other choices.
    """
    vocals = vocals_of(score.genre or "")
    if not vocals.voices or form.forgiving:
        return score
    patch = patches()[drawn(vocals.voices, material)]
    taken = _melodies(score)
    bars = [bar for bar in form.bars if _may_sing(bar, form) and _busy(taken, bar) < _FREE]
    if patch.is_effect:
        line = _spoken(vocals, patch, bars, form, material)
    else:
        line = _sung(vocals, patch, bars, form, chords, scale, material)
    line.lag = feel.lag
    parts: list[Part] = []
    if line.notes and (performed := perform(line, feel, score.grid, form, rng)) is not None:
        parts.append(replace(performed, patch=patch.name))
    if vocals.shouts and (shouts := _shouts(vocals, form)):
        parts.append(effect_part(drawn(vocals.shouts, material), shouts))
    return replace(score, parts=score.parts + tuple(parts))


def _sung(
    vocals: Vocals,
    patch: Patch,
    bars: list[Bar],
    form: Form,
    chords: list[Chord],
    scale: frozenset[int],
    rng: np.random.Generator,
) -> Line:
    """Write a melody of syllables."""
    program = patch.fallback or 0
    layer = Layer("strings", (program,), "lead", vocals.rhythms, patch.low + 4, patch.high - 8, loudness=vocals.sung)
    singer = Lead(layer, program, chords, scale, rng)
    for bar in bars:
        singer.play(bar, form)
    return singer.line


def _spoken(vocals: Vocals, patch: Patch, bars: list[Bar], form: Form, rng: np.random.Generator) -> Line:
    """Write spoken phrases: the same ones come again in every four bars."""
    line = Line("strings", patch.fallback or 0, single=True)
    beats = _TALK_BEATS[int(rng.integers(0, len(_TALK_BEATS)))]
    order = _TALK_ORDERS[int(rng.integers(0, len(_TALK_ORDERS)))]
    keys = rng.permutation(np.arange(patch.low, patch.high + 1))
    for bar in bars:
        letter = "abc".index(order[bar.place % 4]) + (3 if bar.role == "chorus" else 0)
        for number, beat in enumerate(beats):
            start = bar.start + beat
            if start < min(bar.end, form.final):
                key = int(keys[(len(beats) * letter + number) % len(keys)])
                line.add(start, min(start + 2.0, bar.end + 0.5), key, vocals.spoken)
    return line


def _may_sing(bar: Bar, form: Form) -> bool:
    """Whether voices may be in a bar: in a verse they leave every second pair of bars to the others."""
    if bar.role not in _ROLES or bar.level < _LEAST or bar.start < form.drums_from or bar.start >= form.final:
        return False
    return bar.role in _FULL or bar.place % 4 < 2


def _melodies(score: Score) -> list[tuple[float, float]]:
    """Return (start, end) in beats of the notes of melodies."""
    return [
        (float(start), float(end))
        for part in score.parts
        if part.patch.startswith(_MELODY)
        for start, end in zip(part.starts, part.ends, strict=True)
    ]


def _busy(notes: list[tuple[float, float]], bar: Bar) -> float:
    """Return the share of a bar in which other melodies sound."""
    covered, until = 0.0, bar.start
    for start, end in sorted(notes):
        begin, stop = max(start, until), min(end, bar.end)
        if stop > begin:
            covered, until = covered + stop - begin, stop
    return covered / bar.beats


def _shouts(vocals: Vocals, form: Form) -> list[tuple[float, float, int]]:
    """Return (start, end, velocity) of the shouts in choruses."""
    found = []
    for bar in form.bars:
        if bar.role not in _FULL or bar.level < _LEAST or bar.start < form.drums_from:
            continue
        for beat in vocals.beats:
            position = bar.start + beat - 4.0 * (bar.place % 4)
            if bar.start <= position < min(bar.end, form.final) and position >= form.entry:
                found.append((position, position + 1.0, 92))
    return found
