"""Read standard MIDI files as scores: every instrument becomes a part of one of five tracks, by General MIDI families.

:mod:`d2m.symbolic.midi_write` writes them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from d2m.errors import D2MError, D2MWarning
from d2m.symbolic.controls import rings
from d2m.symbolic.midi_file import MidiFile, parse
from d2m.symbolic.midi_write import write_midi
from d2m.types import BeatGrid, Part, Score

__all__ = [
    "MIDI_SUFFIXES",
    "MOST_BYTES",
    "clock",
    "file_bytes",
    "load",
    "load_bytes",
    "read_midi",
    "score_of",
    "track_of",
    "write_midi",
]

#: How names of MIDI files end; ``.kar`` has a song's words beside its notes, ``.rmi`` is wrapped in RIFF.
MIDI_SUFFIXES: tuple[str, ...] = (".mid", ".midi", ".kar", ".rmi", ".smf")
#: Files beyond these are refused rather than read: no piece of music needs more.
MOST_BYTES, MOST_NOTES, LONGEST_SECONDS = 16_000_000, 500_000, 4 * 3600.0
_MOST_QUARTERS = 200_000
#: Seconds by which a pedal lengthens a file at most.
_LONGEST_RING = 30.0
#: How files of other kinds begin: place, bytes, what they are.
_OTHER_KINDS = (
    (8, b"WAVE", "sound"), (0, b"ID3", "sound"), (0, b"\xff\xfb", "sound"), (0, b"fLaC", "sound"),
    (0, b"OggS", "sound"), (8, b"AIFF", "sound"), (4, b"ftyp", "a film or sound"), (8, b"AVI ", "a film"),
    (0, b"\x1aE\xdf\xa3", "a film or sound"), (0, b"PK\x03\x04", "a zip archive"), (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"%PDF", "a PDF"), (0, b"\x89PNG", "a picture"), (8, b"sfbk", "a soundfont"),
)  # fmt: skip

#: First General MIDI program of each family -> track, section by section of the sound set.
_FAMILIES = (
    (0, "piano"), (16, "piano"), (24, "guitar"), (32, "bass"), (40, "strings"), (104, "guitar"), (108, "piano"),
    (109, "strings"), (112, "piano"), (120, "strings"),
)  # fmt: skip


def track_of(program: int) -> str:
    """Return the track that plays a General MIDI program: keys and mallets are piano, all sustained sounds are strings.

    Args:
        program: 0 to 127.
    """
    return next(track for first, track in reversed(_FAMILIES) if program >= first)


def read_midi(path: str | Path) -> Score:
    """Read a MIDI file as a score.

    The beats are quarter notes counted from the bar lines of the file's time signatures, time 0 is its tick 0.
    Channel 10 is drums, other programs go to tracks by :func:`track_of`; every instrument of every MIDI track
    becomes one part.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, too large, not a MIDI file, or has no notes.
    """
    return score_of(load(path), path)


def load(path: str | Path) -> MidiFile:
    """Read a MIDI file in its own ticks.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, too large or not a MIDI file.
    """
    return load_bytes(file_bytes(path), path)


def file_bytes(path: str | Path) -> bytes:
    """Read the bytes of a file that may be a MIDI file.

    Args:
        path: the file.

    Raises:
        D2MError: if it is missing, too large or of another kind.
    """
    path = Path(path)
    try:
        with path.open("rb") as source:
            data = source.read(MOST_BYTES + 1)
    except OSError as error:
        raise D2MError(f"cannot read {path} ({error.strerror}); give a MIDI file") from None
    kind = next((kind for at, begin, kind in _OTHER_KINDS if data[at : at + len(begin)] == begin), "")
    if kind:
        raise D2MError(f"{path} is {kind}, not MIDI; give a .mid file")
    if len(data) > MOST_BYTES:
        raise D2MError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB; give a smaller MIDI file")
    return data


def load_bytes(data: bytes, path: str | Path) -> MidiFile:
    """Parse the bytes of a MIDI file, as :func:`load` does.

    Args:
        data: the bytes.
        path: path of the file, for messages.
    """
    try:
        file = parse(data, MOST_NOTES)
    except ValueError as error:
        raise D2MError(f"{path} is not a usable MIDI file ({error}); give a standard .mid file") from None
    if file.mended:
        warnings.warn(D2MWarning(f"{path}: {'; '.join(file.mended)}"), stacklevel=3)
    return file


def score_of(file: MidiFile, path: str | Path = "the file") -> Score:
    """Convert a parsed MIDI file to a score.

    Args:
        file: the file.
        path: its path, for messages.

    Raises:
        D2MError: if it has no notes or is too long.
    """
    if not file.notes:
        raise D2MError(f"{path} has no notes; give a MIDI file with music in it")
    end = max(end for notes in file.notes.values() for _, end, _, _ in notes) / file.resolution
    seconds_at = clock(file)
    duration = float(seconds_at(np.array([end]))[0])
    if end > _MOST_QUARTERS or not 0 < duration <= LONGEST_SECONDS:
        raise D2MError(f"{path} lasts longer than {LONGEST_SECONDS / 3600:.0f} hours; give a shorter MIDI file")
    quarters, downbeats, per_bar = _beats(file, end)
    # A grid cannot represent two beats at the same time.
    times = np.maximum.accumulate(seconds_at(quarters)) + 1e-9 * np.arange(len(quarters))
    grid = BeatGrid(times, downbeats, float(60.0 / np.median(np.diff(times))), 1.0, per_bar)
    on_grid = BeatGrid(quarters, downbeats, 60.0, 1.0, per_bar)
    parts = []
    for instrument, notes in file.notes.items():
        starts, ends, keys, velocities = np.array(sorted(notes, key=lambda n: (n[0], n[2])), dtype=np.int64).T
        starts = on_grid.position_of(starts / file.resolution)
        ends = on_grid.position_of(np.maximum(ends, 1) / file.resolution)
        name = "drums" if instrument.drums else track_of(instrument.program)
        called, controls = file.name_of(instrument), file.controls.get(instrument.channel)
        if controls is not None:
            at = on_grid.position_of(controls[:, 0] / file.resolution)
            controls = np.column_stack([at, controls[:, 1:]])
        parts.append(Part(name, instrument.program, starts, ends, keys, velocities, called, controls))
    # Pedals let notes ring on after the last key is let go.
    last = float(on_grid.position_of(end))
    rung = max(float(rings(part).max()) for part in parts if len(part.starts))
    if rung > last + 1e-6:
        duration = min(max(duration, float(grid.time_of(rung))), duration + _LONGEST_RING)
    return Score(tuple(parts), grid, duration)


def clock(file: MidiFile) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from quarter notes since the beginning to seconds, with the file's tempo changes.

    Args:
        file: the file.
    """
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
