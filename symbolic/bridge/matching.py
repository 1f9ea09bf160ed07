"""Smootify's two searches: bars of two songs that contain the same notes.

Both compare the melody of a bar as a distribution over the twelve pitch classes, on the assumption that two bars may
follow each other if their harmony is the same, and that the notes show the harmony. The search by distribution computes
the Jensen-Shannon divergence of each pair of bars; the other aligns both songs by dynamic time warping and searches
along the alignment. Later bars of the first song and earlier bars of the second have a higher weight, bars with few
notes a lower one; the first and last bars of both are left out.
"""

from __future__ import annotations

import numpy as np

from d2m.load_librosa import load_librosa
from d2m.symbolic.bridge.song import Song

#: How much dearer a pair becomes from the best placed to the worst placed bars, and for bars without notes.
_PLACE, _SPARSE = 0.25, 1.0


def distributions(song: Song) -> np.ndarray:
    """Compute the pitch classes of the melody in each bar.

    Args:
        song: a song of B bars.

    Returns:
        float64 (B, 12); uniform where the melody rests.
    """
    melody = song.bars.melody
    total = melody.sum(axis=1, keepdims=True)
    return np.where(total > 0, melody / np.maximum(total, 1e-9), 1 / 12)


def jsd(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the Jensen-Shannon divergence of all pairs of rows.

    Args:
        first, second: distributions (N, 12) and (M, 12).

    Returns:
        float64 (N, M), bits, 0 to 1.
    """
    from scipy.spatial.distance import cdist

    # scipy gives its square root, in nats.
    return np.nan_to_num(cdist(first, second, "jensenshannon")) ** 2 / np.log(2)


def by_distribution(a: Song, b: Song) -> np.ndarray:
    """Compute the cost of going from each bar of one song to each of the other.

    Args:
        a, b: songs of A and B bars.

    Returns:
        float64 (A, B).
    """
    return _placed(jsd(distributions(a), distributions(b)), a, b)


def by_warping(a: Song, b: Song) -> np.ndarray:
    """Compute the cost of :func:`by_distribution` along the path of dynamic time warping, infinite elsewhere.

    Args:
        a, b: songs of A and B bars.

    Returns:
        float64 (A, B).
    """
    from scipy.spatial.distance import cdist

    gap = cdist(distributions(a), distributions(b), "cityblock")
    _, path = load_librosa().sequence.dtw(C=gap)
    cost = np.full(gap.shape, np.inf)
    along = tuple(path.T)
    cost[along] = _placed(gap, a, b)[along]
    return cost


def _placed(cost: np.ndarray, a: Song, b: Song) -> np.ndarray:
    early = np.linspace(1, 0, len(a))[:, None]
    late = np.linspace(0, 1, len(b))[None]
    thin = [
        1 - np.minimum(n / max(float(np.median(n)), 1.0), 1.0) for n in (a.bars.melody.sum(1), b.bars.melody.sum(1))
    ]
    sparse = np.maximum(thin[0][:, None], thin[1][None])
    return (cost + 0.05) * (1 + _PLACE * (early + late)) + _SPARSE * sparse
