"""Shot boundary detection: hard cuts, and dissolves of up to about a second.

The detection uses small copies of the frames. At a hard cut a frame differs from the one before much more than the
frames around it differ from each other, and the three frames before differ from the three after; this excludes flashes
of light, after which the picture returns, and camera movement, which changes all frames alike. In a dissolve every
frame is a mixture of an earlier and a later one that differ, which does not happen in camera or object movement; the
cut is placed in its middle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from d2m.media import Frame

#: Pixels (width, height) of the small copy.
SMALL = (32, 18)
#: Hard cuts: least mean difference of two frames, in 0..255; how many times that of the frames around it, to which the
#: difference that noise makes is added; part of it that must be left between before and after; frames around it.
LEAST, TIMES, NOISE, STAYS, AROUND = 5.0, 2.5, 0.5, 0.5, 3
#: Dissolves: frames before and after the middle; least difference between these two; and part of it by which the
#: frames between may miss their mixture.
REACH, LEAST_DISSOLVED, MISSED = 8, 15.0, 0.15
#: Frames that are held back.
AHEAD = REACH + 1


def with_cuts(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Detect cuts in a stream of frames, with a delay of :data:`AHEAD` frames.

    Args:
        frames: frames of a video.

    Yields:
        Each frame, and whether a shot begins with it.
    """
    waiting: deque[Frame] = deque()
    small: deque[np.ndarray] = deque(maxlen=2 * AHEAD + 1)
    since = 0
    for frame in frames:
        waiting.append(frame)
        small.append(_small(frame.rgb))
        if len(waiting) > AHEAD:
            cut = _begins(small, len(small) - len(waiting), since)
            since = 0 if cut else since + 1
            yield waiting.popleft(), cut
    while waiting:
        cut = _begins(small, len(small) - len(waiting), since)
        since = 0 if cut else since + 1
        yield waiting.popleft(), cut


def _begins(small: Sequence[np.ndarray], at: int, since: int) -> bool:
    """Whether a shot begins with frame ``at`` of some small copies, ``since`` frames after the last that began one."""
    if at == 0:
        return False
    return _is_hard_cut(small, at) or (since > 2 * REACH and _is_dissolve(small, at))


def _is_hard_cut(small: Sequence[np.ndarray], at: int) -> bool:
    step = _differ(small[at], small[at - 1])
    if step < LEAST:
        return False
    first, last = max(at - AROUND, 0), min(at + AROUND, len(small) - 1)
    around = [_differ(small[i], small[i - 1]) for i in range(first + 1, last + 1) if i != at]
    before = np.mean([small[i] for i in range(first, at)], axis=0)
    after = np.mean([small[i] for i in range(at, min(at + AROUND, len(small)))], axis=0)
    return step >= TIMES * (max(around, default=0.0) + NOISE) and _differ(after, before) >= STAYS * step


def _is_dissolve(small: Sequence[np.ndarray], at: int) -> bool:
    if at < AHEAD or at + AHEAD >= len(small):
        return False
    change = [_differ(small[middle + REACH], small[middle - REACH]) for middle in (at - 1, at, at + 1)]
    if change[1] < LEAST_DISSOLVED or change[1] < change[2]:
        return False
    shares = (0.25, 0.5, 0.75)
    between = [small[at - REACH + int(2 * REACH * share)] for share in shares]
    mixed = [(1.0 - share) * small[at - REACH] + share * small[at + REACH] for share in shares]
    missed = np.mean([_differ(one, other) for one, other in zip(between, mixed, strict=True)])
    return bool(missed < MISSED * change[1])


def _differ(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


def _small(rgb: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(rgb, SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
