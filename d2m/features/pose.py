"""Landmarks of the dancers: a pose model over a stream of frames, tracking everybody through all shots.

The default is MediaPipe BlazePose; other packages add others (:mod:`d2m.features.pose_models`). Most clips show one
person, so one person is tracked (10 to 30 ms per frame on one core), and the whole picture is searched for others once
a second (:mod:`d2m.features.finder`). If there are any, up to five people are tracked (:mod:`d2m.features.people`);
after a cut (:mod:`d2m.features.cuts`) everybody is detected again. The main dancer is chosen at the end of the clip
(:mod:`d2m.features.lanes`). Only landmarks are stored, never pictures.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from d2m.features.cuts import with_cuts
from d2m.features.finder import PeopleFinder
from d2m.features.in_pieces import find_people
from d2m.features.landmarker import BUNDLE
from d2m.features.lanes import lanes
from d2m.features.people import People
from d2m.features.pose_models import DEFAULT, pose_model
from d2m.features.read_ahead import read_ahead
from d2m.memory import release_memory
from d2m.parallel import cores
from d2m.types import Motion

if TYPE_CHECKING:
    from d2m.media import Video

__all__ = ["BUNDLE", "PeopleFinder", "Tracking", "follow_dancers"]

#: Height of the frames given to the model: its input is 256 pixels around the person.
FRAME_HEIGHT = 432
#: Frames after which the memory of their pictures is given back: 15 s at the usual rate.
_RELEASE_EVERY = 450
#: Minimum share of frames in which a dancer is visible.
ENOUGH = 0.3


@dataclass(frozen=True)
class Tracking:
    """Landmarks of a clip.

    Attributes:
        motion: the dancer who stands out most, in each shot, skeleton ``"mediapipe33"``; None if nobody was seen in
            enough frames.
        world: float32 (T, 33, 3) metres, hips at the origin, y downwards, filled and smoothed likewise; or None.
        found: part of the frames in which that dancer was seen, 0..1.
        people: most people in one frame.
        frames: number of frames looked at.
        others, other_worlds: the same of the other dancers, of those seen in enough frames first.
        cuts: frames at which a shot begins, without the first.
        dissolves: those of ``cuts`` that are the middle of a dissolve or fade.
    """

    motion: Motion | None
    world: np.ndarray | None
    found: float
    people: int
    frames: int
    others: tuple[Motion, ...] = ()
    other_worlds: tuple[np.ndarray | None, ...] = ()
    cuts: tuple[int, ...] = ()
    dissolves: tuple[int, ...] = ()


def follow_dancers(
    video: Video,
    *,
    rate: float = 30.0,
    progress: Callable[[float], None] | None = None,
    pose: str = DEFAULT,
) -> Tracking:
    """Track up to five dancers of a video through its shots.

    Args:
        video: an open video.
        rate: frames a second to look at.
        progress: called with the part done, 0..1.
        pose: name of the pose model (:data:`d2m.features.pose_models.POSE_MODELS`).

    Raises:
        D2MError: if there is no pose model of that name, or its file is missing or damaged.
    """
    people, skipped, dissolves = People(rate), set[int](), []
    frames, most = 0, 0
    height = min(FRAME_HEIGHT, video.height) if video.height else FRAME_HEIGHT
    # Both take seconds and are needed afterwards.
    threading.Thread(target=_prepare, daemon=True).start()
    model = pose_model(pose)
    frames_read = read_ahead(with_cuts(video.frames(rate, height)))
    found = find_people(model, model.warm_up, rate, frames_read, video.duration, cores())
    with contextlib.closing(found):
        for index, detection in enumerate(found):
            if detection.boundary:
                people.cut(index)
            if detection.boundary == "dissolve":
                dissolves.append(index)
            people.add(detection.people)
            if detection.alternating:
                skipped.add(index)
            frames, most = index + 1, max(most, detection.count)
            if not frames % _RELEASE_EVERY:
                release_memory()
            if progress is not None:
                progress(min(detection.time / max(video.duration, 1e-6), 1.0))
    tracking = _tracking(people, frames, most, skipped, model.metres)
    return replace(tracking, dissolves=tuple(dissolves))


def _prepare() -> None:
    """Load what the landmarks are smoothed with while they are being found."""
    import scipy.signal  # noqa: F401


def _tracking(people: People, frames: int, most: int, skipped: set[int], metres: bool) -> Tracking:
    found = lanes(people, frames, skipped)
    part = len(found[0].people) / max(frames, 1) if found else 0.0
    cuts = tuple(people.starts[1:])
    if frames < 2 or part < ENOUGH:
        return Tracking(None, None, part, most, frames, cuts=cuts)
    motions, worlds = zip(*(lane.motion(frames, people.fps) for lane in found), strict=True)
    if not metres:
        worlds = (None,) * len(worlds)
    return Tracking(motions[0], worlds[0], part, most, frames, motions[1:], worlds[1:], cuts)
