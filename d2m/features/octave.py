"""Half or double tempo: the only change that a genre makes to beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from d2m.genres import GENRES, added_genre
from d2m.types import BeatGrid

#: Tempos that the genres are danced to, beats a minute: those of the AIST recordings (80 to 130, house 110 to 135;
#: Tsuchida et al., "AIST Dance Video Database", ISMIR 2019, section 3) with 3 % of room at both ends.
GENRE_TEMPOS: dict[str, tuple[float, float]] = dict.fromkeys(GENRES, (78.0, 133.0)) | {"gHO": (107.0, 138.0)}


def tempos_of(genre: str) -> tuple[float, float]:
    """Return the tempos that a genre is danced to.

    Args:
        genre: AIST code, or name of a genre that another package adds.

    Returns:
        Lowest and highest in beats per minute.

    Raises:
        ValueError: if there is no such genre.
    """
    if genre in GENRE_TEMPOS:
        return GENRE_TEMPOS[genre]
    added = added_genre(genre)
    if added is None:
        raise ValueError(f"unknown genre '{genre}'; choose one of {', '.join(GENRES)}")
    return added.tempos or GENRE_TEMPOS[added.like]


def octave_of(tempo: float, genre: str | None) -> float:
    """Choose half, the same or double tempo for a genre.

    Args:
        tempo: beats a minute.
        genre: AIST code, or None.

    Returns:
        0.5 or 2.0 if that brings a tempo outside the genre's range into it, else 1.0.

    Raises:
        ValueError: if ``genre`` is not one of :data:`d2m.types.GENRES`.
    """
    if genre is None:
        return 1.0
    low, high = tempos_of(genre)
    return next((factor for factor in (1.0, 0.5, 2.0) if low <= factor * tempo <= high), 1.0)


def in_octave(grid: BeatGrid, genre: str | None, duration: float) -> BeatGrid:
    """Halve or double the tempo of a grid where a genre asks for it (:func:`octave_of`); no beat is moved.

    Args:
        grid: the beats.
        genre: AIST code, or None.
        duration: seconds that the grid must cover.

    Returns:
        ``grid`` itself where its tempo stays.

    Raises:
        ValueError: if ``genre`` is not one of :data:`d2m.types.GENRES`.
    """
    factor = octave_of(grid.tempo, genre)
    if factor == 1.0:
        return grid
    return (halved(grid) if factor < 1.0 else doubled(grid)).covering(duration)


def halved(grid: BeatGrid) -> BeatGrid:
    """Halve the tempo of a grid: keep every second beat, those with most downbeats; two bars become one.

    Args:
        grid: beats.
    """
    usual = max(int(grid.beats_per_bar), 1)
    bars = np.asarray(grid.downbeats, dtype=np.int64)
    start = int(np.bincount(bars % 2, minlength=2).argmax()) if len(bars) else 0
    if len(grid.beats) < start + 3:
        grid = grid.covering(float(grid.beats[-1] + 2 * (grid.beats[-1] - grid.beats[-2])))
    kept = (bars[bars % 2 == start] - start) // 2
    first = int(kept[0]) if len(kept) else 0
    beats = grid.beats[start::2]
    return replace(
        grid, beats=beats, downbeats=np.arange(first % usual, len(beats), usual, dtype=np.int64), tempo=grid.tempo / 2
    )


def doubled(grid: BeatGrid) -> BeatGrid:
    """Double the tempo of a grid: add the middles between beats; one bar becomes two.

    Args:
        grid: beats.
    """
    usual = max(int(grid.beats_per_bar), 1)
    count = 2 * len(grid.beats) - 1
    beats = grid.time_of(np.arange(count) / 2)
    starts = 2 * np.asarray(grid.downbeats, dtype=np.int64)
    ends = np.append(starts[1:], count)
    lines = [np.arange(start, end, usual) for start, end in zip(starts, ends, strict=True)]
    # A bar that was cut short leaves a rest of less than a bar: it stays with the bar before.
    lines = [
        line[(line == start) | (end - line >= usual)] for line, start, end in zip(lines, starts, ends, strict=True)
    ]
    return replace(
        grid,
        beats=beats,
        downbeats=np.concatenate([*lines, np.zeros(0)]).astype(np.int64),
        tempo=2 * grid.tempo,
    )
