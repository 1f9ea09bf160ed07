"""Rhythm report of a folder of dance clips: metrics of each clip, their means and the calibration.

Clips of one source (:attr:`d2m.evaluation.rhythm.DanceClip.group`) share a dancer, a place or a song and are not
independent: intervals come from a bootstrap over sources, and the mean over sources, in which every source counts once,
is reported beside the mean over clips.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError

from .metrics import describe
from .recordings import Failure
from .rhythm import FEWEST_BEATS, DanceClip, brier, circular_mean, read_clip, reliability, score_grid

#: Draws of the bootstrap.
DRAWS = 2000


def evaluate_rhythm(
    folder: str | os.PathLike[str],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    *,
    causal: bool = False,
    skip: float = 0.0,
) -> dict[str, Any]:
    """Score the beats that :func:`d2m.features.beat_source.dance_rhythm` finds in dance clips, no genre given.

    Args:
        folder: folder of ``.npz`` files (:func:`d2m.evaluation.rhythm.read_clip`), or one such file.
        seed: random seed of the bootstrap.
        progress: called with the clips done and their number.
        causal: score the beats of the tracker of ``d2m live`` (:func:`d2m.features.causal.causal_grid`) instead.
        skip: seconds at the beginning of each clip that are not scored.

    Returns:
        Plain JSON values: ``clips``; ``mean`` over clips and ``mean_by_source``, each with ``intervals`` (95 %,
        bootstrap over sources); ``counted``; ``phase`` (circular mean over the clips with the right tempo);
        ``calibration``; ``failed`` (name and error of clips that could not be read).

    Raises:
        D2MError: if the folder is missing or holds no ``.npz`` files.
    """
    rows: list[dict[str, Any]] = []
    failed: list[Failure] = []
    paths = _paths(Path(folder))
    for number, path in enumerate(paths, 1):
        try:
            rows.append(score_clip(read_clip(path), causal, skip))
        except D2MError as error:
            failed.append(Failure(path.name, str(error)))
        if progress is not None:
            progress(number, len(paths))
    return {**summarise(rows, seed), "failed": [asdict(failure) for failure in failed]}


def _paths(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise D2MError(f"{folder}: no such folder; give a folder of .npz files")
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise D2MError(f"{folder}: no .npz files in it; give a folder of dance clips")
    return paths


def score_clip(clip: DanceClip, causal: bool = False, skip: float = 0.0) -> dict[str, Any]:
    """Estimate the beats of one clip from its movement and score them (:func:`d2m.evaluation.rhythm.score_grid`).

    Args:
        clip: the clip.
        causal: see :func:`evaluate_rhythm`.
        skip: seconds at its beginning that are not scored.

    Raises:
        D2MError: if too few beats are left to judge by.
    """
    from d2m.features.beat_source import dance_rhythm
    from d2m.features.causal import causal_grid
    from d2m.features.group import together

    if causal:
        grid = causal_grid(clip.motion, clip.world, clip.duration)
    else:
        dancers = together(clip.motion, clip.world, clip.others, clip.other_worlds)
        grid = dance_rhythm(dancers, clip.duration, None, clip.world).grid
    about = {"name": clip.name, "group": clip.group, "duration": round(clip.duration, 3), "strength": clip.strength}
    if skip:
        clip, grid = without_beginning(clip, skip), replace(grid, beats=grid.beats - skip)
    return {**about, **score_grid(clip, grid)}


def without_beginning(clip: DanceClip, skip: float) -> DanceClip:
    """Return a clip whose beats are counted from a later second on; its landmarks stay.

    Args:
        clip: the clip.
        skip: seconds that are left out.

    Raises:
        D2MError: if fewer than :data:`d2m.evaluation.rhythm.FEWEST_BEATS` beats are left.
    """
    beats, downbeats = (times[times >= skip] - skip for times in (clip.beats, clip.downbeats))
    if len(beats) < FEWEST_BEATS:
        raise D2MError(f"{clip.name}: {len(beats)} beats after second {skip:g}, too few to judge by; leave it out")
    return replace(clip, beats=beats, downbeats=downbeats, duration=clip.duration - skip)


def summarise(rows: Sequence[dict[str, Any]], seed: int = 0) -> dict[str, Any]:
    """Compute means, intervals and calibration of clips, as :func:`evaluate_rhythm` returns them, without ``failed``.

    Args:
        rows: scores of each clip.
        seed: random seed.
    """
    sources, source_of = np.unique([row["group"] for row in rows], return_inverse=True)
    draws = np.random.default_rng(seed).integers(0, max(len(sources), 1), (DRAWS, len(sources)))
    report: dict[str, Any] = {"clips": list(rows), "sources": len(sources)}
    report |= {"metrics": describe("rhythm")}
    report |= {"mean": {}, "intervals": {}, "mean_by_source": {}, "intervals_by_source": {}, "counted": {}}
    for name in report["metrics"]:
        values = np.array([np.nan if row[name] is None else float(row[name]) for row in rows])
        report["counted"][name] = int(np.isfinite(values).sum())
        sums, counts = _by_source(values, source_of, len(sources))
        for suffix, weights in (("", counts), ("_by_source", np.minimum(counts, 1))):
            mean, interval = _bootstrap(sums / np.maximum(counts, 1), weights, draws)
            report[f"mean{suffix}"][name] = mean
            report[f"intervals{suffix}"][name] = interval
    return report | {"phase": _phase(rows), "calibration": _calibration(rows)}


def _by_source(values: np.ndarray, source_of: np.ndarray, sources: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum and count of the known values of each source."""
    known = np.isfinite(values)
    sums = np.bincount(source_of[known], values[known], sources)
    return sums, np.bincount(source_of[known], minlength=sources)


def _bootstrap(
    means: np.ndarray, weights: np.ndarray, draws: np.ndarray, level: float = 0.95
) -> tuple[float | None, list[float | None]]:
    """Weighted mean over sources and its percentile interval over draws of whole sources."""
    if not weights.sum():
        return None, [None, None]
    total = weights[draws].sum(axis=1)
    drawn = (means * weights)[draws].sum(axis=1)[total > 0] / total[total > 0]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float((means * weights).sum() / weights.sum()), [float(low), float(high)]


def _phase(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Circular mean of the clips' phase errors: one number for all says whether the finder is late everywhere."""
    right = [row for row in rows if row["phase_error_beats"] is not None]
    if not right:
        return {"clips": 0, "error_beats": None, "concentration": None, "median_ms": None}
    error, concentration = circular_mean(np.array([row["phase_error_beats"] for row in right]))
    median = float(np.median([1000 * row["phase_error"] for row in right]))
    return {"clips": len(right), "error_beats": error, "concentration": concentration, "median_ms": median}


def _calibration(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Does a confidence of 0.7 mean that seven tempos of ten are right?"""
    confidence = np.array([row["confidence"] for row in rows], dtype=np.float64)
    right = np.array([row["tempo_right"] for row in rows], dtype=np.float64)
    if not len(rows):
        return {"brier": None, "brier_constant": None, "bins": []}
    # Score of a constant confidence equal to the share of correct tempos, as a reference.
    constant = brier(np.full(len(right), right.mean()), right)
    return {"brier": brier(confidence, right), "brier_constant": constant, "bins": reliability(confidence, right)}


def draw_reliability(report: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Draw the reliability diagram of a report: share of right tempos against confidence, with the number of clips.

    Args:
        report: report from :func:`evaluate_rhythm`.
        path: the ``.png`` to write, complete or absent.

    Raises:
        D2MError: if the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from d2m.files.atomic import atomic_write

    figure = Figure(figsize=(5.2, 4.6), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#6b7280", linewidth=1, linestyle=(0, (4, 3)), label="calibrated")
    for row in report["calibration"]["bins"]:
        if row["clips"]:
            middle, width = (row["low"] + row["high"]) / 2, row["high"] - row["low"]
            axes.bar(middle, row["right"], 0.96 * width, color="#2f6f9f", alpha=0.3)
            axes.annotate(f"{row['clips']} clips", (middle, 0.0), (0, 4), textcoords="offset points", ha="center")
            axes.plot(row["confidence"], row["right"], "o", color="#2f6f9f")
    axes.set(xlim=(0, 1), ylim=(0, 1.08), xlabel="confidence", ylabel="share of clips with the right tempo")
    axes.legend(loc="upper left", frameon=False)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")
