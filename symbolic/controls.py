"""Controllers of an instrument and their audible effect: pedals, volume, expression and pitch bend.

The controls of a part (:class:`d2m.types.Part`) are rows of position, number and value. Numbers 0 to 127 are MIDI
controllers; :data:`BEND`, :data:`PRESSURE` and :data:`BEND_RANGE` follow. Sustain and sostenuto pedals (64, 66), volume
(7), expression (11) and pitch bend affect the sound; the others are only written back to MIDI files. Volume and
expression follow General MIDI: 40 log10(value / 127) dB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from d2m.symbolic.midi_channels import BEND, BEND_RANGE, PRESSURE
from d2m.types import TRACKS, Part

__all__ = [
    "BEND",
    "BEND_RANGE",
    "PRESSURE",
    "Automation",
    "automation",
    "cut_controls",
    "joined_parts",
    "merged_parts",
    "plain",
    "rings",
]

_VOLUME, _EXPRESSION, _PEDAL, _SOSTENUTO = 7, 11, 64, 66
_DOWN, _CENTRE = 64, 8192
#: Default controllers of a channel.
_DEFAULTS = {
    _VOLUME: 100,
    _EXPRESSION: 127,
    BEND: _CENTRE,
    BEND_RANGE: 200,
    10: 64,
    71: 64,
    72: 64,
    73: 64,
    74: 64,
    91: 40,
}
#: Seconds over which a step in volume is spread, so that it does not click.
_RAMP_SECONDS = 0.01


def _rows(part: Part, *numbers: int) -> np.ndarray:
    """float64 (M, 3): the controls of those numbers."""
    if part.controls is None or not len(part.controls):
        return np.zeros((0, 3))
    return part.controls[np.isin(part.controls[:, 1], numbers)]


def rings(part: Part) -> np.ndarray:
    """Compute the ends of notes with the effect of pedals.

    A note whose key is let go while the sustain pedal is down, or that sounded when the sostenuto pedal was pressed,
    rings until the pedal comes up or its key is struck again. A pedal that never comes up holds to the part's end.

    Args:
        part: the part with N notes.

    Returns:
        float64 (N,), beats.
    """
    if part.is_drum or not len(part.starts):
        return part.ends
    ends = part.ends.copy()
    for number in (_PEDAL, _SOSTENUTO):
        rows = _rows(part, number)
        down = rows[:, 2] >= _DOWN
        if not down.any():
            continue
        turns = np.flatnonzero(np.diff(down.astype(int), prepend=0))
        times = rows[turns, 0]
        last = float(max(part.ends.max(), times[-1] if not down[-1] else 0.0))
        presses, lifts = times[0::2], times[1::2]
        lifts = np.append(lifts, np.full(len(presses) - len(lifts), last))
        # The press in force when the key comes up, for sostenuto the first one while it is down.
        if number == _PEDAL:
            at = np.searchsorted(presses, ends, side="right") - 1
            held = (at >= 0) & (ends < lifts[np.maximum(at, 0)])
        else:
            at = np.searchsorted(presses, ends, side="left") - 1
            held = (at >= 0) & (presses[np.maximum(at, 0)] > part.starts) & (ends < lifts[np.maximum(at, 0)])
        ends = np.where(held, lifts[np.maximum(at, 0)], ends)
    return np.maximum(np.minimum(ends, np.maximum(_struck_again(part), part.ends)), part.ends)


def _struck_again(part: Part) -> np.ndarray:
    """float64 (N,): when the key of each note is struck next, or infinity."""
    order = np.lexsort((part.starts, part.pitches))
    keys, starts = part.pitches[order], part.starts[order]
    following = np.full(len(order), np.inf)
    same = keys[1:] == keys[:-1]
    following[:-1][same] = starts[1:][same]
    found = np.empty(len(order))
    found[order] = following
    return found


def levels(part: Part) -> np.ndarray | None:
    """Compute the gain of a part over time; 1 is General MIDI's usual volume.

    Args:
        part: the part.

    Returns:
        float64 (K, 2), positions in beats and gains; None if the gain is always 1.
    """
    return _steps(part, (_VOLUME, _EXPRESSION), lambda v, e: (v / 100.0) ** 2 * (e / 127.0) ** 2, 1.0)


def bends(part: Part) -> np.ndarray | None:
    """Compute the pitch bend of a part over time.

    Args:
        part: the part.

    Returns:
        float64 (K, 2), positions in beats and semitones; None if it is always 0.
    """
    if part.is_drum:
        return None
    return _steps(part, (BEND, BEND_RANGE), lambda b, r: (b - _CENTRE) / _CENTRE * r / 100.0, 0.0)


def _steps(
    part: Part, numbers: tuple[int, int], value: Callable[[np.ndarray, np.ndarray], np.ndarray], usual: float
) -> np.ndarray | None:
    """float64 (K, 2): what two controllers make together from each position on; None where it is always ``usual``."""
    rows = _rows(part, *numbers)
    if not len(rows):
        return None
    columns = []
    for number in numbers:
        mine = rows[:, 1] == number
        at = np.maximum.accumulate(np.where(mine, np.arange(len(rows)), -1))
        columns.append(np.where(at >= 0, rows[np.maximum(at, 0), 2], _DEFAULTS[number]))
    found = np.column_stack([rows[:, 0], value(*columns)])
    found = found[np.append(np.diff(found[:, 0]) > 0, True)]
    found = found[np.append(True, np.diff(found[:, 1]) != 0)]
    return None if np.all(found[:, 1] == usual) else found


def _value_at(steps: np.ndarray, positions: np.ndarray, usual: float) -> np.ndarray:
    at = np.searchsorted(steps[:, 0], positions, side="right") - 1
    return np.where(at >= 0, steps[np.maximum(at, 0), 1], usual)


def plain(part: Part) -> Part:
    """Apply the controllers of a part to its notes, for programs without controllers.

    Pedals lengthen notes, volume and expression scale velocities (what is silent is left out), and the bend in force
    when a note begins moves its key to the nearest semitone.

    Args:
        part: the part.

    Returns:
        The part without controllers.
    """
    if part.controls is None:
        return part
    ends, loud, bent = rings(part), levels(part), bends(part)
    keys, velocities = part.pitches, part.velocities.astype(np.float64)
    if loud is not None:
        velocities = velocities * np.sqrt(_value_at(loud, part.starts, 1.0))
    if bent is not None:
        keys = np.clip(keys + np.round(_value_at(bent, part.starts, 0.0)), 0, 127).astype(np.int64)
    heard = velocities >= 0.5
    velocities = np.clip(np.round(velocities), 1, 127).astype(np.int64)
    return replace(
        part,
        starts=part.starts[heard], ends=ends[heard], pitches=keys[heard], velocities=velocities[heard], controls=None,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Automation:
    """Volume and pitch of a part over time, in samples.

    Attributes:
        level_times, level_gains: knots of the gain, linear in between.
        bend_times, bend_values: semitones from each time on.
    """

    level_times: np.ndarray
    level_gains: np.ndarray
    bend_times: np.ndarray
    bend_values: np.ndarray

    def gain(self, first: float, count: int) -> np.ndarray | float:
        """Return the gain of samples.

        Args:
            first: first sample.
            count: number of samples.

        Returns:
            float32 (count,), or one number if it is constant.
        """
        if not len(self.level_times):
            return 1.0
        low, high = np.searchsorted(self.level_times, (first, first + count))
        near = slice(max(low - 1, 0), high + 1)
        times, gains = self.level_times[near], self.level_gains[near]
        if np.all(gains == gains[0]):
            return float(gains[0])
        return np.interp(first + np.arange(count), times, gains).astype(np.float32)

    def bend(self, at: float) -> float:
        """Return the pitch bend at a sample.

        Args:
            at: the sample.

        Returns:
            Semitones.
        """
        place = int(np.searchsorted(self.bend_times, at, side="right")) - 1
        return float(self.bend_values[place]) if place >= 0 else 0.0

    def places(self, first: float, stop: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Return how a tone is read while its pitch changes.

        Both rise; in between, places are linear. None where the pitch stays up to ``stop``.

        Args:
            first: sample at which the tone begins.
            stop: end of the range.

        Returns:
            Samples since the beginning and positions in the tone, both rising; None if the pitch is constant.
        """
        low, high = np.searchsorted(self.bend_times, (first, stop), side="right")
        if low >= high:
            return None
        start = self.bend(first)
        times = np.concatenate([[first], self.bend_times[low:high], [stop]]) - first
        values = np.concatenate([[start], self.bend_values[low:high]])
        ratios = 2.0 ** ((values - start) / 12.0)
        return times, np.concatenate([[0.0], np.cumsum(np.diff(times) * ratios)])


def automation(part: Part, sample_of: Callable[[np.ndarray], np.ndarray], rate: int) -> Automation | None:
    """Convert the controllers of a part to samples.

    Args:
        part: the part.
        sample_of: converts beats to samples.
        rate: sample rate in hertz.

    Returns:
        The automation, or None if nothing changes.
    """
    loud, bent = levels(part), bends(part)
    if loud is None and bent is None:
        return None
    none = np.zeros(0)
    times, gains = none, none
    if loud is not None:
        at = np.asarray(sample_of(loud[:, 0]), np.float64)
        ramp = np.minimum(_RAMP_SECONDS * rate, np.diff(at, append=np.inf))
        before = np.concatenate([[1.0], loud[:-1, 1]])
        # A first setting holds from the beginning on.
        if len(part.starts) and at[0] <= float(sample_of(part.starts[:1])[0]):
            before[0] = loud[0, 1]
        times = np.stack([at, at + np.maximum(ramp, 1e-3)], axis=1).ravel()
        gains = np.stack([before, loud[:, 1]], axis=1).ravel()
    bend_times, bend_values = (none, none) if bent is None else (np.asarray(sample_of(bent[:, 0]), float), bent[:, 1])
    return Automation(times, gains, bend_times, bend_values)


def cut_controls(part: Part, first: float, stop: float, offset: float) -> np.ndarray | None:
    """Cut the controls of a part between two beats, with their state at the first beat; held pedals are released at the
    end.

    Args:
        part: the part.
        first, stop: range of beats.
        offset: beats that are added to the positions.
    """
    table = part.controls
    if table is None or not len(table):
        return None
    before, inside = table[table[:, 0] <= first], table[(table[:, 0] > first) & (table[:, 0] < stop)]
    last = {int(row[1]): row[2] for row in before}
    states = [(first, number, value) for number, value in sorted(last.items(), key=lambda item: item[0] != BEND_RANGE)]
    # What is set later only is at its usual value before.
    states += [(first, n, _DEFAULTS.get(n, 0)) for n in sorted({int(row[1]) for row in inside} - set(last))]
    found = np.concatenate([np.array(states, dtype=np.float64).reshape(-1, 3), inside])
    ends = []
    for number in (_PEDAL, _SOSTENUTO):
        mine = found[found[:, 1] == number]
        if len(mine) and mine[-1, 2] >= _DOWN:
            ends.append((stop, number, 0.0))
    found = np.concatenate([found, np.array(ends).reshape(-1, 3)])
    found[:, 0] += offset
    return found


def merged_parts(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Merge parts of the same name, track and program.

    Args:
        parts: parts of a score.
    """
    return joined_parts([[part] for part in parts])


def joined_parts(stretches: Sequence[Sequence[Part]]) -> tuple[Part, ...]:
    """Join consecutive stretches of music; parts of the same name, track and program continue.

    A part goes on in the next stretch as the part of the same name, track and program. Parts of one stretch stay apart:
    two pianos have each their own pedal.

    Args:
        stretches: parts of each stretch.
    """
    groups: dict[tuple[str, int, str, int], list[Part]] = {}
    for stretch in stretches:
        seen: dict[tuple[str, int, str], int] = {}
        for part in stretch:
            key = (part.track, part.program, part.name)
            seen[key] = seen.get(key, 0) + 1
            groups.setdefault((*key, seen[key]), []).append(part)
    order = sorted(groups, key=lambda key: (TRACKS.index(key[0]), key[1], key[3]))
    return tuple(_as_one(groups[key]) for key in order)


def _as_one(group: Sequence[Part]) -> Part:
    arrays = [np.concatenate([getattr(p, n) for p in group]) for n in ("starts", "ends", "pitches", "velocities")]
    order = np.lexsort((arrays[2], arrays[0]))
    starts, ends, pitches, velocities = (array[order] for array in arrays)
    first, controls = group[0], _merged_controls(group)
    return Part(first.track, first.program, starts, ends, pitches, velocities, first.name, controls)


def _merged_controls(parts: Sequence[Part]) -> np.ndarray | None:
    """Controls of parts that follow each other: what one has moved and the next does not know goes back to usual."""
    tables: list[np.ndarray] = []
    moved: set[int] = set()
    for part in parts:
        if part.controls is None or any(part.controls is table for table in tables):
            continue
        numbers = {int(number) for number in part.controls[:, 1]}
        begin = float(part.controls[:, 0].min(initial=0.0))
        back = [(begin, number, _DEFAULTS.get(number, 0)) for number in sorted(moved - numbers)]
        tables += [np.array(back, dtype=np.float64).reshape(-1, 3), part.controls] if back else [part.controls]
        moved |= numbers
    if not tables:
        return None
    found = np.concatenate(tables)
    return found[np.argsort(found[:, 0], kind="stable")]
