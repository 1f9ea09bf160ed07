"""Convert SMPL motion to model inputs and to joint positions.

SMPL: M. Loper et al., "SMPL: A Skinned Multi-Person Linear Model", SIGGRAPH Asia 2015. A frame of 219 values is
what AIST++'s baseline feeds (tools/preprocessing.py of github.com/google-research/mint) and what D2M-GAN, whose
authors say they follow AIST++, has for its AIST input, 120 frames (60 a second) for 2 s::

    0:3      translation, divided by the performance's smpl_scaling: metres, y upwards
    3:219    24 rotation matrices, row by row, the root's first; each relative to the joint's parent
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.extras import require
from d2m.files.plain_pickle import PlainObject, load_pickle
from d2m.types import Motion, SmplMotion

JOINTS = 24
#: Values of a frame, and where its parts are.
FRAME = 219
TRANSLATION, ROTATIONS = slice(0, 3), slice(3, 219)
#: The largest model file published has 300 shape components and is 250 MB.
MOST_BYTES = 400_000_000
#: Frames posed at a time.
_BLOCK = 2048


def smpl_frames(motion: SmplMotion) -> np.ndarray:
    """Convert SMPL motion to the input of D2M-GAN on AIST++.

    Args:
        motion: SMPL parameters.

    Returns:
        float32 (T, 219), as described above.

    Raises:
        D2MError: if a value is not finite, or the scale is not above 0; the message names the first bad frame.
    """
    from scipy.spatial.transform import Rotation

    _check(motion)
    frames = len(motion.poses)
    rotations = Rotation.from_rotvec(motion.poses.reshape(-1, 3).astype(np.float64)).as_matrix()
    translation = motion.translation.astype(np.float64) / motion.scale
    return np.concatenate([translation, rotations.reshape(frames, JOINTS * 9)], axis=1).astype(np.float32)


def smpl_motion(frames: np.ndarray, fps: float = 60.0, scale: float = 1.0) -> SmplMotion:
    """Return the motion of 219-value frames.

    A matrix that is no rotation, as a network may put out, is taken for the nearest one (least squares).

    Args:
        frames: float (T, 219).
        fps: frames a second.
        scale: the AIST++ ``smpl_scaling`` that the translation is multiplied with.

    Raises:
        ValueError: if the frames have another shape or are not finite.
    """
    from scipy.spatial.transform import Rotation

    frames = np.asarray(frames, dtype=np.float64)
    if frames.ndim != 2 or frames.shape[1] != FRAME or not np.isfinite(frames).all():
        raise ValueError(f"finite frames (T, {FRAME}) are needed, not {frames.shape}")
    left, _, right = np.linalg.svd(frames[:, ROTATIONS].reshape(-1, 3, 3))
    # Of the two nearest orthogonal matrices, the one that does not mirror.
    left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
    poses = Rotation.from_matrix(left @ right).as_rotvec().reshape(-1, JOINTS, 3)
    return SmplMotion(
        poses.astype(np.float32), (frames[:, TRANSLATION] * scale).astype(np.float32), float(scale), float(fps)
    )


@dataclass(frozen=True)
class SmplBody:
    """Bones of an SMPL model in its mean shape.

    Attributes:
        rest: float32 (24, 3), joints in the rest pose, metres.
        parents: int64 (24,), the joint that each hangs on, always an earlier one; -1 for the root.
    """

    rest: np.ndarray
    parents: np.ndarray


def read_body(path: str | Path) -> SmplBody:
    """Read the bones of an SMPL model file: ``.pkl`` as published, or converted to ``.npz``.

    A pickle is read as data: nothing in it is run, and neither chumpy nor an old SciPy is needed.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, unsafe, damaged, or no SMPL model.
    """
    path = Path(path)
    if not path.is_file():
        raise D2MError(f"{path}: no such file; SMPL models (SMPL_MALE.pkl …) are at https://smpl.is.tue.mpg.de")
    data = _npz(path) if path.suffix.lower() == ".npz" else load_pickle(path, MOST_BYTES, ("scipy", "chumpy"))
    template = _dense(data.get("v_template"))
    regressor = _dense(data.get("J_regressor"))
    tree = _dense(data.get("kintree_table"))
    if template is None or regressor is None or tree is None:
        raise D2MError(f"{path} is not an SMPL model: it has no v_template, J_regressor or kintree_table")
    if template.shape[1:] != (3,) or regressor.shape != (JOINTS, len(template)) or tree.shape != (2, JOINTS):
        raise D2MError(f"{path} is not an SMPL model of {JOINTS} joints; SMPL-H and SMPL-X have others")
    # The root's parent is written as -1 in an unsigned number.
    parents = np.concatenate([[-1], tree[0, 1:].astype(np.int64)])
    rest = regressor.astype(np.float64) @ template
    if not np.isfinite(rest).all() or (parents[1:] < 0).any() or (parents >= np.arange(JOINTS)).any():
        raise D2MError(f"{path} is damaged: its joints are not connected; download it again")
    return SmplBody(rest.astype(np.float32), parents)


def joints(motion: SmplMotion, model: str | Path | SmplBody) -> Motion:
    """Return where the joints are, by forward kinematics with smplx.

    AIST++ places bodies by ``scale * body + translation`` in centimetres; here both are divided by the scale, so
    that every dancer has the model's size (as AIST++'s own feature extraction does).

    Args:
        motion: a performance.
        model: a SMPL model file, or what :func:`read_body` made of one. AIST++ fitted the male model.

    Returns:
        Skeleton ``"smpl24"``, metres, y upwards, confidence 1.

    Raises:
        D2MError: if the file cannot be used, smplx is not installed, or a value is not finite.
    """
    require("smplx", "smpl", "the SMPL body model")
    import torch
    from smplx.lbs import batch_rigid_transform, batch_rodrigues

    _check(motion)
    body = model if isinstance(model, SmplBody) else read_body(model)
    rest, parents = torch.from_numpy(body.rest), torch.from_numpy(body.parents)
    blocks = [np.zeros((0, JOINTS, 3), np.float32)]
    for start in range(0, len(motion.poses), _BLOCK):
        poses = torch.from_numpy(np.ascontiguousarray(motion.poses[start : start + _BLOCK], np.float32))
        turns = batch_rodrigues(poses.reshape(-1, 3)).reshape(-1, JOINTS, 3, 3)
        blocks.append(batch_rigid_transform(turns, rest.expand(len(poses), -1, -1), parents)[0].numpy())
    placed = np.concatenate(blocks) + (motion.translation / motion.scale)[:, None]
    return Motion(placed.astype(np.float32), motion.fps, "smpl24", np.ones(placed.shape[:2], np.float32))


def _check(motion: SmplMotion) -> None:
    if not (np.isfinite(motion.scale) and motion.scale > 0):
        raise D2MError(f"the motion's scale is {motion.scale}; it must be above 0")
    good = np.isfinite(motion.poses).all(axis=(1, 2)) & np.isfinite(motion.translation).all(axis=1)
    if not good.all():
        raise D2MError(f"the motion is not finite in frame {int(np.argmin(good))}; leave this sequence out")


def _dense(value: object) -> np.ndarray | None:
    """A number array from an array, from chumpy's wrapper of one, or from SciPy's compressed columns or rows."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        return value
    if not isinstance(value, PlainObject):
        return None
    parts = value.contents
    if "x" in parts:
        return _dense(parts["x"])
    data, indices, starts = (_dense(parts.get(key)) for key in ("data", "indices", "indptr"))
    shape = parts.get("_shape", parts.get("shape"))
    if data is None or indices is None or starts is None or shape is None:
        return None
    return _unpacked(data, indices, starts, shape)


def _unpacked(data: np.ndarray, indices: np.ndarray, starts: np.ndarray, shape: object) -> np.ndarray | None:
    """The dense array; as many starts as columns and one more mean columns, as in SMPL's files, otherwise rows."""
    from scipy.sparse import csc_matrix, csr_matrix

    if not isinstance(shape, (tuple, list, np.ndarray)):
        return None
    try:
        rows, columns = (int(n) for n in shape)
        if rows * columns > MOST_BYTES // 8:
            return None
        kind = csc_matrix if len(starts) == columns + 1 else csr_matrix
        return kind((data, indices, starts), shape=(rows, columns)).toarray()
    except (TypeError, ValueError):
        return None


def _npz(path: Path) -> dict[str, object]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise D2MError(f"{path} unpacks to more than an SMPL model needs; download it again")
        with np.load(path, allow_pickle=False) as data:
            return {key: data[key] for key in ("v_template", "J_regressor", "kintree_table") if key in data}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise D2MError(f"{path} is damaged or not an SMPL model; download it again") from error
