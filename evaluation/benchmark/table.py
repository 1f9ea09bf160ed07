"""Summarise the results of scenes to a row of the table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from d2m.evaluation.alignment import bootstrap
from d2m.evaluation.beat_report import mean_scores
from d2m.evaluation.distances import Embedded, frechet_against_itself, kernel_distance
from d2m.evaluation.fidelity import frechet_distance
from d2m.types import GENRES

from .measure import PAIRED
from .rows import REFERENCE, Row

#: What a recording can be called, and the words of :func:`d2m.evaluation.fidelity_report.check` that say so.
FAULTS: dict[str, str] = {
    "silent": "silence", "quiet": "very quiet", "clipped": "clipped", "noise_like": "sounds like noise",
}  # fmt: skip

Result = dict[str, Any]


def summarise(rows: Sequence[Row], results: dict[str, list[Result]], seed: int) -> list[dict[str, Any]]:
    """Return a line for every row.

    Args:
        rows: in their order.
        results: results by key of the row, see :class:`~d2m.evaluation.benchmark.work.Outcome`.
        seed: random seed of bootstrap intervals and random halves.

    Returns:
        Plain JSON values; None where a score is defined for no segment.
    """
    songs = {result["name"]: result["music"] for result in results[REFERENCE]}
    real = embedded(results[REFERENCE], songs)
    if real is not None:
        centre, scale = real.vectors.mean(0), np.maximum(real.vectors.std(0), 1e-6)
        real = real.scaled(centre, scale)
    lines = []
    for row in rows:
        rng = np.random.default_rng([seed, 9])
        made = embedded(results[row.key], songs)
        pair = None if real is None or made is None else (made.scaled(centre, scale), real)
        lines.append(_line(row, results[row.key], pair, rng))
    return lines


def _line(
    row: Row, found: list[Result], pair: tuple[Embedded, Embedded] | None, rng: np.random.Generator
) -> dict[str, Any]:
    segments = [segment for result in found for segment in result["segments"]]
    composed = [result for result in found if result["seconds"] is not None]
    return {
        "key": row.key,
        "title": row.title,
        "kind": row.kind,
        "note": row.note,
        "sequences": len(found),
        "segments": len(segments),
        "beats": mean_scores([segment["beats"] for segment in segments]),
        "intervals": {key: _interval(found, key, rng) for key in ("beat_f", "onset_f", "true_beat_f")},
        "true_beat_f": _mean([segment["true_beat_f"] for segment in segments]),
        "alignment": _alignment(found, rng),
        "genre": _genre(found),
        "fidelity": None if pair is None else _fidelity(row, *pair, rng),
        "pairs": _pairs(segments),
        "sound": _sound(segments),
        "seconds_per_second": sum(r["seconds"] for r in composed) / sum(r["duration"] for r in composed)
        if composed
        else None,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _interval(found: list[Result], key: str, rng: np.random.Generator) -> list[float] | None:
    """95 % of the mean, bootstrap over scenes: their segments are no independent measurements."""
    means = []
    for result in found:
        values = [s["true_beat_f"] if key == "true_beat_f" else s["beats"][key] for s in result["segments"]]
        if (mean := _mean(values)) is not None:
            means.append(mean)
    if len(means) < 2:
        return None
    _, low, high = bootstrap(np.array(means), rng)
    return [low, high]


def _alignment(found: list[Result], rng: np.random.Generator) -> dict[str, Any] | None:
    """Means over scenes of the fit to the dancer, and of its excess over chance, with bootstrap intervals."""
    if not found:
        return None
    table: dict[str, Any] = {"judge": found[0]["alignment"]["judge"]}
    for events in ("beats", "onsets"):
        scores = {}
        for name in found[0]["alignment"][events]:
            scores[name] = _excess([r["alignment"][events][name] for r in found], rng)
        scores["aist"] = _excess([r["alignment"][f"aist_{events}"] for r in found], rng)
        table[events] = scores
    return table


def _excess(rows: list[dict[str, Any] | None], rng: np.random.Generator) -> dict[str, Any] | None:
    known = [row for row in rows if row is not None and row["excess"] is not None]
    if not known:
        return None
    mean, low, high = bootstrap(np.array([row["excess"] for row in known]), rng)
    return {
        "value": _mean([row["value"] for row in known]),
        "chance": _mean([row["chance"] for row in known]),
        "excess": mean,
        "interval": [low, high] if len(known) > 1 else None,
        "sequences": len(known),
    }


def _genre(found: list[Result]) -> dict[str, Any] | None:
    """Shares of the segments in the dance's genre, as the network hears them and by the nearest song it learnt from."""
    codes = list(GENRES)
    pairs = [
        (codes.index(result["genre"]), segment["genre"])
        for result in found
        if result["genre"] in GENRES
        for segment in result["segments"]
        if segment["genre"] is not None
    ]
    if not pairs:
        return None
    nearest = [(true, heard["nearest"]) for true, heard in pairs if heard["nearest"] is not None]
    return {
        "classification": float(np.mean([true == heard["heard"] for true, heard in pairs])),
        "retrieval": float(np.mean([true == near for true, near in nearest])) if nearest else None,
        "segments": len(pairs),
    }


def embedded(found: list[Result], songs: dict[str, str]) -> Embedded | None:
    """Return windows of all segments, those of one song together: they are no independent recordings. A song that
    several dance to in its original counts once.

    Args:
        found: results of a row.
        songs: songs of the scenes. What was made for a scene goes under its song; the original of another one under its
            own.
    """
    by_song: dict[str, list[list[list[float]]]] = defaultdict(list)
    for result in found:
        windows = [window for segment in result["segments"] for window in segment["vectors"] or ()]
        other = result["details"].get("music", "")
        song = songs[other] if other in songs else result["music"]
        if windows and windows not in by_song[song]:
            by_song[song].append(windows)
    rows = [(song, np.array([w for windows in parts for w in windows])) for song, parts in by_song.items() if parts]
    return Embedded.of(rows) if rows else None


def _fidelity(row: Row, made: Embedded, real: Embedded, rng: np.random.Generator) -> dict[str, Any] | None:
    """Distances to the originals per value of the embedding. Of the originals themselves, that of one half to the
    other: a set is at 0 from itself, which would say nothing."""
    if min(len(made.vectors), len(real.vectors)) < 2:
        return None
    size = real.vectors.shape[1]
    floor = frechet_against_itself(made, real, rng)
    if row.kind == "reference":
        own = None if floor is None else floor.reference / size
        return {"windows": len(made.vectors), "frechet": own, "halves": None, "kernel": None}
    several = min(len(made.names), len(real.names)) > 1 and len({*made.names, *real.names}) > 2
    kernel = kernel_distance(made, real) if several else None
    halves = None
    if floor is not None:
        halves = {
            "windows": floor.windows,
            "generated": floor.generated / size,
            "reference": floor.reference / size,
            "excess": floor.excess / size,
            "interval": [value / size for value in floor.interval],
        }
    return {
        "windows": len(made.vectors),
        "frechet": frechet_distance(made.vectors, real.vectors) / size,
        "halves": halves,
        "kernel": None
        if kernel is None
        else {"value": _finite(kernel.value), "interval": _finite_pair(kernel.interval)},
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _finite_pair(values: tuple[float, float]) -> list[float] | None:
    return [float(value) for value in values] if np.isfinite(values).all() else None


def _pairs(segments: list[Result]) -> dict[str, float | None] | None:
    compared = [segment["pairs"] for segment in segments if segment["pairs"] is not None]
    return {key: _mean([pair[key] for pair in compared]) for key in PAIRED} if compared else None


def _sound(segments: list[Result]) -> dict[str, Any]:
    """How many segments have which fault, and the mean loudness of those that have any."""
    checks = [segment["checks"] for segment in segments]
    counts = {
        fault: sum(any(words in problem for problem in check["problems"]) for check in checks)
        for fault, words in FAULTS.items()
    }
    return {**counts, "loudness_lufs": _mean([check["loudness_lufs"] for check in checks])}
