"""Reader and writer of AIST++'s pickles: SMPL parameters and keypoints.

Pickles may come from anywhere: they are read by an unpickler that knows numbers, text, containers and numpy
arrays, and calls nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.datasets.safe_pickle import load_pickle, save_pickle
from d2m.errors import D2MError
from d2m.types import SmplMotion

#: Frames a second of every sequence.
FPS = 60.0


@dataclass(frozen=True)
class Keypoints2d:
    """Keypoints of nine views.

    Attributes:
        points: float32 (9, T, 17, 3): x and y in pixels of 1920 x 1080, confidence; NaN where nobody was found.
        scores: float32 (9, T), detection scores.
        timestamps: int64 (T,), as stored.
    """

    points: np.ndarray
    scores: np.ndarray
    timestamps: np.ndarray


def _array(data: Mapping[str, object], key: str, path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return a numeric array of the requested shape; None stands for any length."""
    value = data.get(key)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        raise D2MError(f"{path} has no array '{key}'; it is not an AIST++ file of this kind")
    if value.ndim != len(shape) or any(w not in (None, n) for w, n in zip(shape, value.shape, strict=True)):
        wanted = ", ".join("T" if n is None else str(n) for n in shape)
        raise D2MError(f"{path}: '{key}' has shape {value.shape}, expected ({wanted})")
    return value


def read_motion(path: str | Path) -> SmplMotion:
    """Read SMPL parameters from ``motions/NAME.pkl``.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, unsafe, or of another kind.
    """
    path = Path(path)
    data = load_pickle(path)
    poses = data.get("smpl_poses")
    if isinstance(poses, np.ndarray) and poses.ndim == 2:
        data = data | {"smpl_poses": poses.reshape(len(poses), -1, 3)}
    poses = _array(data, "smpl_poses", path, (None, 24, 3))
    translation = _array(data, "smpl_trans", path, (len(poses), 3))
    scale = float(np.ravel(_array(data, "smpl_scaling", path, (1,)))[0])
    if not (np.isfinite(poses).all() and np.isfinite(translation).all() and np.isfinite(scale) and scale > 0):
        raise D2MError(f"{path} holds numbers that are not finite; download it again")
    for key in ("fps", "mocap_framerate", "mocap_frame_rate"):
        # not in AIST++, but in what converters from other collections write
        told = np.ravel(np.asarray(data.get(key, FPS)))
        if told.dtype.kind in "fiu" and told.size and abs(float(told[0]) - FPS) > 0.1:
            raise D2MError(f"{path} runs at {float(told[0]):g} fps, not at 60; resample it first")
    return SmplMotion(poses.astype(np.float32), translation.astype(np.float32), scale, FPS)


def write_motion(path: str | Path, motion: SmplMotion, loss: float = 0.0) -> None:
    """Write ``motions/NAME.pkl`` atomically.

    Args:
        path: the file.
        motion: SMPL parameters.
        loss: loss of the fit.
    """
    save_pickle(
        path,
        {
            "smpl_poses": motion.poses.reshape(len(motion.poses), 72).astype(np.float32),
            "smpl_scaling": np.array([motion.scale], dtype=np.float32),
            "smpl_trans": motion.translation.astype(np.float32),
            "smpl_loss": float(loss),
        },
    )


def read_keypoints2d(path: str | Path) -> Keypoints2d:
    """Read the keypoints of nine views from ``keypoints2d/NAME.pkl``.

    Args:
        path: the file.

    Raises:
        D2MError: as for :func:`read_motion`.
    """
    path = Path(path)
    data = load_pickle(path)
    points = _array(data, "keypoints2d", path, (9, None, 17, 3))
    scores = _array(data, "det_scores", path, (9, points.shape[1]))
    stamps = _array(data, "timestamps", path, (points.shape[1],))
    return Keypoints2d(points.astype(np.float32), scores.astype(np.float32), stamps.astype(np.int64))


def write_keypoints2d(path: str | Path, keypoints: Keypoints2d) -> None:
    """Write ``keypoints2d/NAME.pkl`` atomically.

    Args:
        path: the file.
        keypoints: keypoints of nine views.
    """
    save_pickle(
        path,
        {
            "keypoints2d": keypoints.points.astype(np.float32),
            "det_scores": keypoints.scores.astype(np.float32),
            "timestamps": keypoints.timestamps.astype(np.int64),
        },
    )


def read_keypoints3d(path: str | Path, optimised: bool = True) -> np.ndarray:
    """Read ``keypoints3d/NAME.pkl``.

    Args:
        path: the file.
        optimised: the temporally smoothed keypoints.

    Returns:
        float32 (T, 17, 3), centimetres.

    Raises:
        D2MError: as for :func:`read_motion`.
    """
    path = Path(path)
    key = "keypoints3d_optim" if optimised else "keypoints3d"
    return _array(load_pickle(path), key, path, (None, 17, 3)).astype(np.float32)


def write_keypoints3d(path: str | Path, raw: np.ndarray, optimised: np.ndarray) -> None:
    """Write ``keypoints3d/NAME.pkl`` atomically.

    Args:
        path: the file.
        raw, optimised: float (T, 17, 3), centimetres.
    """
    save_pickle(
        path,
        {"keypoints3d": raw.astype(np.float32), "keypoints3d_optim": optimised.astype(np.float32)},
    )
