"""Terms of the harmonic search: distance of a bar of the next song from what a listener of the first song expects.

Every term is an array (shifts, A, B) or broadcasts to it, 0 for a perfect mix point; shifts are the semitones by which
the second song is transposed up.
"""

from __future__ import annotations

import numpy as np

from d2m.symbolic import keys as key_finding
from d2m.symbolic.bridge.bars import Bars
from d2m.symbolic.bridge.song import Song
from d2m.symbolic.metrics import tonal_centroid
from d2m.symbolic.tracks import DRUMS

#: Bars that are compared on either side, nearest first, and how much each counts.
_SPAN = (1.0, 0.7, 0.5, 0.35)
#: Semitones of register that count as wholly different.
_FAR = 12.0
#: Number of places of a song with a similar past whose continuation is used.
_PRECEDENTS = 10
#: What the gap between two bars is made of.
_HARMONY, _MELODY, _GROOVE, _TEXTURE = 3.0, 1.0, 1.0, 1.0
#: Bars over which the surroundings of a mix point are taken together.
_AROUND, _LONG = 4, 8

#: Keys are counted from here, C4.
_MIDDLE = 60

#: Terms of the cost and their weights, fitted by scripts/fit_mixpoints.py on songs of POP909's training split.
TERMS: dict[str, float] = {
    "goes on": 2.36,
    "comes in": 1.77,
    "harmony": 0.80,
    "groove": 0.89,
    "texture": 2.53,
    "style": 1.82,
    "voices": 1.68,
    "key": 0.99,
    "phrase end": 1.77,
    "phrase start": 2.01,
    "transposed": 0.61,
}


def terms(a: Song, b: Song, bars_a: np.ndarray, bars_b: np.ndarray, shifts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute all terms of the harmonic search.

    Args:
        a, b: the song that ends and the one that begins.
        bars_a: int64 (A,), last bars of the first song.
        bars_b: int64 (B,), first bars of the second song.
        shifts: transpositions of the second song in semitones.

    Returns:
        Terms (shifts, A, B) by name.
    """
    one, two, still = a.bars, b.bars, np.zeros(1, np.int64)
    across, within_a, within_b = bar_gaps(one, two, shifts), bar_gaps(one, one, still), bar_gaps(two, two, still)
    all_a, all_b = np.arange(len(a)), np.arange(len(b))
    past_a = _along(within_a, bars_a, all_a, -1)[0]
    future_a = _along(across, all_a + 1, bars_b, 1)
    past_b = _along(across, bars_a, all_b - 1, -1)
    future_b = _along(within_b, all_b, bars_b, 1)[0]
    moved = key_finding.transposed(b.keys[bars_b][None], shifts[:, None])
    return {
        "goes on": _by_precedent(past_a, future_a),
        "comes in": _by_precedent(future_b.T, past_b.transpose(0, 2, 1)).transpose(0, 2, 1),
        "harmony": _around(a, b, bars_a, bars_b, shifts),
        "groove": _gaps(_mean_of(groove(one), bars_a, -1), _mean_of(groove(two), bars_b, 1))[None],
        "texture": _texture(one, two)[np.ix_(bars_a, bars_b)][None],
        "style": _gaps(_mean_of(_style(one), bars_a, -1, _LONG), _mean_of(_style(two), bars_b, 1, _LONG))[None],
        "voices": _voices(one, two, bars_a, bars_b, shifts),
        "key": key_finding.fifths_apart(a.keys[bars_a][None, :, None], moved[:, None, :]) / 6.0,
        "phrase end": (1.0 - _phrase_places(a)[np.minimum(bars_a + 1, len(a) - 1)])[None, :, None],
        "phrase start": (1.0 - _phrase_places(b)[bars_b])[None, None, :],
        "transposed": (np.abs(shifts) / 6.0 + (shifts != 0))[:, None, None],
    }


def bar_gaps(one: Bars, two: Bars, shifts: np.ndarray) -> np.ndarray:
    """Compute distances of bars: harmony, melody, groove and texture together.

    Args:
        one, two: features of A and B bars.
        shifts: transpositions of the second in semitones.

    Returns:
        float64 (shifts, A, B), about 0 to 1.
    """
    total = _HARMONY * _harmony(one, two, shifts) + _MELODY * _melody(one, two, shifts)
    total += (_GROOVE * _gaps(groove(one), groove(two)) + _TEXTURE * _texture(one, two))[None]
    return total / (_HARMONY + _MELODY + _GROOVE + _TEXTURE)


def _by_precedent(past: np.ndarray, future: np.ndarray) -> np.ndarray:
    """float64 (S, N, M): the least of ``past`` (N, P) plus ``future`` (S, P, M) over those P with the best past.

    P are places of the same song, the place itself among them: how it goes on there, or went on after a like past
    before, is what a listener expects.
    """
    count = min(_PRECEDENTS, past.shape[1])
    nearest = np.argpartition(past, count - 1, axis=1)[:, :count]
    best = np.full((len(future), len(past), future.shape[2]), np.inf)
    for rank in range(count):
        place = nearest[:, rank]
        np.minimum(best, past[np.arange(len(past)), place][None, :, None] + future[:, place], out=best)
    return best


def _around(a: Song, b: Song, bars_a: np.ndarray, bars_b: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """float64 (S, A, B): tonal distance of the bars up to one mix point from those after the other, taken together."""
    first = tonal_centroid(_mean_of(a.bars.chroma.sum(axis=1), bars_a, -1))
    second = _mean_of(b.bars.chroma.sum(axis=1), bars_b, 1)
    moved = np.stack([tonal_centroid(np.roll(second, shift, axis=1)) for shift in shifts])
    return np.linalg.norm(first[None, :, None] - moved[:, None], axis=-1)


def _mean_of(rows: np.ndarray, bars: np.ndarray, way: int, count: int = _AROUND) -> np.ndarray:
    """The mean of each bar's row and those of the bars next to it on one side."""
    places = np.clip(bars[:, None] + way * np.arange(count), 0, len(rows) - 1)
    return rows[places].mean(axis=1)


def groove(bars: Bars) -> np.ndarray:
    """Compute the rhythm of bars: strokes of each family of drums and pitched onsets on every step.

    Args:
        bars: features of B bars.

    Returns:
        float64 (B, 80), of norm 1 at most.
    """
    drums = bars.strokes.reshape(len(bars.strokes), -1)
    rows = [_unit(drums), 0.7 * _unit(np.sqrt(bars.rhythm))]
    return np.concatenate(rows, axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)


def _gaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 (A, B): Euclidean distances of rows, halved."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    return 0.5 * np.sqrt(np.maximum(squares, 0.0))


def _harmony(one: Bars, two: Bars, shifts: np.ndarray) -> np.ndarray:
    """float64 (shifts, A, B): one less the likeness of the beats' pitch classes, the bass among them."""
    first, second = (np.concatenate([_unit(x.chroma), 0.7 * _unit(x.bass)], axis=1) for x in (one, two))
    full = 4 * (1 + 0.7**2)
    flat = first.reshape(len(first), -1)
    moved = np.stack([np.roll(second, shift, axis=2).reshape(len(second), -1) for shift in shifts])
    return 1.0 - np.einsum("af,sbf->sab", flat, moved, optimize=True) / full


def _melody(one: Bars, two: Bars, shifts: np.ndarray) -> np.ndarray:
    first, second = _unit(one.melody), _unit(two.melody)
    moved = np.stack([np.roll(second, shift, axis=1) for shift in shifts])
    return 1.0 - np.einsum("ac,sbc->sab", first, moved, optimize=True)


def _texture(one: Bars, two: Bars) -> np.ndarray:
    """float64 (A, B): who plays, how much, and in which register."""
    playing = np.abs(one.playing[:, None] - two.playing[None]).mean(axis=-1)
    both = np.abs(one.register[:, None, DRUMS + 1 :] - two.register[None, :, DRUMS + 1 :])
    moved = np.minimum(np.nan_to_num(both, nan=0.0) / _FAR, 1.0).mean(axis=-1)
    busy = np.abs(np.log1p(one.density())[:, None] - np.log1p(two.density())[None])
    return playing + 0.5 * moved + 0.25 * np.minimum(busy, 2.0)


def _along(gap: np.ndarray, first: np.ndarray, second: np.ndarray, way: int) -> np.ndarray:
    """float64 (S, A, B): mean gap of pairs of bars from (first, second) on, forwards or backwards, in step.

    Pairs beyond the end of a song say nothing; where none is left the mean of all gaps stands in.
    """
    total = np.zeros((len(gap), len(first), len(second)))
    weights = np.zeros((len(first), len(second)))
    for distance, weight in enumerate(_SPAN):
        rows, columns = first + way * distance, second + way * distance
        inside = ((rows >= 0) & (rows < gap.shape[1]))[:, None] & ((columns >= 0) & (columns < gap.shape[2]))[None]
        near = gap[:, np.clip(rows, 0, gap.shape[1] - 1)[:, None], np.clip(columns, 0, gap.shape[2] - 1)[None]]
        total += weight * near * inside
        weights += weight * inside
    usual = gap.mean(axis=(1, 2), keepdims=True)
    return np.where(weights > 0, total / np.maximum(weights, 1e-9), usual)


def _style(bars: Bars) -> np.ndarray:
    """float64 (B, 144): how each player plays: strokes and onsets of each track on every step, who plays, how high."""
    tracks = np.sqrt(bars.onsets).transpose(0, 2, 1)
    rows = [_unit(bars.strokes.reshape(len(bars.strokes), -1))]
    rows += [0.7 * _unit(tracks[:, track]) for track in range(DRUMS + 1, tracks.shape[1])]
    rows += [bars.playing, np.nan_to_num(bars.register - _MIDDLE) / (2 * _FAR)]
    return np.concatenate(rows, axis=1)


def _voices(one: Bars, two: Bars, bars_a: np.ndarray, bars_b: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """float64 (S, A, B), 0 to 1: how far the highest and the lowest voice leap from the last beat to the first."""
    ends = one.edges[bars_a, 1]
    begins = two.edges[bars_b, 0][None] + shifts[:, None, None]
    leaps = np.abs(ends[None, :, None] - begins[:, None])
    return np.minimum(np.nan_to_num(leaps, nan=_FAR), _FAR).mean(axis=-1) / _FAR


def _phrase_places(song: Song) -> np.ndarray:
    """float64 (B,): 1 where a section begins, less at every fourth and second bar counted from there, else 0."""
    starts = song.phrase_starts
    bars = np.arange(len(song))
    since = bars - starts[np.searchsorted(starts, bars, side="right") - 1]
    return np.select([since == 0, since % 4 == 0, since % 2 == 0], [1.0, 0.6, 0.2], 0.0)
