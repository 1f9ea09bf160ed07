"""Change density, feel, articulation and loudness of a composed score; nothing moves off its place on the grid.

Kick and snare drums keep every stroke where it is. Strokes of the other instruments are removed, or added on free
sixteenths with the swing of the piece. The order in which places of the bar are emptied or filled is the same for all
bars and strengths: weak places first when removing, strong ones first when adding. So repeated patterns remain, and a
weaker mood is part of a stronger one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from d2m.symbolic.emotion.mood_notes import (
    STEPS_PER_BEAT,
    Pulse,
    chosen,
    is_pad,
    strokes,
    tidy,
    to_velocities,
    with_notes,
)
from d2m.symbolic.emotion.rewrite import place_strength
from d2m.types import Part

#: General MIDI percussion keys: backbeats; strokes that keep time and may come and go.
_SNARES = (38, 40, 39, 37)
_TIMEKEEPERS = (42, 44, 46, 51, 53, 54, 56, 59, 60, 61, 62, 63, 64, 67, 68, 69, 70, 73, 74, 75, 76, 77, 80, 82)
_CLOSED = 42
#: Strokes on beats are kept when density falls: they are what is danced to.
_BEAT = 2
#: Sixteenths after a stroke in which it can be struck again, and the velocity of what is added against the old: on
#: beats, and between them, where strokes as loud as those on beats would be heard as double the tempo.
_REPEAT_WITHIN, _ADDED, _ADDED_BETWEEN = 8, 0.82, 0.5
#: Length of a drum note in beats, and the shortest note.
_DRUM, _SHORTEST = 0.2, 0.08
#: Notes of this length or longer are held ones, which no articulation shortens; none is prolonged beyond the other.
_HELD, _LONGEST = 2.0, 4.0
#: Velocity of the backbeats of half time, and of the strokes between the beats of double time, at full strength.
_HALF_BACKBEAT, _HALF_THIRD, _DOUBLE = 0.45, 1.0, 0.3
#: Share of the loudness change that accents on beats get in addition.
_ACCENT = 0.6


def change_density(part: Part, pulse: Pulse, density: float, end: float, rng: np.random.Generator) -> Part:
    """Remove or add strokes.

    Args:
        part: a part; of drums only hi-hats, cymbal patterns and percussion change, pads and bass do not.
        pulse: bars and swing.
        density: see :class:`~d2m.symbolic.emotion.mood_table.Cues`.
        end: position in beats from which nothing is added.
        rng: orders the places of a bar.
    """
    if density == 0 or not len(part.starts) or part.track == "bass" or is_pad(part):
        return part
    order = rng.permutation(256)
    if part.is_drum:
        return _drum_density(part, pulse, density, end, order)
    return _thinned(part, pulse, -density, order) if density < 0 else _filled(part, pulse, density, end, order)


def _drum_density(part: Part, pulse: Pulse, density: float, end: float, order: np.ndarray) -> Part:
    loose = np.isin(part.pitches, _TIMEKEEPERS)
    if density < 0:
        keys = np.unique(part.pitches[loose])
        kept = [
            chosen(part, ~loose),
            *(_thinned(chosen(part, part.pitches == k), pulse, -density, order) for k in keys),
        ]
        return tidy(_joined(kept))
    places = {round(at * STEPS_PER_BEAT) for at in part.starts[loose]}
    rows = []
    velocity = float(np.median(part.velocities[loose])) if loose.any() else 0.0
    bars = pulse.bars(part.starts)
    for bar in np.unique(bars[loose]):
        if (loose & (bars == bar)).sum() < 4:
            continue
        first, last = pulse.lines[bar], pulse.lines[bar + 1] if bar + 1 < len(pulse.lines) else pulse.lines[bar] + 4
        here = part.starts[loose & (bars == bar)]
        steps = np.arange(round(first * STEPS_PER_BEAT), round(last * STEPS_PER_BEAT))
        inside = (steps >= round(here.min() * STEPS_PER_BEAT)) & (steps / STEPS_PER_BEAT < end)
        rows += [(int(step), int(bar)) for step in steps[inside] if step not in places]
    wanted = round(density * len(places))
    return with_notes(
        part,
        [
            (at, at + _DRUM, _CLOSED, _added(step) * velocity)
            for step in _first(rows, pulse, order, wanted)
            for at in (pulse.position(step / STEPS_PER_BEAT),)
        ],
    )


def _first(rows: list[tuple[int, int]], pulse: Pulse, order: np.ndarray, wanted: int) -> list[int]:
    """The steps to fill first: strong places before weak ones, place by place of the bar."""
    if not rows:
        return []
    steps, bars = np.array(rows).T
    places = np.round(steps - pulse.lines[bars] * STEPS_PER_BEAT).astype(np.int64)
    ranks = np.lexsort((bars, order[places % len(order)], -place_strength(places)))
    return steps[ranks[:wanted]].tolist()


def _thinned(part: Part, pulse: Pulse, share: float, order: np.ndarray) -> Part:
    """A part without a share of its strokes; those on beats go last, and from drums never."""
    numbers = strokes(part)
    firsts = np.flatnonzero(np.diff(numbers, prepend=-1))
    places = pulse.places(part.starts[firsts])
    strength = place_strength(places)
    bars = pulse.bars(part.starts[firsts])
    ranks = np.lexsort((bars, order[places % len(order)], strength))
    removable = ranks[strength[ranks] < (_BEAT if part.is_drum else _BEAT + 2)]
    gone = removable[: round(share * len(firsts))]
    return chosen(part, ~np.isin(numbers, gone))


def _filled(part: Part, pulse: Pulse, share: float, end: float, order: np.ndarray) -> Part:
    """A part whose strokes are struck again on free places after them."""
    numbers = strokes(part)
    firsts = np.flatnonzero(np.diff(numbers, prepend=-1))
    steps = np.round(part.starts[firsts] * STEPS_PER_BEAT).astype(np.int64)
    following = np.append(steps[1:], steps[-1])
    free: dict[int, int] = {}
    for number, (step, after) in enumerate(zip(steps.tolist(), following.tolist(), strict=True)):
        for place in range(step + 1, min(after, step + _REPEAT_WITHIN)):
            if place / STEPS_PER_BEAT < end:
                free[place] = number
    bars = pulse.bars(np.array(list(free), dtype=np.float64) / STEPS_PER_BEAT) if free else np.zeros(0, np.int64)
    wanted = round(share * len(firsts))
    picked = sorted(_first(list(zip(free, bars.tolist(), strict=True)), pulse, order, wanted))
    rows = []
    for place in picked:
        members = np.flatnonzero(numbers == free[place])
        at = pulse.position(place / STEPS_PER_BEAT)
        until = min([following[free[place]], *(other for other in picked if other > place)]) / STEPS_PER_BEAT
        for i in members:
            spread = part.starts[i] - part.starts[members[0]]
            length = float(np.clip(part.ends[i] - part.starts[i], _SHORTEST, max(until - at, 0.25)))
            velocity = _added(place) * float(part.velocities[i])
            rows.append((at + spread, at + spread + length, int(part.pitches[i]), velocity))
    return with_notes(part, rows)


def _added(step: int) -> float:
    """Velocity of an added stroke against that of the old ones."""
    return _ADDED if step % STEPS_PER_BEAT == 0 else _ADDED_BETWEEN


def change_feel(part: Part, pulse: Pulse, feel: str, amount: float) -> Part:
    """Give drums a half-time or double-time feel by the loudness of backbeats.

    Half time: the backbeats on the second and fourth beat become softer, and one on the third beat comes forward.
    Double time: soft backbeats between the beats. No stroke of the part moves or goes.

    Args:
        part: a drum part.
        pulse: bars and swing.
        feel: ``"half"``, ``"double"`` or ``""``.
        amount: 0 to 1.
    """
    snare = next((key for key in _SNARES if (part.pitches == key).any()), None)
    if not feel or amount <= 0 or snare is None:
        return part
    places, backbeats = pulse.places(part.starts), np.isin(part.pitches, _SNARES)
    on_two = backbeats & np.isin(places, (4, 12))
    if not on_two.any():
        return part
    loud = float(np.median(part.velocities[on_two]))
    bars = np.unique(pulse.bars(part.starts[on_two]))
    wanted = (8,) if feel == "half" else (2, 6, 10, 14)
    struck = {(int(bar), int(place)) for bar, place in zip(pulse.bars(part.starts), places, strict=True)}
    snared = {(int(b), int(p)) for b, p in zip(pulse.bars(part.starts[backbeats]), places[backbeats], strict=True)}
    velocities = part.velocities.astype(np.float64)
    if feel == "half":
        velocities[on_two] *= 1.0 + amount * (_HALF_BACKBEAT - 1.0)
    part = replace(part, velocities=to_velocities(velocities))
    velocity = amount * loud * (_HALF_THIRD if feel == "half" else _DOUBLE)
    # A stroke of the third beat joins what is struck there; between beats only strokes that are there are doubled.
    spots = [(bar, place) for bar in bars.tolist() for place in wanted]
    spots = [spot for spot in spots if spot in struck and spot not in snared]
    rows = []
    for bar, place in spots:
        at = pulse.position(pulse.lines[bar] + place / STEPS_PER_BEAT)
        rows.append((at, at + _DRUM, snare, velocity))
    return with_notes(part, rows)


def change_articulation(part: Part, length: float) -> Part:
    """Change how long notes sound.

    Args:
        part: a part with pitches.
        length: below 1, the share of its length that a note sounds; above 1, the share of the way to the next stroke
            by which a note is prolonged, plus 1. Notes that are held to the end of the part stay.
    """
    lengths = part.ends - part.starts
    if length == 1 or not len(lengths):
        return part
    if length < 1:
        short = np.maximum(lengths * length, np.minimum(_SHORTEST, lengths))
        held = (lengths >= _HELD) | (part.ends >= part.ends.max() - _SHORTEST)
        return replace(part, ends=part.starts + np.where(held, lengths, short))
    numbers = strokes(part)
    firsts = part.starts[np.flatnonzero(np.diff(numbers, prepend=-1))]
    nexts = np.append(firsts[1:], -np.inf)[numbers]
    room = np.minimum(nexts - part.starts, _LONGEST)
    held = lengths + (length - 1.0) * np.maximum(room - lengths, 0.0)
    return tidy(replace(part, ends=part.starts + held))


def change_loudness(part: Part, pulse: Pulse, mean: float, velocity: float) -> Part:
    """Play louder or softer; louder playing accents the beats.

    Args:
        part: any part.
        pulse: bars.
        mean: mean velocity of the part before strokes were removed or added.
        velocity: velocity to add to that.
    """
    if velocity == 0 or not len(part.starts):
        return part
    on_beat = place_strength(pulse.places(part.starts)) >= _BEAT
    accent = _ACCENT * max(velocity, 0.0) * np.where(on_beat, 1.0, -1.0)
    accented = part.velocities + accent
    return replace(part, velocities=to_velocities(accented + mean + velocity - float(accented.mean())))


def _joined(parts: list[Part]) -> Part:
    return replace(
        parts[0],
        starts=np.concatenate([part.starts for part in parts]),
        ends=np.concatenate([part.ends for part in parts]),
        pitches=np.concatenate([part.pitches for part in parts]),
        velocities=np.concatenate([part.velocities for part in parts]),
    )
