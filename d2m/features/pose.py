"""The dancer's landmarks: MediaPipe BlazePose over a stream of frames, one dancer followed throughout.

Most clips show one person, so one person is tracked (about 10 ms a frame on one core) and a look at the
whole picture once a second tells whether there are more. While there are, everybody is tracked and told
apart (:mod:`d2m.features.people`); who the dancer is, is decided when the clip is over. Only landmarks are
kept, never pictures.

Source of the model: V. Bazarevsky et al., "BlazePose: On-device Real-time Body Pose Tracking", 2020. The
bundle beside this file is rebuilt by ``scripts/make_pose_asset.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d2m.errors import D2MError
from d2m.features.landmarks import fill_and_smooth
from d2m.features.native_log import native_log_hidden
from d2m.features.people import People, Person, dancer, distinct
from d2m.types import Motion

if TYPE_CHECKING:
    from d2m.media import Video

#: The model that ships with the package.
BUNDLE = Path(__file__).with_name("pose_landmarker_full.task")
#: Height of the frames given to the model: its input is 256 pixels around the person.
FRAME_HEIGHT = 432
#: Most people told apart in one frame.
MOST_PEOPLE = 4
#: People lower than this (picture heights) are background.
SMALLEST = 0.15
#: A dancer must be seen in this part of the frames.
ENOUGH = 0.3


@dataclass(frozen=True)
class Tracking:
    """What the pose model saw of a clip.

    Attributes:
        motion: the dancer, skeleton ``"mediapipe33"``; None if nobody was seen in enough frames.
        world: float32 (T, 33, 3) metres, hips at the origin, y downwards, filled and smoothed likewise; or None.
        found: part of the frames in which the dancer was seen, 0..1.
        people: most people in one frame.
        frames: number of frames looked at.
    """

    motion: Motion | None
    world: np.ndarray | None
    found: float
    people: int
    frames: int


def follow_dancer(
    video: Video,
    *,
    rate: float = 30.0,
    progress: Callable[[float], None] | None = None,
    bundle: str | Path = BUNDLE,
) -> Tracking:
    """Track the most prominent dancer of a video.

    Args:
        video: an open video.
        rate: frames a second to look at.
        progress: called with the part done, 0..1.
        bundle: a MediaPipe pose landmarker ``.task``.

    Raises:
        D2MError: if the bundle is missing or is not a pose model.
    """
    people = People(rate)
    frames, most = 0, 0
    height = min(FRAME_HEIGHT, video.height) if video.height else FRAME_HEIGHT
    with PeopleFinder(bundle, rate) as finder:
        for index, frame in enumerate(video.frames(rate, height)):
            found = finder.find(frame.rgb, index)
            people.add(found)
            frames, most = index + 1, max(most, len(found))
            if progress is not None:
                progress(min(frame.time / max(video.duration, 1e-6), 1.0))
    chosen = dancer(people.tracks, rate)
    found_part = len(chosen) / max(frames, 1)
    if frames < 2 or found_part < ENOUGH:
        return Tracking(None, None, found_part, most, frames)
    joints, world, confidence = _stack(chosen, frames)
    joints, confidence = fill_and_smooth(joints, confidence, rate)
    world, _ = fill_and_smooth(world, confidence, rate)
    return Tracking(Motion(joints, float(rate), "mediapipe33", confidence), world, found_part, most, frames)


class PeopleFinder:
    """Finds people frame by frame, with one tracker while there is one person and another for a crowd.

    Args:
        bundle: a MediaPipe pose landmarker ``.task``.
        rate: frames a second.
    """

    def __init__(self, bundle: str | Path, rate: float):
        self.rate = rate
        self.bundle = Path(bundle)
        self._look_around = max(int(round(rate)), 1)
        self._alone_looks = 0
        self._crowd = False
        self._landmarkers: dict[str, object] = {}
        self._has_logged: set[str] = set()

    def __enter__(self) -> PeopleFinder:
        return self

    def __exit__(self, *exc: object) -> None:
        with native_log_hidden():
            for landmarker in self._landmarkers.values():
                landmarker.close()
        self._landmarkers.clear()

    def find(self, rgb: np.ndarray, index: int) -> list[Person]:
        """The people of frame ``index`` (counted from 0, rising), ``rgb`` uint8 (H, W, 3)."""
        if index % self._look_around == 0 and not self._crowd:
            self._crowd = len(self._detect("look", 1, rgb, index)) > 1
            self._alone_looks = 0
        if not self._crowd:
            return self._detect("one", 1, rgb, index)
        found = self._detect("crowd", MOST_PEOPLE, rgb, index)
        self._alone_looks = 0 if len(found) > 1 else self._alone_looks + 1
        if self._alone_looks > 2 * self._look_around:
            self._crowd = False
        return found

    def _detect(self, use: str, most: int, rgb: np.ndarray, index: int) -> list[Person]:
        import mediapipe as mp

        # Both networks have run, and logged that, once somebody was found.
        with contextlib.nullcontext() if use in self._has_logged else native_log_hidden():
            if use not in self._landmarkers:
                self._landmarkers[use] = self._open(use, MOST_PEOPLE if use == "look" else most)
            landmarker = self._landmarkers[use]
            picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
            if use == "look":
                result = landmarker.detect(picture)
            else:
                result = landmarker.detect_for_video(picture, int(round(index * 1000 / self.rate)))
        if result.pose_landmarks:
            self._has_logged.add(use)
        found = [
            _person(index, rgb, image, world)
            for image, world in zip(result.pose_landmarks, result.pose_world_landmarks, strict=True)
        ]
        return [person for person in distinct(found) if person.height >= SMALLEST]

    def _open(self, use: str, most: int) -> object:
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions

        if not self.bundle.is_file():
            raise D2MError(f"{self.bundle}: no such pose model; reinstall d2m or give a MediaPipe .task file")
        mode = vision.RunningMode.IMAGE if use == "look" else vision.RunningMode.VIDEO
        options = vision.PoseLandmarkerOptions(
            # As bytes: the C++ side cannot open every path that Python can.
            base_options=BaseOptions(model_asset_buffer=self.bundle.read_bytes()),
            running_mode=mode,
            num_poses=most,
        )
        try:
            return vision.PoseLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise D2MError(f"{self.bundle}: not a MediaPipe pose landmarker .task file") from error


def _person(index: int, rgb: np.ndarray, image: list, world: list) -> Person:
    height, width = rgb.shape[:2]
    aspect = width / height
    joints = np.array([(p.x * aspect, p.y, p.z * aspect) for p in image], dtype=np.float32)
    metres = np.array([(p.x, p.y, p.z) for p in world], dtype=np.float32)
    confidence = np.array([p.visibility for p in image], dtype=np.float32)
    inside = (joints[:, 0] >= 0) & (joints[:, 0] <= aspect) & (joints[:, 1] >= 0) & (joints[:, 1] <= 1)
    # Landmarks outside the picture are the model's guess of what it cannot see.
    confidence = np.where(inside, confidence, 0.2 * confidence).astype(np.float32)
    return Person(index, joints, metres, confidence, _clothes(rgb, joints[:, :2] * height))


def _clothes(rgb: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """float32 (6,): CIELAB / 100 of the middle of the torso and of the thighs; ``pixels`` (33, 2) x, y."""
    import cv2

    points = np.concatenate(
        [
            [pixels[[11, 12]].mean(0) * a + pixels[[23, 24]].mean(0) * (1 - a) for a in (0.3, 0.5, 0.7)],
            [pixels[hip] * a + pixels[knee] * (1 - a) for hip, knee in ((23, 25), (24, 26)) for a in (0.4, 0.7)],
        ]
    )
    size = max(int(np.linalg.norm(pixels[11] - pixels[24]) * 0.1), 1)
    height, width = rgb.shape[:2]
    patches = []
    for x, y in points:
        x0, y0 = int(np.clip(x, size, width - size - 1)), int(np.clip(y, size, height - size - 1))
        patches.append(rgb[max(y0 - size, 0) : y0 + size + 1, max(x0 - size, 0) : x0 + size + 1].mean((0, 1)))
    lab = cv2.cvtColor((np.array(patches, np.float32) / 255.0)[None], cv2.COLOR_RGB2LAB)[0] / 100.0
    return np.concatenate([np.median(lab[:3], axis=0), np.median(lab[3:], axis=0)]).astype(np.float32)


def _stack(people: list[Person], frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints, world and confidence over all frames; NaN and 0 where the dancer was not seen."""
    joints = np.full((frames, 33, 3), np.nan, dtype=np.float32)
    world = np.full((frames, 33, 3), np.nan, dtype=np.float32)
    confidence = np.zeros((frames, 33), dtype=np.float32)
    for person in people:
        joints[person.frame], world[person.frame] = person.joints, person.world
        confidence[person.frame] = person.confidence
    return joints, world, confidence
