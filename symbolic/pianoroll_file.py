"""Piano-rolls on disk, in the layout of the Lakh Pianoroll Dataset, and as pypianoroll's objects.

An LPD file (Dong et al., AAAI 2018; written by pypianoroll 0.3.0) is a zip of ``.npy`` arrays and one text:
``pianoroll_N_csc_data``, ``_indices``, ``_indptr`` and ``_shape`` are the parts of a sparse (steps, 128) matrix of
velocities for each track, ``tempo`` holds the tempo of each step, ``downbeat`` marks first steps of bars, and
``info.json`` names the tracks with their programs and the steps a beat (``beat_resolution``, later ``resolution``).
A step of silence stands between repeated notes of a key. Files written here are read by pypianoroll; beside its
arrays they carry the onsets, the steps that such gaps took away, and the metres.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.errors import D2MError
from d2m.extras import require
from d2m.files.atomic import atomic_write_bytes
from d2m.symbolic.pianoroll import PITCHES, Metre, PianoRoll, check_length, metres_of, struck
from d2m.symbolic.pianoroll_tensor import articulate
from d2m.symbolic.tracks import PROGRAMS, lpd_track
from d2m.types import TRACKS

if TYPE_CHECKING:
    from pypianoroll import Multitrack

_MOST_BYTES, _MOST_TRACKS = 64_000_000, 256
#: Beats of the longest bar that a file is believed to end with.
_LONGEST_BAR = 16


def save_npz(roll: PianoRoll, path: str | Path) -> Path:
    """Write a roll atomically.

    Args:
        roll: piano-roll.
        path: the output file.

    Raises:
        D2MError: if the file cannot be written.
    """
    path = Path(path)
    gaps = with_gaps(roll)
    arrays: dict[str, np.ndarray] = {"tempo": roll.tempo, "downbeat": downbeat_marks(roll)}
    arrays["metres"] = np.array(roll.metres, dtype=np.int64)
    info: dict[str, Any] = {"resolution": roll.steps_per_beat, "beat_resolution": roll.steps_per_beat}
    info["name"] = roll.name
    for i, name in enumerate(TRACKS):
        arrays |= _sparse(f"pianoroll_{i}", gaps[i]) | _sparse(f"onsets_{i}", roll.onsets[i])
        arrays |= _sparse(f"gaps_{i}", roll.held[i] & ~gaps[i])
        info[str(i)] = {"program": int(roll.programs[i]), "is_drum": i == 0, "name": name.capitalize()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, array, allow_pickle=False)
            archive.writestr(f"{name}.npy", part.getvalue())
        archive.writestr("info.json", json.dumps(info))
    atomic_write_bytes(path, buffer.getvalue())
    return path


def load_npz(path: str | Path, track_of: Callable[[int, bool], int | None] = lpd_track) -> PianoRoll:
    """Read a multi-track piano-roll file and merge its tracks into the five.

    Velocities are taken as on or off. Nothing in a file is executed, and no more than 64 MB are taken in.

    Args:
        path: LPD, LPD-5, LPD-17 or pypianoroll's, or one of :func:`save_npz`.
        track_of: from (program, is it drums) to the index of a track, or None to leave the track out.

    Raises:
        D2MError: if the file is missing, damaged, too large, of another kind, or has no notes.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(_Members(archive), track_of)
    except D2MError as error:
        raise D2MError(f"{path}: {error}") from None
    except OSError as error:
        raise D2MError(f"cannot read {path} ({error.strerror or error}); give a piano-roll file (.npz)") from None
    # zlib, zipfile, json and struct each have errors of their own for bytes that are not what they should be.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise D2MError(f"{path} is not a piano-roll file ({reason}); give one in the layout of LPD") from None


class _Members:
    """Arrays out of a zip archive, none larger than it says in the archive's own list."""

    def __init__(self, archive: zipfile.ZipFile):
        self.archive = archive
        self.sizes = {item.filename: item.file_size for item in archive.infolist()}
        if sum(self.sizes.values()) > _MOST_BYTES:
            raise ValueError(f"it unpacks to more than {_MOST_BYTES // 1_000_000} MB")

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self.sizes

    def text(self, name: str) -> str:
        if name not in self.sizes:
            raise ValueError(f"it has no {name}")
        return self.archive.read(name).decode("utf-8")

    def array(self, name: str) -> np.ndarray:
        if name not in self:
            raise ValueError(f"it has no {name}")
        data = io.BytesIO(self.archive.read(f"{name}.npy"))
        version = np.lib.format.read_magic(data)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(data)
        rest = data.getvalue()[data.tell() :]
        if kind.hasobject or kind.itemsize == 0 or len(shape) > 2:
            raise ValueError(f"{name} is no array of numbers")
        count = int(np.prod([int(n) for n in shape], dtype=object)) if shape else 1
        if count * kind.itemsize != len(rest):
            raise ValueError(f"{name} is damaged")
        return np.frombuffer(rest, dtype=kind, count=count).reshape(shape)

    def matrix(self, name: str, steps: int | None = None) -> np.ndarray:
        """bool (steps, 128) from its sparse parts."""
        rows, columns = (int(n) for n in self.array(f"{name}_csc_shape").ravel())
        if columns != PITCHES or rows < 0:
            raise ValueError(f"{name} has {columns} pitches instead of {PITCHES}")
        check_length(rows)
        data, indices = self.array(f"{name}_csc_data").ravel(), self.array(f"{name}_csc_indices").ravel()
        ends = self.array(f"{name}_csc_indptr").ravel().astype(np.int64)
        counts = np.diff(ends)
        if len(counts) != PITCHES or np.any(counts < 0) or ends[0] != 0:
            raise ValueError(f"{name} is damaged")
        if not ends[-1] == len(indices) == len(data):
            raise ValueError(f"{name} is damaged")
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < rows:
            raise ValueError(f"{name} is damaged")
        full = np.zeros((rows if steps is None else steps, PITCHES), dtype=bool)
        keys = np.repeat(np.arange(PITCHES), counts)
        sounding = data[: len(indices)] > 0
        full[indices[sounding], keys[sounding]] = True
        return full


def _read(members: _Members, track_of: Callable[[int, bool], int | None]) -> PianoRoll:
    info = json.loads(members.text("info.json"))
    if not isinstance(info, dict):
        raise ValueError("its info.json holds no table")
    steps_per_beat = info.get("resolution", info.get("beat_resolution"))
    if not isinstance(steps_per_beat, int) or not 1 <= steps_per_beat <= 960:
        raise ValueError("it does not say how many steps a beat has")
    parts: list[tuple[int, int, np.ndarray, np.ndarray]] = []
    number = 0
    while isinstance(entry := info.get(str(number)), dict) and number < _MOST_TRACKS:
        program = min(max(int(entry.get("program") or 0), 0), 127)
        track = track_of(program, bool(entry.get("is_drum")))
        if track is not None:
            held = members.matrix(f"pianoroll_{number}")
            marks = np.zeros((0, PITCHES), bool)
            if f"onsets_{number}_csc_shape" in members:
                marks = members.matrix(f"onsets_{number}", len(held))
                held |= members.matrix(f"gaps_{number}", len(held))
            parts.append((track, program, held, marks))
        number += 1
    if not any(held.any() for _, _, held, _ in parts):
        raise D2MError("it has no notes for the five tracks; give a piano-roll with music in it")
    tempo = members.array("tempo").ravel().astype(np.float64) if "tempo" in members else np.zeros(0)
    lines = np.flatnonzero(members.array("downbeat").ravel()) if "downbeat" in members else np.zeros(0, int)
    metres = members.array("metres").reshape(-1, 3) if "metres" in members else np.zeros((0, 3), int)
    return _merged(parts, steps_per_beat, tempo, lines, metres, str(info.get("name") or ""))


def _merged(
    parts: list[tuple[int, int, np.ndarray, np.ndarray]],
    steps_per_beat: int,
    tempo: np.ndarray,
    lines: np.ndarray,
    metres: np.ndarray,
    name: str,
) -> PianoRoll:
    """Tracks of any number as five; each part is (track, program, held (T, 128), onsets (T or 0, 128))."""
    steps = max(max(len(p[2]) for p in parts), 1)
    held = np.zeros((len(TRACKS), steps, PITCHES), dtype=bool)
    onsets = np.zeros_like(held)
    players: list[dict[int, int]] = [{} for _ in TRACKS]
    for track, program, own, marks in parts:
        # A key struck in one track while it sounds in another is struck in the merged one.
        begun = struck(own[None], (marks if len(marks) else np.zeros_like(own))[None])[0]
        held[track, : len(own)] |= own
        onsets[track, : len(own)] |= begun
        players[track][program] = players[track].get(program, 0) + int(begun.sum())
    tempo = np.where(np.isfinite(tempo) & (tempo > 0), np.clip(tempo, 1.0, 1e4), 120.0)[:steps]
    tempo = np.pad(tempo, (0, steps - len(tempo)), mode="edge") if len(tempo) else np.full(steps, 120.0)
    if not len(lines):
        lines = np.arange(0, steps, 4 * steps_per_beat)
    downbeats = np.unique(np.concatenate([[0], lines[lines < steps]])).astype(np.int64)
    downbeats = _to_the_end(downbeats, steps, steps_per_beat)
    kept = tuple(Metre(*(int(n) for n in row)) for row in metres)
    possible = all(1 <= m.numerator <= 255 and m.denominator in (1, 2, 4, 8, 16, 32, 64, 128) for m in kept)
    rising = kept and kept[0].step == 0 and all(a.step < b.step < steps for a, b in pairwise(kept))
    if not possible or not rising:
        kept = metres_of(downbeats, steps, steps_per_beat)
    programs = tuple(max(p, key=lambda k: (p[k], -k)) if p else d for p, d in zip(players, PROGRAMS, strict=True))
    return PianoRoll(held, onsets, steps_per_beat, tempo, downbeats, kept, programs, name)


def _to_the_end(downbeats: np.ndarray, steps: int, steps_per_beat: int) -> np.ndarray:
    """Bar lines up to the end of the music, in bars of four beats where the file has none.

    pypianoroll 1.0 marks none after the last change of metre of a MIDI file that it reads, so of most files but the
    first; what remains is longer than any bar is.
    """
    if steps - downbeats[-1] <= _LONGEST_BAR * steps_per_beat:
        return downbeats
    return np.concatenate([downbeats[:-1], np.arange(downbeats[-1], steps, 4 * steps_per_beat)])


def with_gaps(roll: PianoRoll) -> np.ndarray:
    """Return held keys with LPD's step of silence before repeated keys.

    Args:
        roll: piano-roll.

    Returns:
        bool (5, T, 128).
    """
    held, onsets = roll.held.transpose(1, 2, 0), roll.onsets.transpose(1, 2, 0)
    return articulate(held, onsets).transpose(2, 0, 1)


def downbeat_marks(roll: PianoRoll) -> np.ndarray:
    """Mark the first step of every bar.

    Args:
        roll: piano-roll.

    Returns:
        bool (T,).
    """
    marks = np.zeros(roll.steps, dtype=bool)
    marks[roll.downbeats] = True
    return marks


def _sparse(name: str, matrix: np.ndarray) -> dict[str, np.ndarray]:
    keys, steps = np.nonzero(matrix.T)
    counts = np.bincount(keys, minlength=PITCHES)
    return {
        f"{name}_csc_data": np.ones(len(keys), dtype=bool),
        f"{name}_csc_indices": steps.astype(np.int32),
        f"{name}_csc_indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        f"{name}_csc_shape": np.array(matrix.shape, dtype=np.int64),
    }


def to_multitrack(roll: PianoRoll) -> Multitrack:
    """Convert to a ``pypianoroll.Multitrack`` of five binary tracks, with a step of silence before repeated keys.

    Args:
        roll: piano-roll.

    Raises:
        D2MError: if pypianoroll is not installed.
    """
    require("pypianoroll", "pypianoroll", "a Multitrack")
    from pypianoroll import BinaryTrack, Multitrack

    gaps = with_gaps(roll)
    tracks = [
        BinaryTrack(name=name.capitalize(), program=int(roll.programs[i]), is_drum=i == 0, pianoroll=gaps[i])
        for i, name in enumerate(TRACKS)
    ]
    return Multitrack(
        name=roll.name or None, resolution=roll.steps_per_beat, tempo=roll.tempo.copy(),
        downbeat=downbeat_marks(roll), tracks=tracks,
    )  # fmt: skip


def from_multitrack(multitrack: Multitrack, track_of: Callable[[int, bool], int | None] = lpd_track) -> PianoRoll:
    """Convert a ``pypianoroll.Multitrack`` to the five tracks.

    Args:
        multitrack: the music.
        track_of: (program, is drum) -> number of the track, or None.

    Raises:
        D2MError: if it has no notes for them, or is longer than a roll may be.
    """
    parts = []
    for track in multitrack.tracks:
        place = track_of(int(track.program), bool(track.is_drum))
        held = np.asarray(track.pianoroll) > 0
        check_length(len(held))
        if place is not None:
            parts.append((place, int(track.program), held, np.zeros((0, PITCHES), bool)))
    if not any(held.any() for _, _, held, _ in parts):
        raise D2MError("it has no notes for the five tracks; give a piano-roll with music in it")
    tempo = np.zeros(0) if multitrack.tempo is None else np.asarray(multitrack.tempo, np.float64).ravel()
    lines = np.zeros(0, int) if multitrack.downbeat is None else np.flatnonzero(np.ravel(multitrack.downbeat))
    empty = np.zeros((0, 3), int)
    return _merged(parts, int(multitrack.resolution), tempo, lines, empty, multitrack.name or "")
