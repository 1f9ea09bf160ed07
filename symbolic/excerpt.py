"""Cut an excerpt out of a score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from d2m.types import Score


def excerpt(score: Score, start: float, duration: float) -> Score:
    """Cut the notes that begin within a range of time.

    Args:
        score: the score.
        start: seconds.
        duration: seconds.

    Returns:
        A score whose time 0 is ``start``.
    """
    grid = replace(score.grid, beats=np.asarray(score.grid.beats, np.float64) - start)
    parts = []
    for part in score.parts:
        time = grid.time_of(part.starts)
        keep = (time >= 0) & (time < duration)
        if keep.any():
            arrays = {n: getattr(part, n)[keep] for n in ("starts", "ends", "pitches", "velocities")}
            parts.append(replace(part, **arrays))
    return replace(score, parts=tuple(parts), grid=grid, duration=duration)
