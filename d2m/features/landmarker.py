"""MediaPipe's pose landmarker: detect the people in one picture, or in the next frame of a video, as :class:`Person`.

Source of the model: V. Bazarevsky et al., "BlazePose: On-device Real-time Body Pose Tracking", 2020. The bundle beside
this file is rebuilt by ``scripts/make_pose_asset.py``.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.features.native_log import native_log_hidden
from d2m.features.people import SMALLEST, Person, distinct

#: The model that ships with the package.
BUNDLE = Path(__file__).with_name("pose_landmarker_full.task")


class Landmarker:
    """MediaPipe's pose landmarker, loaded when it is first used.

    Args:
        bundle: a ``.task`` file.
        most: people to look for.
        tracks: whether frames follow each other.
    """

    def __init__(self, bundle: Path, most: int, tracks: bool = False):
        self.bundle, self.most, self.tracks = bundle, most, tracks
        self._landmarker: Any = None
        self._has_logged = False

    def find(self, rgb: np.ndarray, index: int, milliseconds: int = 0, left: int = 0) -> list[Person]:
        """Return the people of a frame who are not background, each once.

        Args:
            rgb: the frame, or a part of it that is as high.
            index: its number.
            milliseconds: its time, where frames follow each other.
            left: first column of the part.
        """
        import mediapipe as mp

        # After the first detection both networks have run and written their log lines.
        with contextlib.nullcontext() if self._has_logged else native_log_hidden():
            if self._landmarker is None:
                self._landmarker = self._open()
            picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
            if self.tracks:
                result = self._landmarker.detect_for_video(picture, milliseconds)
            else:
                result = self._landmarker.detect(picture)
        if result.pose_landmarks:
            self._has_logged = True
        found = [
            _person(index, rgb, image, world, left)
            for image, world in zip(result.pose_landmarks, result.pose_world_landmarks, strict=True)
        ]
        return [person for person in distinct(found) if person.height >= SMALLEST]

    def close(self) -> None:
        if self._landmarker is not None:
            with native_log_hidden():
                self._landmarker.close()
            self._landmarker = None

    def _open(self) -> Any:
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions

        if not self.bundle.is_file():
            raise D2MError(f"{self.bundle}: no such pose model; reinstall d2m or give a MediaPipe .task file")
        options = vision.PoseLandmarkerOptions(
            # As bytes: the C++ side cannot open every path that Python can.
            base_options=BaseOptions(model_asset_buffer=self.bundle.read_bytes()),
            running_mode=vision.RunningMode.VIDEO if self.tracks else vision.RunningMode.IMAGE,
            num_poses=self.most,
        )
        try:
            return vision.PoseLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise D2MError(f"{self.bundle}: not a MediaPipe pose landmarker .task file") from error


def _person(index: int, rgb: np.ndarray, image: list, world: list, left: int) -> Person:
    height, width = rgb.shape[:2]
    aspect = width / height
    joints = np.array([(p.x * aspect, p.y, p.z * aspect) for p in image], dtype=np.float32)
    metres = np.array([(p.x, p.y, p.z) for p in world], dtype=np.float32)
    confidence = np.array([p.visibility for p in image], dtype=np.float32)
    inside = (joints[:, 0] >= 0) & (joints[:, 0] <= aspect) & (joints[:, 1] >= 0) & (joints[:, 1] <= 1)
    # Landmarks outside the picture are extrapolated by the model.
    confidence = np.where(inside, confidence, 0.2 * confidence).astype(np.float32)
    colour = clothes(rgb, joints[:, :2] * height)
    if left:
        joints[:, 0] += np.float32(left / height)
    return Person(index, joints, metres, confidence, colour)


def clothes(rgb: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return the colours of a person's clothes.

    Args:
        rgb: uint8 (H, W, 3).
        pixels: (33, 2), x and y of the landmarks in pixels.

    Returns:
        float32 (6,), CIELAB / 100 of the middle of the torso and of the thighs.
    """
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
