"""Mix points: bars of one song after which bars of the next may follow.

Four searches: ``harmonic`` (d2m's), ``dtw`` and ``jsd`` (Smootify's, :mod:`~d2m.symbolic.bridge.matching`), ``random``.

The harmonic search models the expectation of a listener. If the first song continued, its next bars would have a
certain harmony, groove and register; the second song's bars should be similar to these, and the bars before them
similar to those that the listener has just heard. Where a song had a similar moment before, its continuation then is
used as well. Further terms are harmony, groove, style and texture of the bars around, the distance of the keys, leaps
of the outer voices, and phrase boundaries. The second song may be transposed, with a small cost for each semitone. The
weights of the terms are fitted (``scripts/fit_mixpoints.py``) on songs for which no figures are reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic import keys as key_finding
from d2m.symbolic.bridge.expectation import TERMS, terms
from d2m.symbolic.bridge.matching import by_distribution, by_warping
from d2m.symbolic.bridge.song import Song

METHODS = ("harmonic", "dtw", "jsd", "random")
#: Longer songs are looked at over this many bars: the last of the first song, the first of the second.
MOST_BARS = 320
#: Bars after the last possible mix point of such a song that are used as its continuation.
_AFTER = 16
#: Points that are both within so many bars of a better one in both songs are left out.
_APART = 1


@dataclass(frozen=True)
class MixPoint:
    """Pair of bars at which one song may follow another.

    Attributes:
        bar_a: the last bar of the first song that is played, counted from 0.
        bar_b: the first bar of the second song.
        transpose: semitones by which the second song is moved up.
        cost: less is better; comparable within one method.
        method: that found it.
        terms: what the cost is made of, for ``harmonic``.
    """

    bar_a: int
    bar_b: int
    transpose: int
    cost: float
    method: str
    terms: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return plain values; bars counted from 1, as musicians do."""
        content: dict[str, object] = {"bar_a": self.bar_a + 1, "bar_b": self.bar_b + 1, "transpose": self.transpose}
        content |= {"cost": round(self.cost, 4), "method": self.method}
        return content | ({"terms": {n: round(v, 3) for n, v in self.terms.items()}} if self.terms else {})


def find_mix_points(
    a: Song,
    b: Song,
    method: str = "harmonic",
    top: int = 5,
    *,
    transpose: int = 5,
    spare: float = 0.0,
    between: tuple[int, int] | None = None,
    rng: np.random.Generator | None = None,
) -> list[MixPoint]:
    """Return the best mix points, best first.

    The first and last bars of both songs are none, nor are bars without notes or in other metres than 4/4.

    Args:
        a, b: the song that ends and the one that begins.
        method: one of :data:`METHODS`.
        top: how many at most.
        transpose: ``harmonic``: semitones by which the second song may be moved either way, 0 to 6.
        spare: share of the first song from its beginning, and of the second up to its end, that is played in any case,
            0 to 0.9; mix points lie beyond.
        between: the first and the last bar of ``a`` that may be the last one played, instead of what ``spare`` says.
        rng: random generator of ``random``.

    Raises:
        D2MError: if there is no such method, or a song has no bar that can be one.
    """
    if method not in METHODS:
        raise D2MError(f"no method '{method}' to find mix points; choose one of: {', '.join(METHODS)}")
    if top < 1 or not 0 <= transpose <= 6 or not 0 <= spare <= 0.9:
        raise D2MError(
            "give at least 1 mix point, a transposition from 0 to 6 semitones and a minimum share from 0 to 0.9"
        )
    places = [_allowed(song) for song in (a, b)]
    ends = (spare * len(a), (1 - spare) * len(b))
    # Of songs too short for that, the last and the first possible bar stay.
    late = (places[0] >= ends[0]) | (places[0] == places[0][-1])
    if between is not None:
        late = (places[0] >= between[0]) & (places[0] <= between[1])
        if not late.any():
            raise D2MError(f"{a.name} has no bar to mix at from {between[0] + 1} to {between[1] + 1}")
    places = [places[0][late], places[1][(places[1] <= ends[1]) | (places[1] == places[1][0])]]
    skipped = max(min(len(a), int(places[0][-1]) + _AFTER) - MOST_BARS, 0)
    if len(a) > MOST_BARS or len(b) > MOST_BARS:
        a, b = a.excerpt(skipped, min(len(a), skipped + MOST_BARS)), b.excerpt(0, MOST_BARS)
        places = [places[0][places[0] > skipped] - skipped, places[1][places[1] < len(b) - 1]]
        if not all(map(len, places)):
            raise D2MError(f"the songs have no music in 4/4 within {MOST_BARS} bars of where they meet")
    points = _search(a, b, places, method, top, transpose, rng)
    return [replace(point, bar_a=point.bar_a + skipped) for point in points]


def _search(
    a: Song,
    b: Song,
    places: list[np.ndarray],
    method: str,
    top: int,
    transpose: int,
    rng: np.random.Generator | None,
) -> list[MixPoint]:
    if method == "harmonic":
        return _harmonic(a, b, places, top, transpose)
    searches: dict[str, Callable[[], np.ndarray]] = {
        "dtw": lambda: by_warping(a, b),
        "jsd": lambda: by_distribution(a, b),
        "random": lambda: (rng or np.random.default_rng(0)).random((len(a), len(b))),
    }
    cost = searches[method]()[np.ix_(*places)]
    return [MixPoint(int(places[0][i]), int(places[1][j]), 0, float(cost[i, j]), method) for i, j in _best(cost, top)]


def _allowed(song: Song) -> np.ndarray:
    """int64: the bars that may be mix points, the outermost left out."""
    fits = song.whole & (song.held.any(axis=(1, 2, 3)))
    bars = np.flatnonzero(fits)
    inner = bars[1:-1] if len(bars) > 2 else bars[:0]
    if not len(inner):
        raise D2MError(f"{song.name or 'a song'} has no bar between its first and last to mix at; give a longer song")
    return inner


def _harmonic(a: Song, b: Song, places: list[np.ndarray], top: int, transpose: int) -> list[MixPoint]:
    shifts = np.array(sorted(range(-transpose, transpose + 1), key=abs))
    bars_a, bars_b = places
    found = terms(a, b, bars_a, bars_b, shifts)
    # (terms, shifts, A, B)
    each = np.stack([np.broadcast_to(found[name], found["key"].shape) for name in TERMS])
    weights = np.array([TERMS[name] for name in TERMS])
    cost = np.tensordot(weights, each, axes=1)
    shift = cost.argmin(axis=0)
    least = np.take_along_axis(cost, shift[None], axis=0)[0]
    points = []
    for i, j in _best(least, top):
        k = int(shift[i, j])
        parts = {name: float(each[number, k, i, j]) for number, name in enumerate(TERMS)}
        at = int(places[0][i]), int(places[1][j])
        points.append(MixPoint(*at, int(shifts[k]), float(least[i, j]), "harmonic", parts))
    return points


def _best(cost: np.ndarray, top: int) -> list[tuple[int, int]]:
    """Places of the least values, none next to a better one."""
    chosen: list[tuple[int, int]] = []
    left = np.where(np.isfinite(cost), cost, np.inf).copy()
    while len(chosen) < top:
        i, j = np.unravel_index(int(left.argmin()), left.shape)
        if not np.isfinite(left[i, j]):
            break
        chosen.append((int(i), int(j)))
        left[max(i - _APART, 0) : i + _APART + 1, max(j - _APART, 0) : j + _APART + 1] = np.inf
    return chosen


def seam(a: Song, b: Song, point: MixPoint) -> dict[str, float]:
    """Measure the distance between the bars at a mix point: tonal distance, groove difference, accidentals between
    keys.

    Args:
        a, b: the two songs.
        point: the mix point.
    """
    from d2m.symbolic.bridge.expectation import groove
    from d2m.symbolic.metrics import tonal_centroid

    first = a.bars.chroma[point.bar_a].sum(axis=0)
    second = np.roll(b.bars.chroma[point.bar_b].sum(axis=0), point.transpose)
    one, two = (groove(song.bars)[bar] for song, bar in ((a, point.bar_a), (b, point.bar_b)))
    key = key_finding.transposed(int(b.keys[point.bar_b]), point.transpose)
    return {
        "tonal distance": float(np.linalg.norm(tonal_centroid(first) - tonal_centroid(second))),
        "groove difference": float(np.linalg.norm(one - two)),
        "fifths apart": float(key_finding.fifths_apart(int(a.keys[point.bar_a]), key)),
    }
