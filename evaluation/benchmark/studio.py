"""Studio data set for testing only: every song and dancer is in the test split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from d2m.datasets.studio import make_studio
from d2m.parallel import Parallel


def make_test_studio(
    out: str | Path,
    songs: int,
    dances: int,
    seconds: float,
    seed: int,
    processes: Parallel = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Make or complete a studio whose songs and dancers are all in the test split.

    Args:
        out: output folder, created if missing.
        songs: number of songs, 1 to 10000.
        dances: number of dancers for each song, 1 to 15.
        seconds: length of each song in seconds, 4 to 600.
        seed: random seed, 0 or more.
        processes: number of local processes, or an executor.
        progress: called with the number of finished songs and of all songs.

    Raises:
        D2MError: for numbers out of range, a folder with another studio in it, or no space.
    """
    make_studio(out, songs, dances, seconds, seed, progress=progress, processes=processes, split="test")
