"""Summarise the results of items to a row of the table."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from d2m.evaluation import metrics
from d2m.evaluation.alignment import bootstrap
from d2m.evaluation.beat_report import mean_scores
from d2m.evaluation.distances import Embedded
from d2m.evaluation.embeddings import load
from d2m.evaluation.metrics.base import GenreVerdict, Metric, Score, Sets, mean, plain, reading
from d2m.types import GENRES

from .rows import REFERENCE, Row

#: What a recording can be called, and the words of :func:`d2m.evaluation.fidelity_report.check` that say so.
FAULTS: dict[str, str] = {
    "silent": "silence", "quiet": "very quiet", "clipped": "clipped", "noise_like": "sounds like noise",
    "off_centre": "off centre", "clicking": " click",
}  # fmt: skip

Result = dict[str, Any]


def summarise(
    rows: Sequence[Row], results: dict[str, list[Result]], seed: int, embeddings: Sequence[str] = ("log-mel",)
) -> list[dict[str, Any]]:
    """Return a line for every row.

    Args:
        rows: in their order.
        results: results by key of the row, see :class:`~d2m.evaluation.benchmark.work.Outcome`.
        seed: random seed of bootstrap intervals and random halves.
        embeddings: names of the embeddings, each with or without its version.

    Returns:
        Plain JSON values; None where a score is defined for no segment.
    """
    names = [name.split(" ")[0] for name in embeddings]
    real = results.get(REFERENCE, [])
    songs = {result["name"]: result["music"] for found in results.values() for result in found}
    spaces = {name: _Space.of(name, real, songs) for name in names}
    lines = []
    for row in rows:
        draws, found = _Draws(seed), results[row.key]
        pairs = {name: None if space is None else space.pair(found, songs) for name, space in spaces.items()}
        line = _line(row, found, pairs[names[0]], draws)
        others = {n: None if pair is None else _fidelity(row, *pair, _Draws(seed)) for n, pair in pairs.items()}
        lines.append(line | {"embeddings": {name: scores for name, scores in others.items() if name != names[0]}})
    return lines


@dataclass(frozen=True)
class _Space:
    """An embedding with the originals in it, and what is subtracted from and divided into every window."""

    name: str
    real: Embedded
    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, name: str, real: list[Result], songs: dict[str, str]) -> _Space | None:
        """None where there are no originals."""
        found = embedded(real, songs, name)
        if found is None:
            return None
        centre, scale = np.zeros(found.vectors.shape[1]), np.ones(found.vectors.shape[1])
        if load(name).standardise:
            centre, scale = found.vectors.mean(0), np.maximum(found.vectors.std(0), 1e-6)
        return cls(name, found.scaled(centre, scale), centre, scale)

    def pair(self, found: list[Result], songs: dict[str, str]) -> tuple[Embedded, Embedded] | None:
        """Music of a row, and the originals."""
        made = embedded(found, songs, self.name)
        return None if made is None else (made.scaled(self.centre, self.scale), self.real)


class _Draws:
    """Random generators of one row: one for all metrics of this package, which draw in a fixed order, and one for each
    metric that another package adds, so that the others' intervals do not depend on it."""

    def __init__(self, seed: int) -> None:
        self._seed, self._own = seed, np.random.default_rng([seed, 9])
        self._added = metrics.added()

    def of(self, name: str) -> np.random.Generator:
        if name in self._added:
            return np.random.default_rng([self._seed, 9, zlib.crc32(name.encode())])
        return self._own


def _line(row: Row, found: list[Result], pair: tuple[Embedded, Embedded] | None, draws: _Draws) -> dict[str, Any]:
    segments = [segment for result in found for segment in result["segments"]]
    composed = [result for result in found if result["seconds"] is not None]
    return {
        "key": row.key,
        "title": row.title,
        "kind": row.kind,
        "note": row.note,
        "sequences": len(found),
        "segments": len(segments),
        "beats": mean_scores([segment["beats"] for segment in segments if segment["beats"] is not None]),
        "intervals": _intervals(found, draws),
        **metrics.combine("true_beats", segments),
        "alignment": _alignment(found, draws),
        "genre": _genre(found),
        "fidelity": None if pair is None else _fidelity(row, *pair, draws),
        "pairs": _pairs(segments),
        "sound": _sound(segments),
        "music": metrics.combine("music", [result["whole"] for result in found]),
        "seconds_per_second": sum(r["seconds"] for r in composed) / sum(r["duration"] for r in composed)
        if composed
        else None,
    }


def _intervals(found: list[Result], draws: _Draws) -> dict[str, list[float] | None]:
    """Intervals of the metrics that have one, drawn in the order of their names."""
    chosen = [metric for metric in metrics.metrics_of("beats", "true_beats") if metric.interval]
    return {m.name: _interval(found, m, draws.of(m.name)) for m in sorted(chosen, key=lambda metric: metric.name)}


def _interval(found: list[Result], metric: Metric, rng: np.random.Generator) -> list[float] | None:
    """95 % of the mean, bootstrap over items: their segments are no independent measurements."""
    means = []
    for result in found:
        scores = [segment if metric.group == "true_beats" else segment["beats"] for segment in result["segments"]]
        scores = [score for score in scores if score is not None]
        if (value := mean([reading(score[metric.name])[0] for score in scores])) is not None:
            means.append(value)
    if len(means) < 2:
        return None
    _, low, high = bootstrap(np.array(means), rng)
    return [low, high]


def _alignment(found: list[Result], draws: _Draws) -> dict[str, Any] | None:
    """Means over items of the fit to the dancer, and of its excess over chance, with bootstrap intervals."""
    if not found:
        return None
    table: dict[str, Any] = {"judge": found[0]["alignment"]["judge"]}
    for events in ("beats", "onsets"):
        table[events] = {}
        for metric in metrics.metrics_of("alignment", "alignment_aist"):
            name, script = metric.name, metric.group == "alignment_aist"
            rows = [r["alignment"][f"{name}_{events}"] if script else r["alignment"][events][name] for r in found]
            table[events][name] = _excess(rows, draws.of(name))
    return table


def _excess(rows: list[dict[str, Any] | None], rng: np.random.Generator) -> dict[str, Any] | None:
    known = [row for row in rows if row is not None and row["excess"] is not None]
    if not known:
        return None
    excess, low, high = bootstrap(np.array([row["excess"] for row in known]), rng)
    return {
        "value": mean([row["value"] for row in known]),
        "chance": mean([row["chance"] for row in known]),
        "excess": excess,
        "interval": [low, high] if len(known) > 1 else None,
        "sequences": len(known),
    }


def _genre(found: list[Result]) -> dict[str, Any] | None:
    """Shares of the segments in the dance's genre, as the network hears them and by the nearest song it learnt from."""
    codes = list(GENRES)
    verdicts = [
        GenreVerdict(codes.index(result["genre"]), segment["genre"]["heard"], segment["genre"]["nearest"])
        for result in found
        if result["genre"] in GENRES
        for segment in result["segments"]
        if segment["genre"] is not None
    ]
    if not verdicts:
        return None
    scores = [metrics.compute("genre", verdict) for verdict in verdicts]
    return {**metrics.combine("genre", scores), "segments": len(verdicts)}


def embedded(found: list[Result], songs: dict[str, str], name: str = "log-mel") -> Embedded | None:
    """Return windows of all segments, those of one song together: they are no independent recordings. A song that
    several dance to in its original counts once.

    Args:
        found: results of a row.
        songs: songs of the items. What was made for an item goes under its song; the original of another one under its
            own.
        name: name of the embedding.
    """
    by_song: dict[str, list[list[list[float]]]] = defaultdict(list)
    for result in found:
        windows = [window for segment in result["segments"] for window in segment["vectors"][name] or ()]
        other = result["details"].get("music", "")
        song = songs[other] if other in songs else result["music"]
        if windows and windows not in by_song[song]:
            by_song[song].append(windows)
    rows = [(song, np.array([w for windows in parts for w in windows])) for song, parts in by_song.items() if parts]
    return Embedded.of(rows) if rows else None


def _fidelity(row: Row, made: Embedded, real: Embedded, draws: _Draws) -> dict[str, Any] | None:
    """Distances to the originals."""
    if min(len(made.vectors), len(real.vectors)) < 2:
        return None
    same = row.kind == "reference"
    own = Sets(made, real, draws.of(""), same)
    scores: dict[str, Score] = {}
    for metric in metrics.metrics_of("sets"):
        rng = draws.of(metric.name)
        scores[metric.name] = plain(metric.compute(own if rng is own.rng else Sets(made, real, rng, same)))
    return {"windows": len(made.vectors), **scores}


def _pairs(segments: list[Result]) -> dict[str, Score] | None:
    compared = [segment["pairs"] for segment in segments if segment["pairs"] is not None]
    return metrics.combine("pairs", compared) if compared else None


def _sound(segments: list[Result]) -> dict[str, Any]:
    """How many segments have which fault, and the means of the metrics of sound, such as loudness."""
    checks = [segment["checks"] for segment in segments]
    counts = {
        fault: sum(any(words in problem for problem in check["problems"]) for check in checks)
        for fault, words in FAULTS.items()
    }
    return {**counts, **metrics.combine("sound", checks)}
