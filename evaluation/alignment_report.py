"""Alignment report of a video: scores of the music with their chance levels.

For the onsets and for the tracked beats of the music:

* ``beat_align``: beat-align score of AIST++, motion beat → nearest music event, sigma 0.05 s.
* ``beat_align_music_to_motion``: Bailando's direction.
* ``hit_rate``: share of the motion beats with a music event within 70 ms.

Each has its chance level, excess, interval and p (:mod:`d2m.evaluation.chance`). Dense onsets are near every motion
beat by chance: only the excess is meaningful.

The main scores use one definition of motion beats, the low points of the joints' mean speed in space; the others are
under ``judges``. ``aist`` follows the AIST++ script exactly: its motion beats, whole frames at 60 frames per second,
sigma of 3 frames. (Its joints are those of SMPL, d2m's are MediaPipe's 33 landmarks, hips at the origin.)
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.errors import D2MError

from .alignment import (
    AIST_FPS,
    SIGMA,
    WINDOW,
    aist_beats,
    bootstrap,
    inside,
    judged_beats,
    speed_beats,
)
from .chance import SHIFTS, against_shifts
from .metrics import describe, metrics_of
from .metrics.base import Metric, Timing
from .recordings import read
from .rhythm_features import RhythmFeatures, rhythm_features

if TYPE_CHECKING:
    from d2m.features import Analysis
    from d2m.media import Video

#: Definition of motion beats for the main scores, and the one for clips without a visible dancer.
HEADLINE, NOBODY = "space", "picture motion"


def evaluate_alignment(
    video: str | os.PathLike[str],
    audio: str | os.PathLike[str] | None = None,
    sigma: float = SIGMA,
    window: float = WINDOW,
    shifts: int = SHIFTS,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Judge the sound of a video, or other music under it.

    Args:
        video: a dance video.
        audio: music whose first sample sounds with the first picture; None for the video's own sound.
        sigma: tolerance of the beat-align scores, seconds.
        window: tolerance of the hit rate, seconds.
        shifts: how many shifted versions chance is the mean of.
        progress: called with the part done, 0..1.

    Returns:
        Plain JSON values, see the module's head; times are seconds from the first picture. None where a score cannot be
        worked out (no motion beats, or no such events in the music), with a note.

    Raises:
        D2MError: if a file cannot be read, the video has no sound and none is given, or a tolerance is not above 0.
    """
    from d2m.media import open_video

    if not (sigma > 0 and window > 0):
        raise D2MError("sigma and the window of the hit rate must be above 0 seconds")
    opened = open_video(video)
    if audio is None and not opened.has_audio:
        raise D2MError(f"{video}: this video has no sound; name the music with --audio FILE")
    recording = read(video if audio is None else audio)
    music = rhythm_features(recording.mono())
    report = judge_music(watch(opened, progress), music, sigma, window, shifts)
    if recording.silent:
        report["notes"].append("the music is silence")
    return {"video": str(video), "audio": str(video if audio is None else audio), **report}


@dataclass(frozen=True)
class Watched:
    """The motion beats of a video, seconds from the first picture, rising.

    Attributes:
        duration: seconds of picture.
        judges: by every judge.
        aist: those of the AIST++ script, or None where nobody is seen.
        notes: what to know about them.
    """

    duration: float
    judges: dict[str, np.ndarray]
    aist: np.ndarray | None
    notes: tuple[str, ...] = ()


def watch(video: Video, progress: Callable[[float], None] | None = None, analysis: Analysis | None = None) -> Watched:
    """Find the motion beats of a video; once is enough for any number of pieces of music.

    Args:
        video: a dance video.
        progress: called with the part done, 0..1.
        analysis: analysis of the video, where it is there already.

    Raises:
        D2MError: if the video cannot be decoded.
    """
    from d2m.features import analyse
    from d2m.features.flow import dancer_speed, picture_speeds

    analysis = analysis or analyse(video, beats="dance", progress=progress)
    motion, world = analysis.dance.motion, analysis.world
    if motion is None:
        rate = float(min(30.0, max(video.rate, 5.0)))
        # Speeds of the picture belong to frames, not to the steps between them.
        beats = speed_beats(picture_speeds(video, rate=rate).whole, rate) - 0.5 / rate
        return Watched(video.duration, {NOBODY: beats}, None, analysis.notes)
    flow = dancer_speed(video, motion.joints, motion.fps)
    judges = judged_beats(motion.joints, world, motion.fps, flow)
    return Watched(video.duration, judges, None if world is None else aist_beats(world, motion.fps), analysis.notes)


def judge_music(
    dance: Watched, music: RhythmFeatures, sigma: float = SIGMA, window: float = WINDOW, shifts: int = SHIFTS
) -> dict[str, Any]:
    """Score music whose first sample sounds with the first picture, as :func:`evaluate_alignment` reports it.

    Args:
        dance: motion beats of a video.
        music: onsets and beats.
        sigma: tolerance of the beat-align score in seconds.
        window: tolerance of the hit rate in seconds.
        shifts: number of circular shifts for chance.
    """
    duration = min(dance.duration, music.duration)
    notes = list(dance.notes)
    if duration < dance.duration - 0.1:
        notes.append(
            f"{music.duration:.2f} s of sound under {dance.duration:.2f} s of picture: the sound's time counts"
        )
    heard = {"onset": inside(music.onsets, duration), "beat": inside(music.beats, duration)}
    notes += [f"no {event} in the music: its scores are undefined" for event, times in heard.items() if not len(times)]
    judged = {name: _judge(beats, music, duration, sigma, window, shifts) for name, beats in dance.judges.items()}
    headline = HEADLINE if HEADLINE in judged else next(iter(judged))
    motion = inside(dance.judges[headline], duration)
    if not len(motion):
        notes.append("no motion beat in the picture: nothing can be scored")
    return {
        "duration": duration,
        "sigma": sigma,
        "window": window,
        "shifts": shifts,
        "judge": headline,
        "motion_beats": motion.tolist(),
        "tempo": music.tempo,
        "music_onsets": heard["onset"].tolist(),
        "music_beats": heard["beat"].tolist(),
        "onsets": judged[headline]["onsets"],
        "beats": judged[headline]["beats"],
        "judges": judged,
        "aist": None if dance.aist is None else _aist(dance.aist, music, duration, sigma, window, shifts),
        "metrics": describe("alignment", "alignment_aist"),
        "notes": notes,
    }


def summary(reports: list[dict[str, Any]], rng: np.random.Generator) -> dict[str, Any]:
    """Average the excesses of the main scores over clips.

    Args:
        reports: reports of several clips.
        rng: random generator.

    Returns:
        Means with 95 % bootstrap intervals over clips.
    """
    table: dict[str, Any] = {}
    for events in ("onsets", "beats"):
        table[events] = {}
        for score in reports[0][events]:
            if not isinstance(reports[0][events][score], dict):
                continue
            rows = [r[events][score] for r in reports if r[events][score]["value"] is not None]
            mean, low, high = bootstrap(np.array([row["excess"] for row in rows]), rng)
            table[events][score] = {
                "value": _plain(float(np.mean([row["value"] for row in rows])) if rows else math.nan),
                "chance": _plain(float(np.mean([row["chance"] for row in rows])) if rows else math.nan),
                "excess": _plain(mean),
                "interval": [_plain(low), _plain(high)],
                "clips": len(rows),
            }
    return table


def _judge(
    motion: np.ndarray, music: RhythmFeatures, duration: float, sigma: float, window: float, shifts: int
) -> dict[str, Any]:
    motion = inside(motion, duration)
    found: dict[str, Any] = {"motion_beats": len(motion)}
    for events, times in (("onsets", music.onsets), ("beats", music.beats)):
        times = inside(times, duration)
        found[events] = {"count": len(times)}
        for metric in metrics_of("alignment"):
            found[events][metric.name] = _scored(metric, Timing(motion, times, sigma, window), duration, shifts)
    return found


def _aist(
    motion: np.ndarray, music: RhythmFeatures, duration: float, sigma: float, window: float, shifts: int
) -> dict[str, Any]:
    """Scores with AIST++'s own motion beats. The script's own score is at the top, other metrics are by name."""
    motion = inside(motion, duration)
    found: dict[str, Any] = {"sigma_frames": 3, "frames_per_second": AIST_FPS, "motion_beats": len(motion)}
    for events, times in (("onsets", music.onsets), ("beats", music.beats)):
        timing = Timing(motion, inside(times, duration), sigma, window)
        for metric in metrics_of("alignment_aist"):
            place = found if metric.name == "aist" else found.setdefault(metric.name, {})
            place[events] = _scored(metric, timing, duration, shifts)
    return found


def _scored(metric: Metric, timing: Timing, duration: float, shifts: int) -> dict[str, Any]:
    # Without events there is nothing that could be in time or out of it: no score, which a 0 would be.
    if not len(timing.motion) or not len(timing.music):
        return {"value": None, "chance": None, "excess": None, "interval": [None, None], "p": None}

    def score(motion: np.ndarray, music: np.ndarray) -> float:
        value = metric.compute(Timing(motion, music, timing.sigma, timing.window))
        return float(value) if isinstance(value, (int, float)) else math.nan

    found = asdict(against_shifts(score, timing.motion, timing.music, duration, shifts))
    return {key: _plain(value) for key, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
