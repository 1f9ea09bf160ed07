"""The genre of many recordings, against the genres of the dances that they were made for.

A recording's dance genre is, in this order: what the caller says; the AIST code in its name (``gBR_...``,
``000-gBR``); the genre of AIST music (``mBR0``); the genre in the ``.d2m.json`` that ``d2m generate`` wrote beside it.
Where none is known the recording is judged, but counts for no accuracy.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.evaluation import genre
from d2m.evaluation.recordings import find, measure, read
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
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge a file or a folder of recordings.

    Args:
        place: sound or video files.
        asked: the genre of all of them, as a name or code; None to tell it as the module's docstring says.
        weights: of the genre network.
        processes: how many work at a time.
        progress: called with recordings done, and how many there are.

    Returns:
        Plain JSON values: ``weights``; ``recordings``, each with ``name``, ``genre`` (of the dance, or null),
        ``heard``, ``probability``, ``nearest`` (genre of the nearest song of the training set); ``classification`` and
        ``retrieval`` (shares, null where no genre is known), ``counted``; ``confusion`` (``genres`` and ``counts``, a
        row for each genre of dances); ``failed``.

    Raises:
        D2MError: if there are no recordings, no such genre, or the weights cannot be used.
    """
    try:
        wanted = None if asked is None else genre_code(asked)
    except ValueError as error:
        raise D2MError(str(error)) from None
    _judge(weights)
    files = find(place)
    jobs = [(name, (str(path), weights)) for name, path in files.items()]
    good, bad = measure(_hear, jobs, processes, progress and (lambda done: progress(done, len(jobs))))
    codes = list(GENRES)
    rows, truth, heard, nearest = [], [], [], []
    for name, (first, share, second) in good:
        true = wanted or genre_of(files[name])
        row = {"name": name, "genre": _title(true), "heard": GENRES[codes[first]], "probability": round(share, 4)}
        rows.append(row | {"nearest": GENRES[codes[second]]})
        if true is not None:
            truth.append(codes.index(true))
            heard.append(first)
            nearest.append(second)
    table = genre.confusion(truth, heard)
    return {
        "weights": _judge(weights).name,
        "recordings": rows,
        "classification": table.accuracy if truth else None,
        "retrieval": genre.confusion(truth, nearest).accuracy if truth else None,
        "counted": len(truth),
        "confusion": {"genres": list(GENRES.values()), "counts": table.counts.tolist()},
        "failed": [{"name": failure.name, "error": failure.error} for failure in bad],
    }


def genre_of(path: Path) -> str | None:
    """The AIST code of the dance that a recording was made for, where its name or its report tells it."""
    for pattern in _IN_NAME:
        if found := pattern.search(path.stem):
            return f"g{found[1]}"
    report = path.with_suffix(".json")
    if path.stem.endswith(".d2m") and report.is_file() and report.stat().st_size <= _MOST_BYTES:
        try:
            return genre_code(json.loads(report.read_text("utf-8"))["genre"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
    return None


def _title(code: str | None) -> str | None:
    return None if code is None else GENRES[code]


@lru_cache(maxsize=2)
def _judge(weights: str) -> genre.GenreJudge:
    return genre.load(weights)


def _hear(path: str, weights: str) -> tuple[int, float, int]:
    """Likeliest genre, its probability, and the genre of the nearest song."""
    recording, judge = read(path), _judge(weights)
    heard = judge.hear(recording.waveform, recording.sample_rate)
    return heard.genre, float(heard.probabilities.max()), judge.nearest(heard.embedding)
