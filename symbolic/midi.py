"""Scores as standard MIDI files, and back.

Writing: the grid becomes the tempo map, one tempo for each beat where it moves, so that any MIDI program plays the
notes at the same seconds; a short first bar of its own time signature carries a pickup, so bar lines fall on downbeats.
Reading: whatever a file holds becomes five tracks, by General MIDI families.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from d2m.errors import D2MError, D2MWarning
from d2m.symbolic.midi_file import MidiFile, parse
from d2m.types import BeatGrid, Part, Score
from d2m.whole_file import write_whole

TICKS_PER_BEAT = 960
#: Files beyond these are refused rather than read: no piece of music needs more.
MOST_BYTES, MOST_NOTES, LONGEST_SECONDS = 16_000_000, 500_000, 4 * 3600.0
_MOST_QUARTERS = 200_000
# A tempo in a MIDI file is a whole number of microseconds in three bytes.
_SLOWEST = 0xFFFFFF
#: Seconds by which beats in a file may be off the grid; nobody hears a fifth of a millisecond.
_LATE = 2e-4

#: First General MIDI program of each family -> track, section by section of the sound set.
_FAMILIES = (
    (0, "piano"), (16, "piano"), (24, "guitar"), (32, "bass"), (40, "strings"), (104, "guitar"), (108, "piano"),
    (109, "strings"), (112, "piano"), (120, "strings"),
)  # fmt: skip


def track_of(program: int) -> str:
    """The track that plays a General MIDI program: keys and mallets are piano, all that sustains is strings."""
    return next(track for first, track in reversed(_FAMILIES) if program >= first)


def write_midi(score: Score, path: str | Path) -> Path:
    """Write a score as a MIDI file (type 1, 960 ticks a beat).

    Time 0 of the score is tick 0, so the file can be laid under the video as it is.

    Args:
        score: notes beginning before 0 or after its duration are left out.
        path: replaced only when the new file is complete.

    Returns:
        The path.

    Raises:
        D2MError: if the file cannot be written.
    """
    from symusic import Note, Tempo, TimeSignature, Track
    from symusic import Score as File

    path = Path(path)
    first, last = float(score.grid.position_of(0.0)), float(score.grid.position_of(score.duration))
    file = File(TICKS_PER_BEAT, ttype="Tick")
    for tick, microseconds in _tempos(score.grid, first, last):
        file.tempos.append(Tempo(tick, mspq=microseconds, ttype="Tick"))
    for tick, beats, unit in _signatures(score.grid, first, last):
        file.time_signatures.append(TimeSignature(tick, beats, unit, ttype="Tick"))
    names: dict[str, int] = {}
    for part in score.parts:
        names[part.track] = names.get(part.track, 0) + 1
        suffix = f" {names[part.track]}" if names[part.track] > 1 else ""
        track = Track(part.track + suffix, int(part.program), part.is_drum, ttype="Tick")
        for start, end, key, velocity in zip(part.starts, part.ends, part.pitches, part.velocities, strict=True):
            if start < first - 1e-6 or start >= last:
                continue
            begin = max(int(round((start - first) * TICKS_PER_BEAT)), 0)
            length = max(int(round((end - start) * TICKS_PER_BEAT)), 1)
            track.notes.append(Note(begin, length, int(key), int(velocity), ttype="Tick"))
        file.tracks.append(track)
    write_whole(path, file.dumps_midi(), make_folder=False)
    return path


def _tempos(grid: BeatGrid, first: float, last: float) -> list[tuple[int, int]]:
    """(tick, microseconds a beat) wherever the spacing of the beats changes.

    Each tempo holds for as many beats as it keeps within :data:`_LATE` of the grid: music of one tempo has one or two.
    """
    edges = np.unique(np.concatenate([[first, last], np.arange(np.ceil(first), np.floor(last) + 1)]))
    edges = edges[(edges >= first) & (edges <= last)]
    ticks = np.unique(np.round((edges - first) * TICKS_PER_BEAT).astype(np.int64))
    times = grid.time_of(first + ticks / TICKS_PER_BEAT)
    found: list[tuple[int, int]] = []
    played, start = float(times[0]), 0
    while start + 1 < len(ticks):
        stop, tempo = _held(ticks[start:], (times[start:] - played) * 1e6)
        found.append((int(ticks[start]), tempo))
        played += tempo * int(ticks[start + stop] - ticks[start]) / TICKS_PER_BEAT / 1e6
        start += stop
    return found or [(0, int(np.clip(round(6e7 / grid.tempo), 1000, _SLOWEST)))]


def _held(ticks: np.ndarray, due: np.ndarray) -> tuple[int, int]:
    """For how many edges one tempo (microseconds a beat) does, and which, where edges are due microseconds from now."""
    least, most, tempo = 1000, _SLOWEST, 0
    for stop in range(1, len(ticks)):
        beats = int(ticks[stop] - ticks[0]) / TICKS_PER_BEAT
        low = max(least, math.ceil((due[stop] - _LATE * 1e6) / beats))
        high = min(most, math.floor((due[stop] + _LATE * 1e6) / beats))
        if low > high:
            # No tempo does even for one where the beats are faster or slower than a file can say.
            return (stop - 1, tempo) if stop > 1 else (1, int(np.clip(round(due[1] / beats), 1000, _SLOWEST)))
        least, most, tempo = low, high, min(max(round(due[stop] / beats), low), high)
    return len(ticks) - 1, tempo


def _signatures(grid: BeatGrid, first: float, last: float) -> list[tuple[int, int, int]]:
    """(tick, numerator, denominator); a first bar cut by time 0 is as long as what is left of it."""
    bar = max(int(grid.beats_per_bar), 1)
    lines = np.asarray(grid.downbeats, dtype=np.float64)
    reach = lines[0] if len(lines) else 0.0
    before = reach - bar * np.arange(1, max(int(np.ceil((reach - first) / bar)), 0) + 1)
    lines = np.unique(np.concatenate([before, lines if len(lines) else [0.0]]))
    lines = lines[lines < last]
    inside = lines[lines >= first - 1e-6]
    found: list[tuple[int, int, int]] = []
    if len(inside) == 0:
        return [(0, bar, 4)]
    pickup = inside[0] - first
    if pickup > 1e-3:
        # In 64ths, the finest that programs show; what is finer still moves the line by under 8 ms at 120 bpm.
        count = max(int(round(pickup * 16)), 1)
        divide = int(np.gcd(count, 16))
        found.append((0, count // divide, 64 // divide))
    lengths = [*np.diff(inside), bar]
    for start, length in zip(inside, lengths, strict=True):
        beats = max(int(round(length)), 1)
        if not found or found[-1][1:] != (beats, 4):
            found.append((int(round((start - first) * TICKS_PER_BEAT)), beats, 4))
    return found


def read_midi(path: str | Path) -> Score:
    """Read a MIDI file as a score.

    The beats are quarter notes counted from the bar lines of the file's time signatures, time 0 is its tick 0.
    Channel 10 is drums, other programs go to tracks by :func:`track_of`; every instrument of every MIDI track
    becomes one part.

    Raises:
        D2MError: if the file is missing, too large, not a MIDI file, or has no notes.
    """
    return _to_score(load(path), Path(path))


def load(path: str | Path) -> MidiFile:
    """Read a MIDI file in its own ticks.

    Raises:
        D2MError: if the file is missing, too large or not a MIDI file.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise D2MError(f"cannot read {path} ({error.strerror}); give a MIDI file") from None
    if size > MOST_BYTES:
        raise D2MError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB; give a smaller MIDI file")
    try:
        file = parse(data, MOST_NOTES)
    except ValueError as error:
        raise D2MError(f"{path} is not a usable MIDI file ({error}); give a standard .mid file") from None
    if file.mended:
        warnings.warn(D2MWarning(f"{path}: {'; '.join(file.mended)}"), stacklevel=2)
    return file


def _to_score(file: MidiFile, path: Path) -> Score:
    if not file.notes:
        raise D2MError(f"{path} has no notes; give a MIDI file with music in it")
    end = max(end for notes in file.notes.values() for _, end, _, _ in notes) / file.resolution
    seconds_at = clock(file)
    duration = float(seconds_at(np.array([end]))[0])
    if end > _MOST_QUARTERS or not 0 < duration <= LONGEST_SECONDS:
        raise D2MError(f"{path} lasts longer than {LONGEST_SECONDS / 3600:.0f} hours; give a shorter MIDI file")
    quarters, downbeats, per_bar = _beats(file, end)
    # Two beats at one instant could not be told apart on a grid.
    times = np.maximum.accumulate(seconds_at(quarters)) + 1e-9 * np.arange(len(quarters))
    grid = BeatGrid(times, downbeats, float(60.0 / np.median(np.diff(times))), 1.0, per_bar)
    on_grid = BeatGrid(quarters, downbeats, 60.0, 1.0, per_bar)
    parts = []
    for instrument, notes in file.notes.items():
        starts, ends, keys, velocities = np.array(sorted(notes, key=lambda n: (n[0], n[2])), dtype=np.int64).T
        starts = on_grid.position_of(starts / file.resolution)
        ends = on_grid.position_of(np.maximum(ends, 1) / file.resolution)
        name = "drums" if instrument.drums else track_of(instrument.program)
        parts.append(Part(name, instrument.program, starts, ends, keys, velocities))
    return Score(tuple(parts), grid, duration)


def clock(file: MidiFile) -> Callable[[np.ndarray], np.ndarray]:
    """The function from quarter notes since the beginning to seconds, under the file's tempo changes."""
    changes = sorted((tick / file.resolution, max(tempo, 1) / 1e6) for tick, tempo in file.tempos.items())
    if not changes or changes[0][0] > 0:
        changes = [(0.0, 0.5), *changes]
    at, pace = np.array(changes, dtype=np.float64).T
    begun = np.concatenate([[0.0], np.cumsum(np.diff(at) * pace[:-1])])

    def seconds_at(quarters: np.ndarray) -> np.ndarray:
        place = np.maximum(np.searchsorted(at, quarters, side="right") - 1, 0)
        return begun[place] + (quarters - at[place]) * pace[place]

    return seconds_at


def _beats(file: MidiFile, end: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Beats in quarters until past ``end``, the downbeats among them, and the usual number of beats in a bar.

    Beats are counted from every bar line; in a first bar that is no whole number of quarters, a pickup, backwards
    from its end.
    """
    signs = {tick / file.resolution: 4.0 * n / d for tick, (n, d) in file.signatures.items()}
    signs = {t: float(np.clip(length, 0.25, 64.0)) for t, length in signs.items() if length > 0 and t <= end}
    if 0.0 not in signs:
        signs[0.0] = 4.0
    starts = sorted(signs)
    quarters: list[np.ndarray] = []
    lines: list[np.ndarray] = []
    usual: dict[int, int] = {}
    for start, stop in zip(starts, [*starts[1:], end + signs[starts[-1]]], strict=True):
        length = signs[start]
        bars = max(int(round((stop - start) / length)), 1)
        if start == 0.0 and bars == 1 and len(starts) > 1 and abs(stop - round(stop)) > 1e-6:
            quarters.append(stop - np.arange(np.ceil(stop), 0, -1))
            continue
        here = start + length * np.arange(bars)
        lines.append(here)
        inside = (here[:, None] + np.arange(int(np.ceil(length - 1e-6)))[None]).ravel()
        quarters.append(inside[inside < stop - 1e-6])
        beats = max(int(round(length)), 1)
        usual[beats] = usual.get(beats, 0) + bars
    every = np.unique(np.round(np.concatenate(quarters), 9))
    every = np.append(every, every[-1] + 1.0)
    marks = np.unique(np.searchsorted(every, np.round(np.concatenate(lines), 9)))
    return every, marks[marks < len(every)], max(usual, key=lambda k: usual[k])
