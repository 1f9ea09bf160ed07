"""Repair the timestamps of a stream while it is read, and tabulate them for the whole stream.

Some files have clocks that wrap or restart, pictures without display times (AVI, raw streams), or headers with another
length than that of the packets. All readers take packets from :func:`packets`, so that sound, pictures and copies use
the same times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from d2m.media.container import open_container
from d2m.media.order import DisplayOrder, counts_pictures

#: Seconds by which decoding times may fall before the clock counts as started again.
MOST_BACK = 1.0
#: Seconds by which they may leap in formats whose clock may change at any time (MPEG-TS), FFmpeg's own limit.
MOST_AHEAD = 10.0
#: Seconds over which pictures are counted for :attr:`Timeline.rate`.
RATE_WINDOW = 2.0

# Formats whose header has the length at the time of writing, even if the file was truncated later.
_LENGTH_IN_HEADER = {"matroska", "webm", "flv"}
# Seconds that may be missing from that length before a file counts as cut off.
_SLACK = 0.5
_NONE = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Timeline:
    """Display times of the pictures of a stream; one value per packet, in decoding order.

    Attributes:
        base: seconds of a tick.
        pts: int64 (N,), display times in ticks.
        shown: bool (N,), whether the picture is to be shown: not cut by an edit list, not before the first key picture.
        discard: bool (N,), cut by an edit list.
        key: bool (N,), key pictures.
        start, end: ticks at which the first shown picture appears and the last one ends.
        complete: whether the file holds all that its header or index announces.
        timed: whether the file says when its pictures are shown; else ``pts`` counts them in decoding order.
    """

    base: Fraction
    pts: np.ndarray
    shown: np.ndarray
    discard: np.ndarray
    key: np.ndarray
    start: int
    end: int
    complete: bool
    timed: bool = True

    @property
    def seconds(self) -> tuple[float, float]:
        """Start and length in seconds."""
        return float(self.start * self.base), float((self.end - self.start) * self.base)

    @property
    def rate(self) -> float:
        """Pictures a second where they follow each other fastest."""
        return fastest(np.sort(self.pts[self.shown]) * float(self.base))


def packets(container: Any, stream: Any, on_damage: Callable[[], None] = lambda: None) -> Iterator[Any]:
    """Read the packets of a stream with a continuous clock.

    Display times that the format does not store are worked out if the packets suffice for it, and are else the same as
    the decoding times (:mod:`d2m.media.order`). Where the clock starts again, the packets go on from the last time
    before. The last packet is empty and flushes a decoder.

    Args:
        container: a PyAV input container at its beginning.
        stream: one of its streams.
        on_damage: called where the file cannot be read on.

    Yields:
        PyAV packets in decoding order, timestamps in ticks of the stream's time base.
    """
    import av

    filters = None
    counted = counts_pictures(container, stream)
    if not counted:
        container.flags |= av.container.Flags.gen_pts.value
        if "avi" in container.format.name.split(",") and stream.codec_context.name == "mpeg4":
            filters = av.bitstream.BitStreamFilterContext("mpeg4_unpack_bframes", stream)
    mend = _Clock(stream, bool(container.format.flags & av.format.Flags.ts_discont.value))
    for packet in _demuxed(container, stream, on_damage):
        # A filter may take the data out of the packet.
        filled = packet.size > 0
        if counted and filled:
            packet.dts = mend.expected if packet.dts is None else packet.dts
            packet.pts = packet.dts
        if filters is None:
            yield mend(packet)
            continue
        for filtered in _filtered(filters, packet, on_damage):
            filtered.stream = stream
            yield mend(filtered)
        if not filled:
            yield packet


def _demuxed(container: Any, stream: Any, on_damage: Callable[[], None]) -> Iterator[Any]:
    import av

    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed)
        except StopIteration:
            return
        except av.FFmpegError:
            # What comes after this cannot be reached; the decoder still holds pictures.
            on_damage()
            packet = av.Packet()
            packet.stream = stream
            yield packet
            return
        yield packet


def _filtered(filters: Any, packet: Any, on_damage: Callable[[], None]) -> list[Any]:
    import av

    try:
        return list(filters.filter(packet if packet.size else None))
    except av.FFmpegError:
        on_damage()
        return []


class _Clock:
    """Moves the timestamps of packets so that they go on where a clock starts again."""

    def __init__(self, stream: Any, may_leap: bool) -> None:
        self._second = float(1 / stream.time_base)
        self._ahead = MOST_AHEAD * self._second if may_leap else float("inf")
        rate = getattr(stream, "average_rate", None)
        self._step = round(self._second / float(rate)) if rate else 0
        self._offset, self._last = 0, None

    @property
    def expected(self) -> int:
        """Decoding time of the next packet, in ticks of the file's own clock."""
        return 0 if self._last is None else self._last + self._step - self._offset

    def __call__(self, packet: Any) -> Any:
        if not packet.size or packet.dts is None:
            self._move(packet)
            return packet
        if packet.duration:
            self._step = packet.duration
        if packet.is_discard:
            self._move(packet)
            return packet
        time = packet.dts + self._offset
        if self._last is not None:
            leap = time - self._last
            if leap < -MOST_BACK * self._second or leap > self._ahead:
                self._offset += self._last + self._step - time
        self._move(packet)
        self._last = packet.dts
        return packet

    def _move(self, packet: Any) -> None:
        if self._offset:
            packet.pts = None if packet.pts is None else packet.pts + self._offset
            packet.dts = None if packet.dts is None else packet.dts + self._offset


class Extent(NamedTuple):
    """Properties of a picture stream, from all its packets.

    Attributes:
        start: seconds on the file's clock at which the first picture is shown.
        duration: seconds to the end of the last.
        rate: pictures a second where they follow each other fastest.
        complete: whether the file holds all that its header or index announces.
        timed: whether the file says when its pictures are shown.
    """

    start: float
    duration: float
    rate: float
    complete: bool
    timed: bool


def extent(container: Any, stream: Any, path: Path, first: int | None) -> Extent:
    """Find the start, length and frame rate of a picture stream.

    The index of an mp4 or mov answers if it agrees with the header; otherwise every packet is read, without decoding.

    Args:
        container: the opened file.
        stream: its picture stream.
        path: the file.
        first: display time of the first picture that can be decoded, in ticks.
    """
    base, size = float(stream.time_base), path.stat().st_size
    entries = [(e.timestamp, e.pos + e.size) for e in stream.index_entries if not e.is_discard]
    # Other formats list some of their packets only.
    listed = "mov" in container.format.name.split(",") and len(entries) > 1
    if listed and stream.duration and stream.start_time is not None and stream.start_time == first:
        times = np.sort(np.array([time for time, _ in entries], np.float64)) * base
        step = float(np.median(np.diff(times)))
        length = float(stream.duration) * base
        agrees = abs(times[-1] - times[0] + step - length) <= 0.1 + 3 * step
        if agrees and all(end <= size for _, end in entries):
            return Extent(float(stream.start_time) * base, length, fastest(times), True, True)
    timeline = read_timeline(path, stream.index, first, ordered=False)
    return Extent(*timeline.seconds, timeline.rate, timeline.complete, timeline.timed)


def fastest(times: np.ndarray) -> float:
    """Return pictures a second in the two seconds that hold most of them.

    A recording that stood still for a while has few pictures there and says nothing about the rate at which it moves.

    Args:
        times: float (N,), seconds, rising.
    """
    if len(times) < 2:
        return 0.0
    window = min(RATE_WINDOW, float(times[-1] - times[0]))
    # Half a millisecond on either side, since many formats round to milliseconds.
    last = np.searchsorted(times, times + window + 0.001, side="right") - 1
    counts = last - np.arange(len(times))
    best = int(np.argmax(counts))
    return float(counts[best] / max(times[last[best]] - times[best], 1e-3))


def read_timeline(path: Path, index: int, first: int | None = None, ordered: bool = True) -> Timeline:
    """Read the timestamps of all packets of a picture stream, without decoding them if the file stores display times.

    Args:
        path: the file.
        index: number of the stream in the file.
        first: display time of the first picture that can be decoded, in ticks: pictures before it that belong to a
            group whose start has been cut away are not shown.
        ordered: decode the pictures where nothing else tells which packet is shown when; otherwise the display times
            are right as a whole, but not each packet's own.
    """
    rows: list[tuple[int, int, bool, bool]] = []
    with open_container(path) as container:
        stream = container.streams[index]
        base, step = stream.time_base, _usual_step(stream)
        complete = all(entry.pos + entry.size <= path.stat().st_size for entry in stream.index_entries)
        for packet in packets(container, stream):
            if packet.size:
                pts = _NONE if packet.pts is None else packet.pts
                rows.append((pts, packet.duration or 0, packet.is_keyframe, packet.is_discard))
        ordered = ordered and counts_pictures(container, stream) and bool(stream.codec_context.has_b_frames)
        length = container.duration if _LENGTH_IN_HEADER & set(container.format.name.split(",")) else None
    table = np.array(rows, dtype=[("pts", "i8"), ("duration", "i8"), ("key", "?"), ("discard", "?")])
    timed = bool((table["pts"] != _NONE).any())
    if ordered:
        table["pts"] = _decoded_times(path, index, len(table))
    pts = _without_holes(table["pts"], table["key"], step)
    shown = _shown(pts, table["key"], table["discard"], first)
    if not shown.any():
        return Timeline(base, pts, shown, table["discard"], table["key"], 0, 0, complete)
    rising = np.sort(pts[shown])
    step = int(np.median(np.diff(rising))) if len(rising) > 2 else step
    last = int(np.flatnonzero(shown & (pts == rising[-1]))[-1])
    # Some demuxers give a picture of an unknown duration the codec's least one.
    length_of_last = int(table["duration"][last])
    end = int(rising[-1]) + (length_of_last if length_of_last > step / 2 else max(step, 1))
    if length is not None:
        complete = complete and max(float(end * base), _reach(path)) > length / 1e6 - _SLACK
    return Timeline(base, pts, shown, table["discard"], table["key"], int(rising[0]), end, complete, timed)


def _decoded_times(path: Path, index: int, count: int) -> np.ndarray:
    """Display times of packets in the decoder's order, int64 (count,); ``_NONE`` where there is no picture."""
    from d2m.media.container import decode_all

    times = np.full(count, _NONE)
    with open_container(path) as container:
        stream = container.streams[index]
        stream.codec_context.thread_type = "AUTO"
        order = DisplayOrder()
        for _ in decode_all(container, stream, lambda: None, order):
            pass
    for number, time in order.times.items():
        times[number] = time
    return times


def _usual_step(stream: Any) -> int:
    return max(1, round(1 / (float(stream.average_rate or 25) * float(stream.time_base))))


def _without_holes(pts: np.ndarray, key: np.ndarray, step: int) -> np.ndarray:
    """Display times of which no two are the same.

    Pictures without a time before the second one that has one were to be shown before the file's first time (a copy
    that was cut there); they stay without. Later ones follow the picture before them. Without any times, pictures
    are shown in the order in which they come.
    """
    timed = np.flatnonzero(pts != _NONE)
    if not len(timed):
        return np.arange(len(pts)) * step
    pts = pts.copy()
    begin = timed[1] if len(timed) > 1 and key[timed[0]] else timed[0]
    free: dict[int, int] = {}
    for index in range(len(pts)):
        wanted = int(pts[index])
        if wanted == _NONE:
            if index < begin:
                continue
            wanted = int(pts[index - 1]) + 1
        time = wanted
        while time in free:
            time = free[time]
        free[wanted] = free[time] = time + 1
        pts[index] = time
    return pts


def _shown(pts: np.ndarray, key: np.ndarray, discard: np.ndarray, first: int | None) -> np.ndarray:
    """Which pictures are to be shown, bool (N,)."""
    shown = (pts != _NONE) & ~discard
    keys = np.flatnonzero(key & (pts != _NONE))
    if len(keys) and not discard.any():
        begin = int(pts[keys[0]])
        shown[: keys[0]] = False
        if first is not None:
            begin = min(begin, first)
        shown &= pts >= begin
    return shown


def _reach(path: Path) -> float:
    """Last instant of all streams, seconds on the file's clock."""
    import av

    reach = 0.0
    with open_container(path) as container:
        try:
            for packet in container.demux():
                stamp = packet.pts if packet.pts is not None else packet.dts
                if stamp is not None:
                    reach = max(reach, float((stamp + (packet.duration or 0)) * packet.time_base))
        except av.FFmpegError:
            pass  # what comes after the damage cannot be reached
    return reach
