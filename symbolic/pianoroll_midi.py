"""Piano-rolls from MIDI files and back, on the file's own beats: tempo and metre changes, pickups and programs kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes
from d2m.symbolic.midi import MOST_BYTES, clock, load
from d2m.symbolic.midi_file import MidiFile
from d2m.symbolic.pianoroll import VELOCITIES, Metre, PianoRoll, accents, check_length, fill, metre_of
from d2m.symbolic.tracks import PROGRAMS, lpd_track
from d2m.types import TRACKS

_TICKS_PER_BEAT = 960


def read_roll(
    path: str | Path,
    steps_per_beat: int = 24,
    track_of: Callable[[int, bool], int | None] = lpd_track,
) -> PianoRoll:
    """Read a MIDI file as five tracks.

    Notes go to the nearest step and keep at least one. A note is told from the one before it by its onset, also where
    both touch. A first time signature that leads to another on a shorter bar is a pickup. Each track takes the program
    that plays most of its notes.

    Args:
        path: the file, read by a parser that nothing in it can harm.
        steps_per_beat: steps to a quarter note.
        track_of: from (program, is it drums) to the index of a track, or None to leave the instrument out.

    Raises:
        D2MError: if the file is missing, too large, no MIDI file, too long, or has no notes for the five tracks.
    """
    path = Path(path)
    file = load(path)
    try:
        return roll_from_file(file, steps_per_beat, track_of, path.stem)
    except D2MError as error:
        raise D2MError(f"{path}: {error}") from None


def roll_from_file(
    file: MidiFile,
    steps_per_beat: int,
    track_of: Callable[[int, bool], int | None] = lpd_track,
    name: str = "",
) -> PianoRoll:
    """Convert a parsed MIDI file, as :func:`read_roll` does.

    Args:
        file: the file.
        steps_per_beat: steps per beat of the grid.
        track_of: (program, is drum) -> number of the track, or None.
        name: name of the music.
    """
    scale = steps_per_beat / file.resolution
    found: list[list[np.ndarray]] = [[] for _ in TRACKS]
    players: list[dict[int, int]] = [{} for _ in TRACKS]
    last = 0
    for instrument, notes in file.notes.items():
        track = track_of(instrument.program, instrument.drums)
        if track is None:
            continue
        table = np.array(notes, dtype=np.int64)
        found[track].append(table)
        players[track][instrument.program] = players[track].get(instrument.program, 0) + len(table)
        last = max(last, int(table[:, 1].max()))
    if not last:
        raise D2MError("it has no notes for the five tracks; give a MIDI file with music in it")
    total = max(int(last * scale + 0.5), 1)
    check_length(total)
    held, onsets = fill([_on_steps(tables, scale, total) for tables in found], total)
    downbeats, metres = _bars(file, scale, total, steps_per_beat)
    times = clock(file)(np.arange(total + 1) / steps_per_beat)
    programs = tuple(max(p, key=lambda k: (p[k], -k)) if p else d for p, d in zip(players, PROGRAMS, strict=True))
    # A tempo of no microseconds a beat is possible in a file, but not in music.
    pace = np.maximum(np.diff(times) * steps_per_beat, 1e-3)
    return PianoRoll(held, onsets, steps_per_beat, 60.0 / pace, downbeats, metres, programs, name)


def _on_steps(tables: Sequence[np.ndarray], scale: float, total: int) -> np.ndarray:
    if not tables:
        return np.zeros((0, 3), np.int64)
    notes = np.concatenate(tables)
    starts = np.minimum(np.floor(notes[:, 0] * scale + 0.5), total - 1)
    stops = np.maximum(np.floor(notes[:, 1] * scale + 0.5), starts + 1)
    # Notes of one key are laid down in order of their onsets, so that the later one of two ends last.
    order = np.argsort(starts, kind="stable")
    return np.stack([starts, stops, notes[:, 2]], axis=1)[order].astype(np.int64)


def _bars(file: MidiFile, scale: float, total: int, steps_per_beat: int) -> tuple[np.ndarray, tuple[Metre, ...]]:
    """First step of every bar, and the metres: bars are counted anew from every time signature."""
    signs = {tick * scale: sign for tick, sign in file.signatures.items() if tick * scale < total}
    signs.setdefault(0.0, (4, 4))
    starts = sorted(signs)
    lines: list[np.ndarray] = []
    metres: dict[int, Metre] = {}
    for start, stop in zip(starts, [*starts[1:], float(total)], strict=True):
        numerator, denominator = signs[start]
        length = max(4.0 * numerator * steps_per_beat / denominator, 1.0)
        step = int(np.floor(start + 0.5))
        metres[step] = Metre(step, numerator, denominator)
        lines.append(np.floor(np.arange(start, max(stop - 1e-6, start + 1e-6), length) + 0.5).astype(np.int64))
    downbeats = np.unique(np.concatenate(lines))
    kept: list[Metre] = []
    for step, metre in sorted(metres.items()):
        # The same metre repeated within a bar begins another bar, and is kept for that.
        if step < total and (not kept or kept[-1][1:] != metre[1:] or not _on_bar(step, kept[-1], steps_per_beat)):
            kept.append(metre)
    return downbeats[downbeats < total], tuple(kept)


def _on_bar(step: int, metre: Metre, steps_per_beat: int) -> bool:
    length = 4.0 * metre.numerator * steps_per_beat / metre.denominator
    return abs((step - metre.step) / length - round((step - metre.step) / length)) * length < 1


def write_roll(roll: PianoRoll, path: str | Path, velocities: Sequence[int] = VELOCITIES) -> Path:
    """Write a roll as a MIDI file (type 1), which :func:`read_roll` reads back as the same roll.

    Only the silence after the last note is lost. Notes that follow each other on one key are written as such.
    Velocities are ``velocities`` by track, with accents on bar lines and beats.

    Args:
        roll: piano-roll.
        path: the output file.
        velocities: by track.

    Raises:
        D2MError: if the file cannot be written, or would be larger than d2m reads back.
    """
    path = Path(path)
    data = roll_bytes(roll, velocities)
    if len(data) > MOST_BYTES:
        raise D2MError(f"{path} would be larger than {MOST_BYTES // 1_000_000} MB; write a shorter piece")
    atomic_write_bytes(path, data)
    return path


def roll_bytes(roll: PianoRoll, velocities: Sequence[int] = VELOCITIES) -> bytes:
    """Encode a roll as the file that :func:`write_roll` writes.

    Args:
        roll: piano-roll.
        velocities: by track.
    """
    from symusic.core import NoteTick, ScoreTick, TempoTick, TimeSignatureTick, TrackTick

    step = max(_TICKS_PER_BEAT // roll.steps_per_beat, 1)
    file = ScoreTick(step * roll.steps_per_beat)
    for tick, microseconds in _tempos(roll, step):
        file.tempos.append(TempoTick(tick, mspq=microseconds))
    for at, numerator, denominator in _signatures(roll):
        file.time_signatures.append(TimeSignatureTick(at * step, numerator, denominator))
    for number, name in enumerate(TRACKS):
        notes = roll.notes(number)
        if not len(notes):
            continue
        track = TrackTick(name, int(roll.programs[number]), name == "drums")
        loud = np.clip(velocities[number] + accents(roll, notes[:, 0]), 1, 127)
        for (start, stop, key), velocity in zip(notes.tolist(), loud.tolist(), strict=True):
            track.notes.append(NoteTick(start * step, (stop - start) * step, key, velocity))
        file.tracks.append(track)
    return bytes(file.dumps_midi())


def _tempos(roll: PianoRoll, ticks: int) -> list[tuple[int, int]]:
    """(tick, microseconds a beat) at every change; what rounding loses is made good at the next change."""
    # What differs by rounding only is one tempo.
    changed = np.abs(np.diff(roll.tempo, prepend=0.0)) > 1e-6 * roll.tempo
    edges = np.append(np.flatnonzero(changed), roll.steps)
    times = roll.seconds()[edges]
    found: list[tuple[int, int]] = []
    played = 0.0
    for start, stop, goal in zip(edges[:-1].tolist(), edges[1:].tolist(), times[1:].tolist(), strict=True):
        beats = (stop - start) / roll.steps_per_beat
        microseconds = int(np.clip(round((goal - played) * 1e6 / beats), 1000, 0xFFFFFF))
        played += microseconds * beats / 1e6
        if not found or found[-1][1] != microseconds:
            found.append((start * ticks, microseconds))
    return found


def _signatures(roll: PianoRoll) -> list[tuple[int, int, int]]:
    """(step, numerator, denominator): the metres, and bars that end early without a new metre as their own."""
    found: list[tuple[int, int, int]] = []
    stated = {m.step for m in roll.metres}
    in_force = np.searchsorted([m.step for m in roll.metres], roll.downbeats, side="right") - 1
    for start, length, metre in zip(roll.downbeats.tolist(), roll.bar_lengths.tolist(), in_force, strict=True):
        _, *sign = roll.metres[metre]
        cut = abs(4 * sign[0] * roll.steps_per_beat / sign[1] - length) >= 1 and start + length not in stated
        numerator, denominator = metre_of(length, roll.steps_per_beat) if cut else sign
        if start in stated or found[-1][1:] != (numerator, denominator):
            found.append((start, numerator, denominator))
    return found
