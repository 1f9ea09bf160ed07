"""Shot boundary detection: hard cuts, dissolves of up to about a second, and fades through one colour.

The detection uses small copies of the frames. At a hard cut a frame differs from the one before much more than the
frames around it differ from each other. In a dissolve every frame is a mixture of an earlier and a later one that
differ. In a fade the picture is uniform for a moment. Each of these is a boundary only if neither a change of light,
nor camera movement, nor the return of the earlier picture explains the change (:mod:`d2m.features.same_shot`): flashes,
strobes, zooms and fast pans are none. The boundary of a dissolve or fade is its middle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from d2m.features.same_shot import SIZE, differ, edge_correlation, is_moved, is_other_light, is_uniform

if TYPE_CHECKING:
    from d2m.media import Frame

#: How a shot begins with a frame; "" if none does.
Boundary: TypeAlias = Literal["", "cut", "dissolve"]

#: Hard cuts: least mean difference of two frames, in 0..255; how many times that of the frames around it, to which the
#: difference that noise makes is added; part of it that must be left between before and after; frames around it.
LEAST, TIMES, NOISE, STAYS, AROUND = 5.0, 2.5, 0.5, 0.5, 3
#: Dissolves: frames before and after the middle; least difference between these two, and where their edges correlate
#: less than :data:`OTHER_SHOT`; and part of it by which the frames between may miss their mixture, beside noise.
REACHES, LEAST_DISSOLVED, LEAST_FAINT, MISSED, OTHER_SHOT = (4, 8, 12, 16), 15.0, 7.0, 0.15, 0.2
#: Frames after the middle over which the change must not grow.
PEAK = 5
#: A transition goes on beyond these frames if the change over twice as many is so many times as large.
LONGER = 1.25
#: Frames after a change in which the earlier picture may return.
RETURN = 9
#: Correlations of edges above which two pictures show the same shot in different light: consecutive frames; frames
#: between which the dancer moves.
NEXT_EDGES, SAME_SHOT = 0.75, 0.4
#: Frames that are held back.
AHEAD = max(REACHES) + PEAK


def with_cuts(frames: Iterable[Frame]) -> Iterator[tuple[Frame, Boundary]]:
    """Detect shot boundaries in a stream of frames, with a delay of :data:`AHEAD` frames.

    Args:
        frames: frames of a video.

    Yields:
        Each frame, and how a shot begins with it: ``"cut"``, ``"dissolve"`` (also a fade through one colour), or
        ``""`` where none begins.
    """
    waiting: deque[Frame] = deque()
    boundaries = _Boundaries()
    for frame in frames:
        waiting.append(frame)
        boundaries.add(_small(frame.rgb))
        if len(waiting) > AHEAD:
            yield waiting.popleft(), boundaries.of(len(waiting))
    while waiting:
        yield waiting.popleft(), boundaries.of(len(waiting))


class _Boundaries:
    """Shot boundaries of the frames that are held back."""

    def __init__(self) -> None:
        self._small: deque[np.ndarray] = deque(maxlen=2 * AHEAD + 1)
        self._is_uniform: deque[bool] = deque(maxlen=2 * AHEAD + 1)
        self._since = 0
        #: A picture from before the current fade.
        self._faded: np.ndarray | None = None

    def add(self, small: np.ndarray) -> None:
        self._small.append(small)
        self._is_uniform.append(is_uniform(small))

    def of(self, waiting: int) -> Boundary:
        """How a shot begins with the frame after which ``waiting`` frames are held back."""
        at = len(self._small) - 1 - waiting
        boundary = self._begins(at) if at > 0 else ""
        self._since = 0 if boundary else self._since + 1
        return boundary

    def _begins(self, at: int) -> Boundary:
        if self._ends_fade(at):
            return "dissolve"
        if self._faded is None and self._is_hard_cut(at):
            return "cut"
        if self._faded is None and any(self._is_dissolve(at, reach) for reach in REACHES):
            return "dissolve"
        return ""

    def _ends_fade(self, at: int) -> bool:
        """Whether a picture of another shot follows a uniform one."""
        small = self._small
        if self._is_uniform[at]:
            if self._faded is None:
                self._faded = small[max(at - RETURN, 0)]
            return False
        if self._faded is None:
            return False
        before, self._faded = self._faded, None
        after = small[min(at + RETURN, len(small) - 1)]
        if is_uniform(before) or is_uniform(after) or self._since <= AROUND:
            return False
        return edge_correlation(before, after) < SAME_SHOT

    def _is_hard_cut(self, at: int) -> bool:
        small = self._small
        step = differ(small[at], small[at - 1])
        if step < LEAST or len(small) - at < AROUND:
            return False
        first, last = max(at - AROUND, 0), min(at + AROUND, len(small) - 1)
        around = [differ(small[i], small[i - 1]) for i in range(first + 1, last + 1) if i != at]
        if step < TIMES * (max(around, default=0.0) + NOISE):
            return False
        before = np.mean([small[i] for i in range(first, at)], axis=0)
        after = [small[i] for i in range(at, min(at + RETURN, len(small)))]
        if min(differ(np.mean(after[:AROUND], axis=0), before), *(differ(one, before) for one in after)) < STAYS * step:
            return False
        return not (is_other_light(small[at - 1], small[at], NEXT_EDGES) or is_moved([small[at - 1], small[at]]))

    def _is_dissolve(self, at: int, reach: int) -> bool:
        small = self._small
        if self._since <= 2 * reach or at <= reach or at + reach + PEAK >= len(small):
            return False
        change = differ(small[at + reach], small[at - reach])
        if change < LEAST_FAINT or self._is_part(at, reach, change):
            return False
        middles = range(at + 1, at + PEAK + 1)
        if change < max(differ(small[middle + reach], small[middle - reach]) for middle in middles):
            return False
        first, last = small[at - reach], small[at + reach]
        if change < LEAST_DISSOLVED and edge_correlation(first, last) > OTHER_SHOT:
            return False
        missed = [
            differ(small[at - reach + int(2 * reach * share)], (1.0 - share) * first + share * last)
            for share in (0.25, 0.5, 0.75)
        ]
        if np.mean(missed) >= MISSED * change + NOISE or is_other_light(first, last, SAME_SHOT):
            return False
        return not is_moved([small[i] for i in range(at - reach, at + reach + 1)])

    def _is_part(self, at: int, reach: int, change: float) -> bool:
        """Whether the frames around ``at`` are only a part of a longer transition, or of a fade."""
        small = self._small
        first, last = max(at - 2 * reach, 0), min(at + 2 * reach, len(small) - 1)
        if any(self._is_uniform):
            return True
        return reach < max(REACHES) and differ(small[last], small[first]) > LONGER * change


def _small(rgb: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(rgb, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
