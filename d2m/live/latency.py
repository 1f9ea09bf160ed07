"""Latencies of a live session: percentiles and histogram of each stage."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

#: The stages: from the picture to its landmarks, from there to the beat clock that takes them into account, from the
#: last moment at which a beat can be moved to its sound.
LANDMARKS, BEAT, SOUND = "frame to landmarks", "landmarks to beat", "beat decision to sound"
STAGES = (LANDMARKS, BEAT, SOUND)
#: Upper bounds of the histogram's bins in milliseconds.
BOUNDS = (5, 10, 20, 30, 40, 50, 75, 100, 125, 150, 200, 300, 500, 1000)
PERCENTILES = (50, 90, 95, 99)


class Latencies:
    """Latencies by stage."""

    def __init__(self) -> None:
        self._values = {stage: array("f") for stage in STAGES}

    def add(self, stage: str, seconds: float) -> None:
        """Add a latency.

        Args:
            stage: one of :data:`STAGES`.
            seconds: the latency.
        """
        self._values[stage].append(seconds)

    def report(self) -> dict[str, Any]:
        """Return count, percentiles and maximum (ms), and a histogram of each stage, as plain JSON values."""
        found: dict[str, Any] = {}
        for stage, values in self._values.items():
            milliseconds = 1000.0 * np.array(values, np.float64)
            row: dict[str, Any] = {"count": len(milliseconds)}
            if len(milliseconds):
                row |= {f"p{p}": round(float(np.percentile(milliseconds, p)), 1) for p in PERCENTILES}
                row["max"] = round(float(milliseconds.max()), 1)
            counts = np.bincount(np.searchsorted(BOUNDS, milliseconds), minlength=len(BOUNDS) + 1)
            names = [*(f"up to {bound}" for bound in BOUNDS), f"above {BOUNDS[-1]}"]
            row["histogram"] = {name: int(count) for name, count in zip(names, counts, strict=True) if count}
            found[stage] = row
        return found
