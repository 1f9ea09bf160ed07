"""Read the inputs of D2M-GAN that the user gives as files: motion and visual features."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.datasets.examples import DAMAGED
from d2m.errors import D2MError
from d2m.types import Motion, SmplMotion, Visual

#: An hour of keypoints is 33 MB.
_MOST_BYTES = 1 << 29


@dataclass(frozen=True)
class Keypoints:
    """OpenPose's 25 keypoints as stored in files.

    Attributes:
        points: float32 (T, 25, 3): x and y in pixels, confidence.
        fps: frames a second.
        height: pixels of the picture's height, or None where the file does not say.
    """

    points: np.ndarray
    fps: float
    height: float | None

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.points) / self.fps

    def motion(self, height: float) -> Motion:
        """Convert the keypoints to picture heights.

        Args:
            height: height of the picture in pixels, used if the file does not contain it.
        """
        joints = self.points.copy()
        joints[..., :2] /= self.height or height
        joints[..., 2] = 0
        return Motion(joints, self.fps, "body25", self.points[..., 2].copy())


def read_motion_file(path: str | Path) -> SmplMotion | Keypoints:
    """Read a dance from an AIST++ motion file (``.pkl``) or a keypoint file (``.npz``).

    The latter is what ``d2m features`` writes: ``body25`` (T, 25, 3), x and y in pixels and confidence; ``fps``; and
    ``height``, of the picture in pixels.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, unsafe, damaged, holds something else, or numbers that are not finite.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        from d2m.datasets.aist import read_motion

        motion = read_motion(path)
        if len(motion.poses) == 0:
            raise D2MError(f"{path} holds no frames; give the motion of this video")
        return motion
    arrays = _arrays(path)
    points, fps, height = arrays.get("body25"), _number(arrays.get("fps")), _number(arrays.get("height"))
    if points is None or points.ndim != 3 or points.shape[1:] != (25, 3) or points.dtype.kind not in "fiu":
        raise D2MError(
            f"{path} holds no keypoints: it needs an array 'body25' of (T, 25, 3), as d2m features writes it"
        )
    if not len(points) or fps is None or not 1 <= fps <= 1000:
        raise D2MError(f"{path} needs frames and an entry 'fps', frames a second; make it again with d2m features")
    if height is not None and not 0 < height < 1e5:
        raise D2MError(f"{path}: a picture {height:g} pixels high is not usable; make it again with d2m features")
    good = np.isfinite(points).all(axis=(1, 2))
    if not good.all():
        raise D2MError(f"{path}: the motion is not finite in frame {int(np.argmin(good))}; make it again")
    return Keypoints(points.astype(np.float32), fps, height)


def read_visual_file(path: str | Path) -> Visual:
    """Read visual features from the one array (S, 2048) of a ``.npy`` or ``.npz`` file, one row for each 2 s of video.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, damaged, has none or several, or holds numbers that are not finite.
    """
    from d2m.generator.d2m_gan import VISUAL_SIZE

    path = Path(path)
    found = [a for a in _arrays(path).values() if a.ndim == 2 and a.shape[1] == VISUAL_SIZE and a.dtype.kind == "f"]
    if len(found) != 1 or not len(found[0]):
        raise D2MError(f"{path} holds no visual features: one array of (segments, {VISUAL_SIZE}) is needed")
    if not np.isfinite(found[0]).all():
        raise D2MError(f"{path} holds numbers that are not finite; make it again")
    return Visual(found[0].astype(np.float32), path.name)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                    raise D2MError(f"{path} unpacks to more than a dance needs; make it again")
        elif path.stat().st_size > _MOST_BYTES:
            raise D2MError(f"{path} is longer than a dance needs; make it again")
        with path.open("rb") as file:
            magic = file.read(6)
        if magic[:2] != b"PK" and magic != b"\x93NUMPY":
            raise D2MError(f"{path} is not a NumPy file (.npz or .npy)")
        held = np.load(path, allow_pickle=False)
        if isinstance(held, np.ndarray):
            return {"": held}
        with held:
            return {name: held[name] for name in held.files}
    except FileNotFoundError as error:
        raise D2MError(f"{path}: no such file") from error
    except DAMAGED as error:
        raise D2MError(f"{path} is damaged or not a NumPy file; make it again") from error


def _number(value: np.ndarray | None) -> float | None:
    if value is None or value.size != 1 or value.dtype.kind not in "fiu" or not np.isfinite(value).all():
        return None
    return float(value.reshape(()))
