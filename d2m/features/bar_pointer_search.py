"""Search in the bar-pointer model of :mod:`d2m.features.bar_pointer`: the best path, and posterior probabilities.

Time is split into blocks no longer than the shortest period. Each beat in a block then follows one in an earlier block,
so that a whole block can be computed at once. The axes of arrays are those of :mod:`d2m.features.bar_pointer_states`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from d2m.features.bar_pointer_states import Evidence, Space

#: Frames worked out at once when probabilities are wanted, and the frames added on either side.
CHUNK, OVERLAP = 12000, 1500


@dataclass(frozen=True)
class Path:
    """Most probable path.

    Attributes:
        frames, positions, lags: int64 (N,), frame, position in the bar and lag of each beat.
        begins: bool (N,), beats after a rest or at the beginning of the piece.
        log_likelihood: log likelihood of the path.
        without: log likelihood of no beat at all.
    """

    frames: np.ndarray
    positions: np.ndarray
    lags: np.ndarray
    begins: np.ndarray
    log_likelihood: float
    without: float


@dataclass(frozen=True)
class Posterior:
    """Posterior probabilities per frame.

    Attributes:
        beat, downbeat: float64 (T,), of a beat and of a downbeat at each frame.
        lags: float32 (T, L), of beats with each lag, summed over a period of middle length to either side.
    """

    beat: np.ndarray
    downbeat: np.ndarray
    lags: np.ndarray


def blocks(space: Space, count: int) -> Iterator[np.ndarray]:
    """Split frames into blocks whose frames do not depend on each other.

    Args:
        space: states of the model.
        count: number of frames.

    Yields:
        int64, the frames of a block.
    """
    size = int(space.lags[0])
    for first in range(0, count, size):
        yield np.arange(first, min(first + size, count))


class _Forward:
    """Best scores up to each frame (Viterbi), or with ``total`` log probabilities (forward algorithm)."""

    def __init__(self, space: Space, evidence: Evidence, total: bool):
        self.space, self.evidence, self.total = space, evidence, total
        self.longest = int(space.lags[-1])
        shape = (self.longest, space.bar, len(space.lags))
        #: After a beat at each of the last frames, before the lag of the next one is chosen: indexed by the next lag.
        self.recent = np.full(shape, -np.inf)
        #: rest[s]: resting at the boundary before frame s; without the frames' own evidence, which `rested` adds.
        self.rest = np.full(evidence.frames + space.wide + 2, -np.inf)
        self.rest[0] = 0.0
        self.known = 0
        self.source = np.full(len(self.rest), -1, dtype=np.int64)

    def rested(self, boundary: np.ndarray) -> np.ndarray:
        """Compute the log likelihood of a rest from frame 0 to the boundary."""
        boundary = np.clip(boundary, 0, self.evidence.frames)
        return self.evidence.none[boundary] - self.space.rest_rate * boundary

    def block(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the scores (N, B, L) of beats that follow another, and of beats that follow a rest."""
        space, evidence = self.space, self.evidence
        place = self.longest + (frames - frames[0])[:, None] - space.lags
        before = self.recent[place, :, np.arange(len(space.lags))]
        beat = evidence.beat(space, frames)
        going = np.roll(before, 1, axis=2).transpose(0, 2, 1) + evidence.gap(space, frames)[:, None] + beat
        self._leave(frames, going)
        start = np.maximum(frames[:, None] - space.half, 0)
        entered = (self.rest[start] + self.rested(start))[:, None] + space.prior + beat
        return going, entered

    def _leave(self, frames: np.ndarray, going: np.ndarray) -> None:
        """Add the rests that begin after the beats of a block."""
        space, evidence = self.space, self.evidence
        boundary = frames + space.wide + 1
        tail = evidence.between(frames[:, None] + space.half + 1, boundary[:, None])
        arriving = (going + tail[:, None]).reshape(len(frames), -1) - space.rest_cost
        gathered = _log_sum(arriving) if self.total else arriving.max(axis=1)
        gathered = gathered - self.rested(boundary)
        # Boundaries before the first of these were settled by the block before.
        if self.known < boundary[0]:
            self.rest[self.known + 1 : boundary[0]] = self.rest[self.known]
            self.source[self.known + 1 : boundary[0]] = self.source[self.known]
        line = np.concatenate([[self.rest[boundary[0] - 1]], gathered])
        rising = (np.logaddexp if self.total else np.maximum).accumulate(line)
        new = line[1:] > rising[:-1]
        places = np.where(new, boundary, -1)
        self.source[boundary] = np.maximum(np.maximum.accumulate(places), self.source[boundary[0] - 1])
        self.rest[boundary] = rising[1:]
        self.known = int(boundary[-1])

    def keep(self, after: np.ndarray) -> None:
        """Store the scores (N, B, next lag) after the beats of a block."""
        self.recent = np.concatenate([self.recent, after])[-self.longest :]

    def ending(self, frames: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Compute the scores (N, B, L) of the piece ending after each beat; -inf where another beat would still fit."""
        space, end = self.space, self.evidence.frames
        tail = self.evidence.between(frames[:, None] + space.half + 1, np.array(end))
        fits = frames[:, None] + space.lags >= end
        return scores + np.where(fits, tail, -np.inf)[:, None]


def viterbi(space: Space, evidence: Evidence) -> Path:
    """Find the most probable path by the Viterbi algorithm.

    Args:
        space: states of the model.
        evidence: log likelihoods of the frames.
    """
    forward = _Forward(space, evidence, total=False)
    count, shape = evidence.frames, (evidence.frames, space.bar, len(space.lags))
    back = np.zeros(shape, dtype=np.uint8 if len(space.lags) < 256 else np.uint16)
    began = np.zeros(shape, dtype=bool)
    left = np.zeros((count, 2), dtype=np.int64)
    best, last = -np.inf, (0, 0, 0)
    change = np.ascontiguousarray(space.change.T)
    for frames in blocks(space, count):
        going, entered = forward.block(frames)
        scores = np.maximum(going, entered)
        began[frames] = entered > going
        tail = evidence.between(frames[:, None] + space.half + 1, frames[:, None] + space.wide + 1)
        leaving = (going + tail[:, None]).reshape(len(frames), -1).argmax(axis=1)
        left[frames] = np.stack(np.divmod(leaving, len(space.lags)), axis=1)
        spread = scores[:, :, None, :] + change
        choice = spread.argmax(axis=3)
        back[frames] = choice
        forward.keep(np.take_along_axis(spread, choice[..., None], axis=3)[..., 0])
        if frames[-1] + forward.longest >= count:
            ending = forward.ending(frames, scores)
            if ending.max() > best:
                best = float(ending.max())
                place = np.unravel_index(int(ending.argmax()), ending.shape)
                last = (int(frames[place[0]]), int(place[1]), int(place[2]))
    resting = float(forward.rest[count] + forward.rested(np.array(count)))
    without = float(evidence.none[-1])
    rests = resting > best
    state = _left_at(forward, left, space, count) if rests else last
    beats = _traced(space, forward, back, began, left, state, rests)
    places, positions, lags = beats.T[:3]
    return Path(places, positions, lags, beats[:, 3].astype(bool), max(best, resting), without)


def _left_at(forward: _Forward, left: np.ndarray, space: Space, boundary: int) -> tuple[int, int, int] | None:
    """Return the last beat before the rest at a boundary; None if the piece begins with this rest."""
    arrived = int(forward.source[max(boundary, 0)])
    if arrived < 0:
        return None
    frame = arrived - space.wide - 1
    return frame, int(left[frame, 0]), int(left[frame, 1])


def _traced(
    space: Space,
    forward: _Forward,
    back: np.ndarray,
    began: np.ndarray,
    left: np.ndarray,
    state: tuple[int, int, int] | None,
    after_rest: bool,
) -> np.ndarray:
    """Trace the beats back from the last state.

    ``after_rest`` says that a rest follows the state. A rest follows only beats that themselves follow another beat.

    Returns:
        int64 (N, 4): frame, position, lag, and whether a rest precedes the beat.
    """
    beats: list[tuple[int, int, int, bool]] = []
    while state is not None:
        frame, position, lag = state
        begins = bool(began[frame, position, lag]) and not after_rest
        beats.append((frame, position, int(space.lags[lag]), begins))
        after_rest = begins
        if begins:
            state = _left_at(forward, left, space, max(frame - int(space.half[lag]), 0))
        else:
            before, position = frame - int(space.lags[lag]), (position - 1) % space.bar
            state = (before, position, int(back[before, position, lag]))
    return np.array(beats[::-1], dtype=np.int64).reshape(-1, 4)


def posterior(space: Space, evidence: Evidence) -> Posterior:
    """Compute posterior probabilities by the forward-backward algorithm; long pieces in overlapping parts, to bound
    memory.

    Args:
        space: states of the model.
        evidence: log likelihoods of the frames.
    """
    count = evidence.frames
    beat, downbeat, lags = np.zeros(count), np.zeros(count), np.zeros((count, len(space.lags)), np.float32)
    for first in range(0, count, CHUNK):
        last = min(first + CHUNK, count)
        low, high = max(first - OVERLAP, 0), min(last + OVERLAP, count)
        mass = _smoothed(space, evidence.cut(low, high))[first - low : last - low]
        beat[first:last], downbeat[first:last] = mass.sum(axis=(1, 2)), mass[:, 0].sum(axis=1)
        lags[first:last] = mass.sum(axis=1)
    total = np.concatenate([np.zeros((1, len(space.lags))), np.cumsum(lags, axis=0, dtype=np.float64)])
    reach = int(space.lags[len(space.lags) // 2])
    places = np.arange(count)
    near = total[np.minimum(places + reach, count)] - total[np.maximum(places - reach, 0)]
    return Posterior(beat, downbeat, near.astype(np.float32))


def _smoothed(space: Space, evidence: Evidence) -> np.ndarray:
    """Compute the posterior probability (T, B, L) of a beat at each frame."""
    forward = _Forward(space, evidence, total=True)
    count = evidence.frames
    going_all = np.empty((count, space.bar, len(space.lags)), dtype=np.float32)
    entered_all = np.empty_like(going_all)
    total = -np.inf
    change = np.exp(space.change)
    for frames in blocks(space, count):
        going, entered = forward.block(frames)
        scores = np.logaddexp(going, entered)
        going_all[frames], entered_all[frames] = going, entered
        forward.keep(_mixed(scores, change))
        if frames[-1] + forward.longest >= count:
            total = np.logaddexp(total, np.logaddexp.reduce(forward.ending(frames, scores), axis=None))
    total = np.logaddexp(total, forward.rest[count] + forward.rested(np.array(count)))
    return _backward(space, evidence, forward, going_all, entered_all, total)


def _log_sum(rows: np.ndarray) -> np.ndarray:
    """Compute log(sum(exp(rows))) along the second axis, (N, M) to (N,)."""
    top = np.maximum(rows.max(axis=1), -1e300)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(rows - top[:, None]).sum(axis=1)) + top


def _mixed(scores: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Compute log(exp(scores) @ change) along the last axis without underflow."""
    top = np.maximum(scores.max(axis=-1, keepdims=True), -1e300)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(scores - top) @ change) + top


def _backward(
    space: Space, evidence: Evidence, forward: _Forward, going: np.ndarray, entered: np.ndarray, total: float
) -> np.ndarray:
    """Compute the posterior probability (T, B, L) of a beat at each frame from forward scores, by the backward pass."""
    count, longest, lags = evidence.frames, forward.longest, np.arange(len(space.lags))
    back_change = np.ascontiguousarray(np.exp(space.change).T)
    # What the frames after the block make of a beat there, its own evidence included: (frames, B, L).
    coming = np.full((longest, space.bar, len(space.lags)), -np.inf)
    rests = _RestsAfter(space, forward, count)
    mass = np.empty(going.shape, dtype=np.float32)
    for frames in list(blocks(space, count))[::-1]:
        at = frames[:, None] + space.lags
        place = at - frames[-1] - 1
        following = np.where((at < count)[..., None], coming[np.minimum(place, longest - 1), :, lags], -np.inf)
        gap = evidence.between(frames[:, None] + space.half + 1, at - space.half)
        onward = _mixed(np.roll(following, -1, axis=2).transpose(0, 2, 1) + gap[:, None], back_change)
        if frames[-1] + longest >= count:
            onward = np.logaddexp(onward, forward.ending(frames, np.zeros(onward.shape)))
        beat = evidence.beat(space, frames)
        rests.enter(frames, onward + beat)
        boundary = frames + space.wide + 1
        tail = evidence.between(frames[:, None] + space.half + 1, boundary[:, None])
        leaving = (rests.after(boundary) - forward.rested(boundary))[:, None] + tail - space.rest_cost
        full = np.logaddexp(onward, leaving[:, None])
        mass[frames] = np.exp(going[frames] + full - total) + np.exp(entered[frames] + onward - total)
        coming = np.concatenate([full + beat, coming])[:longest]
    return mass


class _RestsAfter:
    """Log probabilities of everything after each boundary within a rest, minus the result of `rested` at it."""

    def __init__(self, space: Space, forward: _Forward, count: int):
        self.space, self.forward = space, forward
        self.entering = np.full(count + 1, -np.inf)
        self.rest = np.full(count + 1, -np.inf)
        self.rest[count] = forward.rested(np.array(count))
        self.known = count

    def enter(self, frames: np.ndarray, scores: np.ndarray) -> None:
        """Add the beats of a block that follow a rest, with the scores (N, B, L) of them and everything after."""
        weights = (scores + self.space.prior).transpose(0, 2, 1)
        for half in np.unique(self.space.half):
            boundary = np.maximum(frames - half, 0)
            gathered = _log_sum(weights[:, self.space.half == half].reshape(len(frames), -1))
            np.logaddexp.at(self.entering, boundary, gathered + self.forward.rested(boundary))
        # Boundaries further back may still be reached by the blocks before.
        first = max(int(frames[0]) - 1, 0)
        line = np.append(self.entering[first : self.known], self.rest[self.known])
        self.rest[first : self.known + 1] = np.logaddexp.accumulate(line[::-1])[::-1]
        self.known = first

    def after(self, boundary: np.ndarray) -> np.ndarray:
        """Return the log probabilities at boundaries after the block; boundaries past the end count as the end."""
        return self.rest[np.minimum(boundary, len(self.rest) - 1)]
