"""Songs of the studio: tempo, form and score; and files of scores and beats."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from d2m.datasets.aist import write_text
from d2m.datasets.examples import DAMAGED
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.types import BeatGrid, Lane, Part, Score

#: Of a score unpacked: ten minutes have some thousand notes.
_MOST_BYTES = 16 << 20


def song_grid(genre: str, seconds: float, rng: np.random.Generator) -> BeatGrid:
    """Draw beats in the genre's range of tempo: steady, or in every fourth song drifting by up to 3 % over many bars.

    The grid covers ``seconds`` with a beat before and after; the music may start anywhere in a bar.

    Args:
        genre: AIST code.
        seconds: length.
        rng: random generator.
    """
    from d2m.symbolic.composer.style import TEMPOS

    low, high = TEMPOS[genre]
    tempo = rng.uniform(low, high)
    count = int(np.ceil(seconds * tempo * 1.1 / 60)) + 12
    period = np.full(count, 60.0 / tempo)
    if rng.random() < 0.25:
        cycle = rng.uniform(24, 64)
        wander = np.sin(2 * np.pi * (np.arange(count) / cycle + rng.random()))
        period *= 1.0 + rng.uniform(0.01, 0.03) * wander
    start = -rng.uniform(1.0, 5.0) * 60.0 / tempo
    beats = start + np.concatenate([[0.0], np.cumsum(period)])
    beats = beats[: int(np.searchsorted(beats, seconds)) + 3]
    first = int(rng.integers(0, 4))
    return BeatGrid(beats, np.arange(first, len(beats), 4), float(60.0 / np.median(np.diff(beats))), 1.0)


def song_shape(grid: BeatGrid, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw energy and accents per beat: sections of four or eight bars, stressed strong beats.

    Args:
        grid: beats.
        rng: random generator.

    Returns:
        Energy and accents, float32 (N,) in 0..1.
    """
    count = len(grid.beats)
    energy = np.empty(count)
    at, level = int(grid.downbeats[0]) - 4, rng.uniform(0.35, 0.8)
    energy[: max(at, 0)] = level
    while at < count:
        length = int(rng.choice([16, 32]))
        energy[max(at, 0) : at + length] = level
        at += length
        level = float(np.clip(level + rng.choice([-1, 1]) * rng.uniform(0.1, 0.45), 0.2, 1.0))
    energy = np.clip(gaussian_filter1d(energy, 1.0) + rng.normal(0, 0.03, count), 0, 1)
    place = (np.arange(count) - grid.downbeats[0]) % 4
    accents = np.choose(place, [0.85, 0.45, 0.65, 0.45]) + rng.normal(0, 0.12, count)
    accents[rng.random(count) < 0.04] = 1.0
    return energy.astype(np.float32), np.clip(accents, 0, 1).astype(np.float32)


def compose_song(
    genre: str, seconds: float, rng: np.random.Generator, *, vocals: bool = False
) -> tuple[Score, np.ndarray]:
    """Compose a song in a genre.

    Args:
        genre: AIST code.
        seconds: length.
        rng: random generator.
        vocals: keep the voices; the codec and the generator that ship with the package were trained without them.

    Returns:
        The score, and the energy float32 (N,) per beat that it was written for.
    """
    from d2m.symbolic.composer import compose

    grid = song_grid(genre, seconds, rng)
    energy, accents = song_shape(grid, rng)
    score = compose(grid, seconds, genre, rng, energy=energy, accents=accents)
    return score if vocals else score.without_vocals(), energy


def write_score(path: str | Path, score: Score, energy: np.ndarray | None = None) -> None:
    """Write a score as ``.npz`` atomically: the grid, and ``partN_*`` arrays per instrument.

    Args:
        path: the file.
        score: the score.
        energy: per beat, or None.
    """
    grid = score.grid
    arrays: dict[str, np.ndarray] = {
        "beats": grid.beats, "downbeats": grid.downbeats, "tempo": np.array(grid.tempo),
        "duration": np.array(score.duration), "genre": np.array(score.genre or ""), "key": np.array(score.key or ""),
        "tracks": np.array([p.track for p in score.parts]), "programs": np.array([p.program for p in score.parts]),
        "patches": np.array([p.patch for p in score.parts], dtype=str),
        "character": np.array(score.character),
        "lanes": np.array([f"{lane.target} {lane.parameter}" for lane in score.lanes], dtype=str),
    }  # fmt: skip
    if energy is not None:
        arrays["energy"] = np.asarray(energy, np.float32)
    for i, part in enumerate(score.parts):
        for name in ("starts", "ends", "pitches", "velocities"):
            arrays[f"part{i}_{name}"] = getattr(part, name)
    for i, lane in enumerate(score.lanes):
        arrays[f"lane{i}"] = np.stack([lane.beats, lane.values])
    with atomic_write(path) as part_path:
        np.savez_compressed(part_path, **arrays)  # type: ignore[arg-type]  # NumPy's stub: see write_arrays


def _lane(name: str, table: np.ndarray) -> Lane:
    target, parameter = name.split(" ", 1)
    beats, values = table
    return Lane(target, parameter, beats, values)


def read_score(path: str | Path) -> tuple[Score, np.ndarray]:
    """Read a score written by :func:`write_score`.

    Args:
        path: the file.

    Returns:
        The score, and its energy per beat (zeros where none was stored).

    Raises:
        D2MError: if the file is missing or of another kind.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > _MOST_BYTES:
                raise ValueError("unpacks to more than any score")
        with np.load(path, allow_pickle=False) as data:
            grid = BeatGrid(data["beats"], data["downbeats"], float(data["tempo"]), 1.0)
            patches = data["patches"] if "patches" in data.files else [""] * len(data["tracks"])
            parts = tuple(
                Part(
                    str(track),
                    int(program),
                    data[f"part{i}_starts"],
                    data[f"part{i}_ends"],
                    data[f"part{i}_pitches"],
                    data[f"part{i}_velocities"],
                    patch=str(patch),
                )
                for i, (track, program, patch) in enumerate(zip(data["tracks"], data["programs"], patches, strict=True))
            )
            names = data["lanes"] if "lanes" in data.files else []
            lanes = tuple(_lane(str(name), data[f"lane{i}"]) for i, name in enumerate(names))
            genre, key = str(data["genre"]) or None, str(data["key"]) or None
            character = str(data["character"]) if "character" in data.files else ""
            score = Score(parts, grid, float(data["duration"]), genre, key, lanes, character)
            energy = data["energy"] if "energy" in data.files else np.zeros(len(grid.beats), np.float32)
            return score, energy
    except DAMAGED as error:
        raise D2MError(f"cannot read the score {path}; make the studio again") from error


def write_beats(path: str | Path, grid: BeatGrid, duration: float) -> None:
    """Write the beats within a song as text: seconds, tab, place in the bar counted from 1.

    Args:
        path: the file.
        grid: beats.
        duration: length of the song in seconds.
    """
    lines = []
    for i, time in enumerate(grid.beats):
        if 0.0 <= time < duration:
            place = int((i - grid.downbeats[0]) % grid.beats_per_bar) + 1
            lines.append(f"{time:.6f}\t{place}\n")
    write_text(path, "".join(lines))


def read_beats(path: str | Path) -> BeatGrid:
    """Read the grid of a file written by :func:`write_beats`.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing or holds fewer than two beats.
    """
    try:
        table = np.loadtxt(path, ndmin=2)
        beats, place = table[:, 0], table[:, 1].astype(int)
    except (OSError, ValueError, IndexError) as error:
        raise D2MError(f"cannot read the beats {path}; make the studio again") from error
    if len(beats) < 2 or np.any(np.diff(beats) <= 0):
        raise D2MError(f"{path} holds no rising beats; make the studio again")
    downbeats = np.flatnonzero(place == 1)
    if not len(downbeats):
        downbeats = np.array([int((1 - place[0]) % 4)])
    return BeatGrid(beats, downbeats, float(60.0 / np.median(np.diff(beats))), 1.0)
