"""A video's dance: landmarks, beats, energy and genre in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from d2m.features.flow import picture_speeds
from d2m.features.genre import choose_genre
from d2m.features.pose import follow_dancer
from d2m.features.rhythm import find_rhythm
from d2m.types import Dance, genre_code

if TYPE_CHECKING:
    from d2m.media import Video

#: Confidence below which the user is told that the beats are a guess.
UNSURE = 0.2


@dataclass(frozen=True)
class Analysis:
    """Everything seen in a video.

    Attributes:
        dance: what engines work from.
        envelope: float32 (T,), onset envelope of the motion.
        envelope_rate: hertz.
        motion_beats: float64 (K,), seconds of the salient motion events.
        notes: what the user should know, one line each.
        world: float32 (T, 33, 3) metres, hips at the origin, y downwards, at the motion's frame rate; or None.
    """

    dance: Dance
    envelope: np.ndarray
    envelope_rate: float
    motion_beats: np.ndarray
    notes: tuple[str, ...] = ()
    world: np.ndarray | None = None


def analyse(
    video: Video,
    *,
    genre: str | None = None,
    progress: Callable[[float], None] | None = None,
    rate: float = 30.0,
) -> Analysis:
    """Watch a dance.

    Args:
        video: an open video.
        genre: a genre's code or name; None to choose one from the dance.
        progress: called with the part done, 0..1.
        rate: frames a second to look at; never more than the video has where it moves (:attr:`Video.rate`), for a
            frame shown twice looks like a dancer who stops.

    Raises:
        D2MError: if the video cannot be decoded or the pose model is missing.
        ValueError: if no genre has that name.
    """
    code = None if genre is None else genre_code(genre)
    rate = float(min(rate, max(video.rate, 5.0)))
    tracking = follow_dancer(video, rate=rate, progress=progress)
    notes = []
    if tracking.motion is None:
        notes.append("no dancer found: following the motion of the picture")
        moving = picture_speeds(video, rate=rate)
    else:
        moving = tracking.motion
        if tracking.people > 1:
            notes.append(f"{tracking.people} people seen: following the one who stands out most")
        if tracking.found < 0.8:
            notes.append(f"the dancer was seen in {tracking.found:.0%} of the frames only")
    rhythm = find_rhythm(moving, video.duration, code, tracking.world)
    if rhythm.grid.confidence < UNSURE:
        notes.append("the dance shows no clear beat: the tempo is a guess")
    chosen = code or choose_genre(rhythm.grid, rhythm.energy, tracking.motion)
    dance = Dance(video.duration, tracking.motion, rhythm.grid, rhythm.energy, rhythm.accents, chosen)
    return Analysis(dance, rhythm.envelope, rhythm.envelope_rate, rhythm.motion_beats, tuple(notes), tracking.world)
