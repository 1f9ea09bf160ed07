"""One song and one dance to it in memory, for training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from d2m.types import Dance, Motion, Score

from . import plan
from .camera import wild_camera
from .choreographer import Performance, choreograph
from .landmarks import landmark_motion
from .music import compose_song


@dataclass(frozen=True)
class StudioExample:
    """Paired music and dance, all from one score.

    Attributes:
        score: what is played; its grid holds the true beats.
        waveform: float32 (samples,), the score as it sounds; empty if it was not rendered.
        sample_rate: hertz.
        dance: the dance as the package would analyse a video of it, but on the true beats: landmarks with an
            estimator's errors, energy and accents of the movement per beat.
        performance: the dance itself.
        genre: AIST code.
        dancer: number of :data:`~d2m.datasets.studio.plan.DANCERS`.
    """

    score: Score
    waveform: np.ndarray
    sample_rate: int
    dance: Dance
    performance: Performance
    genre: str
    dancer: int

    @property
    def motion(self) -> Motion:
        """The dance's landmarks, skeleton ``"mediapipe33"``."""
        if self.dance.motion is None:
            raise ValueError("the dance holds no landmarks")
        return self.dance.motion


def sample(
    *,
    seed: int,
    index: int,
    held_out: bool = False,
    seconds: float = 24.0,
    sample_rate: int = 22050,
    fps: float = 30.0,
    noise: float | None = None,
    audio: bool = True,
) -> StudioExample:
    """Return the ``index``-th example of a seed; the same arguments give the same example.

    Args:
        seed: the studio's.
        index: from 0; the ten genres take turns.
        held_out: danced by test dancers to songs that no training example plays.
        seconds: length.
        sample_rate: hertz of the waveform.
        fps: frames a second of the landmarks.
        noise: noise of the pose estimator; drawn from 0.5 to 2 if None.
        audio: False leaves the waveform empty (rendering takes most of the time).

    Raises:
        D2MError: for numbers out of range, or no soundfont.
    """
    # held-out songs come from the other half of the seed's songs
    number = 5000 + index if held_out else index
    song = plan.song(number, 1, seed, "test" if held_out else "train")
    score, energy = compose_song(song.genre, seconds, plan.song_stream(seed, number))
    rng = plan.dance_stream(seed, number, 0)
    style = plan.dancer(song.dancers[0], seed)
    performance = choreograph(score, song.genre, seconds, rng, dancer=style, energy=energy)
    lens = plan.camera_stream(seed, number, 0)
    level = float(lens.uniform(0.5, 2.0)) if noise is None else noise
    motion = landmark_motion(performance, wild_camera(lens), lens, fps=fps, noise=level)
    waveform = np.zeros(0, np.float32)
    if audio:
        from d2m.symbolic.sound import render

        waveform = render(score, sample_rate)[0]
    dance = describe(motion, score, song.genre)
    return StudioExample(score, waveform, sample_rate, dance, performance, song.genre, song.dancers[0])


def describe(motion: Motion, score: Score, genre: str | None) -> Dance:
    """Make the analysis of a motion with the exact beats of the score.

    Args:
        motion: landmarks.
        score: the score.
        genre: AIST code, or None.
    """
    from d2m.features.envelope import body_speeds, motion_events
    from d2m.features.rhythm import accents_per_beat, energy_per_beat

    speeds = body_speeds(motion)
    energy = energy_per_beat(speeds, score.grid.beats, score.duration)
    accents = accents_per_beat(motion_events(speeds), score.grid.beats)
    return Dance(score.duration, motion, score.grid, energy, accents, genre)
