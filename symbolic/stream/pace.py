"""Limit the speed at which a programme advances."""

from __future__ import annotations

from collections.abc import Callable

#: Segments that may be taken at once, and in a second: a hair more than real time, as sound cards may be fast.
BURST, _PER_SECOND = 12.0, 1.0005
#: Segments that a listener fetches ahead.
AHEAD = 8


class Pace:
    """A bucket of segments that fills in real time: listeners may fetch ahead, but not hurry each other.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._left, self._filled = BURST, clock()

    def take(self, count: int) -> bool:
        """Take segments if enough are available.

        Args:
            count: number of segments.

        Returns:
            Whether they were.
        """
        now = self.clock()
        self._left = min(self._left + (now - self._filled) * _PER_SECOND, BURST)
        self._filled = now
        if self._left < count:
            return False
        self._left -= count
        return True
