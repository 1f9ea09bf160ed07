"""Melodies for training a MusicVAE: windows of 16 bars from POP909 or from a folder of MIDI files.

A data set is a folder with ``train.npz``, ``valid.npz`` and ``held_out.npz`` and a ``melodies.json`` that says how it
was made. Each npz holds ``melodies`` uint8 (N, 256) (:mod:`d2m.symbolic.melody`), ``songs`` int32 (N,), an
index into ``names`` (S,), and ``bars`` int32 (N,), the first bar of the window in its section. A song is in one part
only.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from d2m.datasets.examples import DAMAGED
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write, atomic_write_bytes
from d2m.symbolic.melody import CLASSES, STEPS, room, transpose
from d2m.symbolic.melody_extract import WindowRules, notes_on_grid, one_voice, read_melody, sections, windows

PARTS: tuple[str, ...] = ("train", "valid", "held_out")
#: A file that unpacks to more is refused: two million melodies.
_MOST_BYTES = 600_000_000


@dataclass(frozen=True)
class Melodies:
    """One part of a data set in memory; see the module's docstring for its arrays."""

    melodies: np.ndarray
    songs: np.ndarray
    bars: np.ndarray
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.melodies)

    def batch(self, rng: np.random.Generator, count: int, shift: int = 0) -> np.ndarray:
        """Draw windows at random, transposed as far as their range allows.

        Args:
            rng: random generator.
            count: number of windows.
            shift: maximum transposition in semitones.

        Returns:
            uint8 (count, 256).
        """
        chosen = self.melodies[rng.integers(len(self.melodies), size=count)]
        down, up = room(chosen)
        return transpose(chosen, np.clip(rng.integers(-shift, shift + 1, size=count), down, up))

    def spread(self, count: int) -> np.ndarray:
        """Return windows that are spread evenly over the whole part.

        Args:
            count: maximum number of windows.

        Returns:
            uint8 (n, 256).
        """
        return self.melodies[
            np.unique(np.linspace(0, len(self.melodies) - 1, min(count, len(self.melodies))).astype(int))
        ]


def load_melodies(folder: str | Path, part: str) -> Melodies:
    """Read one part of a data set.

    Args:
        folder: folder of the data set.
        part: one of :data:`PARTS`.

    Raises:
        D2MError: if it is missing, empty, or no such file.
    """
    path = Path(folder) / f"{part}.npz"
    if not path.is_file():
        raise D2MError(f"no melodies at {path}; make them with 'd2m symbolic melodies'")
    refused = D2MError(f"{path} holds no melodies; make them again with 'd2m symbolic melodies'")
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > _MOST_BYTES:
                raise D2MError(f"{path} unpacks to more than {_MOST_BYTES // 1_000_000} MB; make it again")
        with np.load(path, allow_pickle=False) as arrays:
            found = Melodies(*(np.asarray(arrays[name]) for name in ("melodies", "songs", "bars", "names")))
    except DAMAGED as error:
        raise refused from error
    melodies = found.melodies
    if melodies.dtype != np.uint8 or melodies.ndim != 2 or melodies.shape[1] != STEPS or not len(melodies):
        raise refused
    if melodies.max() >= CLASSES or {found.songs.shape, found.bars.shape} != {(len(melodies),)}:
        raise refused
    return found


def pop909_melodies(root: str | Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Iterate over the songs of POP909: their MELODY track on their annotated beats.

    Args:
        root: folder of POP909.

    Yields:
        Name, and melody of each section of 4/4.

    Raises:
        D2MError: if there are no songs.
    """
    from d2m.datasets.pop909 import read_song, song_folders
    from d2m.types import Score

    for folder in song_folders(root):
        grid, tracks, _, duration = read_song(folder)
        if not len(tracks.get("MELODY", ())):
            continue
        notes = one_voice(tracks["MELODY"][:, :3])
        spans = sections(Score((), grid, duration))
        yield folder.name, [notes_on_grid(notes, first, bars) for first, bars in spans]


def is_pop909(root: str | Path) -> bool:
    """Tell whether a folder is that of POP909, or the one that it was unpacked into.

    Args:
        root: the folder.
    """
    from d2m.datasets.pop909 import find_songs

    return bool(find_songs(root))


def midi_melodies(root: str | Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Iterate over all MIDI files under a folder; those without a melody are left out.

    Args:
        root: the folder.

    Yields:
        Name, and melody of each section of 4/4.

    Raises:
        D2MError: if there are no MIDI files.
    """
    root = Path(root)
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in (".mid", ".midi") and path.is_file())
    if not files:
        raise D2MError(f"no MIDI files under {root}; give a folder of them, or unpacked POP909")
    for path in files:
        try:
            yield path.relative_to(root).as_posix(), read_melody(path)
        except D2MError:
            continue


def part_of(name: str) -> str:
    """Return the part that a song belongs to, which depends on its name only: one in ten is held out, one in ten is for
    validation.

    The songs of POP909 go by their number, as those of the audio models do: every tenth is held out.

    Args:
        name: name of the song.
    """
    number = int(name) % 10 if name.isdigit() else int(sha256(os.fsencode(name)).hexdigest(), 16) % 10
    return {0: "held_out", 5: "valid"}.get(number, "train")


def make_melodies(
    out: str | Path,
    songs: Iterable[tuple[str, list[np.ndarray]]],
    source: str,
    rules: WindowRules | None = None,
    tell: Callable[[int], None] = lambda done: None,
) -> dict[str, object]:
    """Write a data set.

    Windows that stand twice in a song (a repeated chorus) are kept once.

    Args:
        out: folder; its files are replaced.
        songs: (name, melodies of its sections), from :func:`pop909_melodies` or :func:`midi_melodies`.
        source: what they are and their licence, for the record.
        rules: which windows to take.
        tell: called with the number of songs done.

    Returns:
        What stands in ``melodies.json``: source, rules, and songs and windows of each part.

    Raises:
        D2MError: if a part would be empty, or the folder cannot be written.
    """
    out, rules = Path(out), rules or WindowRules()
    found: dict[str, list[tuple[str, int, np.ndarray]]] = {part: [] for part in PARTS}
    for done, (name, melodies) in enumerate(songs, 1):
        once = {window.tobytes(): (bar, window) for melody in melodies for bar, window in windows(melody, rules)}
        found[part_of(name)] += [(name, bar, window) for bar, window in once.values()]
        tell(done)
    if not found["train"] or not found["held_out"] or not found["valid"]:
        counts = ", ".join(f"{len(rows)} {part}" for part, rows in found.items())
        raise D2MError(f"too few melodies of {rules.bars} bars in 4/4 ({counts} windows); give more songs")
    record: dict[str, object] = {"source": source, "rules": asdict(rules)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for part, rows in found.items():
            record[part] = _write(out / f"{part}.npz", rows)
        atomic_write_bytes(out / "melodies.json", json.dumps(record, indent=2, ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        raise D2MError(f"cannot write {out} ({error.strerror}); choose a folder you may write to") from None
    return record


def _write(path: Path, rows: list[tuple[str, int, np.ndarray]]) -> dict[str, int]:
    names = sorted({name for name, _, _ in rows})
    index = {name: i for i, name in enumerate(names)}
    with atomic_write(path) as part:
        np.savez_compressed(
            part,
            melodies=np.stack([window for _, _, window in rows]),
            songs=np.array([index[name] for name, _, _ in rows], np.int32),
            bars=np.array([bar for _, bar, _ in rows], np.int32),
            names=np.array(names),
        )
    return {"songs": len(names), "windows": len(rows)}
