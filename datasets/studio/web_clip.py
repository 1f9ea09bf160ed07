"""Make studio dances that are filmed and edited as clips on the web are.

One to four dancers dance one choreography freely (:mod:`~d2m.datasets.studio.manner`); the camera is held by hand, some
pictures are shown twice, and some clips have cuts between cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from d2m.types import BeatGrid, Motion, SmplMotion

from . import plan
from .camera import Camera, Handheld, wild_camera
from .choreographer import Performance, choreograph
from .landmarks import landmark_motion
from .manner import FREE
from .music import compose_song

#: Frames a second of the landmarks, and of the performances.
FPS, PERFORMED = 30, 60
#: Probabilities of one to four dancers, and of a clip with cuts; shortest shot (s).
DANCERS, CUT, SHORTEST = (0.7, 0.12, 0.1, 0.08), 0.25, 2.0
#: Distance (m) between dancers who stand side by side.
APART = 0.9


@dataclass(frozen=True)
class WebClip:
    """Landmarks of a clip, and the beats of its music.

    Attributes:
        motion: MediaPipe's 33 landmarks of the dancer in the middle.
        others: landmarks of the other dancers, of as many frames.
        grid: beats that the music was written on.
        genre: AIST code.
    """

    motion: Motion
    others: tuple[Motion, ...]
    grid: BeatGrid
    genre: str


def web_clip(*, seed: int, index: int, seconds: float, noise: float | None = None) -> WebClip:
    """Return the ``index``-th clip of a seed; the same arguments return the same clip.

    Args:
        seed: random seed of the studio.
        index: from 0; the ten genres take turns.
        seconds: length in seconds.
        noise: noise of the pose estimator; drawn from 0.5 to 2 if None.
    """
    lens = plan.camera_stream(seed, index, 1)
    people = 1 + int(lens.choice(len(DANCERS), p=DANCERS))
    song = plan.song(index, people, seed)
    score, energy = compose_song(song.genre, seconds, plan.song_stream(seed, index))
    level = float(lens.uniform(0.5, 2.0)) if noise is None else noise
    edges = _edges(round(seconds * FPS), lens)
    shots = [(wild_camera(lens), Handheld.draw(end - start, FPS, lens)) for start, end in pairwise(edges)]
    motions = []
    for place, number in enumerate(song.dancers):
        performance = choreograph(
            score,
            song.genre,
            seconds,
            plan.dance_stream(seed, index, 0),
            dancer=plan.dancer(number, seed),
            energy=energy,
            fps=PERFORMED,
            manner=FREE,
            performer=plan.dance_stream(seed, index, place + 1),
        )
        # The first stands in the middle, the others to the left and right of it in turn.
        side = APART * ((place + 1) // 2) * (1 if place % 2 else -1)
        motions.append(_filmed(_placed(performance, side), edges, shots, lens, level))
    return WebClip(motions[0], tuple(motions[1:]), score.grid, song.genre)


def _edges(frames: int, rng: np.random.Generator) -> list[int]:
    """Frames at which shots begin, and the end."""
    shortest = round(SHORTEST * FPS)
    if rng.random() >= CUT or frames < 2 * shortest:
        return [0, frames]
    count = int(rng.integers(1, max(2, frames // (2 * shortest)) + 1))
    cuts = np.sort(rng.integers(shortest, frames - shortest + 1, count))
    kept = [0]
    for cut in cuts:
        if cut - kept[-1] >= shortest:
            kept.append(int(cut))
    return [*kept, frames]


def _placed(performance: Performance, x: float) -> Performance:
    """Move a dancer to the left (metres)."""
    return replace(performance, joints=performance.joints + np.array([x, 0.0, 0.0], np.float32))


def _filmed(
    performance: Performance,
    edges: Sequence[int],
    shots: Sequence[tuple[Camera, Handheld]],
    rng: np.random.Generator,
    noise: float,
) -> Motion:
    """Film a performance in shots that begin at ``edges``."""
    step = PERFORMED // FPS
    pieces = [
        landmark_motion(_cut(performance, step * start, step * end), camera, rng, fps=FPS, noise=noise, view=view)
        for (start, end), (camera, view) in zip(pairwise(edges), shots, strict=True)
    ]
    joints = np.concatenate([piece.joints for piece in pieces])
    confidence = np.concatenate([piece.confidence for piece in pieces])
    return Motion(joints, float(FPS), "mediapipe33", confidence, tuple(edges[1:-1]))


def _cut(performance: Performance, start: int, end: int) -> Performance:
    smpl, part = performance.smpl, slice(start, end)
    cut = SmplMotion(smpl.poses[part], smpl.translation[part], smpl.scale, smpl.fps)
    return Performance(cut, performance.joints[part], ())
