"""Read the music in the bytes of a standard MIDI file (MIDI 1.0, "Standard MIDI Files", RP-001), tolerating errors.

mido reads most of the same files at a third of the speed and refuses what other programs play: wrapped files, wrong
lengths, running status after SysEx, truncated tracks. symusic is a hundred times faster, and crashes the interpreter on
damaged files. ``scripts/measure_midi.py`` compares all three note by note.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from d2m.symbolic.midi_channels import BEND, PRESSURE, Channels, SysexJoiner, calls_itself_drums
from d2m.symbolic.midi_chunks import Layout, find_layout, tracks
from d2m.symbolic.midi_text import decode, find_charset
from d2m.symbolic.midi_track import META, TrackReader

_MOST_CHANGES, _LONGEST_NAME = 20_000, 80
#: Notes are held shorter, in quarters; one that its file forgets to end rings for so many after all others.
_LONGEST_NOTE, _FORGOTTEN = 1500, 4
#: Microseconds per quarter note: the default, and the minimum that is accepted as a tempo.
USUAL_TEMPO, FASTEST = 500_000, 10_000
_SEQUENCE_NAME, _INSTRUMENT_NAME, _PREFIX, _PORT, _TEMPO, _METRE = 0x03, 0x04, 0x20, 0x21, 0x51, 0x58


class Instrument(NamedTuple):
    """Source of notes: the MIDI track, the sound of its channel, and the channel (16 times the port plus 0 to 15)."""

    track: int
    program: int
    drums: bool
    channel: int = 0


@dataclass
class MidiFile:
    """Content of a MIDI file that a score needs.

    Attributes:
        resolution: ticks a quarter note.
        tempos: tick -> microseconds a quarter note.
        signatures: tick -> (numerator, denominator).
        notes: instrument -> (start tick, end tick, key, velocity) of its notes; a note ends where its key is let go.
        count: number of all notes.
        names: MIDI track -> what it is called, for those that say.
        channel_names: (MIDI track, channel) -> what a channel of a track is called.
        controls: channel -> int64 (M, 3) of tick, number and value: controllers (0 to 127), and what
            :mod:`~d2m.symbolic.midi_channels` numbers beyond.
        last: tick of the last note, pedal or other message to an instrument.
        mended: what was mended or left out.
    """

    resolution: int
    tempos: dict[int, int] = field(default_factory=dict)
    signatures: dict[int, tuple[int, int]] = field(default_factory=dict)
    notes: dict[Instrument, list[tuple[int, int, int, int]]] = field(default_factory=dict)
    count: int = 0
    names: dict[int, str] = field(default_factory=dict)
    channel_names: dict[tuple[int, int], str] = field(default_factory=dict)
    controls: dict[int, np.ndarray] = field(default_factory=dict, compare=False)
    last: int = 0
    mended: tuple[str, ...] = field(default=(), compare=False)

    def name_of(self, instrument: Instrument) -> str:
        """Return the name of an instrument in the file, or "".

        Args:
            instrument: the instrument.
        """
        named = self.channel_names.get((instrument.track, instrument.channel))
        return named or self.names.get(instrument.track, "")


class _Note(NamedTuple):
    """A note on its way: ticks, key, velocity, track, channel, and its place among the track's events."""

    start: int
    end: int
    key: int
    velocity: int
    track: int
    channel: int
    place: int
    forgotten: bool = False


def parse(data: bytes, most_notes: int) -> MidiFile:
    """Read the bytes of a file.

    What many programs get wrong is taken as it is meant, and what can be read of a damaged file is read;
    :attr:`MidiFile.mended` says so. Patterns of format 2 are laid one after another.

    Args:
        data: the bytes.
        most_notes: maximum number of notes.

    Raises:
        ValueError: if it is no MIDI file, counts no time, holds no track that can be read, more than ``most_notes``
            notes or more than 128 tracks.
    """
    layout = find_layout(data)
    reader = _Reader(layout, most_notes)
    for number, track in enumerate(tracks(data, layout)):
        reader.read(track, number)
    return reader.file()


class _Reader:
    """A file on its way through."""

    def __init__(self, layout: Layout, most_notes: int) -> None:
        self.layout, self.most_notes = layout, most_notes
        ticks = layout.ticks_a_second
        self.made = MidiFile(layout.division or max(round(ticks / 2), 1))
        if ticks:
            self.made.tempos[0] = round(self.made.resolution / ticks * 1e6)
        self.channels = Channels()
        self.notes: list[_Note] = []
        self.names: dict[tuple[int, int | None], dict[int, bytes]] = {}
        self.texts: list[bytes] = []
        self.problems: list[str] = []
        self.offset, self.number, self.index = 0, 0, 0
        self.tracks_read = 0

    def read(self, track: TrackReader, number: int) -> None:
        """Read a track to its end."""
        self.tracks_read += 1
        self.number, self.port = number, 0
        self.prefix: int | None = None
        self.down: dict[tuple[int, int], deque[tuple[int, int, int]]] = {}
        self.joiner = SysexJoiner()
        if self.layout.form == 2 and number:
            self._begin_pattern()
        for self.index, (tick, status, first, second) in enumerate(track):
            if not isinstance(second, bytes):
                self._channel(tick + self.offset, status >> 4, 16 * self.port + (status & 15), first, second)
            elif status == META:
                self._meta(tick + self.offset, first, second)
            else:
                message = self.joiner.whole(status, second)
                if message:
                    self.channels.sysex(message, tick + self.offset, number, self.index, self.port)
        if track.problem:
            self.problems.append(f"track {number + 1} {track.problem}")
        self._end(track.tick + self.offset)

    def _begin_pattern(self) -> None:
        """Start a pattern of format 2: it knows nothing of the tempo and metre of the one before."""
        if self.made.tempos and not self.layout.ticks_a_second:
            self.made.tempos.setdefault(self.offset, USUAL_TEMPO)
        if self.made.signatures:
            self.made.signatures.setdefault(self.offset, (4, 4))

    def _end(self, tick: int) -> None:
        """End a track, and the notes that it never does."""
        for (channel, key), waiting in self.down.items():
            for start, velocity, index in waiting:
                self.notes.append(_Note(start, tick, key, velocity, self.number, channel, index, True))
        if self.layout.form == 2:
            self.offset = max([tick, *(note.end for note in self.notes[-1:])])

    def _channel(self, tick: int, kind: int, channel: int, first: int, second: int) -> None:
        self.made.last = max(self.made.last, tick)
        if kind == 0x9 and second:
            self.made.count += 1
            if self.made.count > self.most_notes:
                raise ValueError(f"more than {self.most_notes} notes")
            self.down.setdefault((channel, first), deque()).append((tick, second, self.index))
        elif kind in (0x8, 0x9):
            self._release(tick, channel, first)
        elif kind == 0xB:
            if first == 0:
                self.channels.bank(channel, tick, self.number, self.index, second)
            elif first == 120 or first > 122:
                for _, key in [place for place in self.down if place[0] == channel]:
                    while self.down[channel, key]:
                        self._release(tick, channel, key)
            self.channels.control(channel, tick, first, second)
        elif kind == 0xC:
            self.channels.program(channel, tick, self.number, self.index, first)
        elif kind == 0xD:
            self.channels.control(channel, tick, PRESSURE, first)
        elif kind == 0xE:
            self.channels.control(channel, tick, BEND, first | second << 7)

    def _release(self, tick: int, channel: int, key: int) -> None:
        """End the oldest note of a key, as files that repeat a key expect."""
        waiting = self.down.get((channel, key))
        if waiting:
            start, velocity, index = waiting.popleft()
            self.notes.append(_Note(start, max(tick, start + 1), key, velocity, self.number, channel, index))

    def _meta(self, tick: int, kind: int, body: bytes) -> None:
        if kind == _TEMPO and len(body) == 3 and not self.layout.ticks_a_second:
            tempo = int.from_bytes(body, "big")
            if tempo < FASTEST:
                self._mend(f"a tempo of {tempo} microseconds a beat", "is left out")
            else:
                self.made.tempos[tick] = tempo
        elif kind == _METRE and len(body) >= 2 and body[0] and body[1] <= 7:
            self.made.signatures[tick] = (body[0], 2 ** body[1])
        elif kind in (_SEQUENCE_NAME, _INSTRUMENT_NAME) and body:
            self.names.setdefault((self.number, self.prefix), {}).setdefault(kind, body[:_LONGEST_NAME])
        elif kind == _PREFIX and len(body) == 1 and body[0] < 16:
            self.prefix = 16 * self.port + body[0]
        elif kind == _PORT and len(body) == 1:
            self.port = body[0] & 15
        if 1 <= kind <= 7 and len(self.texts) < 200 and not body.isascii():
            self.texts.append(body[:_LONGEST_NAME])
        if len(self.made.tempos) + len(self.made.signatures) > _MOST_CHANGES:
            raise ValueError(f"more than {_MOST_CHANGES} changes of tempo and metre")

    def _mend(self, what: str, how: str) -> None:
        line = f"{what} {how}"
        if line not in self.layout.mended:
            self.layout.mended.append(line)

    def file(self) -> MidiFile:
        """Put what all tracks hold together."""
        made = self.made
        if not self.notes and self.problems:
            raise ValueError(self.problems[0])
        if not self.tracks_read:
            announced = self.layout.announced
            raise ValueError(f"it breaks off: 0 of {announced} tracks are there" if announced else "it has no tracks")
        if self.problems:
            self.layout.mended.insert(0, f"{' and '.join(self.problems[:2])}, what is there is read")
        self._name()
        self.channels.settle()
        self._sort()
        made.controls = {
            channel: table
            for channel in {instrument.channel for instrument in made.notes}
            if len(table := self.channels.table(channel))
        }
        made.mended = tuple(self.layout.mended)
        return made

    def _name(self) -> None:
        charset = find_charset(self.texts)
        for (track, channel), found in self.names.items():
            name = decode(found.get(_SEQUENCE_NAME) or found[_INSTRUMENT_NAME], charset)
            if name and channel is None:
                self.made.names[track] = name
            elif name and channel is not None:
                self.made.channel_names[track, channel] = name

    def _sort(self) -> None:
        """Give every note to its instrument."""
        playing = {channel: self.channels.at(channel) for channel in {note.channel for note in self.notes}}
        drums = self._named_drums()
        released = max((note.end for note in self.notes if not note.forgotten), default=0)
        last = max([released, *(note.start for note in self.notes)])
        longest, forgotten = _LONGEST_NOTE * self.made.resolution, _FORGOTTEN * self.made.resolution
        cut = False
        for note in self.notes:
            known, end = playing[note.channel], note.end
            if note.forgotten:
                end = max(min(end, max(last, note.start + forgotten)), note.start + 1)
            if end - note.start > longest:
                end = note.start + forgotten
            cut |= end < note.end
            program = known.program(note.start, note.track, note.place)
            is_drum = known.is_drum(note.start) or (note.track, note.channel) in drums
            source = Instrument(note.track, program, is_drum, note.channel)
            self.made.notes.setdefault(source, []).append((note.start, end, note.key, note.velocity))
            self.made.last = max(self.made.last, end)
        if cut:
            self._mend("notes that nothing ends", "are cut")

    def _named_drums(self) -> set[tuple[int, int]]:
        """(Track, channel) of tracks that call themselves drums on another channel than 10."""
        keys: dict[tuple[int, int], set[int]] = {}
        for note in self.notes:
            keys.setdefault((note.track, note.channel), set()).add(note.key)
        found = set()
        for (track, channel), struck in keys.items():
            alone = sum(place[0] == track for place in keys) == 1
            name = self.made.channel_names.get((track, channel)) or (self.made.names.get(track, "") if alone else "")
            changes = self.channels.programs.get(channel, [])
            programs = [entry[3] for entry in changes if entry[1] == track] or [entry[3] for entry in changes]
            if name and calls_itself_drums(name, programs, struck):
                found.add((track, channel))
        return found
