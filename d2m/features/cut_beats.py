"""Beats for a film without a dancer: cuts fall on beats, and bar lines on as many of them as possible.

The tempo is the one at which the cuts deviate least from beats; between two cuts it is then adapted by a few per cent,
so that both are on beats. The best choice of cuts, and of the beat of the bar that each falls on, is found by dynamic
programming.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from d2m.types import BeatGrid

#: Change of tempo (logarithm) from shot to shot that costs as much as a cut that is not on a beat, and the largest.
USUAL_CHANGE, MOST_CHANGE = 0.06, 0.1
#: Costs of a cut beside the beats; on the third beat of a bar; on the second or fourth.
_OFF, _MIDDLE, _WEAK = 1.0, 0.2, 0.45
_BEATS_PER_BAR = 4
#: Cuts before the last one that a cut may follow, when those between are not on beats.
_REACH = 8


def cut_grid(cuts: Sequence[float], duration: float, slowest: float, fastest: float) -> tuple[BeatGrid, float]:
    """Find beats for the cuts of a film.

    Args:
        cuts: times in seconds; none for a steady tempo in the middle of the range.
        duration: seconds that the grid covers.
        slowest, fastest: range of tempo in beats per minute.

    Returns:
        The grid, and the share of the cuts that are on beats.
    """
    middle = float(np.sqrt(slowest * fastest))
    times = np.array(sorted(cut for cut in cuts if 0.0 < cut < duration))
    if not len(times):
        return _steady(middle, duration, 0.0), 0.0
    best: tuple[float, list[int], list[int], float] | None = None
    for tempo in np.geomspace(slowest, fastest, max(round(np.log(fastest / slowest) / 0.01), 2)):
        cost, anchors, places = _fit(times, 60.0 / float(tempo))
        cost += 0.3 * abs(float(np.log(tempo / middle)))
        if best is None or cost < best[0] - 1e-9:
            best = cost, anchors, places, float(tempo)
    assert best is not None
    _, anchors, places, tempo = best
    return _through(times[anchors], places, 60.0 / tempo, duration), len(anchors) / len(times)


def _fit(times: np.ndarray, period: float) -> tuple[float, list[int], list[int]]:
    """Return the least cost, the cuts that are on beats, and the beats from the first of them to each."""
    count = len(times)
    costs = np.full((count, _BEATS_PER_BAR), np.inf)
    before = np.full((count, _BEATS_PER_BAR, 3), -1, np.int64)
    here = np.array([0.0, _WEAK, _MIDDLE, _WEAK])
    for cut in range(count):
        costs[cut] = cut * _OFF + here
        for other in range(max(cut - _REACH, 0), cut):
            gap = times[cut] - times[other]
            beats = round(gap / period)
            change = abs(np.log(gap / (beats * period))) if beats else np.inf
            if change > MOST_CHANGE:
                continue
            for place in range(_BEATS_PER_BAR):
                phase = (place + beats) % _BEATS_PER_BAR
                cost = costs[other, place] + (cut - other - 1) * _OFF + (change / USUAL_CHANGE) ** 2 + here[phase]
                if cost < costs[cut, phase]:
                    costs[cut, phase], before[cut, phase] = cost, (other, place, beats)
    ends = costs + _OFF * (count - 1 - np.arange(count))[:, None]
    last = int(np.argmin(ends))
    least = float(ends.flat[last])
    chain = [(last // _BEATS_PER_BAR, last % _BEATS_PER_BAR, 0)]
    while before[chain[-1][0], chain[-1][1], 0] >= 0:
        other, phase, beats = before[chain[-1][0], chain[-1][1]]
        chain[-1] = (*chain[-1][:2], int(beats))
        chain.append((int(other), int(phase), 0))
    chain.reverse()
    positions = np.cumsum([chain[0][1], *(beats for _, _, beats in chain[1:])])
    return least, [number for number, _, _ in chain], positions.tolist()


def _through(times: np.ndarray, positions: list[int], period: float, duration: float) -> BeatGrid:
    """Return a grid on which cuts have positions, whose remainder by four is the beat of the bar."""
    knots = np.asarray(positions, np.int64)
    head = -(-int(np.ceil(times[0] / period - knots[0])) // _BEATS_PER_BAR) * _BEATS_PER_BAR
    head = max(head, 0)
    tail = int(np.ceil((duration - times[-1]) / period)) + 1
    beats = np.concatenate(
        [
            times[0] - (np.arange(knots[0] + head, 0, -1)) * period,
            np.interp(np.arange(knots[0], knots[-1] + 1), knots, times),
            times[-1] + np.arange(1, tail + 1) * period,
        ]
    )
    tempo = float(60.0 / np.median(np.diff(beats)))
    lines = np.arange(0, len(beats), _BEATS_PER_BAR, dtype=np.int64)
    return BeatGrid(beats, lines, tempo, 0.0, source="cuts").covering(duration)


def _steady(tempo: float, duration: float, first: float) -> BeatGrid:
    from dataclasses import replace

    return replace(BeatGrid.steady(tempo, duration, first), source="steady")
