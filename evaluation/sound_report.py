"""Report on recordings without a reference: loudness and faults, key and harmony, structure."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from d2m.parallel import Parallel

from . import metrics
from .fidelity_report import check
from .metrics.base import Piece
from .recordings import find, measure, read


def evaluate_sound(
    music: str | os.PathLike[str], processes: Parallel = 1, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Measure recordings without a reference.

    Args:
        music: file or folder.
        processes: number of local processes, or an executor.
        progress: called with the recordings done and their number.

    Returns:
        Plain JSON values: ``recordings`` (scores, ``key`` and ``problems`` of each), ``mean``, ``metrics``, ``failed``.

    Raises:
        D2MError: if the place does not exist or is empty.
    """
    jobs = [(name, (str(path),)) for name, path in find(music).items()]
    tell = None if progress is None else lambda done: progress(done, len(jobs))
    good, bad = measure(describe_recording, jobs, processes, tell)
    rows = [{"name": name, **scores} for name, scores in good]
    return {
        "recordings": rows,
        "mean": metrics.combine("sound", rows) | metrics.combine("music", rows),
        "metrics": metrics.describe("sound", "music"),
        "failed": [asdict(failure) for failure in bad],
    }


def describe_recording(path: str) -> dict[str, Any]:
    """Measure a recording.

    Args:
        path: the file.

    Returns:
        Scores by name, with ``duration`` in seconds, ``key`` (None for silence) and ``problems``.
    """
    recording = read(path)
    piece = Piece(recording.mono())
    scores = {**check(recording.waveform, recording.sample_rate), **metrics.compute("music", piece)}
    key = None if recording.silent or piece.harmony is None else piece.harmony.key
    return {"duration": recording.duration, "key": key, **scores}
