"""Genre report of many recordings, against the genres of the dances that they were made for.

A recording's dance genre is, in this order: the one given by the caller; the AIST code in its name (``gBR_...``,
``000-gBR``); the genre of AIST music (``mBR0``); the genre in the ``.d2m.json`` of ``d2m generate`` beside it.
If none is known, the recording is classified, but counts for no accuracy. Training examples, such as the songs held out
from a network's training, contain their genre.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from d2m import music_genre as genre
from d2m.datasets.examples import read_example, read_song
from d2m.errors import D2MError
from d2m.evaluation import metrics
from d2m.evaluation.metrics.base import GenreVerdict
from d2m.evaluation.recordings import SAMPLE_RATE, SOUND, VIDEO, find, measure, read
from d2m.parallel import Parallel
from d2m.types import GENRES, genre_code

_CODES = "|".join(code[1:] for code in GENRES)
_IN_NAME = (
    re.compile(rf"(?<![A-Za-z])g({_CODES})(?![A-Za-z])"),
    re.compile(rf"(?<![A-Za-z])m({_CODES})\d{{1,3}}(?!\d)"),
)
#: A report of ``d2m generate`` is a few kilobytes.
_MOST_BYTES = 1 << 20


def evaluate_genre(
    place: str | os.PathLike[str],
    asked: str | None = None,
    weights: str = "studio-genre",
    processes: Parallel = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge a file or a folder of recordings.

    Args:
        place: sound or video files, or training examples (npz, :mod:`d2m.datasets.examples`).
        asked: the genre of all of them, as a name or code; None to tell it as the module's docstring says.
        weights: weights of the genre network.
        processes: number of local processes, or an executor.
        progress: called with recordings done, and how many there are.

    Returns:
        Plain JSON values: ``weights``; ``recordings``, each with ``name``, ``genre`` (of the dance, or null),
        ``heard``, ``probability``, ``nearest`` (genre of the nearest song of the training set); ``classification`` and
        ``retrieval`` (shares, null where no genre is known), ``counted``; ``confusion`` (``genres``, and counts with a
        row for each genre of dances: ``counts`` by the classifier, ``nearest`` by retrieval); ``failed``.

    Raises:
        D2MError: if there are no recordings, no such genre, or the weights cannot be used.
    """
    try:
        wanted = None if asked is None else genre_code(asked)
    except ValueError as error:
        raise D2MError(str(error)) from None
    if wanted is not None and wanted not in GENRES:
        raise D2MError(
            f"genre networks know the genres of AIST only, not '{wanted}'; choose of {', '.join(GENRES.values())}"
        )
    _judge(weights)
    files = _files(Path(place))
    jobs = [(name, (str(path), weights)) for name, path in files.items()]
    good, bad = measure(_hear, jobs, processes, progress and (lambda done: progress(done, len(jobs))))
    codes = list(GENRES)
    rows, truth, heard, nearest = [], [], [], []
    for name, (first, share, second, told) in good:
        true = wanted or told
        row = {"name": name, "genre": _title(true), "heard": GENRES[codes[first]], "probability": round(share, 4)}
        rows.append(row | {"nearest": GENRES[codes[second]]})
        if true is not None:
            truth.append(codes.index(true))
            heard.append(first)
            nearest.append(second)
    table, near = genre.confusion(truth, heard), genre.confusion(truth, nearest)
    verdicts = [GenreVerdict(*genres) for genres in zip(truth, heard, nearest, strict=True)]
    return {
        "weights": _judge(weights).name,
        "metrics": metrics.describe("genre"),
        "recordings": rows,
        **metrics.combine("genre", [metrics.compute("genre", verdict) for verdict in verdicts]),
        "counted": len(truth),
        "confusion": {
            "genres": list(GENRES.values()),
            "counts": table.counts.tolist(),
            "nearest": near.counts.tolist(),
        },
        "failed": [{"name": failure.name, "error": failure.error} for failure in bad],
    }


def genre_of(path: Path) -> str | None:
    """Return the genre of the dance that a recording was made for, from its name or report.

    Args:
        path: the recording.

    Returns:
        AIST code, or None.
    """
    for pattern in _IN_NAME:
        if found := pattern.search(path.stem):
            return f"g{found[1]}"
    report = path.with_suffix(".json")
    if path.stem.endswith(".d2m") and report.is_file() and report.stat().st_size <= _MOST_BYTES:
        try:
            code = genre_code(json.loads(report.read_text("utf-8"))["genre"])
            return code if code in GENRES else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
    return None


def _title(code: str | None) -> str | None:
    return None if code is None else GENRES[code]


@lru_cache(maxsize=2)
def _judge(weights: str) -> genre.GenreJudge:
    return genre.load(weights)


def _files(place: Path) -> dict[str, Path]:
    """Name -> file, of recordings or, where a folder holds only these, of training examples."""
    examples = sorted(place.glob("*.npz")) if place.is_dir() else []
    if examples and not any(path.suffix.lower() in SOUND + VIDEO for path in place.iterdir()):
        return {path.stem: path for path in examples}
    return find(place)


def _hear(path: str, weights: str) -> tuple[int, float, int, str | None]:
    """Likeliest genre, its probability, the genre of the nearest song, and the dance's as far as the file tells it."""
    judge, example = _judge(weights), path.endswith(".npz")
    if example:
        index = int(read_example(path, genre=(np.int64, 0))["genre"])
        told = list(GENRES)[index] if 0 <= index < len(GENRES) else None
        waveform, rate = read_song(path).astype(np.float32) / 32768, SAMPLE_RATE
    else:
        recording, told = read(path), genre_of(Path(path))
        waveform, rate = recording.waveform, recording.sample_rate
    heard = judge.hear(waveform, rate)
    return heard.genre, float(heard.probabilities.max()), judge.nearest(heard.embedding), told
