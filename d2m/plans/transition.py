"""Transitions: the last bar before a section in another genre or key is composed by the bridge network.

The network sees the bar before it and the first bar of the next section (:mod:`d2m.symbolic.bridge`). The first half of
its bar has the instruments of the one section, the second half those of the other.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from d2m.errors import D2MError
from d2m.types import BeatGrid, Part, Score

if TYPE_CHECKING:
    from d2m.symbolic.bridge.composer import Composer
    from d2m.symbolic.bridge.song import Song

#: Bars of each section that the network's song contains.
_BARS = 4
_BEATS = 4
#: Beats before a bar line within which a note, played a little early, belongs to the bar after it.
_EARLY = 0.06
#: Seconds of the crossfade from the section as it is to the transition.
CROSSFADE = 0.03


@lru_cache(maxsize=1)
def _composer() -> Composer:
    from d2m.symbolic.bridge.files import load

    return load()


def differs(before: Score, after: Score) -> bool:
    """Tell whether the music after a seam is in another genre or key.

    Args:
        before, after: scores of the two sections.
    """
    return before.genre != after.genre or before.key != after.key


def bridged(before: Score, end: float, after: Score, begin: float) -> Score | None:
    """Return the score of a section with its last bar composed towards the next section.

    Args:
        before: score of the section.
        end: seconds in it at which the next section begins.
        after: score of the next section.
        begin: seconds in that at which it begins.

    Returns:
        The score; None where the bars around the seam are not in 4/4, or too few of them have notes.
    """
    from d2m.symbolic.bridge.joining import write_bridge
    from d2m.symbolic.bridge.mixpoints import MixPoint

    stop, start = round(float(before.grid.position_of(end))), round(float(after.grid.position_of(begin)))
    first, second = _song(before, stop - _BARS * _BEATS), _song(after, start)
    if first is None or second is None:
        return None
    try:
        bridge = write_bridge(first, second, MixPoint(_BARS - 2, 0, 0, 0.0, "plan"), _composer(), 1)
    except D2MError:
        return None
    line = float(stop - _BEATS)
    kept = [part if part.is_effect else _before(part, line) for part in before.parts]
    new = [
        replace(part, starts=part.starts + line, ends=np.minimum(part.ends + line, stop), patch=patch)
        for part in bridge.parts
        if (patch := _patch(part, before, after)) is not None
    ]
    # Parts without notes stay, since the stereo places of the others depend on them.
    return replace(before, parts=(*kept, *new))


def _song(score: Score, first: int) -> Song | None:
    """Return four bars of a score as a song, or None if they are not in 4/4 or nearly empty."""
    from d2m.symbolic.bridge.joining import cut
    from d2m.symbolic.bridge.song import song_of
    from d2m.symbolic.pianoroll import from_score

    stop = first + _BARS * _BEATS
    lines = np.arange(first, stop + 1, _BEATS)
    if first < 0 or stop >= len(score.grid.beats) or not np.isin(lines[:-1], score.grid.downbeats).all():
        return None
    if np.isin(np.setdiff1d(np.arange(first, stop), lines), score.grid.downbeats).any():
        return None
    beats = score.grid.beats[first : stop + 1] - score.grid.beats[first]
    grid = BeatGrid(beats, np.arange(0, _BARS * _BEATS, _BEATS), score.grid.tempo, 1.0)
    played = cut(score.instruments(), first, stop, -first)
    piece = Score(tuple(played), grid, float(beats[-1]), score.genre, score.key)
    try:
        return song_of(piece, from_score(piece, _BEATS), "section")
    except D2MError:
        return None


def _before(part: Part, line: float) -> Part:
    """Return the notes of a part before a bar line; those that sound on end there."""
    keep = part.starts < line - _EARLY
    return replace(
        part,
        starts=part.starts[keep],
        ends=np.minimum(part.ends[keep], line),
        pitches=part.pitches[keep],
        velocities=part.velocities[keep],
    )


def _patch(part: Part, before: Score, after: Score) -> str | None:
    """Return the patch of a bridge's part: that of the section's instrument which it stands for; None for effects."""
    for score in (before, after):
        for other in score.parts:
            if (other.track, other.program) == (part.track, part.program) and not other.is_effect:
                return other.patch
    return None


def level_of(plain: np.ndarray, changed: np.ndarray, at: int, rate: int) -> float:
    """Return the gain that gives the transition the level of the section, from the two seconds before its bar.

    Args:
        plain: float32 (channels, n), the section as it is.
        changed: the same with the transition; each is mastered alone.
        at: sample at which the last bar begins.
        rate: sample rate in hertz.
    """
    window = slice(max(at - 2 * rate, 0), max(at - round(CROSSFADE * rate), 1))
    own, other = (float(np.sqrt(np.mean(np.square(sound[:, window], dtype=np.float64)))) for sound in (plain, changed))
    return float(np.clip(own / other, 0.5, 2.0)) if other > 1e-6 else 1.0


def blend(plain: np.ndarray, changed: np.ndarray, at: int, rate: int, gain: float) -> np.ndarray:
    """Return a section's sound up to its last bar, and the transition from there on.

    Args:
        plain: float32 (channels, n), the section as it is.
        changed: the same with the transition.
        at: sample at which the last bar begins.
        rate: sample rate in hertz.
        gain: of the transition.
    """
    fade = max(round(CROSSFADE * rate), 1)
    begin = max(at - fade, 0)
    moved = np.float32(gain) * changed
    out = plain.copy()
    ramp = np.linspace(0.0, 1.0, at - begin, dtype=np.float32)
    out[:, begin:at] = plain[:, begin:at] * (1 - ramp) + moved[:, begin:at] * ramp
    out[:, at:] = moved[:, at:]
    return out
