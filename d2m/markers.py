"""Markers: write scenes, hits, bars and beats for audio editors, and read times that the music must strike.

from d2m.markers import markers_of, write_markers
markers = markers_of(grid, duration, scenes=scenes, hits=hits)
write_markers("dance.txt", markers)       # Audacity: File > Import > Labels
write_markers("dance.csv", markers)       # Reaper: Region/Marker Manager > Import
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes
from d2m.files.time_list import MOST_TIMES, read_text, seconds_of
from d2m.types import BeatGrid

#: What a marker marks.
Kind: TypeAlias = Literal["scene", "hit", "bar", "beat"]

#: Names of a column of times in a CSV file, in the order of preference.
TIME_COLUMNS = ("time", "start", "seconds", "position", "begin", "onset")
#: Seconds within which two times are the same hit.
SAME = 0.01


class Stretch(Protocol):
    """Part of a video with music of its own: a scene, or a section of a plan.

    Attributes:
        start, end: seconds.
        cause: why it begins.
    """

    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...

    @property
    def cause(self) -> str: ...


@dataclass(frozen=True)
class Marker:
    """A named instant, or stretch, of a video.

    Attributes:
        time: seconds.
        name: one line of text.
        kind: ``"scene"``, ``"hit"``, ``"bar"`` or ``"beat"``.
        end: seconds at which a scene ends; None for an instant.
    """

    time: float
    name: str
    kind: Kind
    end: float | None = None


def markers_of(
    grid: BeatGrid,
    duration: float,
    *,
    scenes: Sequence[Stretch] = (),
    hits: Sequence[float] = (),
    kinds: Sequence[Kind] = ("scene", "hit", "bar"),
) -> tuple[Marker, ...]:
    """Compose the markers of a video.

    Args:
        grid: beats and bar lines.
        duration: seconds.
        scenes: stretches with music of their own.
        hits: times in seconds that the music strikes.
        kinds: kinds of markers wanted.

    Returns:
        The markers within the video in the order of time; at one time scenes come first, then hits, bars and beats.
        Bars and beats are numbered from 1: ``"bar 3"``, ``"beat 3.2"``.
    """
    found = [
        Marker(scene.start, f"scene {number} ({scene.cause})", "scene", scene.end)
        for number, scene in enumerate(scenes, 1)
    ]
    found += [Marker(float(time), f"hit {number}", "hit") for number, time in enumerate(sorted(hits), 1)]
    found += _grid_markers(grid, duration)
    order = ("scene", "hit", "bar", "beat")
    inside = [marker for marker in found if marker.kind in kinds and 0 <= marker.time <= duration]
    return tuple(sorted(inside, key=lambda marker: (marker.time, order.index(marker.kind))))


def _grid_markers(grid: BeatGrid, duration: float) -> list[Marker]:
    """Bars and the beats between them; the beats before the first bar line are those of bar 0."""
    found: list[Marker] = []
    lines, bar, place = {int(line) for line in grid.downbeats}, 0, 0
    for index, time in enumerate(grid.beats):
        if not 0 <= time <= duration:
            continue
        if index in lines:
            bar, place = bar + 1, 1
            found.append(Marker(float(time), f"bar {bar}", "bar"))
        else:
            place += 1
            found.append(Marker(float(time), f"beat {bar}.{place}", "beat"))
    return found


def write_markers(path: str | os.PathLike[str], markers: Sequence[Marker]) -> Path:
    """Write markers as a file that audio editors read; complete or absent.

    Args:
        path: ``.txt`` for Audacity's labels, ``.csv`` for Reaper's list of regions and markers.
        markers: the markers.

    Returns:
        The path.

    Raises:
        D2MError: if the path ends otherwise, or the file cannot be written.
    """
    path = Path(path)
    kinds = {".txt": audacity_labels, ".csv": reaper_list}
    encode = kinds.get(path.suffix.lower())
    if encode is None:
        raise D2MError(f"{path}: markers are written as {' or '.join(kinds)}; choose one of these endings")
    atomic_write_bytes(path, encode(markers).encode())
    return path


def audacity_labels(markers: Sequence[Marker]) -> str:
    """Return markers as Audacity's label track: start, end and name in columns separated by tabs.

    Args:
        markers: the markers. Audacity shows those without an end as points.
    """
    rows = (f"{m.time:.6f}\t{m.time if m.end is None else m.end:.6f}\t{_one_line(m.name)}\n" for m in markers)
    return "".join(rows)


def reaper_list(markers: Sequence[Marker]) -> str:
    """Return markers as the CSV file of Reaper's Region/Marker Manager.

    Args:
        markers: the markers. Those with an end are regions (R1, R2, …), the others markers (M1, M2, …).
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["#", "Name", "Start", "End", "Length"])
    regions = points = 0
    for marker in markers:
        if marker.end is None:
            points += 1
            table.writerow([f"M{points}", _one_line(marker.name), _clock(marker.time), "", ""])
        else:
            regions += 1
            length = _clock(marker.end - marker.time)
            row = [f"R{regions}", _one_line(marker.name), _clock(marker.time), _clock(marker.end), length]
            table.writerow(row)
    return out.getvalue()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _clock(seconds: float) -> str:
    """Minutes, seconds and milliseconds, ``"1:04.500"``."""
    milliseconds = round(1000 * seconds)
    return f"{milliseconds // 60_000}:{milliseconds // 1000 % 60:02d}.{milliseconds % 1000:03d}"


def read_hits(path: str | os.PathLike[str], duration: float) -> tuple[float, ...]:
    """Read a file of times that the music must strike.

    Three forms are read: text with one time per line, in seconds or as ``1:04.5``; Audacity's labels, whose starts
    count; and CSV with commas, semicolons or tabs, whose first row may name the columns (a column ``time`` or
    ``start``, as in Reaper's list of markers).

    Args:
        path: the file.
        duration: length of the video in seconds.

    Returns:
        Rising times in seconds; doubles within 10 ms are left out.

    Raises:
        D2MError: if the file cannot be read or has no times, or a line is wrong; the message names the line.
    """
    path = Path(path)
    times: list[float] = []
    for line, time in _timed_lines(path):
        if not 0 <= time <= duration:
            raise D2MError(
                f"{path}: line {line}: {time:g} s is not within the video of {duration:g} s; "
                f"give times from 0 to {duration:g}"
            )
        times.append(time)
        if len(times) > MOST_TIMES:
            raise D2MError(f"{path}: more than {MOST_TIMES} times; give a shorter list")
    if not times:
        raise D2MError(f"{path}: no times in this file; write one time per line in seconds")
    times.sort()
    return tuple(time for before, time in zip([-1.0, *times], times, strict=False) if time - before > SAME)


def _timed_lines(path: Path) -> Iterator[tuple[int, float]]:
    """Number of the line and time in seconds of every row."""
    lines = read_text(path).splitlines()
    delimiter = _delimiter(lines)
    column: int | None = None
    for number, line in enumerate(lines, 1):
        # Audacity writes the frequencies of a label on a line of its own.
        if _is_comment(line) or line.startswith("\\"):
            continue
        try:
            cells = _cells(line, delimiter)
        except csv.Error as error:
            raise D2MError(f"{path}: line {number}: no row of a CSV file ({error}); write one time per line") from None
        if column is None:
            column = _named_column(path, number, cells)
            if column is not None:
                continue
            column = 0
        yield number, _time_in(path, number, cells, column)


def _is_comment(line: str) -> bool:
    """Whether a line is empty or a comment; Reaper calls its first column ``#``."""
    return not line.split("#", 1)[0].strip() and line[:2] not in ("#,", "#;", "#\t")


def _delimiter(lines: Sequence[str]) -> str | None:
    """The sign between columns: the first of tab, semicolon and comma that the first row has; None for text."""
    first = next((line for line in lines if not _is_comment(line)), "")
    for sign in "\t;":
        if sign in first:
            return sign
    # A comma may be the decimal mark of a single number.
    return "," if "," in first and seconds_of(first) is None else None


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split("#", 1)[0].split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def _named_column(path: Path, number: int, cells: Sequence[str]) -> int | None:
    """Number of the column of times where the cells are names of columns, else None."""
    if any(seconds_of(cell) is not None for cell in cells):
        return None
    names = [cell.casefold() for cell in cells]
    for name in TIME_COLUMNS:
        if name in names:
            return names.index(name)
    if len(cells) > 1:
        raise D2MError(
            f"{path}: line {number}: no column of times; name one of the columns {' or '.join(TIME_COLUMNS[:2])}"
        )
    return None


def _time_in(path: Path, number: int, cells: Sequence[str], column: int) -> float:
    cell = cells[column] if column < len(cells) else ""
    time = seconds_of(cell)
    if time is None:
        shown = cell if len(cell) <= 40 else cell[:39] + "…"
        raise D2MError(f"{path}: line {number}: '{shown}' is no time; write seconds such as 12.5, or 1:04.5")
    return time
