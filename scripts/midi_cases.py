"""MIDI files for testing a reader, and their notes read by other means than d2m's reader.

:func:`random_file` builds a file of random events; :func:`files` and :func:`mutated` are the same as strategies of
hypothesis, which finds the smallest file that fails. :func:`expected` pairs the notes of events, :func:`mido_notes`
those of the events that mido reads.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from d2m.symbolic.midi_file import MidiFile

#: One event of a track: its tick and its bytes, SysEx and meta events with their lengths.
Event = tuple[int, bytes]
_SYSEX = (
    b"\x05\x7e\x7f\x09\x01\xf7", b"\x0a\x41\x10\x42\x12\x40\x00\x7f\x00\x41\xf7",
    b"\x08\x43\x10\x4c\x00\x00\x7e\x00\xf7",
    b"\x00", b"\x03\x43\x12\x00", b"\x02\x7d\xf7",
)  # fmt: skip


class Note(NamedTuple):
    """A note in ticks; ``length`` is None where nothing ends it."""

    onset: int
    length: int | None
    key: int
    velocity: int
    channel: int
    program: int


def number(value: int) -> bytes:
    """Return a MIDI number of variable length."""
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def encode(tracks: Sequence[Sequence[Event]], division: int = 480, form: int = 1, running: bool = True) -> bytes:
    """Return a file of tracks whose events are in order; with running status wherever the standard allows it."""
    out = b"MThd\0\0\0\x06" + form.to_bytes(2, "big") + len(tracks).to_bytes(2, "big") + division.to_bytes(2, "big")
    for events in tracks:
        body, before, status = bytearray(), 0, 0
        for tick, event in events:
            body += number(tick - before)
            body += event[1:] if running and event[0] == status < 0xF0 else event
            before, status = tick, event[0] if event[0] < 0xF0 else 0
        body += b"\0\xff\x2f\0"
        out += b"MTrk" + len(body).to_bytes(4, "big") + bytes(body)
    return out


def random_file(rng: random.Random) -> tuple[bytes, list[list[Event]], int]:
    """Return a file of up to five tracks with anything that may stand in one.

    Returns:
        the file, its events and its format (0 or 1).
    """
    form = rng.choice([0, 1, 1])
    tracks = []
    for _ in range(1 if form == 0 else rng.randint(1, 5)):
        tick, events = 0, []
        channels = rng.choices(range(16), k=rng.randint(1, 3))
        keys = rng.choices(range(128), k=rng.randint(1, 6))
        for _ in range(rng.randint(0, 40)):
            tick += rng.choice([0, 0, 1, 60, 120, 480, 2000])
            events.append((tick, _random_event(rng, rng.choice(channels), rng.choice(keys))))
        tracks.append(events)
    return encode(tracks, rng.choice([24, 96, 480, 960, 32767]), form, rng.random() < 0.7), tracks, form


def _random_event(rng: random.Random, channel: int, key: int) -> bytes:
    kind = rng.choice("nnnnnnoooozpcbakmtx")
    data = rng.randint(0, 127)
    if kind == "n":
        return bytes([0x90 | channel, key, rng.randint(1, 127)])
    if kind in "oz":
        return bytes([(0x80 if kind == "o" else 0x90) | channel, key, data if kind == "o" else 0])
    if kind == "p":
        return bytes([0xC0 | channel, data])
    if kind == "c":
        return bytes([0xB0 | channel, rng.choice([1, 7, 10, 11, 32, 64, 91, 123]), data])
    if kind in "bk":
        return bytes([(0xE0 if kind == "b" else 0xA0) | channel, data, rng.randint(0, 127)])
    if kind == "a":
        return bytes([0xD0 | channel, data])
    if kind == "x":
        return b"\xf0" + rng.choice(_SYSEX)
    if kind == "t":
        return b"\xff\x51\x03" + rng.randint(200_000, 2_000_000).to_bytes(3, "big")
    text = bytes(rng.choices(range(32, 256), k=rng.randint(0, 20)))
    return bytes([0xFF, rng.choice([1, 2, 3, 4, 5, 6, 0x7F])]) + number(len(text)) + text


def files() -> st.SearchStrategy[tuple[bytes, list[list[Event]], int]]:
    """Return files as of :func:`random_file`."""
    return st.randoms(use_true_random=False).map(random_file)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return files with bytes changed, taken out, put in or said twice."""
    data = bytearray(draw(files())[0])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        what = draw(st.sampled_from(["change", "cut", "insert", "double", "end"]))
        if what == "change" and data:
            data[at] = draw(st.one_of(st.sampled_from([0, 0x7F, 0x80, 0xF0, 0xF7, 0xFF]), st.integers(0, 255)))
        elif what == "insert":
            data[at:at] = draw(st.one_of(st.sampled_from([b"MTrk", b"MThd", b"\xff" * 4]), st.binary(max_size=8)))
        else:
            stop = len(data) if what == "end" else at + draw(st.integers(1, 60))
            data[at:stop] = data[at:stop] * 2 if what == "double" else b""
    return bytes(data)


def expected(tracks: Sequence[Sequence[Event]], form: int = 1) -> list[Note]:
    """Return the notes of events, by the plainest code: every note-off ends the oldest note of its key within its
    track.
    """
    changes: list[tuple[int, int, int, int, int]] = []
    found: list[tuple[int, int, int, int, int, int, int | None]] = []
    offset = 0
    for number_, events in enumerate(tracks):
        down: dict[tuple[int, int], list[int]] = {}
        port = 0
        for index, (at, event) in enumerate(events):
            tick, kind, channel = at + offset, event[0] & 0xF0, 16 * port + (event[0] & 15)
            if event[:2] == b"\xff\x21":
                port = event[3] & 15
            elif kind == 0xC0:
                changes.append((channel, tick, number_, index, event[1]))
            elif kind == 0x90 and event[2]:
                down.setdefault((channel, event[1]), []).append(len(found))
                found.append((tick, event[1], event[2], channel, number_, index, None))
            elif kind in (0x80, 0x90):
                _end(found, down.get((channel, event[1]), [])[:1], tick)
                del down.get((channel, event[1]), [])[:1]
            elif kind == 0xB0 and (event[1] == 120 or event[1] > 122):
                for (place, _), waiting in down.items():
                    if place == channel:
                        _end(found, waiting, tick)
                        waiting.clear()
        offset += (events[-1][0] if events else 0) if form == 2 else 0
    programs = _Programs(changes)
    notes = [
        Note(tick, length, key, velocity, channel, programs.at(channel, tick, track, index))
        for tick, key, velocity, channel, track, index, length in found
    ]
    return sorted(notes, key=_order)


def _end(found: list, which: Sequence[int], tick: int) -> None:
    for at in which:
        found[at] = (*found[at][:-1], max(tick - found[at][0], 1))


class _Programs:
    """Programs of channels: the latest change counts; of several at one tick that of the note's own track."""

    def __init__(self, changes: list[tuple[int, int, int, int, int]]) -> None:
        self.changes: dict[int, list[tuple[int, int, int, int]]] = {}
        for channel, *rest in sorted(changes):
            self.changes.setdefault(channel, []).append(tuple(rest))

    def at(self, channel: int, tick: int, track: int, index: int) -> int:
        before = [
            change
            for change in self.changes.get(channel, [])
            if change[0] <= tick and not (change[:2] == (tick, track) and change[2] > index)
        ]
        latest = [change for change in before if change[0] == before[-1][0]]
        own = [change for change in latest if change[1] == track]
        return (own or latest)[-1][3] if latest else 0


def mido_events(data: bytes) -> tuple[list[list[Event]], int]:
    """Return events of a file and its format as mido reads them.

    Raises:
        Exception: whatever mido raises.
    """
    import mido

    file = mido.MidiFile(file=io.BytesIO(data), clip=True)
    tracks = []
    for track in file.tracks:
        tick, events = 0, []
        for message in track:
            tick += message.time
            if message.is_meta:
                if message.type == "midi_port":
                    events.append((tick, bytes([0xFF, 0x21, 1, message.port])))
                if message.type == "end_of_track":
                    events.append((tick, b"\xff\x2f\0"))
                    break
            elif not message.is_realtime and message.type != "sysex":
                events.append((tick, bytes(message.bytes())))
        tracks.append(events)
    return tracks, file.type


def confuses_mido(data: bytes) -> bool:
    """Tell whether a file has what mido misreads silently: running status after events of no channel, film frames."""
    from d2m.symbolic.midi_chunks import find_layout, tracks

    layout = find_layout(data)
    for track in tracks(data, layout):
        status, place = 0, track.begin
        for _, kind, _, _ in track:
            # mido keeps the status of the last event, whatever it was, but for meta events.
            begin = place
            place = track.stop
            while data[begin] & 0x80:
                begin += 1
            if data[begin + 1] < 0x80 and status != kind:
                return True
            if kind != 0xFF:
                status = kind
        if any(0xF1 <= byte <= 0xFE and byte != 0xF7 for byte in data[track.begin : track.stop]):
            return True
    return False


def mido_notes(data: bytes) -> list[Note]:
    """Return notes of a file as mido reads them; see :func:`mido_events`."""
    return expected(*mido_events(data))


def own_notes(file: MidiFile) -> list[Note]:
    """Return notes of a file as the project reads it."""
    return sorted(
        Note(start, end - start, key, velocity, source.channel, source.program)
        for source, found in file.notes.items()
        for start, end, key, velocity in found
    )


def differences(own: Sequence[Note], theirs: Sequence[Note]) -> list[tuple[Note | None, Note | None]]:
    """Return pairs of notes that are not the same; lengths of notes that nothing ends are not compared."""
    rest = []
    counts: dict[Note, int] = {}
    for note in theirs:
        counts[note] = counts.get(note, 0) + 1
    for note in own:
        if counts.get(note):
            counts[note] -= 1
        else:
            rest.append(note)
    found: list[tuple[Note | None, Note | None]] = []
    for note in rest:
        open_note = note._replace(length=None)
        if counts.get(open_note):
            counts[open_note] -= 1
        else:
            found.append((note, None))
    return found + [(None, note) for note, count in counts.items() for _ in range(count)]


def _order(note: Note) -> tuple:
    return note[0], note[2], -1 if note.length is None else note.length, *note[3:]
