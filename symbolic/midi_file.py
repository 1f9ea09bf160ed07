"""The bytes of a standard MIDI file (MIDI 1.0, "Standard MIDI Files", RP-001), read with care.

symusic is faster but crashes the interpreter on damaged files, so what strangers send is parsed here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

_MOST_CHANGES, _LONGEST_NAME = 20_000, 80
#: Scores for a whole orchestra have half as many tracks; notes that a file forgets to end are shorter, in quarters.
_MOST_TRACKS, _LONGEST_NOTE = 128, 1500


class Instrument(NamedTuple):
    """Where notes come from: the MIDI track, and what its channel plays."""

    track: int
    program: int
    drums: bool


@dataclass
class MidiFile:
    """What a score needs of a MIDI file.

    Attributes:
        resolution: ticks a quarter note.
        tempos: tick -> microseconds a quarter note.
        signatures: tick -> (numerator, denominator).
        notes: instrument -> (start tick, end tick, key, velocity) of its notes.
        count: of all notes.
        names: MIDI track -> what it is called, for those that say.
        last: tick of the last note, pedal or other message to an instrument.
    """

    resolution: int
    tempos: dict[int, int] = field(default_factory=dict)
    signatures: dict[int, tuple[int, int]] = field(default_factory=dict)
    notes: dict[Instrument, list[tuple[int, int, int, int]]] = field(default_factory=dict)
    count: int = 0
    names: dict[int, str] = field(default_factory=dict)
    last: int = 0


def parse(data: bytes, most_notes: int) -> MidiFile:
    """Read the bytes of a file.

    What many programs get wrong is taken as it is meant: a last chunk whose length does not reach the end of the file
    or goes beyond it, a track without an end, notes that are never released (they end where their track does), and
    bytes after the last track. Nothing is left out silently: a file that breaks off is refused.

    Raises:
        ValueError: if it is no MIDI file with a tempo map, is damaged or breaks off, or holds more than ``most_notes``
            notes, more than 128 tracks, or a note that is held as no instrument holds it.
    """
    if not data:
        raise ValueError("it is empty")
    if data[:4] != b"MThd" or len(data) < 14:
        raise ValueError("no MIDI header")
    resolution = int.from_bytes(data[12:14], "big")
    if resolution == 0 or resolution & 0x8000:
        raise ValueError("its time is counted in film frames, not beats")
    announced = int.from_bytes(data[10:12], "big")
    if announced > _MOST_TRACKS:
        raise ValueError(f"it has {announced} tracks, at most {_MOST_TRACKS} are read")
    file = MidiFile(resolution)
    place, number = 8 + int.from_bytes(data[4:8], "big"), 0
    while place + 8 <= len(data):
        name, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        begin, end = place + 8, place + 8 + length
        if name == b"MTrk":
            if number == _MOST_TRACKS:
                raise ValueError(f"it has more than {_MOST_TRACKS} tracks")
            whole = end <= len(data)
            last = number + 1 >= announced
            if last and whole and not _is_chunk(data, end):
                end = len(data)
            _Track(data[begin:end], number, file, most_notes).read(length if whole else None)
            number += 1
        elif not name.isalnum() and number >= announced:
            break
        place = end
    if number < announced or not number:
        raise ValueError(f"it breaks off: {number} of {max(announced, 1)} tracks are there")
    return file


def _is_chunk(data: bytes, place: int) -> bool:
    """Whether the file ends here, or goes on with another chunk."""
    return place == len(data) or (data[place : place + 4].isalnum() and len(data) >= place + 8)


class _Track:
    """One track chunk on its way through."""

    def __init__(self, data: bytes, number: int, file: MidiFile, most_notes: int):
        self.data, self.number, self.file, self.most_notes = data, number, file, most_notes
        self.place, self.tick = 0, 0
        self.programs = [0] * 16
        self.down: dict[tuple[int, int], deque[tuple[int, int, Instrument]]] = {}

    def read(self, length: int | None) -> None:
        """All events.

        Args:
            length: the chunk's own, at which it may end without saying so; None if the file ends before.
        """
        try:
            ended = self._events(length)
        except IndexError:
            ended = False
        if not ended:
            raise ValueError(f"track {self.number + 1} breaks off")
        for (channel, key), _ in list(self.down.items()):
            while self.down[channel, key]:
                self._release(channel, key)

    def _events(self, length: int | None) -> bool:
        """Whether the track ends where a track may."""
        status = 0
        while self.place != length:
            if self.place >= len(self.data):
                return False
            self.tick += self._number()
            if self.data[self.place] & 0x80:
                status = self.data[self.place]
                self.place += 1
            if status == 0xFF:
                if not self._meta():
                    return True
                status = 0
            elif status in (0xF0, 0xF7):
                length = self._number()  # read first: the call moves `place` itself
                self.place += length
                status = 0
            elif 0x80 <= status < 0xF0:
                self._channel(status >> 4, status & 15)
            else:
                raise ValueError(f"track {self.number + 1} is damaged {self.place} bytes in")
            if self.place > len(self.data):
                return False
        return True

    def _number(self) -> int:
        """A number of up to four bytes, seven bits each."""
        value = 0
        for _ in range(4):
            byte = self.data[self.place]
            self.place += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise ValueError(f"track {self.number + 1} is damaged {self.place} bytes in")

    def _meta(self) -> bool:
        kind = self.data[self.place]
        self.place += 1
        length = self._number()
        body = self.data[self.place : self.place + length]
        self.place += length
        if kind == 0x51 and length == 3:
            self.file.tempos[self.tick] = int.from_bytes(body, "big")
        elif kind == 0x03 and body:
            self.file.names.setdefault(self.number, body[:_LONGEST_NAME].decode("utf-8", "replace"))
        elif kind == 0x58 and length >= 2 and len(body) >= 2 and body[0] and body[1] <= 7:
            self.file.signatures[self.tick] = (body[0], 2 ** body[1])
        if len(self.file.tempos) + len(self.file.signatures) > _MOST_CHANGES:
            raise ValueError(f"more than {_MOST_CHANGES} changes of tempo and metre")
        return kind != 0x2F

    def _channel(self, kind: int, channel: int) -> None:
        first = self.data[self.place] & 0x7F
        self.file.last = max(self.file.last, self.tick)
        if kind in (0xC, 0xD):
            self.place += 1
            if kind == 0xC:
                self.programs[channel] = first
            return
        second = self.data[self.place + 1] & 0x7F
        self.place += 2
        if kind == 0x9 and second:
            source = Instrument(self.number, self.programs[channel], channel == 9)
            self.file.count += 1
            if self.file.count > self.most_notes:
                raise ValueError(f"more than {self.most_notes} notes")
            self.down.setdefault((channel, first), deque()).append((self.tick, second, source))
        elif kind in (0x8, 0x9):
            self._release(channel, first)

    def _release(self, channel: int, key: int) -> None:
        """The oldest of the key's notes ends, as files that repeat a key expect."""
        waiting = self.down.get((channel, key))
        if not waiting:
            return
        start, velocity, source = waiting.popleft()
        if self.tick - start > _LONGEST_NOTE * self.file.resolution:
            raise ValueError(f"a note is held for {(self.tick - start) // self.file.resolution} beats")
        self.file.notes.setdefault(source, []).append((start, max(self.tick, start + 1), key, velocity))
