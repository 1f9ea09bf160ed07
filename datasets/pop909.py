"""POP909 (Wang et al., ISMIR 2020): 909 pop songs as MIDI with beats, keys and chords, arranged for the five tracks.

A song on disk is ``POP909/NNN/NNN.mid`` with the tracks MELODY, BRIDGE and PIANO, ``beat_midi.txt`` (time in seconds,
a half-bar flag, a downbeat flag) and ``chord_midi.txt`` (start, end in seconds, chord such as ``B:min7/b3``).
The recordings have no bass, drums or strings, so :func:`arrange` adds them from the chords: they serve to enrich the
music that the audio models are trained on.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.midi import clock, load
from d2m.types import BeatGrid, Part, Score

_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_QUALITIES = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus2": (0, 2, 7), "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "min7": (0, 3, 7, 10), "hdim7": (0, 3, 6, 10), "dim7": (0, 3, 6, 9),
    "maj6": (0, 4, 7, 9), "min6": (0, 3, 7, 9), "sus4(b7)": (0, 5, 7, 10), "minmaj7": (0, 3, 7, 11),
    "maj9": (0, 4, 7, 11, 2), "9": (0, 4, 7, 10, 2), "min9": (0, 3, 7, 10, 2), "11": (0, 4, 7, 10, 5),
}  # fmt: skip
_MAX_EXTRACTED_BYTES = 200_000_000


@dataclass(frozen=True)
class Chord:
    """A chord over a span: ``start`` and ``end`` in beats; ``root``, ``bass`` and ``tones`` are pitch classes."""

    start: float
    end: float
    root: int
    bass: int
    tones: tuple[int, ...]


def extract(archive: str | Path, folder: str | Path) -> Path:
    """Unpack ``pop909.zip``.

    Args:
        archive: the file.
        folder: to unpack to.

    Returns:
        The ``POP909`` folder in it.

    Raises:
        D2MError: if the file is no zip archive, a member would leave the folder, or it unpacks to over 200 MB.
    """
    folder = Path(folder)
    try:
        with zipfile.ZipFile(archive) as source:
            if sum(item.file_size for item in source.infolist()) > _MAX_EXTRACTED_BYTES:
                raise D2MError(f"{archive} unpacks to more than 200 MB; this is not POP909")
            for item in source.infolist():
                if not (folder / item.filename).resolve().is_relative_to(folder.resolve()):
                    raise D2MError(f"{archive} holds a path that leaves its folder ({item.filename}); do not use it")
            source.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise D2MError(f"cannot unpack {archive}: {error}") from error
    return folder / "POP909"


def song_folders(root: str | Path) -> list[Path]:
    """Return the song folders ``001`` ... ``909``, sorted.

    Args:
        root: folder of POP909, or the one that it was unpacked into.

    Raises:
        D2MError: if there are none.
    """
    folders = find_songs(root)
    if not folders:
        raise D2MError(f"no POP909 songs under {root}; unpack pop909.zip there")
    return folders


def find_songs(root: str | Path) -> list[Path]:
    """Return the song folders as :func:`song_folders` does, or none.

    Args:
        root: folder of POP909, or the one that it was unpacked into.
    """
    for folder in (Path(root), Path(root) / "POP909"):
        found = sorted(path for path in folder.glob("[0-9][0-9][0-9]") if (path / f"{path.name}.mid").is_file())
        if found:
            return found
    return []


def parse_chord(label: str) -> tuple[int, int, tuple[int, ...]] | None:
    """Parse a chord label.

    Args:
        label: such as ``"Gb:maj7/3"``.

    Returns:
        Root, bass and chord tones (pitch classes), or None for ``"N"``.
    """
    if label in ("N", "X", ""):
        return None
    name, _, bass = label.partition("/")
    root_name, _, quality = name.partition(":")
    root = _PITCH_CLASSES[root_name[0]] + root_name.count("#") - root_name[1:].count("b")
    intervals = _QUALITIES.get(quality, _QUALITIES["min" if quality.startswith("min") else "maj"])
    degree = {"": 0, "b3": 3, "3": 4, "5": 7, "b7": 10, "7": 11, "2": 2, "4": 5, "6": 9, "b5": 6, "b2": 1, "b6": 8}
    return root % 12, (root + degree.get(bass, 0)) % 12, tuple((root + i) % 12 for i in intervals)


def read_song(folder: str | Path) -> tuple[BeatGrid, dict[str, np.ndarray], list[Chord], float]:
    """Read one song: its grid, its tracks, its chords and its length in seconds.

    Args:
        folder: folder of the song.

    Returns:
        grid, ``{"MELODY" | "BRIDGE" | "PIANO": float64 (N, 4) of start beat, end beat, pitch, velocity}``, chords,
        seconds.

    Raises:
        D2MError: if a file is missing or cannot be read.
    """
    folder = Path(folder)
    try:
        beats = np.loadtxt(folder / "beat_midi.txt", ndmin=2)
        lines = [line.split() for line in (folder / "chord_midi.txt").read_text().splitlines() if line.strip()]
        midi = load(folder / f"{folder.name}.mid")
    except (OSError, ValueError, D2MError) as error:
        raise D2MError(f"{folder} is not a POP909 song: {error}") from error
    if beats.shape[0] < 2 or beats.shape[1] < 3 or np.any(np.diff(beats[:, 0]) <= 0):
        raise D2MError(f"{folder / 'beat_midi.txt'} holds no rising beats; download POP909 again")
    times = beats[:, 0]
    grid = BeatGrid(times, np.flatnonzero(beats[:, 2] > 0), float(60 / np.median(np.diff(times))), 1.0)
    found: dict[str, list[tuple[int, int, int, int]]] = {}
    for instrument, notes in midi.notes.items():
        found.setdefault(midi.names.get(instrument.track, ""), []).extend(notes)
    seconds_at = clock(midi)
    tracks = {}
    for name, notes in found.items():
        start, end, key, velocity = np.array(sorted(notes, key=lambda n: n[0]), dtype=np.float64).T
        start, end = seconds_at(start / midi.resolution), seconds_at(end / midi.resolution)
        tracks[name] = np.stack([grid.position_of(start), grid.position_of(end), key, velocity], axis=1)
    chords = []
    try:
        for start, end, label in lines:
            parsed = parse_chord(label)
            if parsed:
                span = grid.position_of([float(start), float(end)])
                chords.append(Chord(float(span[0]), float(span[1]), *parsed))
    except (ValueError, KeyError, IndexError) as error:
        raise D2MError(f"{folder / 'chord_midi.txt'} is not a chord file of POP909: {error}") from error
    return grid, tracks, chords, float(seconds_at(np.array([midi.last / midi.resolution]))[0])


def arrange(folder: str | Path, rng: np.random.Generator, programs: Mapping[str, Sequence[int]]) -> Score:
    """Return a song of POP909 as a five-track score.

    The melody goes to a lead voice of the strings or guitar track, bridge and piano to theirs; bass, a string pad and
    drums are written from the chords and beats. Instruments are drawn from ``programs``.

    Args:
        folder: the song.
        rng: draws instruments and patterns.
        programs: General MIDI programs to draw from, per track name.
    """
    grid, tracks, chords, duration = read_song(folder)
    draw = {name: int(rng.choice(choices)) for name, choices in programs.items()}
    lead = int(rng.choice([*programs["strings"], *programs["guitar"], *programs["piano"]]))
    lead_track = next(n for n in ("strings", "guitar", "piano") if lead in programs[n])
    parts = []
    for name, track, program in (
        ("MELODY", lead_track, lead),
        ("BRIDGE", "guitar", draw["guitar"]),
        ("PIANO", "piano", draw["piano"]),
    ):
        if name in tracks and len(tracks[name]):
            notes = tracks[name]
            loudness = rng.uniform(0.8, 1.1)
            parts.append(_part(track, program, notes[:, 0], notes[:, 1], notes[:, 2], notes[:, 3] * loudness))
    if rng.random() < 0.9:
        parts.append(_bass(chords, rng, draw["bass"]))
    if rng.random() < 0.6:
        parts.append(_pad(chords, rng, draw["strings"]))
    if rng.random() < 0.9:
        parts.append(_drums(grid, rng, draw["drums"]))
    return Score(tuple(parts), grid, duration)


def _part(track: str, program: int, starts, ends, pitches, velocities) -> Part:
    starts, ends = np.asarray(starts, float), np.asarray(ends, float)
    order = np.argsort(starts, kind="stable")
    return Part(
        track,
        int(program),
        starts[order],
        np.maximum(ends, starts + 0.05)[order],
        np.asarray(pitches)[order].astype(np.int64),
        np.clip(np.asarray(velocities)[order], 1, 127).astype(np.int64),
    )


def _bass(chords: list[Chord], rng: np.random.Generator, program: int) -> Part:
    """Root notes in one of a few rhythms, with fifths and octaves as passing notes."""
    patterns = [
        [(0.0, 1.0, 0)],
        [(0.0, 0.75, 0), (0.75, 0.25, 12)],
        [(0.0, 0.5, 0), (0.5, 0.5, 0)],
        [(0.0, 0.5, 0), (0.5, 0.5, 12)],
        [(0.0, 0.25, 0), (0.5, 0.25, 0), (0.75, 0.25, 7)],
        [(0.5, 0.5, 0)],
    ]
    pattern = patterns[rng.integers(len(patterns))]
    low = int(rng.integers(26, 34))
    notes = []
    for chord in chords:
        root = low + (chord.bass - low) % 12
        for beat in np.arange(np.ceil(chord.start - 1e-3), chord.end - 1e-3):
            for offset, length, interval in pattern if rng.random() < 0.9 else patterns[0]:
                if rng.random() < 0.95:
                    velocity = rng.normal(95, 8)
                    notes.append(
                        (beat + offset, beat + offset + length * rng.uniform(0.7, 1), root + interval, velocity)
                    )
    return _part("bass", program, *np.array(notes).reshape(-1, 4).T)


def _pad(chords: list[Chord], rng: np.random.Generator, program: int) -> Part:
    low = int(rng.integers(50, 62))
    notes = [
        (chord.start, chord.end, low + (tone - low) % 12, rng.normal(65, 6)) for chord in chords for tone in chord.tones
    ]
    return _part("strings", program, *np.array(notes).reshape(-1, 4).T)


def _drums(grid: BeatGrid, rng: np.random.Generator, program: int) -> Part:
    """Kick and snare drawn per sixteenth once a song, hats at one of three rates, crashes on every eighth bar."""
    kick = np.zeros(16, bool)
    kick[[0, 8]] = True
    kick |= rng.random(16) < 0.12
    if rng.random() < 0.3:
        kick[::4] = True
    snare = np.zeros(16, bool)
    snare[[4, 12]] = True
    ghost = (rng.random(16) < 0.1) & ~snare
    hat_step = int(rng.choice([1, 2, 2, 4]))
    hat, snare_key = int(rng.choice([42, 42, 51, 70])), int(rng.choice([38, 40, 37, 39]))
    notes = []
    for bar, first in enumerate(grid.downbeats):
        for step in range(16):
            at = first + step / 4
            if kick[step]:
                notes.append((at, 36, rng.normal(108, 6)))
            if snare[step] or ghost[step]:
                notes.append((at, snare_key, rng.normal(105 if snare[step] else 45, 7)))
            if step % hat_step == 0:
                open_hat = hat == 42 and step % 4 == 2 and rng.random() < 0.15
                notes.append((at, 46 if open_hat else hat, rng.normal(85 if step % 4 == 0 else 65, 8)))
        if bar % 8 == 0:
            notes.append((float(first), 49, rng.normal(100, 8)))
        if bar % 4 == 3 and rng.random() < 0.6:
            notes += [
                (first + 3 + k / 4, int(key), rng.normal(95, 8))
                for k, key in enumerate(rng.choice([38, 45, 47, 50, 41], 4))
            ]
    at, keys, velocities = np.array(notes).T
    return _part("drums", program, at, at + 0.2, keys, velocities)
