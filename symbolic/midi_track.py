"""Read the events of one track chunk of a standard MIDI file (MIDI 1.0, "Standard MIDI Files", RP-001).

Files that other programs can read are read: running status continues after SysEx and meta events, real-time bytes
between events are skipped, data bytes above 127 count as 127. Events that Ableton Live writes at a negative time,
before the beginning of a clip, are moved to the beginning of the track.
"""

from __future__ import annotations

from collections.abc import Iterator

END_OF_TRACK, META, SYSEX, ESCAPE = 0x2F, 0xFF, 0xF0, 0xF7
#: Data bytes of system common messages, which have no place in a file but occur: time code, song position, song select.
_COMMON = {0xF1: 1, 0xF2: 2, 0xF3: 1}
#: Data bytes of the channel messages 0x8n to 0xEn.
_LENGTHS = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
_NUMBER_BYTES = 4


class Damage(Exception):
    """The bytes of a track stop making sense."""


class TrackReader:
    """Iterate over the events of a track.

    Each event is (tick, status, first, second): for channel messages both data bytes (second 0 where there is one);
    for meta events 0xFF, the type and the body as bytes; for SysEx 0xF0 or 0xF7, 0 and the body as bytes. Once the
    iteration has ended, the attributes tell how.

    Args:
        data: the file.
        begin: where the events begin.
        limit: where they end at the latest.
        cut: whether the file ends before the track does, so that only an end of track tells that it is whole.

    Attributes:
        tick: tick of the last event, the end of track included.
        stop: the byte after the last event.
        ended: whether an end of track was found.
        problem: why the rest could not be read, or "".
    """

    def __init__(self, data: bytes, begin: int, limit: int, cut: bool = False) -> None:
        self.data, self.begin, self.limit = data, begin, limit
        self.tick, self.stop = 0, begin
        self.ended, self.problem, self.cut = False, "", cut

    def __iter__(self) -> Iterator[tuple[int, int, int, int | bytes]]:
        data, limit = self.data, self.limit
        place, tick, running = self.begin, 0, 0
        try:
            while place < limit:
                delta = data[place]
                place += 1
                if delta > 127:
                    delta, place = _number(data, place - 1) if tick else _first_time(data, place - 1)
                tick += delta
                status = data[place]
                if status > 127:
                    place += 1
                elif running:
                    status = running
                else:
                    raise Damage
                if status < 0xF0:
                    running = status
                    if 0xC0 <= status < 0xE0:
                        first, second = data[place], 0
                        place += 1
                    else:
                        first, second = data[place], data[place + 1]
                        place += 2
                    if place > limit:
                        raise IndexError
                    self.tick, self.stop = max(tick, 0), place
                    yield self.tick, status, first if first < 128 else 127, second if second < 128 else 127
                    continue
                kind, body, place = self._system(status, place)
                if place > limit:
                    raise IndexError
                self.tick, self.stop = max(tick, 0), place
                if status == META and kind == END_OF_TRACK:
                    self.ended = True
                    return
                if body is not None:
                    yield self.tick, status, kind, body
            if self.cut:
                raise IndexError
        except IndexError:
            self.problem = "breaks off"
        except Damage:
            self.problem = f"is damaged {place - self.begin} bytes in"

    def _system(self, status: int, place: int) -> tuple[int, bytes | None, int]:
        """Type (of meta events), body, and the byte after an event that belongs to no channel; body None to skip it."""
        kind = 0
        if status == META:
            kind = self.data[place]
            place += 1
        elif status not in (SYSEX, ESCAPE):
            return 0, None, place + _COMMON.get(status, 0)
        length, place = _number(self.data, place)
        return kind, self.data[place : place + length], place + length


def _first_time(data: bytes, place: int) -> tuple[int, int]:
    """The first time of a track, which may be negative: five bytes, of which 32 bits count."""
    if all(byte > 127 for byte in data[place : place + _NUMBER_BYTES]) and data[place] & 0x7F >= 8:
        value = 0
        for byte in data[place : place + _NUMBER_BYTES + 1]:
            value = value << 7 | byte & 0x7F
        if data[place + _NUMBER_BYTES] < 128 and value < 1 << 32:
            return value - (1 << 32), place + _NUMBER_BYTES + 1
    return _number(data, place)


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A number of up to four bytes of seven bits each, and the byte after it."""
    value = 0
    for at in range(place, place + _NUMBER_BYTES):
        byte = data[at]
        value = value << 7 | byte & 0x7F
        if byte < 128:
            return value, at + 1
    raise Damage
