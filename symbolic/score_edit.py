"""Change a whole score: tempo, swing, length, key and tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.controls import cut_controls
from d2m.symbolic.fit_notes import bar_lines, main_key
from d2m.symbolic.keys import signature
from d2m.types import TRACKS, Part, Score


def at_tempo(score: Score, tempo: float) -> Score:
    """Play a score at a tempo; changes of tempo within it are kept in proportion.

    Args:
        score: the score.
        tempo: median tempo in beats per minute.
    """
    return faster(score, tempo / float(score.grid.tempo))


def faster(score: Score, factor: float) -> Score:
    """Play a score faster.

    Args:
        score: the score.
        factor: factor of the speed.
    """
    grid = replace(score.grid, beats=score.grid.beats / factor, tempo=score.grid.tempo * factor)
    return replace(score, grid=grid, duration=score.duration / factor)


def swung(score: Score, share: float) -> Score:
    """Delay the second of two eighths; what lies between moves in proportion.

    Args:
        score: the score, played straight.
        share: place of the second of two eighths in its beat: 0.5 (straight) to 0.75.
    """
    return score if share == 0.5 else replace(score, parts=tuple(swung_part(part, share) for part in score.parts))


def swung_part(part: Part, share: float) -> Part:
    """Swing a part; arguments as of :func:`swung`.

    Args:
        part: the part.
        share: place of the second of two eighths in its beat.
    """
    controls = part.controls
    if controls is not None and len(controls):
        controls = np.column_stack([swing(controls[:, 0], share), controls[:, 1:]])
    return replace(part, starts=swing(part.starts, share), ends=swing(part.ends, share), controls=controls)


def swing(positions: np.ndarray, share: float) -> np.ndarray:
    """Convert straight positions to swung ones.

    Args:
        positions: beats.
        share: place of the second of two eighths in its beat.

    Returns:
        Beats.
    """
    beats = np.floor(positions + 1e-9)
    inside = positions - beats
    return beats + np.where(inside < 0.5, inside * 2 * share, share + (inside - 0.5) * 2 * (1 - share))


def first_bars(score: Score, bars: int) -> Score:
    """Cut a score after some bars.

    Args:
        score: the score.
        bars: number of bars; a pickup is none of them.

    Raises:
        D2MError: if it has fewer.
    """
    lines = bar_lines(score)
    begin = float(score.grid.position_of(0.0))
    whole = lines[lines > begin - 1e-6]
    if bars > len(whole):
        raise D2MError(f"--bars {bars}: the music has {len(whole)} bars; give at most so many")
    stop = float(whole[bars]) if bars < len(whole) else None
    if stop is None:
        return score
    parts = []
    for part in score.parts:
        inside = part.starts < stop - 0.02
        arrays = {name: getattr(part, name)[inside] for name in ("starts", "ends", "pitches", "velocities")}
        arrays["ends"] = np.minimum(arrays["ends"], stop)
        parts.append(replace(part, **arrays, controls=cut_controls(part, begin, stop, 0.0)))
    changes = tuple(change for change in score.key_changes if change[0] < stop)
    duration = float(score.grid.time_of(stop))
    return replace(
        score, parts=tuple(part for part in parts if len(part.starts)), duration=duration, key_changes=changes
    )


def transposed(score: Score, semitones: int) -> Score:
    """Transpose the pitched parts; notes that leave the range of MIDI are moved by an octave.

    Args:
        score: the score.
        semitones: upwards.
    """
    if not semitones:
        return score
    parts = []
    for part in score.parts:
        keys = part.pitches + (0 if part.is_drum else semitones)
        parts.append(replace(part, pitches=keys + 12 * (keys < 0) - 12 * (keys > 127)))
    return replace(score, parts=tuple(parts))


def semitones_to(score: Score, key: int) -> int:
    """Return the transposition that gives most bars of a score the scale of a key.

    A major key and its relative minor have one scale, and music keeps its mode: music in C major is in the scale of A
    minor already.

    Args:
        score: the score.
        key: number of the key.

    Returns:
        Semitones from -6 to 5.
    """
    return (signature(key) - signature(main_key(score)) + 6) % 12 - 6


def track_names(score: Score) -> list[str]:
    """Return the names by which parts of a score can be chosen: its tracks, then the names of its instruments.

    Args:
        score: the score.
    """
    tracks = [track for track in TRACKS if any(part.track == track for part in score.parts)]
    own = dict.fromkeys(part.name for part in score.parts if part.name and part.name.casefold() not in tracks)
    return [*tracks, *own]


def without(score: Score, names: Sequence[str]) -> Score:
    """Leave parts out.

    Args:
        score: the score.
        names: names of tracks (:data:`d2m.types.TRACKS`), or of instruments in any case.

    Raises:
        D2MError: if there is no such track, or nothing would be left.
    """
    left = list(score.parts)
    for name in names:
        chosen = named(left, name) or named(score.parts, name)
        if not chosen:
            raise D2MError(f"--without: the music has no track '{name}'; choose from {', '.join(track_names(score))}")
        dropped = {id(part) for part in chosen}
        left = [part for part in left if id(part) not in dropped]
    if not left:
        raise D2MError("--without leaves out every track; keep one of them")
    return replace(score, parts=tuple(left))


def named(parts: Sequence[Part], name: str) -> list[Part]:
    """Return the parts whose instrument, or else whose track, has a name.

    Args:
        parts: parts.
        name: the name, in any case.
    """
    wanted = name.casefold()
    return [part for part in parts if part.name.casefold() == wanted] or [p for p in parts if p.track == wanted]
