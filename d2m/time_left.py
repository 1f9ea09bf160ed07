"""Estimates of the time that is left, in words."""

from __future__ import annotations

import time
from collections.abc import Callable


def duration_text(seconds: float) -> str:
    """Format a duration: ``40 s``, ``12 min``, ``3 h 20 min``, ``2 days 4 h``.

    Args:
        seconds: the duration.
    """
    minutes = round(seconds / 60)
    if seconds < 99.5:
        return f"{max(0, round(seconds))} s"
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"


class TimeLeft:
    """Estimate of the time that is left, from the mean time of what was done since the start.

    Args:
        done: amount that was done before; it took no time now.
        clock: seconds, for tests.
    """

    def __init__(self, done: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began, self._before = clock, clock(), done

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    def seconds(self, done: int, total: int) -> float | None:
        """Return the seconds that are left, or None before anything was done.

        Args:
            done: amount that is done.
            total: amount in all.
        """
        if done <= self._before:
            return None
        return self.elapsed / (done - self._before) * (total - done)

    def text(self, done: int, total: int) -> str:
        """Return the time that is left in words, such as ``12 min left``; ``""`` before anything was done.

        Args:
            done: amount that is done.
            total: amount in all.
        """
        left = self.seconds(done, total)
        return "" if left is None else f"{duration_text(left)} left"
