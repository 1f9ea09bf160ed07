"""Landmarks of a clip as a file, so that they are found once, and the JSON of an analysis for the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.features.analysis import Analysis, Watched, watched
from d2m.features.pose import Tracking
from d2m.features.store import read_arrays, write_arrays
from d2m.genres import genre_title
from d2m.plans.types import Plan
from d2m.types import Motion

if TYPE_CHECKING:
    from d2m.media import Video

#: Lines to draw between MediaPipe's 33 landmarks.
BONES: tuple[tuple[int, int], ...] = (
    (11, 12), (11, 13), (13, 15), (15, 19), (12, 14), (14, 16), (16, 20), (11, 23), (12, 24), (23, 24),
    (23, 25), (25, 27), (27, 29), (29, 31), (27, 31), (24, 26), (26, 28), (28, 30), (30, 32), (28, 32),
    (0, 11), (0, 12),
)  # fmt: skip
#: Version of the file.
_FORMAT = 1


def write_tracking(path: Path, tracking: Tracking, rate: float) -> None:
    """Write landmarks as an ``.npz`` of plain arrays.

    Args:
        path: the file.
        tracking: the landmarks.
        rate: frames a second that were looked at.
    """
    arrays: dict[str, Any] = {
        "format": _FORMAT,
        "rate": rate,
        "found": tracking.found,
        "people": tracking.people,
        "frames": tracking.frames,
        "cuts": np.array(tracking.cuts, np.int64),
        "dissolves": np.array(tracking.dissolves, np.int64),
    }
    dancers = [] if tracking.motion is None else [tracking.motion, *tracking.others]
    for number, (motion, world) in enumerate(zip(dancers, (tracking.world, *tracking.other_worlds), strict=False)):
        arrays[f"joints{number}"] = motion.joints
        arrays[f"confidence{number}"] = motion.confidence
        arrays[f"cuts{number}"] = np.array(motion.cuts, np.int64)
        arrays["fps"], arrays["skeleton"] = motion.fps, motion.skeleton
        if world is not None:
            arrays[f"world{number}"] = world
    write_arrays(path, {name: np.asarray(value) for name, value in arrays.items()})


def read_watched(path: Path, video: Video) -> Watched | None:
    """Read landmarks, or return None if there are none.

    Args:
        path: the file.
        video: the video that they belong to.
    """
    data = read_arrays(path)
    if data is None or int(data.get("format", 0)) != _FORMAT:
        return None
    motions: list[Motion] = []
    worlds: list[np.ndarray | None] = []
    while f"joints{len(motions)}" in data:
        n = len(motions)
        cuts = tuple(int(cut) for cut in data[f"cuts{n}"])
        skeleton = str(data["skeleton"])
        motions.append(Motion(data[f"joints{n}"], float(data["fps"]), skeleton, data[f"confidence{n}"], cuts))
        worlds.append(data.get(f"world{n}"))
    tracking = Tracking(
        motions[0] if motions else None,
        worlds[0] if worlds else None,
        float(data["found"]),
        int(data["people"]),
        int(data["frames"]),
        tuple(motions[1:]),
        tuple(worlds[1:]),
        tuple(int(cut) for cut in data["cuts"]),
        tuple(int(cut) for cut in data["dissolves"]),
    )
    return watched(video, tracking, float(data["rate"]))


def landmark_bytes(analysis: Analysis, video: Video) -> tuple[bytes, dict[str, Any]]:
    """Return landmarks for the page, and what is said of them.

    Args:
        analysis: of the clip.
        video: the clip.

    Returns:
        Little-endian float32 (people, frames, joints, 3): x and y as share of the picture's width and height, and
        confidence; and the numbers of people, frames and joints with the frame rate.
    """
    dance = analysis.dance
    motions = [] if dance.motion is None else [dance.motion, *dance.others]
    frames = len(motions[0].joints) if motions else 0
    values = np.zeros((len(motions), frames, 33, 3), "<f4")
    for row, motion in zip(values, motions, strict=True):
        row[..., 0] = motion.joints[..., 0] * (video.height / max(video.width, 1))
        row[..., 1] = motion.joints[..., 1]
        row[..., 2] = motion.confidence
    about = {
        "people": len(motions),
        "frames": frames,
        "fps": float(motions[0].fps) if motions else 0.0,
        "joints": 33,
        "values": 3,
    }
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0).tobytes(), about


def analysis_json(analysis: Analysis, plan: Plan, video: Video, landmarks: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of an analysis.

    Args:
        analysis: of the clip.
        plan: the plan with the default options.
        video: the clip.
        landmarks: what is said of the landmarks.
    """
    dance = analysis.dance
    grid, rate = dance.grid, analysis.envelope_rate
    bars = {int(line) for line in grid.downbeats}
    beats = [
        {
            "time": round(float(time), 4),
            "strength": round(float(dance.accents[i]), 3),
            "energy": round(float(dance.energy[i]), 3),
            "downbeat": i in bars,
        }
        for i, time in enumerate(grid.beats)
        if 0 <= time < video.duration and i < len(dance.accents)
    ]
    return {
        "duration": round(video.duration, 4),
        "width": video.width,
        "height": video.height,
        "fps": round(video.fps, 3),
        "landmarks": landmarks,
        "bones": [list(bone) for bone in BONES],
        "tempo": round(float(grid.tempo), 2),
        "beats_per_bar": int(grid.beats_per_bar),
        "source": grid.source,
        "confidence": round(float(grid.confidence), 3),
        "forgiving": bool(dance.forgiving),
        "beats": beats,
        "energy": [beat["energy"] for beat in beats],
        "motion_beats": [round(float(beat), 4) for beat in analysis.motion_beats],
        "envelope": {"rate": float(rate), "values": [round(float(value), 3) for value in analysis.envelope]},
        "cuts": [round(frame / rate, 4) for frame in analysis.cuts],
        "dissolves": [round(frame / rate, 4) for frame in analysis.dissolves],
        "sections": [{"start": each.start, "end": each.end, "cause": each.cause} for each in plan.sections],
        "hits": [{"time": hit.time, "strength": hit.strength, "kind": hit.kind} for hit in plan.hits],
        "genre": genre_title(dance.genre) if dance.genre else None,
        "notes": [*video.warnings, *analysis.notes],
    }


def click_track(analysis: Analysis, duration: float, rate: int = 22050) -> np.ndarray:
    """Return a click on each beat, higher on the first beats of bars.

    Args:
        analysis: of the clip.
        duration: seconds.
        rate: hertz.

    Returns:
        float32 (1, samples).
    """
    grid = analysis.dance.grid
    wave = np.zeros(round(duration * rate), np.float32)
    time = np.arange(round(0.05 * rate)) / rate
    bars = {int(line) for line in grid.downbeats}
    for index, beat in enumerate(grid.beats):
        if not 0 <= beat < duration:
            continue
        pitch, level = (1760.0, 0.8) if index in bars else (1175.0, 0.5)
        tone = level * np.sin(2 * np.pi * pitch * time) * np.exp(-time / 0.012)
        first = round(float(beat) * rate)
        wave[first : first + len(tone)] += tone[: len(wave) - first].astype(np.float32)
    return wave[None]
