"""Read all events of a MIDI file unchanged, to write them again with additional tracks.

:func:`d2m.symbolic.midi_file.parse` reads what a score needs; this module keeps everything that can be read: lyrics,
SysEx messages, pressure, names in their own charset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from d2m.symbolic.midi_chunks import find_layout, tracks
from d2m.symbolic.midi_file import FASTEST, USUAL_TEMPO, Instrument, MidiFile
from d2m.symbolic.midi_text import find_charset
from d2m.symbolic.midi_track import END_OF_TRACK, META
from d2m.symbolic.midi_write import CHANNELS, DRUM_CHANNEL, encode, meta, number

#: Meta events that belong to the whole file, in whichever track they stand: tempo, SMPTE offset, metre and key.
_OF_THE_FILE = (0x51, 0x54, 0x58, 0x59)
_PORT, _TEMPO, _METRE = 0x21, 0x51, 0x58
Event = tuple[int, bytes]


@dataclass
class Events:
    """A file on its way to be written again.

    Attributes:
        division: two bytes, as in the header.
        tracks: (tick, event) of every track in order, the end of track included.
    """

    division: int
    tracks: list[list[Event]]

    def to_bytes(self) -> bytes:
        """Return a file of format 1."""
        return encode(self.tracks, self.division)


def read_events(data: bytes) -> Events:
    """Read all events of a file that :func:`~d2m.symbolic.midi_file.parse` reads without an error.

    Patterns of format 2 are laid one after another, and tempos that no program plays are left out, as there.

    Args:
        data: bytes of the file.
    """
    layout = find_layout(data)
    found: list[list[Event]] = []
    offset = 0
    for index, reader in enumerate(tracks(data, layout)):
        events: list[Event] = []
        if layout.form == 2 and index:
            events += [(offset, meta(_TEMPO, USUAL_TEMPO.to_bytes(3, "big"))), (offset, meta(_METRE, b"\4\2\x18\x08"))]
        for tick, status, first, second in reader:
            event = _event(status, first, second)
            if event[:3] != b"\xff\x51\x03" or int.from_bytes(event[3:], "big") >= FASTEST:
                events.append((tick + offset, event))
        events.append((reader.tick + offset, meta(END_OF_TRACK, b"")))
        if layout.form == 2:
            offset += reader.tick
        found.append(events)
    return Events(layout.time, found)


def charset_of(events: Events) -> str:
    """Find the charset of the names and words of a file.

    Args:
        events: events of the file.

    Returns:
        One of those of :func:`~d2m.symbolic.midi_text.find_charset`.
    """
    texts = []
    for row in events.tracks:
        for _, event in row:
            if event[0] == META and 1 <= event[1] <= 7:
                size = next(place for place in range(2, len(event)) if event[place] < 0x80)
                texts.append(event[size + 1 :])
    return find_charset([text for text in texts if not text.isascii()][:200])


def _event(status: int, first: int, second: int | bytes) -> bytes:
    if isinstance(second, bytes):
        kind = bytes([status, first]) if status == META else bytes([status])
        return kind + number(len(second)) + second
    return bytes([status, first]) if 0xC0 <= status < 0xE0 else bytes([status, first, second])


def only(events: Events, file: MidiFile, kept: Collection[Instrument]) -> Events:
    """Keep the events of the instruments ``kept``, and remove notes and controllers of others.

    Args:
        events: events of a file.
        file: the same file.
        kept: some of its instruments.
    """
    wanted = Counter(
        (source.track, start, source.channel, key, velocity)
        for source in kept
        for start, _, key, velocity in file.notes[source]
    )
    channels = {source.channel for source in kept}
    playing, left = {source.track for source in file.notes}, {source.track for source in kept}
    found = []
    for track, row in enumerate(events.tracks):
        port, out = 0, []
        for tick, event in row:
            status = event[0]
            if event[:2] == bytes([META, _PORT]):
                port = event[3] & 15
            if status >= 0xF0:
                of_file = status == META and event[1] in (*_OF_THE_FILE, END_OF_TRACK)
                if of_file or track in left or track not in playing:
                    out.append((tick, event))
                continue
            channel = 16 * port + (status & 15)
            if channel not in channels:
                continue
            if status >> 4 == 0x9 and event[2]:
                note = (track, tick, channel, event[1], event[2])
                if not wanted[note]:
                    continue
                wanted[note] -= 1
            out.append((tick, event))
        # The first track has the file's tempo, even if it contains none.
        if not track or any(event[:2] != bytes([META, END_OF_TRACK]) for _, event in out):
            found.append(out)
    return Events(events.division, found)


def free_channels(events: Events) -> tuple[list[int], bool]:
    """Find channels for additional tracks.

    Args:
        events: events of the file.

    Returns:
        pitched channels on which no note is played, first those that are not spoken of at all; and whether the channel
        of the drums is one of them.
    """
    played, said = set(), set()
    for row in events.tracks:
        for _, event in row:
            if event[0] < 0xF0:
                said.add(event[0] & 15)
                if event[0] >> 4 == 0x9:
                    played.add(event[0] & 15)
    pitched = [channel for channel in CHANNELS if channel not in played]
    return sorted(pitched, key=lambda channel: channel in said), DRUM_CHANNEL not in played
