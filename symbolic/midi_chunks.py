"""Find the header and the tracks in the bytes of a MIDI file, also inside other formats.

RIFF (``.rmi``), MacBinary and other bytes before the header are skipped. A length of a track chunk that does not lead
to the next chunk is ignored: the track then ends at its end-of-track event, at the latest before the next ``MTrk``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from d2m.symbolic.midi_track import TrackReader

#: Scores for a whole orchestra have half as many tracks.
MOST_TRACKS = 128
#: Bytes before the header that are passed over; MacBinary has 128.
_MOST_BEFORE = 65_536
_MAC_BINARY = 128
#: Frame rates of SMPTE time codes; 29 stands for 30 / 1.001.
_FRAME_RATES = {24: 24.0, 25: 25.0, 29: 30_000 / 1001, 30: 30.0}


@dataclass
class Layout:
    """The header of a file.

    Attributes:
        form: 0 (one track), 1 (tracks together) or 2 (patterns one after another).
        announced: tracks that the header promises.
        division: ticks a quarter note; 0 where time is counted in film frames.
        ticks_a_second: ticks a second of film frames, else 0.
        begin, end: bytes between which the track chunks lie.
        mended: what was wrong.
        time: the division as the header has it, two bytes.
    """

    form: int
    announced: int
    division: int
    ticks_a_second: float
    begin: int
    end: int
    mended: list[str] = field(default_factory=list)
    time: int = 0


def find_layout(data: bytes) -> Layout:
    """Find and read the header.

    Args:
        data: bytes of the file.

    Raises:
        ValueError: if there is none, or it is one that no time can be counted by.
    """
    if not data:
        raise ValueError("it is empty")
    mended: list[str] = []
    begin, end = _unwrapped(data, mended)
    if end - begin < 14:
        raise ValueError("no MIDI header")
    form, announced, time = (int.from_bytes(data[begin + at : begin + at + 2], "big") for at in (8, 10, 12))
    if form > 2:
        mended.append(f"its format {form} is unknown and read as 1")
        form = 1
    ticks_a_second = _film_time(time)
    division = 0 if ticks_a_second else time
    if not time:
        raise ValueError("it has 0 ticks a quarter note, so its notes have no times")
    if announced > MOST_TRACKS and _count_tracks(data, begin, end) > MOST_TRACKS:
        raise ValueError(f"it has {announced} tracks, at most {MOST_TRACKS} are read")
    first = begin + 8 + int.from_bytes(data[begin + 4 : begin + 8], "big")
    if not _is_chunk(data, first, end):
        found = data.find(b"MTrk", begin + 8, end)
        first = found if found >= 0 else end
    return Layout(form, announced, division, ticks_a_second, first, end, mended, time)


def _film_time(division: int) -> float:
    """Ticks a second of a division in film frames, 0 for one in quarter notes."""
    if not division & 0x8000:
        return 0.0
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames not in _FRAME_RATES or not ticks:
        raise ValueError(f"its time is counted in {frames} film frames a second of {ticks} ticks, which do not exist")
    return _FRAME_RATES[frames] * ticks


def _count_tracks(data: bytes, begin: int, end: int) -> int:
    return data.count(b"MTrk", begin, end)


def _unwrapped(data: bytes, mended: list[str]) -> tuple[int, int]:
    """Where the MIDI file in the bytes begins and ends."""
    if data[:4] == b"MThd":
        return 0, len(data)
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        found = _riff_data(data)
        if found:
            return found
    begin = data.find(b"MThd", 0, _MOST_BEFORE)
    if begin < 0:
        raise ValueError("no MIDI header")
    if data[:4] != b"RIFF" and not (begin == _MAC_BINARY and data[0] == 0):
        mended.append(f"{begin} bytes before its header are passed over")
    return begin, len(data)


def _riff_data(data: bytes) -> tuple[int, int] | None:
    """Where the ``data`` chunk of a RIFF file holds a MIDI file."""
    place = 12
    while place + 8 <= len(data):
        name, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        if name == b"data" and data[place + 8 : place + 12] == b"MThd":
            end = place + 8 + length
            return place + 8, end if length >= 14 and end <= len(data) else len(data)
        place += 8 + length + length % 2
    return None


def _is_chunk(data: bytes, place: int, end: int) -> bool:
    """Whether the file ends here, or goes on with another chunk."""
    return place == end or (place + 8 <= end and data[place : place + 4].isalnum())


def tracks(data: bytes, layout: Layout) -> Iterator[TrackReader]:
    """Iterate over readers of the tracks; each must be read to its end before the next is requested.

    Args:
        data: bytes of the file.
        layout: layout of the file.

    Raises:
        ValueError: for more than :data:`MOST_TRACKS` tracks.
    """
    place, end, number, lied = layout.begin, layout.end, 0, False
    while place + 8 <= end:
        name, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        begin, stop = place + 8, place + 8 + length
        if name != b"MTrk":
            if _is_chunk(data, place, end) and _is_chunk(data, stop, end):
                place = stop
                continue
            # Padding, or what other programs left behind the tracks.
            place = data.find(b"MTrk", place + 1, end)
            if place < 0 or number >= layout.announced:
                break
            continue
        if number == MOST_TRACKS:
            raise ValueError(f"it has more than {MOST_TRACKS} tracks")
        believed = stop <= end and _is_chunk(data, stop, end)
        following = data.find(b"MTrk", begin, end)
        limit = stop if believed else following if following >= 0 else end
        reader = TrackReader(data, begin, limit, cut=stop > end and following < 0)
        yield reader
        number += 1
        if believed and data[reader.stop : reader.stop + 4] != b"MTrk":
            if reader.ended and data[reader.stop : stop].strip(b"\0"):
                layout.mended.append(f"bytes after the end of track {number} are left out")
            place = stop
            continue
        lied |= reader.stop != stop and not reader.problem and (following >= 0 or stop < reader.stop)
        place = reader.stop if reader.ended or not reader.problem else begin
        if data[place : place + 4] != b"MTrk":
            place = data.find(b"MTrk", place, end)
            if place < 0:
                break
    if lied:
        layout.mended.append("lengths of its tracks are wrong, they are read to their own ends")
    if number != layout.announced:
        layout.mended.append(f"it announces {_tracks(layout.announced)} and has {number}")


def _tracks(count: int) -> str:
    return "1 track" if count == 1 else f"{count} tracks"
