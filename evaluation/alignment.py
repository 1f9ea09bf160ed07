"""Alignment of music with a dance, relative to chance.

The metrics measure the distances between motion beats and music beats, and compare them with those of the same music
shifted in time.

Conventions
-----------
All times are seconds from the start of the clip, rising. *Motion beats* (kinematic beats) are local minima of
the mean speed of the joints; *music beats* are the beats of a grid or of a beat tracker. Scores are 0..1,
higher is better. *Chance* is the score of the same music beats shifted circularly within the clip, the mean
over many shifts; the *excess* is the score minus chance, 0 for music that ignores the dancer.

Metrics
-------
* :func:`beat_align`: beat alignment, sigma 0.05 s, in the direction of the AIST++ paper (each motion beat
  to its nearest music beat) or in Bailando's (each music beat to its nearest motion beat).
* :func:`excess`: the same, minus chance.
* :func:`hit_rate`: share of the motion beats with a music beat within 70 ms.
* :func:`aist_beats`, :func:`aist_frames`: the conventions of the AIST++ script.
* :func:`bootstrap`: mean over clips with its confidence interval.

References
----------
R. Li, S. Yang, D. A. Ross and A. Kanazawa, "AI Choreographer: Music Conditioned 3D Dance Generation with
AIST++", ICCV 2021, section 5.2.3.
L. Siyao et al., "Bailando: 3D Dance Generation by Actor-Critic GPT with Choreographic Memory", CVPR 2022,
section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

#: Tolerance of the beat-align score, seconds. AIST++'s own is three frames at 60 a second, which is the same length;
#: its script counts whole frames (:func:`aist_frames`) and finds motion beats its own way (:func:`aist_beats`).
SIGMA = 0.05
#: Distance within which a motion beat is hit, seconds.
WINDOW = 0.07
#: Frames a second of AIST++'s scores, and the frames on either side that a motion beat is slower than.
AIST_FPS, AIST_ORDER = 60, 10
#: Nose, shoulders, elbows, wrists, hips, knees, ankles of "mediapipe33".
MAIN_JOINTS = (0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)


@dataclass(frozen=True)
class Judge:
    """One definition of motion beats.

    Attributes:
        sight: ``"space"``: landmarks in space (metres, hips at the origin); ``"picture"``: landmarks in the picture;
            ``"flow"``: optical flow where the dancer is, no landmarks.
        joints: indices of the joints whose mean speed counts; None for all.
        smoothing: standard deviation of the Gaussian that smooths the speed, seconds.
    """

    sight: str
    joints: tuple[int, ...] | None
    smoothing: float


#: Several, for none is the right one. Bailando smooths by five frames at 60 a second. The rhythm
#: of :mod:`d2m.features` is found from landmarks, so of these only the flow judges are independent of it.
JUDGES: dict[str, Judge] = {
    "space": Judge("space", None, 5 / 60),
    "space, main joints, fine": Judge("space", MAIN_JOINTS, 0.05),
    "picture": Judge("picture", None, 5 / 60),
    "picture, main joints, fine": Judge("picture", MAIN_JOINTS, 0.05),
    "flow": Judge("flow", None, 5 / 60),
    "flow, fine": Judge("flow", None, 0.05),
}


@dataclass(frozen=True)
class Alignment:
    """Alignment of music with a dance, by one definition of motion beats.

    Attributes:
        motion_to_music: beat-align score, motion beat → nearest music beat (AIST++).
        music_to_motion: beat-align score, music beat → nearest motion beat (Bailando).
        chance_motion_to_music, chance_music_to_motion: the same for shifted music.
        hits: part of the motion beats with a music beat within 70 ms.
        motion_beats, music_beats: how many there were.
    """

    motion_to_music: float
    music_to_motion: float
    chance_motion_to_music: float
    chance_music_to_motion: float
    hits: float
    motion_beats: int
    music_beats: int

    @property
    def excess(self) -> float:
        """AIST++ score less chance."""
        return self.motion_to_music - self.chance_motion_to_music

    @property
    def excess_music_to_motion(self) -> float:
        """Bailando score less chance."""
        return self.music_to_motion - self.chance_music_to_motion


def kinematic_beats(
    joints: np.ndarray, fps: float, smoothing: float = 5 / 60, which: tuple[int, ...] | None = None
) -> np.ndarray:
    """Return motion beats: local minima of the mean joint speed, smoothed by a Gaussian.

    Args:
        joints: float (T, J, D), evenly spaced, without NaN.
        fps: frames a second.
        smoothing: the Gaussian's standard deviation, seconds; Bailando uses 5 frames at 60 a second.
        which: joints to look at; None for all.

    Returns:
        float64 (K,) seconds. Frame k's speed is the step from frame k to k + 1, timed half-way.
    """
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim != 3:
        raise ValueError(f"joints must be (frames, joints, axes), not {joints.shape}")
    if which is not None:
        joints = joints[:, list(which)]
    return speed_beats(np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean(axis=1), fps, smoothing)


def speed_beats(speed: np.ndarray, fps: float, smoothing: float = 5 / 60) -> np.ndarray:
    """Return motion beats from any curve of speed: its local minima, smoothed by a Gaussian.

    Args:
        speed: float (T - 1,), of the steps from frame k to k + 1; the unit does not matter.
        fps: frames a second.
        smoothing: the Gaussian's standard deviation, seconds.

    Returns:
        float64 (K,) seconds, step k timed half-way between its frames.
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    speed = np.asarray(speed, dtype=np.float64)
    if len(speed) < 3:
        return np.zeros(0)
    if smoothing > 0:
        speed = gaussian_filter1d(speed, smoothing * fps)
    # Unlike a strict comparison, this finds a minimum that two equal frames share.
    _, flat = find_peaks(-speed, plateau_size=1)
    return (0.5 * (flat["left_edges"] + flat["right_edges"]) + 0.5) / fps


def aist_beats(joints: np.ndarray, fps: float) -> np.ndarray:
    """Return motion beats as the AIST++ script finds them (``calculate_beat_scores.py`` of google-research/mint):
    frames whose summed joint speed, not smoothed, is below that of all frames within 1/6 s (ten frames at 60 a second).

    Args:
        joints: float (T, J, 3), evenly spaced, without NaN.
        fps: frames a second.

    Returns:
        float64 (K,) seconds. Frame k's speed is the step from frame k - 1 to k, timed at its end; the first frame
        counts as still, so that none of the first sixth of a second can be a beat.
    """
    from scipy.signal import argrelextrema

    joints = np.asarray(joints, dtype=np.float64)
    speed = np.linalg.norm(np.diff(joints, axis=0, prepend=joints[:1]), axis=-1).sum(axis=1)
    order = max(1, round(fps * AIST_ORDER / AIST_FPS))
    return argrelextrema(speed, np.less, order=order)[0] / fps


def aist_frames(times: np.ndarray) -> np.ndarray:
    """Round times to whole frames at 60 frames per second, each frame once.

    Args:
        times: seconds.
    """
    return np.unique(np.rint(np.asarray(times, dtype=np.float64) * AIST_FPS)) / AIST_FPS


def judged_beats(
    picture: np.ndarray,
    space: np.ndarray | None,
    fps: float,
    flow: np.ndarray | None = None,
    judges: Mapping[str, Judge] = JUDGES,
) -> dict[str, np.ndarray]:
    """Return motion beats by every judge.

    Args:
        picture: (T, J, 2 or 3) landmarks in the picture, of which x and y are used.
        space: (T, J, 3) landmarks in space, or None to leave their judges out.
        fps: frames a second.
        flow: (T - 1,) speed of :func:`d2m.features.flow.dancer_speed`, or None to leave its judges out.
        judges: what to judge by.
    """
    landmarks = {"space": space, "picture": picture[..., :2]}
    found = {}
    for name, judge in judges.items():
        if judge.sight == "flow":
            if flow is not None:
                found[name] = speed_beats(flow, fps, judge.smoothing)
        elif (points := landmarks[judge.sight]) is not None:
            found[name] = kinematic_beats(points, fps, judge.smoothing, judge.joints)
    return found


def beat_align(motion_beats: np.ndarray, music_beats: np.ndarray, sigma: float = SIGMA) -> float:
    """Compute the mean over motion beats of ``exp(-d² / 2 sigma²)``, d the distance to the nearest music beat (AIST++).

    Swap the arguments for Bailando's direction. NaN without motion beats, 0 without music beats.

    Args:
        motion_beats, music_beats: times in seconds.
        sigma: tolerance in seconds.
    """
    if not len(motion_beats):
        return float("nan")
    if not len(music_beats):
        return 0.0
    return float(np.exp(-0.5 * (_nearest(motion_beats, music_beats) / sigma) ** 2).mean())


def hit_rate(motion_beats: np.ndarray, music_beats: np.ndarray, window: float = WINDOW) -> float:
    """Compute the share of the motion beats with a music beat within a window.

    Args:
        motion_beats, music_beats: times in seconds.
        window: seconds.

    Returns:
        0 to 1; NaN without motion beats.
    """
    if not len(motion_beats):
        return float("nan")
    if not len(music_beats):
        return 0.0
    return float((_nearest(motion_beats, music_beats) <= window).mean())


def chance(
    motion_beats: np.ndarray,
    music_beats: np.ndarray,
    duration: float,
    sigma: float = SIGMA,
    shifts: int = 400,
) -> tuple[float, float]:
    """Compute the mean of both directions of :func:`beat_align` over even circular shifts of the music.

    Args:
        motion_beats, music_beats: times in seconds.
        duration: length of the clip in seconds.
        sigma: tolerance in seconds.
        shifts: number of shifts.
    """
    scores = []
    for shift in (np.arange(shifts) + 0.5) / shifts * duration:
        shifted = np.sort((music_beats + shift) % duration)
        scores.append((beat_align(motion_beats, shifted, sigma), beat_align(shifted, motion_beats, sigma)))
    forward, backward = np.mean(scores, axis=0)
    return float(forward), float(backward)


def excess(
    motion_beats: np.ndarray,
    music_beats: np.ndarray,
    duration: float,
    sigma: float = SIGMA,
    shifts: int = 400,
) -> Alignment:
    """Return the alignment of one clip, with its chance level.

    Args:
        motion_beats, music_beats: seconds; those outside the clip are left out.
        duration: seconds of the clip.
        sigma: tolerance, seconds.
        shifts: how many shifts chance is the mean of.

    Raises:
        ValueError: if ``duration`` is not above 0.
    """
    if not duration > 0:
        raise ValueError("duration must be above 0")
    motion = inside(motion_beats, duration)
    music = inside(music_beats, duration)
    forward, backward = chance(motion, music, duration, sigma, shifts)
    return Alignment(
        beat_align(motion, music, sigma),
        beat_align(music, motion, sigma),
        forward,
        backward,
        hit_rate(motion, music),
        len(motion),
        len(music),
    )


def bootstrap(
    values: np.ndarray, rng: np.random.Generator, draws: int = 10_000, level: float = 0.95
) -> tuple[float, float, float]:
    """Compute the mean of per-clip values with its percentile-bootstrap confidence interval.

    NaN values (clips without motion beats) are left out; all three are NaN when nothing is left.

    Args:
        values: one per clip.
        rng: random generator.
        draws: number of resamples.
        level: level of the interval.

    Returns:
        Mean, lower and upper end.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return (float("nan"),) * 3
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(values.mean()), float(low), float(high)


def inside(times: np.ndarray, duration: float) -> np.ndarray:
    """Return the times from 0 to below a duration, rising.

    Args:
        times: seconds.
        duration: seconds.
    """
    times = np.sort(np.asarray(times, dtype=np.float64))
    return times[(times >= 0) & (times < duration)]


def _nearest(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each time to the nearest of the others (sorted)."""
    place = np.searchsorted(others, times)
    after = others[np.minimum(place, len(others) - 1)]
    before = others[np.maximum(place - 1, 0)]
    return np.minimum(np.abs(times - before), np.abs(times - after))
