"""Decode beats and bars from activations: a bar-pointer model searched with the Viterbi algorithm.

The hidden state is a position inside a bar and a tempo. Positions advance with the tempo; the tempo may change from
one beat to the next. As the position between two beats is certain once their distance is known, the state space of
Krebs et al. is searched beat by beat (a semi-Markov model): the score of "a beat at time t, `lag` after the one
before" is the evidence on the stretch between them. Beside the bars there is one more state, `rest`, without beats:
it is entered and left at a cost, which lets the decoder survive pauses, fermatas, cuts and sudden changes of tempo
or phase.

References
----------
F. Krebs, S. Böck, G. Widmer, "An efficient state-space model for joint tempo and meter tracking", ISMIR 2015 (tempo
change, observation model); S. Böck, F. Krebs, G. Widmer, "Joint beat and downbeat tracking with recurrent neural
networks", ISMIR 2016 (bars); N. Whiteley, A. T. Cemgil, S. Godsill, "Bayesian modelling of temporal structure in
musical audio", ISMIR 2006 (bar pointer).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from d2m.features.bar_pointer_search import posterior, viterbi
from d2m.features.bar_pointer_states import Evidence, Space

#: Steps a second at which beats are looked for, at the least; slower activations are interpolated.
FINEST = 95.0
#: Half-width (s) of the part of the activation that a beat's time is refined with.
REFINE = 0.035
#: Distance (s) within which a beat counts as the same beat.
NEAR = 0.07
#: A rest is filled with beats if tempo (log ratio) and phase (beats) agree so far before and after it, and if it has
#: no more beats than this.
SAME_TEMPO, SAME_PHASE, LONGEST_GAP = 0.06, 0.15, 24


@dataclass(frozen=True)
class BarPointer:
    """Settings of the decoder.

    Attributes:
        slowest, fastest: tempo range, beats a minute.
        log_prior: log probability (up to a constant) of tempos: a function of an array of tempos (beats a minute), or
            an array of two columns, tempo and log probability, which is interpolated; None is uniform over log tempo.
            It counts once for each stretch of music between rests.
        prior_weight: what `log_prior` is multiplied by; raise it where the evidence is weak.
        stiffness: how unlikely the tempo changes from one beat to the next: a change of the period by the factor r has
            the probability exp(-stiffness |r - 1|) (Krebs et al. 2015: 100 for music that was played by people).
        beats_per_bar: metres that are tried; the likeliest one is used for the whole piece.
        beat_share: 1 / lambda of Krebs et al.: which part of a beat's period belongs to the beat itself.
        trust: multiplies the evidence; below 1 where neighbouring frames are far from independent.
        floor: probabilities are kept this far from 0 and 1.
        rest_cost: nats for leaving the beat and taking it up again anywhere; inf never leaves it.
        rest_rate: nats a second for going on without a beat.
    """

    slowest: float = 55.0
    fastest: float = 215.0
    log_prior: Callable[[np.ndarray], np.ndarray] | np.ndarray | None = None
    prior_weight: float = 1.0
    stiffness: float = 100.0
    beats_per_bar: tuple[int, ...] = (4,)
    beat_share: float = 1.0 / 16.0
    trust: float = 1.0
    floor: float = 0.005
    rest_cost: float = 15.0
    rest_rate: float = 3.0


@dataclass(frozen=True)
class Bars:
    """Beats and bars decoded by :func:`decode`.

    Attributes:
        beats: float64 (N,), seconds, rising.
        positions: int64 (N,), position of each in its bar; 0 is the downbeat.
        tempos: float64 (N,), beats a minute around each beat.
        beats_per_bar: beats per bar of the metre that was likeliest.
        log_likelihood: log likelihood of the path, nats.
        gain: nats by which the path explains the evidence better than no beats do, a beat.
        support: float64 (N,), posterior probability of a beat within 70 ms of each.
        downbeat_support: float64 (N,), probability that a bar begins at the beat, given that it is one.
        on, off: mean activation at the beats, and half-way between them.
        other_tempo: posterior probability of periods that differ from the path's by more than 4 %.
        other_phase: posterior probability of a beat in the middle half between two beats of the path, mean.
    """

    beats: np.ndarray
    positions: np.ndarray
    tempos: np.ndarray
    beats_per_bar: int
    log_likelihood: float
    gain: float
    support: np.ndarray
    downbeat_support: np.ndarray
    on: float
    off: float
    other_tempo: float
    other_phase: float

    @property
    def tempo(self) -> float:
        """Median tempo, beats a minute; 0 where there are no two beats."""
        return float(np.median(self.tempos)) if len(self.beats) > 1 else 0.0

    @property
    def downbeats(self) -> np.ndarray:
        """int64, indices into ``beats`` of the first beats of bars."""
        return np.flatnonzero(self.positions == 0)


def decode(activation: np.ndarray, rate: float, settings: BarPointer | None = None) -> Bars:
    """Find the most probable beats and bars.

    Args:
        activation: float (T, 2), probability of a beat (downbeats included) and of a downbeat, per frame; or (T,), of a
            beat alone: bars then begin anywhere. Frame i is at i / rate seconds.
        rate: frames a second, 20 or more.
        settings: see :class:`BarPointer`.

    Returns:
        The beats; none where resting throughout is the best explanation.

    Raises:
        ValueError: if the shape is another one, a value is not finite, or the settings allow no tempo.
    """
    settings = settings or BarPointer()
    fine, fine_rate = _refined(activation, rate)
    spaces = [_space(settings, fine_rate, bar) for bar in settings.beats_per_bar]
    evidence = _evidence(fine, fine_rate, settings)
    results = [viterbi(space, evidence) for space in spaces]
    best = max(range(len(results)), key=lambda i: results[i].log_likelihood)
    space, path = spaces[best], results[best]
    if not len(path.frames):
        return _nothing(settings.beats_per_bar[best], path.log_likelihood)
    found = posterior(space, evidence)
    beats = _sharpened(fine[:, 0], path.frames, fine_rate)
    bars = Bars(
        beats,
        path.positions,
        _tempos(beats, path.lags, path.begins, fine_rate),
        space.bar,
        path.log_likelihood,
        (path.log_likelihood - path.without) / len(beats),
        *_supports(found.beat, found.downbeat, path.frames, fine_rate),
        *_on_off(fine[:, 0], path.frames, path.begins),
        other_tempo=_other_tempo(found.lags, space.lags, path.frames, path.lags),
        other_phase=_other_phase(found.beat, path.frames, path.begins),
    )
    return _filled(bars, path.begins)


def _refined(activation: np.ndarray, rate: float) -> tuple[np.ndarray, float]:
    """Interpolate activations to a frame rate of at least `FINEST` hertz; return float64 (T, 2) and the rate."""
    activation = np.asarray(activation, dtype=np.float64)
    if activation.ndim == 1:
        activation = np.column_stack([activation, np.full(len(activation), np.nan)])
        activation[:, 1] = activation[:, 0] / 4
    if activation.ndim != 2 or activation.shape[1] != 2 or not len(activation):
        raise ValueError("activation must have the shape (T, 2) or (T,), with T above 0")
    if not np.isfinite(activation).all() or not rate >= 20:
        raise ValueError("activations must be finite, at 20 frames a second or more")
    times = int(np.ceil(FINEST / rate))
    if times == 1:
        return activation, float(rate)
    fine = np.arange((len(activation) - 1) * times + 1) / times
    rows = [np.interp(fine, np.arange(len(activation)), column) for column in activation.T]
    return np.stack(rows, axis=1), float(rate * times)


def _space(settings: BarPointer, rate: float, bar: int) -> Space:
    first, last = np.ceil(60.0 * rate / settings.fastest), np.floor(60.0 * rate / settings.slowest)
    if not 2 <= first <= last or bar < 1:
        raise ValueError("the settings allow no tempo or no bar")
    lags = np.arange(int(first), int(last) + 1)
    tempos = 60.0 * rate / lags
    # Lags are evenly spaced: as a density over log tempo each counts by its distance to the next.
    prior = -np.log(lags) + settings.prior_weight * _log_prior(settings, tempos)
    prior = prior - np.logaddexp.reduce(prior) - np.log(bar)
    change = -settings.stiffness * np.abs(lags[None, :] / lags[:, None] - 1.0)
    change = change - np.logaddexp.reduce(change, axis=1, keepdims=True)
    half = np.maximum(np.rint(lags * settings.beat_share / 2).astype(np.int64), 1)
    return Space(lags, half, prior, change, bar, settings.rest_cost, settings.rest_rate / rate)


def _log_prior(settings: BarPointer, tempos: np.ndarray) -> np.ndarray:
    prior = settings.log_prior
    if prior is None:
        return np.zeros(len(tempos))
    if callable(prior):
        return np.asarray(prior(tempos), dtype=np.float64)
    table = np.asarray(prior, dtype=np.float64)
    order = np.argsort(table[:, 0])
    return np.interp(np.log(tempos), np.log(table[order, 0]), table[order, 1])


def _evidence(activation: np.ndarray, rate: float, settings: BarPointer) -> Evidence:
    """Compute the log likelihoods of frames, weighted as one per 10 ms, since closer frames are hardly independent."""
    floor = settings.floor
    beat = np.clip(activation[:, 0], floor, 1.0 - floor)
    down = np.clip(activation[:, 1], 0.0, beat)
    weight = settings.trust * 100.0 / rate
    none = np.log((1.0 - beat) / (1.0 / settings.beat_share - 1.0))
    kinds = np.stack([np.log(np.maximum(down, floor)), np.log(np.maximum(beat - down, floor))])
    return Evidence(weight * none, weight * kinds)


def _sharpened(beat: np.ndarray, frames: np.ndarray, rate: float) -> np.ndarray:
    """Compute the times (s) of beats: the centre of the activation around each frame."""
    reach = max(int(round(REFINE * rate)), 1)
    offsets = np.arange(-reach, reach + 1)
    around = beat[np.clip(frames[:, None] + offsets, 0, len(beat) - 1)]
    inside = (frames[:, None] + offsets >= 0) & (frames[:, None] + offsets < len(beat))
    # Squares: the peak counts, not its skirts. The constant holds beats without evidence where the path has them.
    weights = np.where(inside, around, 0.0) ** 2 * np.hanning(len(offsets) + 2)[1:-1]
    moved = (weights * offsets).sum(axis=1) / (weights.sum(axis=1) + 0.02)
    times = (frames + moved) / rate
    return np.maximum.accumulate(np.maximum(times, 0.0)) + np.arange(len(times)) * 1e-9


def _tempos(beats: np.ndarray, lags: np.ndarray, begins: np.ndarray, rate: float) -> np.ndarray:
    """Compute the tempo (beats per minute) at each beat, averaged over up to four beats either side up to a rest."""
    tempos = np.empty(len(beats))
    for first, last in _stretches(begins):
        if last - first == 1:
            tempos[first] = 60.0 * rate / lags[first]
            continue
        places = np.arange(first, last)
        low, high = np.maximum(places - 4, first), np.minimum(places + 4, last - 1)
        tempos[first:last] = 60.0 * (high - low) / (beats[high] - beats[low])
    return tempos


def _stretches(begins: np.ndarray) -> list[tuple[int, int]]:
    """Return first beat and end of each run of beats; ``begins`` bool (N,) marks the first beats."""
    first = np.flatnonzero(begins)
    return list(zip(first.tolist(), [*first[1:].tolist(), len(begins)], strict=True))


def _supports(beat: np.ndarray, downbeat: np.ndarray, frames: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute the posterior probability of a beat within 70 ms of each frame, and the share of downbeats in it."""
    reach = int(round(NEAR * rate))
    low, high = np.maximum(frames - reach, 0), np.minimum(frames + reach + 1, len(beat))
    sums = [np.concatenate([[0.0], np.cumsum(p)]) for p in (beat, downbeat)]
    mass, down = (total[high] - total[low] for total in sums)
    return np.clip(mass, 0.0, 1.0), np.clip(down / np.maximum(mass, 1e-9), 0.0, 1.0)


def _on_off(beat: np.ndarray, frames: np.ndarray, begins: np.ndarray) -> tuple[float, float]:
    on = np.max(beat[np.clip(frames[:, None] + np.arange(-2, 3), 0, len(beat) - 1)], axis=1)
    middle = _middles(frames, begins)
    return float(on.mean()), float(beat[middle].mean()) if len(middle) else 0.0


def _middles(frames: np.ndarray, begins: np.ndarray) -> np.ndarray:
    return ((frames[1:] + frames[:-1]) // 2)[~begins[1:]]


def _other_tempo(mass: np.ndarray, lags: np.ndarray, frames: np.ndarray, chosen: np.ndarray) -> float:
    """Compute the posterior share of beats with other periods; ``mass`` (T, L) is summed over about a second."""
    here = mass[frames]
    other = np.abs(np.log(lags[None, :] / chosen[:, None])) > 0.04
    return float(np.clip(((here * other).sum(axis=1) / np.maximum(here.sum(axis=1), 1e-12)).mean(), 0.0, 1.0))


def _other_phase(beat: np.ndarray, frames: np.ndarray, begins: np.ndarray) -> float:
    total = np.concatenate([[0.0], np.cumsum(beat)])
    keep = ~begins[1:]
    first, last = frames[:-1][keep], frames[1:][keep]
    if not len(first):
        return 0.0
    span = last - first
    return float(np.clip(np.mean(total[first + 3 * span // 4] - total[first + span // 4]), 0.0, 1.0))


def _filled(bars: Bars, begins: np.ndarray) -> Bars:
    """Add the beats of rests after which the same beat continues: the band is silent, but the bar goes on."""
    rows: list[np.ndarray] = []
    table = np.stack([bars.beats, bars.positions, bars.tempos, bars.support, bars.downbeat_support], axis=1)
    for i, row in enumerate(table):
        if i and begins[i]:
            rows.extend(_between(rows[-1], row, bars.beats_per_bar))
        rows.append(row)
    beats, positions, tempos, support, downbeats = np.stack(rows, axis=1)
    return replace(
        bars,
        beats=beats,
        positions=positions.astype(np.int64),
        tempos=tempos,
        support=support,
        downbeat_support=downbeats,
    )


def _between(before: np.ndarray, after: np.ndarray, bar: int) -> list[np.ndarray]:
    """Return the rows of the beats between two stretches; none if their tempos or phases do not fit."""
    (start, position, tempo, *_), (end, _, next_tempo, *_) = before, after
    turns = (end - start) * (tempo + next_tempo) / 120.0
    count = int(np.rint(turns))
    steady = abs(np.log(next_tempo / tempo)) < SAME_TEMPO and abs(turns - count) < SAME_PHASE
    if not steady or not 2 <= count <= LONGEST_GAP:
        return []
    share = np.arange(1, count) / count
    return [
        np.array([start + (end - start) * s, (position + k) % bar, tempo, 0.0, 0.0]) for k, s in enumerate(share, 1)
    ]


def _nothing(bar: int, log_likelihood: float) -> Bars:
    none = np.zeros(0)
    return Bars(none, none.astype(np.int64), none, bar, log_likelihood, 0.0, none, none, 0.0, 0.0, 1.0, 1.0)
