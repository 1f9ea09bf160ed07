"""Cameras around the stage, as in the AIST database: nine views of one dancer, pinhole projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with OpenCV's axes: x to the right, y down, z into the picture.

    Attributes:
        matrix: float64 (3, 3), focal lengths and principal point in pixels.
        rotation: float64 (3, 3), world to camera.
        translation: float64 (3,), metres.
        size: picture width and height in pixels.
    """

    matrix: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    size: tuple[int, int]

    @classmethod
    def looking_at(
        cls,
        position: tuple[float, float, float] | np.ndarray,
        target: tuple[float, float, float] | np.ndarray,
        size: tuple[int, int] = (640, 480),
        view: float = 36.0,
    ) -> Camera:
        """Return a level camera at ``position`` that looks at ``target`` (metres).

        Args:
            position: x, y, z in the stage's axes (y upwards).
            target: the point in the middle of the picture.
            size: width and height in pixels.
            view: vertical angle of view, degrees.
        """
        position, target = np.asarray(position, float), np.asarray(target, float)
        ahead = (target - position) / np.linalg.norm(target - position)
        right = np.cross(ahead, (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(ahead, right), ahead])
        focal = size[1] / (2 * np.tan(np.radians(view) / 2))
        matrix = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
        return cls(matrix, rotation, -rotation @ position, (int(size[0]), int(size[1])))

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points to the picture.

        Args:
            points: (..., 3), metres.

        Returns:
            Pixels (..., 2), and depth in metres (...).
        """
        seen = points @ self.rotation.T + self.translation
        depth = np.maximum(seen[..., 2], 1e-3)
        pixels = seen[..., :2] / depth[..., None] * self.matrix[[0, 1], [0, 1]] + self.matrix[:2, 2]
        return pixels, depth

    @property
    def position(self) -> np.ndarray:
        """Position of the camera, metres."""
        return -self.rotation.T @ self.translation


def aist_cameras(rng: np.random.Generator, size: tuple[int, int] = (1920, 1080)) -> tuple[Camera, ...]:
    """Return nine cameras like those of the AIST studio: eight in a ring, the ninth in front and lower.

    The first looks at the dancer's front, the others follow clockwise in steps of 45 degrees seen from above.

    Args:
        rng: small differences of aim, height and distance.
        size: picture width and height in pixels.
    """
    cameras = []
    for i in range(9):
        angle = np.radians(45.0 * i if i < 8 else 0.0) + rng.normal(0.0, 0.05)
        distance = (4.6 if i < 8 else 3.9) + rng.normal(0.0, 0.15)
        height = (1.35 if i < 8 else 0.55) + rng.normal(0.0, 0.08)
        position = (distance * np.sin(angle), height, distance * np.cos(angle))
        target = rng.normal(0.0, 0.05, 3) + (0.0, 0.95, 0.0)
        cameras.append(Camera.looking_at(position, target, size, 38.0 if i < 8 else 44.0))
    return tuple(cameras)


def wild_camera(rng: np.random.Generator, size: tuple[int, int] = (640, 480)) -> Camera:
    """Draw a camera as in amateur videos: mostly from the front, at any height, close to the dancer.

    Args:
        rng: random generator.
        size: width and height in pixels.
    """
    angle = np.clip(rng.normal(0.0, 0.45), -1.4, 1.4)
    distance = rng.uniform(3.0, 5.5)
    position = (distance * np.sin(angle), rng.uniform(0.6, 1.7), distance * np.cos(angle))
    target = (rng.normal(0.0, 0.1), rng.uniform(0.85, 1.05), 0.0)
    tall = 2.0 * np.degrees(np.arctan(rng.uniform(1.15, 1.7) / distance))
    return Camera.looking_at(position, target, size, float(tall))


@dataclass(frozen=True)
class Handheld:
    """Movement of a camera that somebody holds: shake, pans, zooms, and pictures that are shown twice.

    Attributes:
        shift: (T, 2), how far the picture is moved to the right and down, picture heights.
        zoom: (T,), enlargement around the middle of the picture.
        roll: (T,), rotation of the picture around its middle, radians.
        shown: (T,), number of the picture that is shown at each frame.
    """

    shift: np.ndarray
    zoom: np.ndarray
    roll: np.ndarray
    shown: np.ndarray

    @classmethod
    def draw(cls, frames: int, fps: float, rng: np.random.Generator) -> Handheld:
        """Draw the movement of a camera.

        Args:
            frames: number of frames.
            fps: frames a second.
            rng: random generator.
        """
        amount = rng.choice([0.0, 1.0, 3.0], p=[0.4, 0.4, 0.2])
        lost = rng.choice([0.0, 0.03, 0.15], p=[0.5, 0.35, 0.15])

        def wander(size: float, seconds: float, *axes: int) -> np.ndarray:
            width = seconds * fps
            noise = gaussian_filter1d(rng.normal(0.0, 1.0, (frames, *axes)), width, axis=0, mode="nearest")
            return amount * size * noise * np.sqrt(2.0 * np.sqrt(np.pi) * width)

        shown = np.arange(frames)
        repeated = rng.random(frames) < lost
        repeated[0] = False
        return cls(
            shift=wander(0.004, 0.12, 2) + wander(0.03, 1.5, 2),
            zoom=np.exp(wander(0.05, 1.5)),
            roll=wander(0.01, 0.5),
            shown=np.maximum.accumulate(np.where(repeated, 0, shown)),
        )

    def see(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Return points as the moving camera sees them.

        Args:
            points: (T, J, 3) in picture heights, as the resting camera sees them.
            size: picture width and height in pixels.
        """
        middle = np.array([0.5 * size[0] / size[1], 0.5])
        points = points[self.shown]
        x, y = np.moveaxis(points[..., :2] - middle, -1, 0)
        cosine, sine = np.cos(self.roll)[:, None], np.sin(self.roll)[:, None]
        turned = np.stack([cosine * x - sine * y, sine * x + cosine * y, points[..., 2]], axis=-1)
        turned *= self.zoom[:, None, None]
        turned[..., :2] += middle + self.shift[:, None]
        return turned
