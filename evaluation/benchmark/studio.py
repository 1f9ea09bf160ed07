"""Studio data set for testing only: every song and dancer is in the test split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from d2m.datasets.studio import make_studio


def make_test_studio(
    out: str | Path,
    songs: int,
    dances: int,
    seconds: float,
    seed: int,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Make or complete the studio; the arguments are those of :func:`d2m.datasets.studio.make_studio`.

    Raises:
        D2MError: for numbers out of range, a folder with another studio in it, or no space.
    """
    make_studio(out, songs, dances, seconds, seed, progress=progress, processes=processes, split="test")
