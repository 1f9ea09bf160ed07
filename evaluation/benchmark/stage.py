"""A scene with all inputs of engines and metrics: the dance, its beats, the original music.

Engines get what a video contains: landmarks in the picture of one camera (AIST++: the first), and a beat grid estimated
from them. The evaluation uses joints in space where the data has them, estimated separately from all cameras; the
engines never get these. Prepared data contains only one motion, so there the evaluation is not independent of the
engines' input: a front view of SMPL's joints, or the keypoints themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation.alignment import JUDGES, aist_beats, kinematic_beats
from d2m.evaluation.alignment_report import Watched
from d2m.evaluation.recordings import SAMPLE_RATE, read, silent
from d2m.types import BeatGrid, Dance, Motion, SmplMotion, Visual

from .scenes import Scene, picture_name
from .skeletons import front_view, tidied, to_mediapipe33

#: Height in pixels of AIST's pictures, and of the pictures that TikTok's keypoints are put in.
_AIST_HEIGHT, _TIKTOK_HEIGHT = 1080, 720
#: Seconds of picture to a row of features.
_SEEN = 2.0
#: Difference in length between music and dance in seconds above which the report has a note.
_SHORT = 0.1


@dataclass(frozen=True)
class Stage:
    """Scene with all inputs of engines and metrics.

    Attributes:
        scene: the scene.
        dance: input of the engines.
        keypoints: ``"body25"`` from the data, for engines that use it, or None.
        watched: motion beats for the evaluation of the music.
        judge: description of the joints that they were found from.
        music: float32 (T,), the original at 22,050 Hz, as long as the dance.
        true_beats: seconds of the beats that the music was written on, or None if they are unknown.
        notes: unusual properties of the scene.
    """

    scene: Scene
    dance: Dance
    keypoints: Motion | None
    watched: Watched
    judge: str
    music: np.ndarray
    true_beats: np.ndarray | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Seen:
    """What a layout's reader brings: landmarks in the picture ("mediapipe33"), how far their times trail the picture
    beyond MediaPipe's lag, joints in space or in the picture to judge by."""

    motion: Motion
    lag: float
    joints: np.ndarray
    fps: float
    sight: str
    judge: str
    smpl: SmplMotion | None = None
    keypoints: Motion | None = None
    visual: tuple[np.ndarray, float] | None = None


def read_stage(scene: Scene, genre: str = "given", visual: Path | None = None) -> Stage:
    """Read a scene and estimate the beats of its dance.

    Args:
        scene: which.
        genre: ``"given"`` takes the data's, as D2M-GAN is given it, where there is one; ``"auto"`` chooses one from the
            dance.
        visual: folder of visual features of the videos, or None.

    Raises:
        D2MError: if a file is missing, damaged, or cannot be used.
    """
    from d2m.features.beat_source import dance_rhythm
    from d2m.features.genre import choose_genre

    seen = {"aist": _aist, "tiktok": _tiktok, "prepared": _prepared}[scene.layout](scene)
    music = _music(scene)
    duration = min(seen.motion.duration, len(music) / SAMPLE_RATE)
    if duration < 1.0:
        raise D2MError(f"{scene.name}: {duration:.2f} s of dance and music are too short")
    notes: tuple[str, ...] = ()
    if duration < seen.motion.duration - _SHORT:
        notes = (
            f"{duration:.2f} s of music for {seen.motion.duration:.2f} s of dance: the rest of the dance is left out",
        )
    music = music[: round(duration * SAMPLE_RATE)]
    if silent(music):
        raise D2MError(f"{scene.name}: the original music is silence")
    told = scene.genre if genre == "given" else None
    motion = _cut(seen.motion, duration)
    # From the movement alone: a system that uses the original music could not be compared with the others.
    rhythm = dance_rhythm(motion, duration, told)
    grid = replace(rhythm.grid, beats=rhythm.grid.beats + seen.lag)
    chosen = told or choose_genre(grid, rhythm.energy, motion)
    dance = Dance(duration, motion, grid, rhythm.energy, rhythm.accents, chosen, _visual(scene, seen, duration, visual))
    judge = JUDGES[seen.sight]
    beats = kinematic_beats(seen.joints, seen.fps, judge.smoothing)
    script = aist_beats(seen.joints, seen.fps) if seen.sight == "space" else None
    smpl = seen.smpl
    return Stage(
        scene,
        replace(dance, smpl=smpl),
        None if seen.keypoints is None else _cut(seen.keypoints, duration),
        Watched(duration, {seen.sight: beats}, script),
        seen.judge,
        music,
        _true_beats(scene, duration),
        notes,
    )


def _aist(scene: Scene) -> _Seen:
    from d2m.datasets.aist import FPS, Aist
    from d2m.features.rhythm import POSE_LAG

    data = Aist(scene.root)
    view = data.keypoints2d(scene.name).points[0]
    try:
        motion = tidied(view[..., :2] / _AIST_HEIGHT, view[..., 2], FPS, "coco17")
        world = data.landmarks(scene.name)
        space = tidied(world.joints, world.confidence, FPS, "coco17")
    except ValueError as error:
        raise D2MError(f"{scene.name}: {error}") from error
    smpl = data.motion(scene.name) if (data.annotations / "motions" / f"{scene.name}.pkl").is_file() else None
    # The rhythm is moved forward by MediaPipe's lag, which these keypoints do not have.
    return _Seen(to_mediapipe33(motion), POSE_LAG, space.joints, FPS, "space", "AIST++'s 17 keypoints in space", smpl)


def _tiktok(scene: Scene) -> _Seen:
    from d2m.datasets.tiktok import FPS, TikTok

    return _body25(TikTok(scene.root).frames(scene.name), FPS, scene.name)


def _body25(frames: np.ndarray, fps: float, name: str, visual: tuple[np.ndarray, float] | None = None) -> _Seen:
    points = frames.reshape(len(frames), 25, 3)
    try:
        motion = tidied(points[..., :2] / _TIKTOK_HEIGHT, points[..., 2], fps, "body25")
    except ValueError as error:
        raise D2MError(f"{name}: {error}") from error
    joints = np.concatenate([points[..., :2] / _TIKTOK_HEIGHT, np.zeros_like(points[..., :1])], axis=-1)
    original = Motion(joints.astype(np.float32), fps, "body25", points[..., 2].copy())
    picture = motion.joints[..., :2]
    told = "25 keypoints in the picture, which the engines see too"
    return _Seen(to_mediapipe33(motion), 0.0, picture, fps, "picture", told, keypoints=original, visual=visual)


def _prepared(scene: Scene) -> _Seen:
    from d2m.datasets.prepared import Manifest, read_sequence
    from d2m.datasets.studio.skeleton import joints_of
    from d2m.features.rhythm import POSE_LAG
    from d2m.features.smpl import smpl_motion

    manifest = Manifest.read(scene.root)
    sequence = read_sequence(scene.root, scene.name, manifest)
    visual = None if sequence.visual is None else (sequence.visual.astype(np.float32), sequence.visual_seconds)
    if manifest.kind == "tiktok":
        return _body25(sequence.motion, manifest.motion_fps, scene.name, visual)
    try:
        # Metres become AIST++'s centimetres; the scale cancels where models read them.
        smpl = smpl_motion(sequence.motion, manifest.motion_fps, 100.0)
    except ValueError as error:
        raise D2MError(f"{scene.name}: {error}") from error
    joints = joints_of(smpl.poses, smpl.translation, smpl.scale)
    told = "24 SMPL joints in space on an average skeleton; the engines see a front view of them"
    picture = front_view(joints, smpl.fps)
    return _Seen(picture, POSE_LAG, joints, smpl.fps, "space", told, smpl, visual=visual)


def _music(scene: Scene) -> np.ndarray:
    """float32 (T,) at 22,050 Hz, from where the dance begins."""
    if scene.layout == "prepared":
        from d2m.datasets.prepared import Manifest, find_music, read_entry

        entry = read_entry(scene.root, scene.name, Manifest.read(scene.root))
        place = find_music(scene.root, entry.music)
        return place.rows(entry.offset, place.shape[0] - entry.offset).astype(np.float32) / 32768
    from d2m.datasets.aist import Aist
    from d2m.datasets.riff import check_whole
    from d2m.datasets.tiktok import TikTok

    aist = scene.layout == "aist"
    path = Aist(scene.root).wav_file(scene.music) if aist else TikTok(scene.root).sound(scene.name)
    check_whole(path)
    return read(path).mono()


def read_music(scene: Scene) -> np.ndarray:
    """Read the original music of a scene.

    Args:
        scene: the scene.

    Returns:
        float32 (T,) at 22,050 Hz.

    Raises:
        D2MError: if it cannot be read.
    """
    return _music(scene)


def _true_beats(scene: Scene, duration: float) -> np.ndarray | None:
    path = scene.root / "beats" / f"{scene.music if scene.layout == 'aist' else scene.name}.txt"
    if not path.is_file():
        return None
    from d2m.datasets.studio.music import read_beats

    beats = read_beats(path).beats
    return beats[beats < duration]


def _cut(motion: Motion, duration: float) -> Motion:
    frames = max(1, round(duration * motion.fps))
    return replace(motion, joints=motion.joints[:frames], confidence=motion.confidence[:frames])


def _visual(scene: Scene, seen: _Seen, duration: float, folder: Path | None) -> Visual | None:
    """A row for each two seconds of the dance, as :func:`d2m.features.i3d.segments` cuts it."""
    rows = seen.visual
    if folder is not None:
        from d2m.datasets.visuals import Visuals

        rows = Visuals(folder).read(picture_name(scene))
    if rows is None:
        return None
    from d2m.features.i3d import segments

    features, seconds = rows
    edges = np.arange(len(features)) * seconds
    spans = segments(duration, _SEEN)
    shared = np.minimum(spans[:, 1:], edges + seconds) - np.maximum(spans[:, :1], edges)
    weights = np.maximum(shared, 0.0)
    weights[weights.sum(1) <= 0, -1] = 1.0
    return Visual((weights / weights.sum(1, keepdims=True) @ features).astype(np.float32), "i3d, from the data")


def steady(grid: BeatGrid) -> Mapping[str, Any]:
    """Return the values of a grid that the report contains.

    Args:
        grid: beats.
    """
    return {"tempo": round(float(grid.tempo), 2), "confidence": round(float(grid.confidence), 3)}
