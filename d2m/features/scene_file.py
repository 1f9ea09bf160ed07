"""Read a user's list of scenes: a TOML file, or plain text with one time per line.

# scenes.toml
[[scene]]
start = 0
genre = "house"
[[scene]]
start = "1:04.5"
mood = "calm"
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.files.time_list import read_text, seconds_of, time_lines
from d2m.types import genre_code

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Keys of a scene.
KEYS = ("start", "genre", "mood")
#: Seconds beyond which a number is no time.
LONGEST = 1e9
#: Seconds by which two scenes must be apart.
APART = 0.5


@dataclass(frozen=True)
class SceneRequest:
    """A scene that the user asks for.

    Attributes:
        start, end: seconds.
        genre: AIST code, or None for that of the video.
        mood: name of a mood as the user writes it, or None.
        line: number of its line in the file; 0 for a beginning that the file does not name.
    """

    start: float
    end: float
    genre: str | None = None
    mood: str | None = None
    line: int = 0


def read_scenes(path: str | os.PathLike[str], duration: float) -> tuple[SceneRequest, ...]:
    """Read a list of scenes.

    A file that ends in ``.toml`` has a table ``[[scene]]`` for each scene with the keys ``start`` (seconds, or text
    like ``"1:04.5"``), ``genre`` and ``mood``, of which only ``start`` is required; or a list ``scenes = [0, 12.5]``.
    Any other file is text with one time per line; a genre may follow the time. Empty lines and what follows a ``#``
    are ignored.

    Args:
        path: the file.
        duration: length of the video in seconds.

    Returns:
        The scenes without gaps from 0 to ``duration``. If the first does not begin at 0, one without wishes comes
        before it.

    Raises:
        D2MError: if the file cannot be read, or a line is wrong; the message names the line.
    """
    path = Path(path)
    wishes = _from_toml(path) if path.suffix.lower() == ".toml" else _from_text(path)
    if not wishes:
        raise D2MError(f"{path}: no times in this file; write the start of each scene in seconds, one per line")
    for wish in wishes:
        if not 0 <= wish.start < duration:
            raise D2MError(
                f"{path}: line {wish.line}: {wish.start:g} s is not within the video of {duration:g} s; "
                f"give times from 0 to {duration:g}"
            )
    for before, wish in zip(wishes[:-1], wishes[1:], strict=True):
        if wish.start - before.start < APART:
            raise D2MError(
                f"{path}: line {wish.line}: {wish.start:g} s is not {APART:g} s after the scene before "
                f"({before.start:g} s); sort the times and leave out doubles"
            )
    if wishes[0].start > 0:
        wishes = [SceneRequest(0.0, 0.0), *wishes]
    ends = [*(wish.start for wish in wishes[1:]), duration]
    return tuple(
        SceneRequest(wish.start, end, wish.genre, wish.mood, wish.line) for wish, end in zip(wishes, ends, strict=True)
    )


def _from_text(path: Path) -> list[SceneRequest]:
    return [
        SceneRequest(time, 0.0, _genre(path, line, rest) if rest else None, None, line)
        for line, time, rest in time_lines(path)
    ]


def _from_toml(path: Path) -> list[SceneRequest]:
    text = read_text(path)
    try:
        entries = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # The message of a TOMLDecodeError, which is a ValueError, names line and column.
        raise D2MError(f"{path} is not a TOML file ({error}); correct that line") from None
    lines = _lines_of_tables(text)
    unknown = sorted(set(entries) - {"scene", "scenes"})
    if unknown or ("scene" in entries) == ("scenes" in entries):
        what = f"unknown key '{unknown[0]}'" if unknown else "no scenes"
        raise D2MError(f"{path}: {what}; write a table [[scene]] for each scene, or scenes = [0, 12.5]")
    tables = entries.get("scene", entries.get("scenes"))
    if not isinstance(tables, list):
        raise D2MError(f"{path}: scenes are not a list; write a table [[scene]] for each scene, or scenes = [0, 12.5]")
    if "scenes" in entries:
        first = next((n for n, row in enumerate(text.splitlines(), 1) if row.lstrip().startswith("scenes")), 1)
        lines = [first] * len(tables)
        tables = [table if isinstance(table, dict) else {"start": table} for table in tables]
    lines += [0] * (len(tables) - len(lines))
    return [_wish(path, table, line) for table, line in zip(tables, lines, strict=False)]


def _lines_of_tables(text: str) -> list[int]:
    """Numbers of the lines ``[[scene]]``."""
    return [number for number, row in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*scene\s*\]\]", row)]


def _wish(path: Path, table: Any, line: int) -> SceneRequest:
    if not isinstance(table, dict):
        raise D2MError(f"{path}: line {line}: a scene is a table; write [[scene]] and below it start = 12.5")
    unknown = sorted(set(table) - set(KEYS))
    if unknown:
        raise D2MError(f"{path}: line {line}: unknown key '{unknown[0]}'; use {', '.join(KEYS)}")
    if "start" not in table:
        raise D2MError(f"{path}: line {line}: the scene has no start; add start = 12.5")
    start = table["start"]
    if isinstance(start, str):
        time = seconds_of(start)
    elif isinstance(start, (int, float)) and not isinstance(start, bool) and abs(start) < LONGEST:
        time = float(start)
    else:
        time = None
    if time is None:
        shown = str(start)[:40]
        raise D2MError(f'{path}: line {line}: start = {shown} is no time; write seconds such as 12.5, or "1:04.5"')
    for key in ("genre", "mood"):
        if not isinstance(table.get(key, ""), str):
            raise D2MError(f'{path}: line {line}: {key} is not text; write {key} = "..."')
    genre = table.get("genre")
    return SceneRequest(time, 0.0, _genre(path, line, genre) if genre else None, table.get("mood") or None, line)


def _genre(path: Path, line: int, name: str) -> str:
    try:
        return genre_code(name)
    except ValueError as error:
        raise D2MError(f"{path}: line {line}: {error}") from None
