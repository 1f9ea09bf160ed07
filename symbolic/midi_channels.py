"""State of the channels of a MIDI file: programs, drums and controllers, which belong to the channel, not to the track.

Bank select counts from the next program change on. Drums are channel 10 and every channel that the file turns into a
rhythm part: by GS ("use for rhythm part") or XG (part mode) SysEx, by bank 127 or 126 (XG) or 120 (GM2). Channel 10 is
pitched where it belongs to a zone of MPE (MIDI Polyphonic Expression: one channel a note). A channel is numbered 16
times its port plus 0 to 15.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from d2m.symbolic.midi_track import SYSEX

#: Numbers beside the 128 controllers under which are kept: pitch bend (0 to 16383), channel pressure, and the range of
#: the bend in hundredths of a semitone.
BEND, PRESSURE, BEND_RANGE = 128, 129, 130
_EXPRESSION, _PEDAL, _SOSTENUTO, _RESET = 11, 64, 66, 121
_DATA, _DATA_FINE, _NRPN_FINE, _NRPN, _RPN_FINE, _RPN = 6, 38, 98, 99, 100, 101
#: Under this number the master volume stands among the controllers until it is worked into the expression.
_MASTER = -1
#: More than in any music; files beyond would take memory for nothing.
_MOST_CONTROLS, _MOST_CHANGES = 1_000_000, 20_000
_BANK, _DRUMS = 0, 9
_DRUM_BANKS = {120, 126, 127}
#: Master channels of MPE zones, and the registered parameter with the number of member channels.
_MASTERS, _ZONE = (0, 15), [0, 6]
_ROLAND, _YAMAHA = 0x41, 0x43
#: Where the GM percussion keys end, with the additions of GS and XG, and what percussion tracks are called.
_DRUM_KEYS = (22, 88)
_DRUM_NAMES = re.compile(
    r"(the )?(midi |gm |live |main |acoustic |electric |rock |jazz |electro(nic)? )?"
    r"(drums?|drum ?(kit|set|track|machine|part|loop)s?|percussions?|perc|beats?|schlagzeug|batterie|bater[ií]a"
    r"|batteria|드럼|ドラムス?|鼓)[ _\-#:.]*(kit|set)?[ _\-#:.]*(\d+|[ivx]+|l|r)?",
    re.IGNORECASE,
)


@dataclass
class Channels:
    """State of all channels over a file.

    Attributes:
        controls: channel -> flat (tick, number, value) of its controllers in the order of the file.
        programs: channel -> (tick, track, index of the event, program) of its program changes.
        rhythm: channel -> (tick, track, index, is it drums) where that is set.
        master: (tick, value) of the device's master volume, 0 to 127.
    """

    controls: dict[int, array] = field(default_factory=dict)
    programs: dict[int, list[tuple[int, int, int, int]]] = field(default_factory=dict)
    rhythm: dict[int, list[tuple[int, int, int, bool]]] = field(default_factory=dict)
    master: list[tuple[int, int]] = field(default_factory=list)
    _banks: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    _resets: list[tuple[int, int, int, str]] = field(default_factory=list)
    _count: int = 0
    _changes: int = 0

    def control(self, channel: int, tick: int, number: int, value: int) -> None:
        """Register a controller, bend or pressure event.

        Args:
            channel: its number.
            tick: time of the event.
            number: number of the controller.
            value: value of the controller.
        """
        self._count += 1
        if self._count > _MOST_CONTROLS:
            raise ValueError(f"it moves its controllers more than {_MOST_CONTROLS} times")
        self.controls.setdefault(channel, array("q")).extend((tick, number, value))

    def bank(self, channel: int, tick: int, track: int, index: int, value: int) -> None:
        """Register the coarse half of a bank select.

        Args:
            channel: its number.
            tick: time of the event.
            track: number of the track.
            index: index of the event in the track.
            value: the bank.
        """
        self._change()
        self._banks.append((tick, track, index, channel, value))

    def program(self, channel: int, tick: int, track: int, index: int, program: int) -> None:
        """Register a program change; one that repeats the last counts too, as another track may have changed it
        between.

        Args:
            channel: its number.
            tick: time of the event.
            track: number of the track.
            index: index of the event in the track.
            program: 0 to 127.
        """
        found = self.programs.setdefault(channel, [])
        if not found or found[-1][1] != track or found[-1][3] != program:
            self._change()
        elif found[-1][0] == tick:
            return
        self._count += 1
        if self._count > _MOST_CONTROLS:
            raise ValueError(f"it moves its controllers more than {_MOST_CONTROLS} times")
        found.append((tick, track, index, program))

    def _change(self) -> None:
        self._changes += 1
        if self._changes > _MOST_CHANGES:
            raise ValueError(f"more than {_MOST_CHANGES} changes of instruments")

    def sysex(self, body: bytes, tick: int, track: int, index: int, port: int) -> None:
        """Apply a SysEx message about channels: resets, rhythm parts, master volume.

        Args:
            body: bytes after 0xF0.
            tick: time of the event.
            track: number of the track.
            index: index of the event in the track.
            port: port of the track.
        """
        if body[:1] == b"\x7e" and body[2:3] == b"\x09":
            self._reset(tick, track, index, "gm2" if body[3:4] == b"\x03" else "gm")
        elif body[:1] == b"\x7f" and body[2:4] == b"\x04\x01" and len(body) > 5:
            self.master.append((tick, body[5] & 0x7F))
        elif len(body) > 7 and body[0] == _ROLAND and body[2:4] == b"\x42\x12":
            self._roland(body[4:], tick, track, index, port)
        elif len(body) > 6 and body[0] == _YAMAHA and body[1] >> 4 == 1 and body[2] == 0x4C:
            self._yamaha(body[3:], tick, track, index, port)

    def _reset(self, tick: int, track: int, index: int, standard: str) -> None:
        self._change()
        self._resets.append((tick, track, index, standard))

    def _roland(self, address: bytes, tick: int, track: int, index: int, port: int) -> None:
        if address[:3] in (b"\x40\x00\x7f", b"\x00\x00\x7f"):
            self._reset(tick, track, index, "gs")
        elif address[:3] == b"\x40\x00\x04":
            self.master.append((tick, address[3] & 0x7F))
        elif address[0] == 0x40 and address[1] >> 4 == 1 and address[2] == 0x15:
            part = address[1] & 15
            # Block 0 is channel 10, 1 to 9 are the first nine.
            self._rhythm(16 * port + (_DRUMS if part == 0 else part - 1 if part < 10 else part), tick, track, index,
                         address[3] > 0)  # fmt: skip

    def _yamaha(self, address: bytes, tick: int, track: int, index: int, port: int) -> None:
        if address[:3] in (b"\x00\x00\x7e", b"\x00\x00\x7f"):
            self._reset(tick, track, index, "xg")
        elif address[:3] == b"\x00\x00\x04":
            self.master.append((tick, address[3] & 0x7F))
        elif address[0] == 8 and address[1] < 16 and address[2] == 7:
            self._rhythm(16 * port + address[1], tick, track, index, address[3] > 0)

    def _rhythm(self, channel: int, tick: int, track: int, index: int, drums: bool) -> None:
        self._change()
        self.rhythm.setdefault(channel, []).append((tick, track, index, drums))

    def _zones(self) -> None:
        """Note where channel 10 belongs to a zone of MPE, as the zone's first or last channel says."""
        for channel, events in self.controls.items():
            side = channel % 16
            if side not in _MASTERS:
                continue
            table = np.frombuffer(events, dtype=np.int64).reshape(-1, 3)
            parameter = [127, 127]
            for tick, number, value in table[
                np.isin(table[:, 1], (_DATA, _NRPN, _NRPN_FINE, _RPN, _RPN_FINE))
            ].tolist():
                if number != _DATA:
                    parameter[number in (_RPN_FINE, _NRPN_FINE)] = value if number in (_RPN, _RPN_FINE) else 127
                elif parameter == _ZONE:
                    member = value >= (_DRUMS if side == 0 else side - _DRUMS)
                    self._rhythm(channel - side + _DRUMS, tick, -1, 0, not member)

    def settle(self) -> None:
        """Bring the events of all tracks into one order; to be called once, when all are noted."""
        self._zones()
        self._resets.sort()
        for tick, track, index, channel, value in self._banks:
            drums = self._is_rhythm_bank(channel, value, (tick, track, index))
            if drums is not None:
                self.rhythm.setdefault(channel, []).append((tick, track, index, drums))
        for programs in self.programs.values():
            programs.sort()
        for rhythm in self.rhythm.values():
            rhythm.sort()
        self.master.sort()

    def _is_rhythm_bank(self, channel: int, value: int, when: tuple[int, int, int]) -> bool | None:
        """Whether a bank is one of drums, or None if it leaves that as it was."""
        before = [standard for *at, standard in self._resets if tuple(at) <= when]
        standard = before[-1] if before else ""
        if standard == "gs":
            # There, bank 127 holds the sounds of an older device.
            return None
        if value in _DRUM_BANKS:
            return True
        # Channel 10 of other files remains a drum channel with any bank.
        return False if channel % 16 != _DRUMS or (standard, value) in (("xg", 0), ("gm2", 121)) else None

    def table(self, channel: int) -> np.ndarray:
        """Return the controllers of a channel by tick.

        Args:
            channel: its number.

        Returns:
            int64 (M, 3), tick, number and value.
        """
        found = np.frombuffer(self.controls.get(channel, array("q")), dtype=np.int64).reshape(-1, 3)
        if self.master:
            scale = np.array([(tick, _MASTER, value) for tick, value in self.master], dtype=np.int64)
            found = np.concatenate([scale, found])
        return _plain(found[np.argsort(found[:, 0], kind="stable")])

    def at(self, channel: int) -> Playing:
        """Return a look-up of program and drums of a channel.

        Args:
            channel: its number.
        """
        return Playing(self.programs.get(channel, []), self.rhythm.get(channel, []), channel % 16 == _DRUMS)


def _plain(table: np.ndarray) -> np.ndarray:
    """Controllers that mean the same whatever comes before them.

    Registered parameters become :data:`BEND_RANGE` or are left out, a reset becomes what it resets, the device's master
    volume is worked into the expression.
    """
    special = np.isin(table[:, 1], (_MASTER, _DATA, _DATA_FINE, _NRPN, _NRPN_FINE, _RPN, _RPN_FINE, _RESET))
    if not special.any():
        return table
    rows: list[tuple[int, int, int]] = []
    parameter, range_, master, expression = [127, 127], 200, 127, 127
    for tick, number, value in table.tolist():
        if number in (_RPN, _RPN_FINE):
            parameter[number == _RPN_FINE] = value
        elif number in (_NRPN, _NRPN_FINE):
            parameter = [127, 127]
        elif number in (_DATA, _DATA_FINE):
            if parameter == [0, 0]:
                range_ = 100 * value + range_ % 100 if number == _DATA else range_ - range_ % 100 + min(value, 99)
                rows.append((tick, BEND_RANGE, range_))
        elif number in (_MASTER, _EXPRESSION, _RESET):
            if number == _RESET:
                rows += [(tick, _PEDAL, 0), (tick, _SOSTENUTO, 0), (tick, BEND, 8192)]
            expression = {_EXPRESSION: value, _RESET: 127}.get(number, expression)
            master = value if number == _MASTER else master
            rows.append((tick, _EXPRESSION, round(expression * master / 127)))
        else:
            rows.append((tick, number, value))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


class Playing:
    """Program and kind of a channel at any note.

    A change counts from its own tick on, also for the notes of other tracks. Of several tracks that change the program
    at the same tick, each track's own counts for its notes.
    """

    def __init__(
        self, programs: list[tuple[int, int, int, int]], rhythm: list[tuple[int, int, int, bool]], drums: bool
    ) -> None:
        self.programs, self.rhythm, self.drums = programs, rhythm, drums
        self.ticks = [entry[0] for entry in programs]

    def program(self, tick: int, track: int, index: int) -> int:
        """Return the program of a note.

        Args:
            tick: tick of the note.
            track: number of the track.
            index: index of the event in the track.
        """
        own = bisect_right(self.programs, (tick, track, index, 128))
        if own and self.programs[own - 1][:2] == (tick, track):
            return self.programs[own - 1][3]
        # What other tracks change at this tick; what the note's own changes after it does not count.
        last = bisect_right(self.ticks, tick)
        if last and self.programs[last - 1][:2] == (tick, track):
            last = bisect_left(self.programs, (tick, track))
        if not last:
            return 0
        latest = self.ticks[last - 1]
        if latest != tick:
            own = bisect_right(self.programs, (latest, track, 1 << 60))
            if own and self.programs[own - 1][:2] == (latest, track):
                return self.programs[own - 1][3]
        return self.programs[last - 1][3]

    def is_drum(self, tick: int) -> bool:
        """Tell whether a note is played by drums.

        Args:
            tick: tick of the note.
        """
        at = bisect_right(self.rhythm, (tick, 1 << 30))
        return self.rhythm[at - 1][3] if at else self.drums


class SysexJoiner:
    """Put SysEx messages that are sent in several packets together."""

    def __init__(self) -> None:
        self.waiting: bytes | None = None

    def whole(self, status: int, body: bytes) -> bytes | None:
        """Join the packets of a SysEx message.

        Args:
            status: first byte of the event.
            body: its bytes.

        Returns:
            The message that this packet completes, without its frame, or None.
        """
        if status == SYSEX:
            begun = body
        elif self.waiting is not None:
            begun = self.waiting + body
        else:
            # An escape: bytes sent as they are, a whole message perhaps.
            begun = body[1:] if body[:1] == b"\xf0" else b""
        if begun.endswith(b"\xf7"):
            self.waiting = None
            return begun[:-1]
        self.waiting = begun[:4096]
        return None if status != SYSEX else begun


def calls_itself_drums(name: str, programs: Iterable[int], keys: Iterable[int]) -> bool:
    """Tell whether a track of one channel means drums though its channel does not.

    Args:
        name: name of the track.
        programs: that its channel plays.
        keys: keys of its notes.
    """
    low, high = _DRUM_KEYS
    named = bool(_DRUM_NAMES.fullmatch(name.strip()))
    return named and not any(programs) and all(low <= key < high for key in keys)
