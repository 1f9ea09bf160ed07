"""Dances made by formula, whose beats are known."""

from __future__ import annotations

import mir_eval
import numpy as np

from d2m.features.landmarks import fill_and_smooth
from d2m.types import Motion

FPS = 30.0


def figure(frames: int) -> np.ndarray:
    """Landmarks (frames, 33, 3) of somebody standing half a picture high."""
    pose = np.zeros((33, 3))
    pose[:11, :2] = (0.8, 0.25)
    for left, x, y in (
        (11, 0.07, 0.34),
        (13, 0.1, 0.44),
        (15, 0.11, 0.53),
        (23, 0.04, 0.5),
        (25, 0.05, 0.62),
        (27, 0.05, 0.74),
    ):
        pose[left, :2], pose[left + 1, :2] = (0.8 + x, y), (0.8 - x, y)
    pose[[17, 19, 21]], pose[[18, 20, 22]] = pose[15], pose[16]
    pose[[29, 31]], pose[[30, 32]] = pose[27], pose[28]
    return np.repeat(pose[None], frames, axis=0)


def dance(beats: np.ndarray, duration: float, seed: int, loose: float = 0.02, noise: float = 0.0015) -> Motion:
    """Arms and body that reach a new pose on every beat, a bounce, and the jitter of an estimator."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(duration * FPS)) / FPS
    joints = figure(len(time))
    for group in ((13, 15, 17, 19, 21), (14, 16, 18, 20, 22), (25, 27, 29, 31), (0, 11, 12)):
        place, size = np.zeros(2), 0.05 if group[0] in (13, 14) else 0.02
        offset = np.zeros((len(time), 2))
        for arrive, before in zip(beats[1:], beats[:-1], strict=True):
            arrive = arrive + rng.normal(0, loose)
            done = np.clip((time - before) / max(arrive - before, 0.1), 0, 1)
            target = rng.normal(0, size, 2)
            offset += (target - place) * (done**3 * (10 - 15 * done + 6 * done**2))[:, None]
            place = target
        for k, joint in enumerate(group):
            joints[:, joint, :2] += offset * (1 + 0.5 * min(k, 1))
    bounce = 0.012 * np.cos(2 * np.pi * np.interp(time, beats, np.arange(len(beats))))
    joints[:, :25, 1] += bounce[:, None]
    joints += rng.normal(0, noise, joints.shape)
    joints, confidence = fill_and_smooth(joints, np.full(joints.shape[:2], 0.95), FPS)
    return Motion(joints, FPS, "mediapipe33", confidence)


def steady_beats(tempo: float, duration: float, first: float) -> np.ndarray:
    period = 60.0 / tempo
    return np.arange(first - 3 * period, duration + 3 * period, period)


def f_measure(true: np.ndarray, found: np.ndarray, duration: float) -> float:
    return mir_eval.beat.f_measure(*(b[(b >= 0) & (b < duration)] for b in (true, found)), f_measure_threshold=0.07)
