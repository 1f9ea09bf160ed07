"""Divide a video into scenes on bar lines: at cuts and dissolves, and inside a shot where the dance changes.

    from d2m.features.scenes import scenes_of
    for scene in scenes_of(analysis):
        print(scene.start, scene.end, scene.cause, scene.energy)

Inside a shot, a scene begins where the movement changes for several bars: its energy, the parts of the body that move,
the postures (:mod:`d2m.features.bar_features`), or after the dancer stood still. The boundaries are those of the best
piecewise constant approximation of the features of the bars with a penalty for each boundary (optimal partitioning;
Jackson et al., "An algorithm for optimal partitioning of data on an interval", 2005), found by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from d2m.features.bar_features import FLOORS, SURE, bar_features
from d2m.features.envelope import body_speeds
from d2m.types import BeatGrid, Motion

if TYPE_CHECKING:
    from d2m.features.analysis import Analysis

#: Why a scene begins.
Cause: TypeAlias = Literal["start", "cut", "dissolve", "energy", "pause"]

#: Least bars of a scene, and beside a cut.
LEAST_BARS, LEAST_BARS_AT_CUT = 4, 2
#: Seconds of video for each boundary, on average, at least.
SECONDS_PER_BOUNDARY = 8.0
#: Part of a bar by which the first and last scene may be shorter, as the video may begin and end within a bar.
SLACK = 0.3
#: Penalty of a boundary, per feature and logarithm of the number of bars: inside a shot; where the dancer sets off
#: after a pause; at a cut. Part of it where a whole number of eight-counts (two bars) lies before the boundary.
PENALTY, PAUSE_PENALTY, CUT_PENALTY, EIGHT_COUNT = 1.5, -0.5, -2.0, 0.85
#: A pause is movement below this part of the clip's usual speed (75th percentile), for at least so many bars.
PAUSE_LEVEL, PAUSE_BARS = 0.15, 0.75
#: Standard deviation in seconds of the smoothing of the speed in which pauses are found.
PAUSE_SMOOTHING = 0.15
#: Standard deviation of the logarithm of energy from bar to bar below which differences mean nothing.
_ENERGY_FLOOR = 0.15


@dataclass(frozen=True)
class Scene:
    """A stretch of a video that is to have music of its own.

    Attributes:
        start, end: seconds; a scene ends where the next begins.
        cause: why it begins: ``"start"`` of the video, ``"cut"``, ``"dissolve"`` (also a fade), ``"energy"`` (the
            movement changes) or ``"pause"`` (the dancer stops or sets off again).
        energy: mean energy of the dance in it, 0..1.
    """

    start: float
    end: float
    cause: Cause
    energy: float


def scenes_of(analysis: Analysis) -> tuple[Scene, ...]:
    """Divide an analysed video into scenes.

    Args:
        analysis: result of :func:`d2m.features.analysis.analyse`.
    """
    dance, rate = analysis.dance, analysis.envelope_rate
    cuts = [frame / rate for frame in analysis.cuts]
    dissolves = [frame / rate for frame in analysis.dissolves]
    return find_scenes(dance.motion, cuts, dance.grid, dance.duration, dance.energy, dissolves=dissolves)


def find_scenes(
    motion: Motion | None,
    cuts: Sequence[float],
    grid: BeatGrid,
    duration: float,
    energy: np.ndarray,
    *,
    dissolves: Sequence[float] = (),
) -> tuple[Scene, ...]:
    """Divide a video into scenes.

    Args:
        motion: landmarks of the dancer; None if there are none.
        cuts: times of cuts in seconds, dissolves included.
        grid: beats and bar lines of the music.
        duration: seconds.
        energy: (N,) in 0..1, energy of the dance in each beat of ``grid``.
        dissolves: those of ``cuts`` that are dissolves or fades.

    Returns:
        The scenes in the order of time, without gaps from 0 to ``duration``. All but the first begin on a bar line of
        the grid. A scene has at least four bars, or two where it begins or ends at a cut, and there is at most one
        boundary for every eight seconds.
    """
    covering = grid.covering(duration)
    lines = covering.beats[covering.downbeats]
    lines = lines[(lines > 0) & (lines < duration)]
    edges = np.concatenate([[0.0], lines, [duration]])
    at_cut = _cut_lines(lines, sorted(cuts))
    per_bar = np.array([_mean_energy(grid, energy, *pair) for pair in pairwise(edges)])
    pauses = _pauses(motion, edges)
    penalties = _penalties(edges, at_cut, pauses)
    features = _without_pauses(_features(motion, edges, per_bar), edges, pauses)
    chosen = _boundaries(features, penalties, at_cut, edges, int(duration / SECONDS_PER_BOUNDARY + 0.25))
    starts = [0, *chosen]
    scenes = []
    for first, last in zip(starts, [*chosen, len(edges) - 1], strict=True):
        cause = _cause(edges, first, at_cut, set(dissolves), pauses)
        level = _mean_energy(grid, energy, float(edges[first]), float(edges[last]))
        scenes.append(Scene(float(edges[first]), float(edges[last]), cause, level))
    return tuple(scenes)


def _cut_lines(lines: np.ndarray, cuts: Sequence[float]) -> dict[int, float]:
    """Number of the nearest bar line (from 1; 0 is the beginning) -> time of the cut that is closest to it."""
    found: dict[int, float] = {}
    for cut in cuts if len(lines) else ():
        nearest = int(np.argmin(np.abs(lines - cut))) + 1
        if nearest not in found or abs(lines[nearest - 1] - cut) < abs(lines[nearest - 1] - found[nearest]):
            found[nearest] = cut
    return found


def _whole_bars(edges: np.ndarray) -> np.ndarray:
    """Bars from the beginning to each edge; a part of a bar at an end counts as it is long."""
    lengths = np.diff(edges)
    usual = float(np.median(lengths[1:-1])) if len(lengths) > 2 else float(lengths.max())
    parts = np.ones(len(lengths))
    parts[[0, -1]] = np.minimum(lengths[[0, -1]] / usual, 1.0)
    return np.concatenate([[0.0], np.cumsum(parts)])


def _mean_energy(grid: BeatGrid, energy: np.ndarray, start: float, end: float) -> float:
    """Mean energy between two times, 0..1; ``energy`` may be of a grid that is longer or shorter at its ends."""
    values = np.asarray(energy, dtype=np.float64)
    if not len(values):
        return 0.0
    first, last = float(grid.position_of(start)), float(grid.position_of(end))
    positions = np.arange(round(first), max(last - 0.25, round(first) + 0.5))
    inside = values[np.clip(positions.astype(np.int64), 0, len(values) - 1)]
    return float(np.clip(inside.mean(), 0.0, 1.0))


def _features(motion: Motion | None, edges: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Features of the bars in units of their usual differences from bar to bar, float64 (B, D)."""
    if motion is not None and motion.skeleton == "mediapipe33":
        values, floor = bar_features(motion, edges), FLOORS
    else:
        values, floor = np.log(energy + 0.05)[:, None], np.array([_ENERGY_FLOOR])
    lags = [np.abs(values[lag:] - values[:-lag]) for lag in range(1, min(LEAST_BARS, len(values) - 1) + 1)]
    if not lags:
        return values / floor
    usual = np.median(np.concatenate(lags), axis=0) / (np.sqrt(2.0) * 0.6745)
    return values / np.maximum(usual, floor)


def _penalties(edges: np.ndarray, at_cut: dict[int, float], pauses: np.ndarray) -> np.ndarray:
    """Penalty of a boundary at each edge, per feature, float64 (B + 1,)."""
    penalties = np.full(len(edges), PENALTY)
    for _, end in pauses:
        penalties[np.argmin(np.abs(edges - end))] = PAUSE_PENALTY
    penalties[list(at_cut)] = CUT_PENALTY
    return penalties


def _boundaries(
    features: np.ndarray, penalties: np.ndarray, at_cut: dict[int, float], edges: np.ndarray, most: int
) -> list[int]:
    """Numbers of the edges where scenes begin, without the first; at most ``most``."""
    if most < 1 or len(features) < 2:
        return []
    count, dims = features.shape
    bars, is_cut = _whole_bars(edges), np.isin(np.arange(count + 1), list(at_cut))
    scaled = dims * np.log(count) * penalties
    spreads = _Spreads(features)
    chosen = _partition(spreads, scaled, is_cut, bars)
    while len(chosen) > most:
        around = [0, *chosen, count]
        worth = [
            spreads(first, last) - spreads(first, edge) - spreads(edge, last) - scaled[edge]
            for first, edge, last in zip(around[:-2], chosen, around[2:], strict=True)
        ]
        shorter = [
            min(bars[edge] - bars[first], bars[last] - bars[edge])
            for first, edge, last in zip(around[:-2], chosen, around[2:], strict=True)
        ]
        del chosen[min(range(len(chosen)), key=lambda i: (round(float(worth[i]), 6), shorter[i]))]
    return chosen


class _Spreads:
    """Sums of squared differences of the features of stretches of bars from their mean.

    Args:
        features: float64 (B, D).
    """

    def __init__(self, features: np.ndarray) -> None:
        centred = features - features.mean(axis=0)
        self._sums = np.concatenate([np.zeros((1, features.shape[1])), np.cumsum(centred, axis=0)])
        self._squares = np.concatenate([[0.0], np.cumsum((centred**2).sum(axis=1))])

    def __call__(self, start: Any, end: int) -> Any:
        """Spread of the bars from ``start`` (a number, or int64 (N,)) to ``end``, which is left out."""
        mean = ((self._sums[end] - self._sums[start]) ** 2).sum(axis=-1) / (end - start)
        return self._squares[end] - self._squares[start] - mean


def _partition(spreads: _Spreads, penalties: np.ndarray, is_cut: np.ndarray, bars: np.ndarray) -> list[int]:
    """The partition of the bars of least cost.

    Args:
        spreads: of the features of the bars.
        penalties: float64 (B + 1,), penalty of a boundary at each edge.
        is_cut: bool (B + 1,), whether the edge is at a cut.
        bars: float64 (B + 1,), bars from the beginning.

    Returns:
        The edges between its segments; none if the bars are too few to divide.
    """
    count = len(penalties) - 1
    best, before = np.full(count + 1, np.inf), np.zeros(count + 1, dtype=np.int64)
    best[0] = 0.0
    for end in range(1, count + 1):
        starts = np.arange(end)
        least = np.where(is_cut[starts] | is_cut[end], LEAST_BARS_AT_CUT, LEAST_BARS) - SLACK
        long_enough = (bars[end] - bars[:end] >= least) | ((starts == 0) & (end == count))
        spread = spreads(starts, end)
        eights = np.where((end - starts) % 2 == 0, EIGHT_COUNT, 1.0) if penalties[end] > 0 else np.ones(end)
        cost = np.where(long_enough, best[:end] + spread + (eights * penalties[end] if end < count else 0.0), np.inf)
        before[end] = int(np.argmin(cost))
        best[end] = cost[before[end]]
    chosen, end = [], int(before[count]) if np.isfinite(best[count]) else 0
    while end > 0:
        chosen.append(end)
        end = int(before[end])
    return chosen[::-1]


def _pauses(motion: Motion | None, edges: np.ndarray) -> np.ndarray:
    """Start and end of each stretch in which a visible dancer stands still, float64 (P, 2) seconds."""
    from scipy.ndimage import gaussian_filter1d

    if motion is None or len(motion.joints) < 3:
        return np.zeros((0, 2))
    speed = gaussian_filter1d(body_speeds(motion).whole, PAUSE_SMOOTHING * motion.fps, mode="nearest")
    slow = (speed < PAUSE_LEVEL * np.percentile(speed, 75)) & (motion.confidence.mean(axis=1) > SURE)
    change = np.diff(np.concatenate([[0], slow.astype(np.int8), [0]]))
    spans = np.column_stack([np.flatnonzero(change == 1), np.flatnonzero(change == -1)]) / motion.fps
    return spans[spans[:, 1] - spans[:, 0] >= PAUSE_BARS * float(np.median(np.diff(edges)))]


def _without_pauses(features: np.ndarray, edges: np.ndarray, pauses: np.ndarray) -> np.ndarray:
    """The features with those of the nearest bar in which the dancer moves, in pauses too short for a scene."""
    middles, usual = 0.5 * (edges[1:] + edges[:-1]), float(np.median(np.diff(edges)))
    moving = np.ones(len(features), dtype=bool)
    for start, end in pauses:
        if end - start < LEAST_BARS * usual:
            moving &= (middles < start) | (middles >= end)
    known = np.flatnonzero(moving)
    if not len(known):
        return features
    return features[known[np.argmin(np.abs(np.arange(len(features))[:, None] - known[None]), axis=1)]]


def _cause(edges: np.ndarray, edge: int, at_cut: dict[int, float], dissolves: set[float], pauses: np.ndarray) -> Cause:
    if edge == 0:
        return "start"
    if edge in at_cut:
        return "dissolve" if at_cut[edge] in dissolves else "cut"
    near = 0.6 * float(np.median(np.diff(edges)))
    return "pause" if len(pauses) and np.abs(pauses - edges[edge]).min() <= near else "energy"
