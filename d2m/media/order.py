"""Compute display times of pictures from the decoder's order, for files that store decoding times only."""

from __future__ import annotations

from collections import deque
from typing import Any

#: Pictures that a decoder of H.264 or HEVC holds back at most to put others first.
MOST_HELD = 16
# Formats that store no display times, and the codecs for which FFmpeg does not work them out.
_DECODING_TIMES_ONLY = {"avi", "h264", "hevc"}
_ORDERED_BY_DECODER = {"h264", "hevc"}


def counts_pictures(container: Any, stream: Any) -> bool:
    """Tell whether a file stores decoding times only, so that display times follow from the decoder's order.

    Args:
        container: a PyAV input container.
        stream: its stream of pictures.
    """
    names = set(container.format.name.split(","))
    return bool(names & _DECODING_TIMES_ONLY) and stream.codec_context.name in _ORDERED_BY_DECODER


class DisplayOrder:
    """Display times of pictures in a file that stores decoding times only (:func:`counts_pictures`).

    The n-th picture that the decoder gives out is shown at the n-th decoding time; times of pictures that it cannot
    decode are left out.

    Attributes:
        times: number of a packet -> display time of its picture, in ticks.
    """

    def __init__(self) -> None:
        self._count = 0
        self._free: deque[int] = deque()
        self._waiting: deque[int] = deque()
        self.times: dict[int, int] = {}

    def number(self, packet: Any) -> None:
        """Number a packet before it is decoded; its picture will have the same number.

        Args:
            packet: a PyAV packet.
        """
        if packet.size:
            self._free.append(packet.dts)
            self._waiting.append(self._count)
            packet.pts = self._count
            self._count += 1

    def place(self, frame: Any) -> None:
        """Set the display time of a decoded picture.

        Args:
            frame: a PyAV frame.
        """
        number = frame.pts
        if number not in self._waiting:
            frame.pts = None
            return
        self._waiting.remove(number)
        before = sum(waiting < number for waiting in self._waiting)
        # What was decoded before a key picture is shown before it.
        for _ in range(before - (0 if frame.key_frame else MOST_HELD)):
            self._waiting.popleft()
            self._free.popleft()
        frame.pts = self.times[number] = self._free.popleft()
