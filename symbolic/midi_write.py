"""Write scores as standard MIDI files.

The grid becomes the tempo map, with one tempo for each beat where the tempo changes, so that any MIDI program plays the
notes at the same seconds. Bar lines fall on downbeats: where the music begins within a bar, the first bar is shorter,
of whole beats, and the remaining part of its first beat is written as a whole beat with its own tempo.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from d2m.errors import D2MWarning
from d2m.files.atomic import atomic_write_bytes
from d2m.symbolic.controls import BEND, BEND_RANGE, PRESSURE, merged_parts
from d2m.symbolic.instrument_names import instrument_name
from d2m.symbolic.midi_head import KEY_SIGNATURE, MARKER, Named, key_signature, marker_texts
from d2m.types import BeatGrid, Part, Score

TICKS_PER_BEAT = 960
# A tempo in a MIDI file is a whole number of microseconds in three bytes.
_SLOWEST = 0xFFFFFF
#: Highest tempo of a first bar that is shorter than a beat, in beats per minute; music programs play less than 1000.
_FASTEST = 480.0
#: Maximum deviation of beats in a file from the grid in seconds; a fifth of a millisecond is inaudible.
_LATE = 2e-4
#: Pitched channels of a MIDI file, and that of the drums.
CHANNELS, DRUM_CHANNEL = tuple(channel for channel in range(16) if channel != 9), 9
_NOTE_OFF, _CONTROL, _NOTE_ON = 0, 1, 2
_END = b"\xff\x2f\0"


def number(value: int) -> bytes:
    """Encode a number with variable length.

    Args:
        value: 0 or more.
    """
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def meta(kind: int, body: bytes) -> bytes:
    """Encode a meta event.

    Args:
        kind: its type.
        body: its content.
    """
    return bytes([0xFF, kind]) + number(len(body)) + body


def encode(tracks: Sequence[Sequence[tuple[int, bytes]]], division: int) -> bytes:
    """Return a file of format 1.

    Args:
        tracks: (tick, event) in order; running status is put in, and an end of track where there is none.
        division: ticks a quarter note.
    """
    out = b"MThd\0\0\0\x06\0\x01" + len(tracks).to_bytes(2, "big") + division.to_bytes(2, "big")
    for events in tracks:
        body, before, status = bytearray(), 0, 0
        for tick, event in events:
            body += number(tick - before)
            body += event[1:] if event[0] == status < 0xF0 else event
            before, status = tick, event[0] if event[0] < 0xF0 else 0
        if not events or events[-1][1] != _END:
            body += b"\0" + _END
        out += b"MTrk" + len(body).to_bytes(4, "big") + bytes(body)
    return out


def note_events(notes: np.ndarray, channel: int) -> list[tuple[int, int, bytes]]:
    """Encode notes as events.

    Args:
        notes: int64 (N, 4), start tick, end tick, key and velocity.
        channel: 0 to 15.

    Returns:
        (tick, order among events of a tick, event) of each.
    """
    found = []
    for start, end, key, velocity in notes.tolist():
        found.append((start, _NOTE_ON, bytes([0x90 | channel, key, velocity])))
        found.append((end, _NOTE_OFF, bytes([0x80 | channel, key, 0])))
    return found


def in_order(events: list[tuple[int, int, bytes]]) -> list[tuple[int, bytes]]:
    """Sort events by tick; at one tick notes end first, then controllers change, then notes begin.

    Args:
        events: (tick, order, event).

    Returns:
        (tick, event) of each.
    """
    return [(tick, event) for tick, _, event in sorted(events, key=lambda event: event[:2])]


def write_midi(score: Score, path: str | Path, markers: Sequence[Named] = ()) -> Path:
    """Write a score as a MIDI file (type 1, 960 ticks a beat), one track for each part.

    Time 0 of the score is tick 0, so the file can be laid under the video as it is. The first track has tempo map, time
    signatures, key signatures and markers. A track is called what its part is called, else after its instrument
    (:mod:`d2m.symbolic.instrument_names`). More than 15 pitched parts share channels, one after another where they can;
    where they cannot, the rarest are played by others, with a D2MWarning.

    Args:
        score: notes beginning before 0 or after its duration are left out.
        path: replaced only when the new file is complete; its folder is made if it is missing.
        markers: names of sections and hits, such as :class:`d2m.markers.Marker`; those outside the score are left out.

    Returns:
        The path.

    Raises:
        D2MError: if the file cannot be written.
    """
    path = Path(path)
    atomic_write_bytes(path, midi_bytes(score, markers))
    return path


def midi_bytes(score: Score, markers: Sequence[Named] = ()) -> bytes:
    """Encode a score as the file that :func:`write_midi` writes, without effects of the sound library.

    Args:
        score: the score.
        markers: names of sections and hits.
    """
    score = score.instruments()
    ruler = _Ruler.of(score)
    heard = [_heard(part, ruler) for part in score.parts]
    channels = _channels(heard)
    if channels is None:
        fewer, taken = within_channels(score)
        heard = [_heard(part, ruler) for part in fewer.parts]
        channels = _channels(heard)
        count, most = sum(not part.is_drum for part in score.parts), len(CHANNELS)
        told = f"a MIDI file holds {most} pitched instruments at a time, so of {count} the rarest are played by others"
        warnings.warn(D2MWarning(f"{told}: {', '.join(taken[:5])}{', …' if len(taken) > 5 else ''}"), stacklevel=2)
    head: list[tuple[int, int, bytes]] = []
    for tick, microseconds in _tempos(ruler):
        head.append((tick, 1, meta(0x51, microseconds.to_bytes(3, "big"))))
    for tick, beats, unit in _signatures(ruler):
        head.append((tick, 0, meta(0x58, bytes([beats, unit.bit_length() - 1, 24, 8]))))
    if (key := key_signature(score.key)) is not None:
        head.append((0, 0, meta(KEY_SIGNATURE, key)))
    for position, name in score.key_changes:
        if (key := key_signature(name)) is not None:
            head.append((max(int(ruler.tick(np.array([position]))[0]), 0), 0, meta(KEY_SIGNATURE, key)))
    for time, text in marker_texts(markers, score.duration):
        head.append((int(ruler.tick(score.grid.position_of(np.array([time])))[0]), 2, meta(MARKER, text)))
    tracks = [in_order(head)]
    for part, (channel, shared), name in zip(heard, channels or [], _names(heard), strict=True):
        tracks.append(_track(part, channel, shared, name, ruler))
    return encode(tracks, TICKS_PER_BEAT)


def _heard(part: Part, ruler: _Ruler) -> Part:
    """The part with the notes that are played."""
    heard = (part.starts >= ruler.first - 1e-6) & (part.starts < ruler.last)
    arrays = {name: getattr(part, name)[heard] for name in ("starts", "ends", "pitches", "velocities")}
    return replace(part, **arrays)


def _names(parts: Sequence[Part]) -> list[str]:
    """Names of tracks; those without a name of their own are called after their instrument, and numbered."""
    seen: dict[str, int] = {}
    names = []
    for part in parts:
        name = part.name or instrument_name(part.track, part.program)
        seen[name] = seen.get(name, 0) + 1
        names.append(f"{name} {seen[name]}" if seen[name] > 1 and not part.name else name)
    return names


def _track(part: Part, channel: int, shared: bool, name: str, ruler: _Ruler) -> list[tuple[int, bytes]]:
    starts, ends = ruler.tick(part.starts), ruler.tick(part.ends)
    notes = np.column_stack([starts, np.maximum(ends, starts + 1), part.pitches, part.velocities])
    begin = int(starts.min(initial=1 << 40)) if shared else 0
    events = [(0, -2, meta(0x03, name.encode()))]
    events.append((0 if begin == 1 << 40 else begin, -1, bytes([0xC0 | channel, int(part.program)])))
    for position, kind, value in [] if part.controls is None else part.controls.tolist():
        if position <= ruler.last:
            tick = max(int(ruler.tick(np.array([position]))[0]), begin)
            events += [(tick, _CONTROL, event) for event in _control(channel, int(kind), int(value))]
    return in_order(events + note_events(notes, channel))


def _control(channel: int, kind: int, value: int) -> list[bytes]:
    if kind == BEND:
        return [bytes([0xE0 | channel, value & 0x7F, value >> 7])]
    if kind == PRESSURE:
        return [bytes([0xD0 | channel, value])]
    if kind == BEND_RANGE:
        moves = ((101, 0), (100, 0), (6, min(value // 100, 127)), (38, value % 100), (101, 127), (100, 127))
        return [bytes([0xB0 | channel, *move]) for move in moves]
    return [bytes([0xB0 | channel, kind, value])]


def _channels(parts: Sequence[Part]) -> list[tuple[int, bool]] | None:
    """(Channel, is it shared) of each part; pitched parts share one where neither plays while the other does.

    None if more parts play at a time than there are channels.
    """
    busy: dict[int, list[tuple[float, float]]] = {}
    chosen = [DRUM_CHANNEL if part.is_drum else -1 for part in parts]
    pitched = [index for index, part in enumerate(parts) if not part.is_drum]
    spans = {i: (float(parts[i].starts.min(initial=1e9)), float(parts[i].ends.max(initial=-1.0))) for i in pitched}
    for order, index in enumerate(sorted(pitched, key=lambda i: spans[i][0]) if len(pitched) > 15 else pitched):
        begin, end = spans[index]
        free = (c for c in CHANNELS if all(end <= start or begin >= stop for start, stop in busy.get(c, [])))
        channel = CHANNELS[order] if order < len(CHANNELS) else next(free, None)
        if channel is None:
            return None
        chosen[index] = channel
        busy.setdefault(channel, []).append((begin, end))
    return [(channel, chosen.count(channel) > 1) for channel in chosen]


def within_channels(score: Score) -> tuple[Score, list[str]]:
    """Reduce a score to 15 pitched instruments, the number of channels of a MIDI file besides the drums.

    The rarest instruments are played by the one that plays most of those with their program, or else of their track.

    Args:
        score: the score.

    Returns:
        The score, and what has changed, in the words "A by B".
    """
    pitched = sorted((part for part in score.parts if not part.is_drum), key=lambda part: -len(part.pitches))
    kept = pitched[: len(CHANNELS)]
    left = {id(part) for part in pitched[len(CHANNELS) :]}
    parts, taken = [], []
    for part in score.parts:
        if id(part) not in left:
            parts.append(part)
            continue
        likest = [own for own in kept if own.program == part.program] or [
            own for own in kept if own.track == part.track
        ]
        other = (likest or kept)[0]
        taken.append(f"{_called(part)} by {_called(other)}")
        parts.append(replace(part, track=other.track, program=other.program, name=other.name, controls=other.controls))
    return replace(score, parts=merged_parts(parts)), taken


def _called(part: Part) -> str:
    return part.name or f"{part.track} (program {part.program})"


@dataclass(frozen=True)
class _Ruler:
    """Where positions of a score lie in ticks.

    From ``line`` on a beat has 960 ticks; what comes before, less than two beats, is stretched to ``unit`` beats.
    """

    grid: BeatGrid
    first: float
    last: float
    line: float
    unit: float

    @classmethod
    def of(cls, score: Score) -> _Ruler:
        grid = score.grid
        first, last = float(grid.position_of(0.0)), float(grid.position_of(score.duration))
        downbeat = next((float(line) for line in _bar_lines(grid, first, last) if line >= first - 1e-6), first)
        pickup = downbeat - first
        part = pickup - math.floor(pickup + 1e-6)
        if pickup <= 1e-3 or part <= 1e-3:
            return cls(grid, first, last, first, 0.0)
        if part < 0.25 and pickup > 1:
            return cls(grid, first, last, first + 1 + part, 1.0)
        # Less than a beat is the longest note value that needs no tempo beyond what music programs play.
        beat = float(np.diff(grid.time_of([first, first + part]))[0])
        able = (u for u in (1.0, 0.5, 0.25, 0.125) if 60.0 * u / beat <= _FASTEST)
        unit = 1.0 if pickup > 1 else next(able, 0.0625)
        return cls(grid, first, last, first + part, unit)

    def tick(self, positions: np.ndarray) -> np.ndarray:
        """Ticks of positions in beats, none below 0."""
        return np.maximum(np.round(self.beats(positions) * TICKS_PER_BEAT), 0).astype(np.int64)

    def beats(self, positions: np.ndarray | float) -> np.ndarray:
        """Quarter notes from the file's beginning."""
        positions = np.asarray(positions, dtype=np.float64)
        after = positions - self.line + self.unit
        if self.line == self.first:
            return after
        return np.where(positions < self.line, (positions - self.first) / (self.line - self.first) * self.unit, after)

    def positions(self, beats: np.ndarray) -> np.ndarray:
        """The positions of quarter notes from the beginning: what :meth:`beats` does, undone."""
        after = beats - self.unit + self.line
        if self.line == self.first:
            return after
        return np.where(beats < self.unit, beats / self.unit * (self.line - self.first) + self.first, after)


def _bar_lines(grid: BeatGrid, first: float, last: float) -> np.ndarray:
    """Bar lines of the grid, going on before its first one down to ``first``."""
    bar = max(int(grid.beats_per_bar), 1)
    lines = np.asarray(grid.downbeats, dtype=np.float64)
    reach = lines[0] if len(lines) else 0.0
    before = reach - bar * np.arange(1, max(int(np.ceil((reach - first) / bar)), 0) + 1)
    lines = np.unique(np.concatenate([before, lines if len(lines) else [0.0]]))
    return lines[lines < last]


def _tempos(ruler: _Ruler) -> list[tuple[int, int]]:
    """(tick, microseconds a beat) wherever the spacing of the beats changes.

    Each tempo holds for as many beats as it keeps within :data:`_LATE` of the grid: music of one tempo has one or two.
    """
    grid, first, last = ruler.grid, ruler.first, ruler.last
    edges = np.unique(np.concatenate([[first, ruler.line, last], np.arange(np.ceil(first), np.floor(last) + 1)]))
    edges = edges[(edges >= first) & (edges <= last)]
    ticks = np.unique(ruler.tick(edges))
    times = grid.time_of(ruler.positions(ticks / TICKS_PER_BEAT))
    found: list[tuple[int, int]] = []
    played, start = float(times[0]), 0
    while start + 1 < len(ticks):
        stop, tempo = _held(ticks[start:], (times[start:] - played) * 1e6)
        found.append((int(ticks[start]), tempo))
        played += tempo * int(ticks[start + stop] - ticks[start]) / TICKS_PER_BEAT / 1e6
        start += stop
    return found or [(0, int(np.clip(round(6e7 / grid.tempo), 1000, _SLOWEST)))]


def _held(ticks: np.ndarray, due: np.ndarray) -> tuple[int, int]:
    """For how many edges one tempo (microseconds a beat) does, and which, where edges are due microseconds from now."""
    least, most, tempo = 1000, _SLOWEST, 0
    for stop in range(1, len(ticks)):
        beats = int(ticks[stop] - ticks[0]) / TICKS_PER_BEAT
        low = max(least, math.ceil((due[stop] - _LATE * 1e6) / beats))
        high = min(most, math.floor((due[stop] + _LATE * 1e6) / beats))
        if low > high:
            # No tempo does even for one where the beats are faster or slower than a file can say.
            return (stop - 1, tempo) if stop > 1 else (1, int(np.clip(round(due[1] / beats), 1000, _SLOWEST)))
        least, most, tempo = low, high, min(max(round(due[stop] / beats), low), high)
    return len(ticks) - 1, tempo


def _signatures(ruler: _Ruler) -> list[tuple[int, int, int]]:
    """(tick, numerator, denominator); a first bar cut by time 0 is as long as what is left of it."""
    bar = max(int(ruler.grid.beats_per_bar), 1)
    lines = _bar_lines(ruler.grid, ruler.first, ruler.last)
    inside = lines[lines >= ruler.first - 1e-6]
    found: list[tuple[int, int, int]] = []
    if len(inside) == 0:
        return [(0, bar, 4)]
    pickup = float(ruler.beats(inside[0]))
    if pickup > 1e-3:
        # Whole beats, or one note value that is shorter than a beat.
        count = max(int(round(pickup * 16)), 1)
        divide = int(np.gcd(count, 16))
        found.append((0, count // divide, 64 // divide))
    lengths = [*np.diff(inside), bar]
    for start, length in zip(inside, lengths, strict=True):
        beats = max(int(round(length)), 1)
        if beats > 7 and beats % 4 == 0:
            # Two or more bars of four without marked bar lines between them.
            beats = 4
        if not found or found[-1][1:] != (beats, 4):
            found.append((int(ruler.tick(np.array([start]))[0]), beats, 4))
    return found
