"""Conditioning of the generator: movement and beats as numbers on the frames of a codec."""

from __future__ import annotations

import numpy as np

from d2m.types import Dance, Motion

#: MediaPipe's landmarks that move with the music: nose, shoulders, elbows, wrists, hips, knees, ankles, feet.
JOINTS = (0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 31, 32)
MOTION_SIZE = 5 * len(JOINTS)
RHYTHM_SIZE = 8


def motion_rows(motion: Motion, frame_rate: float, start: float, frames: int) -> np.ndarray:
    """Resample landmarks to the frames of a codec.

    For each of :data:`JOINTS`: x, y about the hips in body heights, their speeds in body heights a second, and the
    landmark's confidence. Positions are held before the first and after the last picture.

    Args:
        motion: landmarks.
        frame_rate: frames of the codec per second.
        start: time of the first frame in seconds.
        frames: number of frames.

    Returns:
        float32 (frames, MOTION_SIZE).

    Raises:
        ValueError: if the skeleton is not ``"mediapipe33"``.
    """
    if motion.skeleton != "mediapipe33":
        raise ValueError(f"the generator reads mediapipe33 landmarks, not {motion.skeleton}")
    values = np.concatenate([_rows(motion, shot) for shot in motion.shots()])
    at = (start + (np.arange(frames) + 0.5) / frame_rate) * motion.fps
    known = np.arange(len(values))
    return np.stack([np.interp(at, known, column) for column in values.T], 1).astype(np.float32)


def _rows(motion: Motion, shot: slice) -> np.ndarray:
    """The same on the frames of one shot, with the size of whoever is in it: float64 (frames, MOTION_SIZE)."""
    joints = motion.joints[shot]
    xy = joints[:, JOINTS, :2].astype(np.float64)
    hips = joints[:, (23, 24), :2].mean(1, keepdims=True)
    height = np.median(np.ptp(joints[:, JOINTS, 1], axis=1))
    centred = (xy - hips) / max(height, 1e-3)
    absolute = xy / max(height, 1e-3)
    speed = np.gradient(absolute, axis=0) * motion.fps if len(xy) > 1 else np.zeros_like(absolute)
    sure = motion.confidence[shot][:, JOINTS, None]
    return np.concatenate([centred, np.tanh(speed / 4), sure], 2).reshape(len(xy), -1)


def rhythm_rows(dance: Dance, frame_rate: float, start: float, frames: int) -> np.ndarray:
    """Compute beat, bar and energy on the frames of a codec.

    Sine and cosine of the place within the beat and within the bar, the energy of the beat, the accent of the nearest
    beat (falling off with distance), tempo (beats a minute / 120 - 1) and confidence.

    Args:
        dance: analysis of a video.
        frame_rate: frames of the codec per second.
        start: time of the first frame in seconds.
        frames: number of frames.

    Returns:
        float32 (frames, RHYTHM_SIZE).
    """
    grid = dance.grid
    position = grid.position_of(start + (np.arange(frames) + 0.5) / frame_rate)
    bar = (position - (grid.downbeats[0] if len(grid.downbeats) else 0)) / grid.beats_per_bar
    beat = np.clip(np.floor(position).astype(int), 0, len(dance.energy) - 1)
    nearest = np.clip(np.round(position).astype(int), 0, len(dance.accents) - 1)
    distance = np.abs(position - np.round(position))
    columns = [
        np.sin(2 * np.pi * position),
        np.cos(2 * np.pi * position),
        np.sin(2 * np.pi * bar),
        np.cos(2 * np.pi * bar),
        dance.energy[beat],
        dance.accents[nearest] * np.exp(-6 * distance),
        np.full(frames, grid.tempo / 120 - 1),
        np.full(frames, grid.confidence),
    ]
    return np.stack(columns, 1).astype(np.float32)
