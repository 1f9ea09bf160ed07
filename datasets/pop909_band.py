"""POP909 for the five tracks of MuseGAN: the recorded parts unchanged, and added tracks by rule.

A song has a vocal melody, a second melody or lead instrument (bridge) and a piano, but neither bass nor drums nor
strings. Drums, bass, a string pad and a guitar that strums or picks are written by the composer from the song's own
chords, with a form that follows the density of the recorded parts. LPD has no track for the melody: its lead voices
(flutes, saxophones, synthesisers, solo violins) are merged into the strings, guitars into the guitar. So here, drawn
once for each song:

- half of the songs: melody and bridge on the strings, the added guitar between, no pad while the melody plays;
- three in ten: melody on the guitar as a lead, bridge on the strings, over a pad;
- the rest: the melody doubled by the piano, as in a piano version, with added guitar and pad.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from d2m.datasets.pop909 import Chord as Annotated
from d2m.datasets.pop909 import read_song
from d2m.errors import D2MError
from d2m.symbolic.chords import Chord, pitch_classes
from d2m.symbolic.composer import bass
from d2m.symbolic.composer.comping import Comper
from d2m.symbolic.composer.form import Bar, Form, plan
from d2m.symbolic.composer.grooves import Drummer
from d2m.symbolic.composer.style import Groove, Layer, Style
from d2m.symbolic.tracks import PROGRAMS
from d2m.types import TRACKS, BeatGrid, Part, Score

_GROOVES = (
    Groove(
        "X... .... X.x. ....", ".... X... .... X...", "x.x. x.x. x.x. x.x.",
        ("R--- --R- R--- ----", "R--- ---- R--- --5-", "R--- --R- R-R- --a-"), {54: ".... x... .... x..."}, 51,
    ),
    Groove(
        "X..x .... X... ..x. | X..x .... X.x. ....", ".... X... .... X...", "xoxo xoxo xoxo xoxo",
        ("R--R ---- R--- --5-", "R--R --R- R--- 5-a-"), {70: "xoxo xoxo xoxo xoxo"}, 51,
    ),
    Groove(
        "X... ..x. ..x. ....", ".... X... .... X..g", "x.x. x.x. x.x. x.O.",
        ("R-R- R-R- R-R- R-R-", "R-R- R-R- 5-5- a-a-", "R-R- R-8- R-R- 5-a-"), {54: "x.x. x.x. x.x. x.x."}, 51,
    ),
    Groove(
        "X... .... ..x. ....", ".... .... X... ....", "x.x. x.x. x.x. x.x.",
        ("R--- ---- ---- --5-", "R--- ---- R--- ----"), {37: ".... x... .... x..."}, 51,
    ),
    Groove(
        "X... X... X... X...", ".... X... .... X...", "..x. ..x. ..x. ..x.",
        ("R-R- R-R- R-R- R-R-", "..R- ..R- ..R- ..R-", "R--8 --8- R--8 --8-"), {39: ".... x... .... x..."},
    ),
    Groove(
        "X..x ..x. ..x. ....", ".... X... .... X...", "x.xx x.x. x.xx x.x.",
        ("R--R --R- --R- 5---", "R--R --5- 8--- 5-a-"), {54: "..x. ..x. ..x. ..x."}, 51,
    ),
)  # fmt: skip

_STRUMS = ("x--- x-x- --x- x-x-", "x--- x--x --x- x---", "x--- ---- x--- --x-", "x-x- x-x- x-x- x-x-")
_PICKS = ("0-1- 2-1- 3-1- 2-1-", "0-1- 2-3- 2-1- 2-1-", "0123 2123 0123 2123", "0--- 1-2- 3-2- 1---")
_GUITAR = Layer("guitar", (25,), "strum", _STRUMS, 50, 74, 0.35, 4, 0.95, 80)
_PAD = Layer("strings", (48,), "pad", (), 55, 79, 0.3, 3, 1.0, 66)

_STYLE = Style(
    kits=(0,), bass_programs=(33,), tonics=(0,), songs=(), grooves=_GROOVES, layers=(_GUITAR, _PAD),
    fills=("snare", "toms", "mixed"), bass_gate=0.95,
)  # fmt: skip

#: POP909's name of a chord's quality -> the composer's.
_QUALITIES = {
    (0, 4, 7): "maj", (0, 3, 7): "m", (0, 3, 6): "dim", (0, 4, 8): "aug", (0, 2, 7): "sus2", (0, 5, 7): "sus4",
    (0, 4, 7, 10): "7", (0, 4, 7, 11): "maj7", (0, 3, 7, 10): "m7", (0, 3, 6, 10): "m7b5", (0, 3, 6, 9): "dim7",
    (0, 4, 7, 9): "6", (0, 3, 7, 9): "m6", (0, 5, 7, 10): "7sus4", (0, 3, 7, 11): "mmaj7",
    (0, 4, 7, 11, 2): "maj9", (0, 4, 7, 10, 2): "9", (0, 3, 7, 10, 2): "m9", (0, 4, 7, 10, 5): "7",
}  # fmt: skip


def band_score(folder: str | Path, rng: np.random.Generator) -> Score:
    """Return a song with a whole band, on the grid of its beat annotation, written notes exactly on it.

    Args:
        folder: the song, ``POP909/NNN``.
        rng: draws who plays the melody, and the patterns.

    Raises:
        D2MError: if the song cannot be read, or has no chords or no notes.
    """
    grid, tracks, annotated, duration = read_song(folder)
    recorded = {name: notes for name, notes in tracks.items() if len(notes)}
    if not annotated or not recorded:
        raise D2MError(f"{folder} has no chords or no notes; download POP909 again")
    form = plan(grid, duration, rng, _activity(grid, recorded), None)
    chords = _chords(annotated, form)
    parts = _band(form, chords, grid, _scale(recorded), rng)
    singing = _beats_played(recorded.get("MELODY"), grid)
    manner = rng.choice(3, p=[0.5, 0.3, 0.2])
    if manner == 0:
        places = {"MELODY": "strings", "BRIDGE": "strings", "PIANO": "piano"}
        parts["strings"] = [n for n in parts["strings"] if not singing[max(int(n[0]), 0) : int(np.ceil(n[1]))].any()]
    elif manner == 1:
        places = {"MELODY": "guitar", "BRIDGE": "strings", "PIANO": "piano"}
        parts["guitar"] = [n for n in parts["guitar"] if not singing[max(int(n[0]), 0) : int(np.ceil(n[1]))].any()]
    else:
        places = {"MELODY": "piano", "BRIDGE": "guitar", "PIANO": "piano"}
    for name, track in places.items():
        if name in recorded:
            parts[track] += [tuple(row) for row in recorded[name].tolist()]
    made = tuple(_part(track, parts[track]) for track in TRACKS if parts[track])
    return Score(made, grid, duration)


def _band(
    form: Form, chords: list[Chord], grid: BeatGrid, scale: frozenset[int], rng: np.random.Generator
) -> dict[str, list[tuple]]:
    """(start, end, key, velocity) of every written note, per track."""
    grooves = tuple(_GROOVES[i] for i in rng.permutation(len(_GROOVES))[:3])
    style = replace(_STYLE, grooves=grooves)
    drummer = Drummer(style, 0, grid.tempo, rng)
    # Devices for dancers: a stick on every beat, and hats between those of a slow groove.
    drummer.filling, drummer.stick = False, 0.0
    drums = drummer.play(form)
    low = bass.play(form, chords, style, 33, drummer, scale, rng)
    picked = rng.random() < 0.5
    guitar = replace(_GUITAR, manner="arpeggio", rhythms=_PICKS) if picked else _GUITAR
    lines = {"drums": drums, "bass": low}
    for layer in (guitar, _PAD):
        player = Comper(layer, layer.programs[0], chords, scale, rng)
        resting = {section for section in range(form.bars[-1].section + 1) if rng.random() < 0.15}
        for bar in form.bars:
            if bar.start < form.final and bar.section not in resting and _mean_level(form, bar) >= layer.enters:
                player.play(bar, form)
        player.close(form)
        lines[layer.track] = player.line
    # Quiet sections may begin without the rhythm section.
    quiet = {bar.section for bar in form.bars if _mean_level(form, bar) < 0.6}
    for line, share in ((drums, 0.35), (low, 0.25)):
        resting = {section for section in sorted(quiet) if rng.random() < share}
        silent = [bar for bar in form.bars if bar.section in resting]
        line.notes = [n for n in line.notes if not any(b.start <= n[0] < b.end - 1e-6 for b in silent)]
    written: dict[str, list[tuple]] = {track: [] for track in TRACKS}
    for track, line in lines.items():
        # Strums are spread by hundredths of a beat, which no step can show.
        grid_of = 4 if track == "guitar" else 48
        written[track] = [(round(n[0] * grid_of) / grid_of, *n[1:]) for n in line.notes]
    return written


def _mean_level(form: Form, bar: Bar) -> float:
    return float(np.mean([b.level for b in form.bars if b.section == bar.section]))


def _activity(grid: BeatGrid, recorded: dict[str, np.ndarray]) -> np.ndarray:
    """float64 (beats,) in 0..1: notes a beat, smoothed over four bars, by rank within the song."""
    from scipy.ndimage import uniform_filter1d

    starts = np.concatenate([notes[:, 0] for notes in recorded.values()])
    count = np.bincount(np.clip(starts, 0, len(grid.beats) - 1).astype(int), minlength=len(grid.beats))
    smooth = uniform_filter1d(count.astype(np.float64), 16)
    rank = np.argsort(np.argsort(smooth, kind="stable")) / max(len(smooth) - 1, 1)
    return 0.35 + 0.6 * rank


def _beats_played(notes: np.ndarray | None, grid: BeatGrid) -> np.ndarray:
    """bool (beats,): beats during which a part sounds, gaps of up to two beats counted in."""
    from scipy.ndimage import binary_closing

    played = np.zeros(len(grid.beats) + 8, dtype=bool)
    for start, end in () if notes is None else notes[:, :2]:
        played[max(int(start), 0) : max(int(np.ceil(end)), 0)] = True
    return binary_closing(played, np.ones(5))


def _scale(recorded: dict[str, np.ndarray]) -> frozenset[int]:
    """The major scale (as pitch classes) that holds most of what is played, by length."""
    notes = np.concatenate(list(recorded.values()))
    weight = np.bincount(notes[:, 2].astype(int) % 12, notes[:, 1] - notes[:, 0], minlength=12)
    return max((pitch_classes("major", tonic) for tonic in range(12)), key=lambda s: weight[list(s)].sum())


def _chords(annotated: list[Annotated], form: Form) -> list[Chord]:
    """The annotation in the composer's words: chords begin on beats, gaps are filled by the chord before."""
    chords: list[Chord] = []
    for number, chord in enumerate(annotated):
        start = float(np.round(chord.start)) if number else min(form.bars[0].start, np.round(chord.start))
        following = annotated[number + 1].start if number + 1 < len(annotated) else form.last + 4
        end = float(np.round(max(following, chord.end if number + 1 == len(annotated) else following)))
        if end <= start:
            continue
        steps = tuple((tone - chord.root) % 12 for tone in chord.tones)
        chords.append(Chord(start, end, chord.root, _QUALITIES.get(steps, "maj")))
    return chords


def _part(track: str, notes: list[tuple]) -> Part:
    table = np.array(sorted(notes), dtype=np.float64)
    return Part(
        track, PROGRAMS[TRACKS.index(track)], table[:, 0], np.maximum(table[:, 1], table[:, 0] + 0.05),
        table[:, 2].astype(np.int64), np.clip(table[:, 3], 1, 127).astype(np.int64),
    )  # fmt: skip
