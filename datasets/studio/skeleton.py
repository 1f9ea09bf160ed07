"""Skeleton of the studio dancer: SMPL's 24 joints with neutral proportions, and forward kinematics.

Axes follow SMPL (Loper et al. 2015): y upwards, x to the body's left, z to its front; the rest pose is a T with
all rotations zero. Segment lengths are fractions of stature from the anthropometric tables in Winter,
"Biomechanics and Motor Control of Human Movement" (4th ed., fig. 4.1), at 1.70 m.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

JOINTS: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip
#: Index of each joint by name.
INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINTS)}
#: Parent of each joint; the pelvis has none (-1).
PARENTS: tuple[int, ...] = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

STATURE = 1.70
THIGH = 0.245 * STATURE
SHANK = 0.246 * STATURE
UPPER_ARM = 0.172 * STATURE
FOREARM = 0.157 * STATURE
ANKLE_HEIGHT = 0.039 * STATURE
FOOT = 0.090 * STATURE
#: The rest position of the pelvis, as in SMPL's template, whose origin lies at the chest.
REST_PELVIS = np.array([0.0, -0.22, 0.03])


def _offsets() -> np.ndarray:
    left = {
        "hip": (0.056, -0.050, 0.0),
        "knee": (0.0, -0.245, 0.0),
        "ankle": (0.0, -0.246, -0.006),
        "foot": (0.008, -0.030, 0.085),
        "collar": (0.036, 0.070, 0.0),
        "shoulder": (0.074, 0.014, -0.006),
        "elbow": (0.172, 0.0, 0.0),
        "wrist": (0.157, 0.0, 0.0),
        "hand": (0.050, 0.0, 0.0),
    }
    middle = {
        "spine1": (0.0, 0.062, -0.008),
        "spine2": (0.0, 0.078, 0.0),
        "spine3": (0.0, 0.040, 0.004),
        "neck": (0.0, 0.124, -0.008),
        "head": (0.0, 0.052, 0.012),
    }
    table = np.zeros((24, 3))
    for i, name in enumerate(JOINTS):
        side, _, part = name.partition("_")
        if name in middle:
            table[i] = middle[name]
        elif part:
            x, y, z = left[part]
            table[i] = (x if side == "left" else -x, y, z)
    return table * STATURE


#: float64 (24, 3): each joint from its parent in the rest pose, metres.
OFFSETS = _offsets()
#: Height of the pelvis above the floor when the neutral body stands straight, metres.
STANDING = float(-(OFFSETS[1, 1] + OFFSETS[4, 1] + OFFSETS[7, 1]) + ANKLE_HEIGHT)


def forward_kinematics(rotations: np.ndarray, pelvis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the joint positions of the neutral body.

    Args:
        rotations: (T, 24, 3, 3), each joint relative to its parent.
        pelvis: (T, 3), where the pelvis is, metres.

    Returns:
        Positions (T, 24, 3) in metres and world rotations (T, 24, 3, 3).
    """
    world = np.empty_like(rotations)
    joints = np.empty(rotations.shape[:2] + (3,))
    world[:, 0], joints[:, 0] = rotations[:, 0], pelvis
    for j in range(1, 24):
        p = PARENTS[j]
        world[:, j] = world[:, p] @ rotations[:, j]
        joints[:, j] = joints[:, p] + world[:, p] @ OFFSETS[j]
    return joints, world


def joints_of(poses: np.ndarray, translation: np.ndarray, scale: float) -> np.ndarray:
    """Return the joint positions (T, 24, 3) in metres of a motion in AIST++'s parameters.

    AIST++ places SMPL's output as ``scale * smpl(poses) + translation`` in centimetres.

    Args:
        poses: (T, 24, 3) axis-angle, radians.
        translation: (T, 3), centimetres.
        scale: AIST++'s ``smpl_scaling``: centimetres to one metre of the template.
    """
    rotations = matrices(poses)
    pelvis = np.broadcast_to(REST_PELVIS, (len(poses), 3))
    joints, _ = forward_kinematics(rotations, pelvis)
    return (joints * scale + np.asarray(translation)[:, None]) / 100.0


def matrices(rotvec: np.ndarray) -> np.ndarray:
    """Convert axis-angle vectors to rotation matrices.

    Args:
        rotvec: (..., 3), radians.

    Returns:
        (..., 3, 3).
    """
    flat = np.asarray(rotvec, dtype=np.float64).reshape(-1, 3)
    return Rotation.from_rotvec(flat).as_matrix().reshape(rotvec.shape[:-1] + (3, 3))


def rotvecs(matrix: np.ndarray) -> np.ndarray:
    """Convert rotation matrices to axis-angle vectors.

    Args:
        matrix: (..., 3, 3).

    Returns:
        (..., 3), radians.
    """
    flat = Rotation.from_matrix(np.asarray(matrix).reshape(-1, 3, 3)).as_rotvec()
    return flat.reshape(matrix.shape[:-2] + (3,))


def unit(v: np.ndarray) -> np.ndarray:
    """Scale vectors to length 1.

    Args:
        v: (..., 3).

    Returns:
        (..., 3).
    """
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)
