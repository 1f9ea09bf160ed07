"""Analysis of a video in one pass: landmarks, beats, energy and genre of the dance."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from d2m.beat_options import BeatOptions
from d2m.features.beat_source import Film, follow_beats
from d2m.features.group import Moving, together
from d2m.features.picture import PictureMotion, picture_motion
from d2m.features.pose import Tracking, follow_dancers
from d2m.features.pose_models import DEFAULT
from d2m.features.subject import Subject, subject_of
from d2m.types import Dance, genre_code

if TYPE_CHECKING:
    from d2m.media import Video


@dataclass(frozen=True)
class Analysis:
    """Result of the analysis of a video.

    Attributes:
        dance: what engines work from.
        envelope: float32 (T,), onset envelope of the motion.
        envelope_rate: hertz.
        motion_beats: float64 (K,), seconds of the salient motion events.
        notes: what the user should know, one line each.
        world: float32 (T, 33, 3) metres, hips at the origin, y downwards, at the motion's frame rate; or None.
        other_worlds: the same of each of ``dance.others``; None for pose models that do not know metres.
        cuts: frames at which a shot begins, without the first.
        dissolves: those of ``cuts`` that are the middle of a dissolve or fade.
        subject: what the video shows.
    """

    dance: Dance
    envelope: np.ndarray
    envelope_rate: float
    motion_beats: np.ndarray
    notes: tuple[str, ...] = ()
    world: np.ndarray | None = None
    other_worlds: tuple[np.ndarray | None, ...] = ()
    cuts: tuple[int, ...] = ()
    dissolves: tuple[int, ...] = ()
    subject: Subject = Subject("dance", "")

    @property
    def source(self) -> str:
        """Source of the beats, one of :data:`d2m.types.BEAT_SOURCES`."""
        return self.dance.source


def analyse(
    video: Video,
    *,
    genre: str | None = None,
    beats: str | float | BeatOptions = "auto",
    progress: Callable[[float], None] | None = None,
    rate: float = 30.0,
    pose: str = DEFAULT,
    subject: str = "auto",
) -> Analysis:
    """Analyse a dance video: landmarks, beats, energy and genre.

    Args:
        video: an open video.
        genre: a genre's code or name; None to choose one from the dance.
        beats: where the beats come from: ``"auto"`` (the clip's own sound where it has a clear beat, else the
            movement), ``"sound"``, ``"dance"``, a tempo in beats a minute whose beats the movement places, or
            :class:`~d2m.beat_options.BeatOptions`.
        progress: called with the part done, 0..1.
        rate: frames a second to look at; never more than the video has where it moves (:attr:`Video.rate`), for a
            frame shown twice looks like a dancer who stops.
        pose: name of the pose model (:data:`d2m.features.pose_models.POSE_MODELS`).
        subject: what the video shows, one of :data:`d2m.types.SUBJECTS`; ``"auto"`` to decide by picture and sound.

    Raises:
        D2MError: if the video cannot be decoded, the pose model is missing, there are no beats where they are to come
            from, or no subject of that name.
        ValueError: if no genre has that name.
    """
    code = None if genre is None else genre_code(genre)
    options = BeatOptions.read(beats)
    seen = watch(video, progress=progress, rate=rate, pose=pose, subject=subject)
    return analysis_of(video, seen, code, options)


@dataclass(frozen=True)
class Watched:
    """What the pictures of a video show, whatever is asked of the beats.

    Attributes:
        tracking: landmarks of the dancers.
        moving: movement that the beats follow.
        rate: frames per second of the landmarks.
        subject: what the video shows.
        notes: what the user should know, one line each.
    """

    tracking: Tracking
    moving: Moving
    rate: float
    subject: Subject
    notes: tuple[str, ...] = ()


def watch(
    video: Video,
    *,
    progress: Callable[[float], None] | None = None,
    rate: float = 30.0,
    pose: str = DEFAULT,
    subject: str = "auto",
) -> Watched:
    """Find the dancers of a video, the longest part of :func:`analyse`.

    Args:
        video, progress, rate, pose, subject: as of :func:`analyse`.

    Raises:
        D2MError: if the video cannot be decoded, the pose model is missing, or there is no subject of that name.
    """
    rate = float(min(rate, max(video.rate, 5.0)))
    return watched(video, follow_dancers(video, rate=rate, progress=progress, pose=pose), rate, subject)


def watched(video: Video, tracking: Tracking, rate: float, subject: str = "auto") -> Watched:
    """Return the movement of landmarks, or of the whole picture where it shows no dance.

    Args:
        video: an open video.
        tracking: landmarks of its dancers.
        rate: frames a second that were looked at.
        subject: as of :func:`analyse`.

    Raises:
        D2MError: if the video cannot be decoded, or there is no subject of that name.
    """
    look = functools.cache(functools.partial(picture_motion, video, rate=rate, cuts=tracking.cuts))
    shown = subject_of(video, tracking.motion, tracking.found, len(tracking.cuts), subject, look)
    moving, notes = _moving(tracking, shown, look)
    return Watched(tracking, moving, rate, shown, tuple(notes))


def analysis_of(video: Video, seen: Watched, genre: str | None, beats: BeatOptions) -> Analysis:
    """Find the beats, energy and genre of a dance that was watched.

    Args:
        video: the video.
        seen: what its pictures show.
        genre: code of the genre; None to choose one from the dance.
        beats: where the beats come from.

    Raises:
        D2MError: if there are no beats where they are to come from.
    """
    tracking = seen.tracking
    film = Film(seen.subject.name, tuple(cut / seen.rate for cut in tracking.cuts))
    found = follow_beats(video, seen.moving, beats, genre, tracking.world, film)
    rhythm = found.rhythm
    dance = Dance(
        *(video.duration, tracking.motion, rhythm.grid, rhythm.energy, rhythm.accents, found.genre),
        forgiving=found.forgiving,
        others=tracking.others,
    )
    return Analysis(
        *(dance, rhythm.envelope, rhythm.envelope_rate, rhythm.motion_beats, (*seen.notes, *found.notes)),
        *(tracking.world, tracking.other_worlds, tracking.cuts, tracking.dissolves, seen.subject),
    )


def _moving(tracking: Tracking, subject: Subject, look: Callable[[], PictureMotion]) -> tuple[Moving, list[str]]:
    """Return what the music follows: the dancers, or the motion of the picture; and notes to the user."""
    if tracking.motion is None:
        return look().together(), ["no dancer found: following cuts and motion of the picture"]
    if subject.name in ("landscape", "picture"):
        return look().together(), []
    moving = together(tracking.motion, tracking.world, tracking.others, tracking.other_worlds)
    return moving, notes_on(tracking) if subject.name == "dance" else []


def notes_on(tracking: Tracking) -> list[str]:
    """Compose notes to the user on the people found.

    Args:
        tracking: landmarks of a clip.

    Returns:
        One line per note.
    """
    notes = []
    if tracking.others:
        notes.append(f"{1 + len(tracking.others)} dancers: the beats are those that they agree on")
    elif tracking.people > 1:
        notes.append(f"{tracking.people} people seen: following the one who stands out most")
    if tracking.cuts:
        notes.append(f"{1 + len(tracking.cuts)} shots: the beats go on through the cuts")
    if tracking.found < 0.8:
        notes.append(f"the dancer was seen in {tracking.found:.0%} of the frames only")
    return notes
