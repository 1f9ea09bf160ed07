"""Convert a dancer's controls (positions of the feet, directions of the arms) to SMPL joint rotations.

The choreography sets feet, hips and arms, not 24 rotations: legs are solved by inverse kinematics so that a standing
foot does not move, arms follow from the directions of the upper arm and forearm.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from . import skeleton as sk
from .skeleton import unit

#: The controls, by body part, with their neutral values; all float64 (T, n) over time.
#:   base    where the dancer stands on the stage and faces: x, z (m), heading (rad, 0 = to the front camera)
#:   pelvis  offset x, y, z from above the base (m), then pitch (forward), roll (to the right), yaw (to the left)
#:   spine   pitch, roll, twist of the whole trunk (rad)
#:   chest   pitch of the chest alone, negative is popped out (rad)
#:   head    pitch, roll, yaw relative to the trunk (rad)
#:   left, right  arms: upper arm and forearm directions as (out, up, forward) each, shrug (rad), wrist bend (rad)
#:   left_foot, right_foot  ankle on the stage: x, height above standing, z (m), yaw, heel lift (rad)
NEUTRAL: dict[str, tuple[float, ...]] = {
    "base": (0.0, 0.0, 0.0),
    "pelvis": (0.0, -0.04, 0.0, 0.0, 0.0, 0.0),
    "spine": (0.06, 0.0, 0.0),
    "chest": (0.0,),
    "head": (0.0, 0.0, 0.0),
    "left": (0.28, -0.95, 0.0, 0.10, -0.80, 0.55, 0.0, 0.1),
    "right": (0.28, -0.95, 0.0, 0.10, -0.80, 0.55, 0.0, 0.1),
    "left_foot": (0.13, 0.0, 0.0, 0.25, 0.0),
    "right_foot": (-0.13, 0.0, 0.0, -0.25, 0.0),
}
#: Largest rotation of a joint, radians, after ranges of motion of healthy adults (rounded up for dancers).
LIMITS: dict[str, float] = {
    "spine1": 0.70, "spine2": 0.70, "spine3": 0.60, "neck": 0.75, "head": 0.75, "collar": 0.60, "hip": 2.30,
    "knee": 2.55, "ankle": 1.00, "elbow": 2.60, "wrist": 1.20, "foot": 0.60, "hand": 0.50,
}  # fmt: skip


def solve(controls: dict[str, np.ndarray], fps: float = 60.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the joint rotations and pelvis positions of the neutral body.

    Args:
        controls: the parts named in :data:`NEUTRAL`, float64 (T, n) each.
        fps: frames a second.

    Returns:
        Axis-angle (T, 24, 3) in radians within :data:`LIMITS`, and pelvis (T, 3) in metres.
    """
    frames = len(controls["base"])
    local = np.broadcast_to(np.eye(3), (frames, 24, 3, 3)).copy()
    base, hips = controls["base"], controls["pelvis"]
    root = _turn(base[:, 2] + hips[:, 5]) @ sk.matrices(np.stack([hips[:, 3], np.zeros(frames), hips[:, 4]], axis=-1))
    shift = np.einsum("tij,tj->ti", _turn(base[:, 2]), hips[:, :3] * (1, 0, 1))
    pelvis = shift + np.stack([base[:, 0], sk.STANDING + hips[:, 1], base[:, 1]], axis=-1)
    pelvis = _within_reach(_balanced(pelvis, controls, fps), root, controls)
    local[:, 0] = root
    _trunk(local, controls)
    for side in ("left", "right"):
        _leg(local, root, pelvis, controls[f"{side}_foot"], side)
        _arm(local, controls[side], side)
    return _limited(sk.rotvecs(local)), pelvis


def _turn(angle: np.ndarray) -> np.ndarray:
    return sk.matrices(np.stack([0 * angle, angle, 0 * angle], axis=-1))


def _trunk(local: np.ndarray, controls: dict[str, np.ndarray]) -> None:
    pitch, roll, twist = controls["spine"].T
    bend = np.stack([pitch, twist, roll], axis=-1)
    for name, share in (("spine1", 0.34), ("spine2", 0.34), ("spine3", 0.32)):
        part = bend * share
        if name == "spine3":
            part = part + np.stack([controls["chest"][:, 0], 0 * pitch, 0 * pitch], axis=-1)
        local[:, sk.INDEX[name]] = sk.matrices(part)
    head = controls["head"][:, [0, 2, 1]]
    local[:, sk.INDEX["neck"]] = sk.matrices(head * 0.45)
    local[:, sk.INDEX["head"]] = sk.matrices(head * 0.55)


def ankles(foot: np.ndarray) -> np.ndarray:
    """Compute the positions of the ankle; a raised heel lifts it over the ball of the foot.

    Args:
        foot: controls of a foot.

    Returns:
        (T, 3), metres.
    """
    x, height, z, yaw, heel = foot.T
    reach = sk.FOOT * (1 - np.cos(heel))
    y = sk.ANKLE_HEIGHT + height + sk.FOOT * np.sin(np.maximum(heel, 0.0))
    return np.stack([x + np.sin(yaw) * reach, y, z + np.cos(yaw) * reach], axis=-1)


def _balanced(pelvis: np.ndarray, controls: dict[str, np.ndarray], fps: float) -> np.ndarray:
    """Keeps the hips over the feet that stand, nine tenths of the way: nobody leans like a tower for long."""
    left, right = controls["left_foot"], controls["right_foot"]
    stands = [np.clip(1.0 - foot[:, 1:2] / 0.14, 0.0, 1.0) for foot in (left, right)]
    total = stands[0] + stands[1]
    support = (stands[0] * left[:, [0, 2]] + stands[1] * right[:, [0, 2]]) / np.maximum(total, 1e-3)
    apart = np.linalg.norm(left[:, [0, 2]] - right[:, [0, 2]], axis=-1, keepdims=True)
    free = 0.11 + 0.35 * np.minimum(*stands) * apart
    away = pelvis[:, [0, 2]] - support
    distance = np.linalg.norm(away, axis=-1, keepdims=True)
    excess = 0.02 * np.logaddexp(0.0, (distance - free) / 0.02)
    pull = -0.9 * np.minimum(total, 1.0) * excess * away / np.maximum(distance, 1e-6)
    # a body has mass: support changes in a moment, hips do not
    pull = gaussian_filter1d(pull, 0.09 * fps, axis=0, mode="nearest")
    return pelvis + np.stack([pull[:, 0], 0 * pull[:, 0], pull[:, 1]], axis=-1)


def _within_reach(pelvis: np.ndarray, root: np.ndarray, controls: dict[str, np.ndarray]) -> np.ndarray:
    """Lowers the pelvis where a standing leg would otherwise be too short."""
    longest = 0.992 * (sk.THIGH + sk.SHANK)
    lowered = pelvis[:, 1].copy()
    for side in ("left", "right"):
        foot = controls[f"{side}_foot"]
        hip = root @ sk.OFFSETS[sk.INDEX[f"{side}_hip"]]
        ankle = ankles(foot)
        flat = np.hypot(*(pelvis + hip - ankle)[:, [0, 2]].T)
        ceiling = ankle[:, 1] + np.sqrt(np.maximum(longest**2 - flat**2, 0.15**2)) - hip[:, 1]
        standing = np.clip(1.0 - foot[:, 1] / 0.12, 0.0, 1.0)
        excess = lowered - ceiling
        # softplus: a hard minimum would jerk the hips the moment a leg straightens
        lowered = lowered - standing * 0.012 * np.logaddexp(0.0, excess / 0.012)
    return np.stack([pelvis[:, 0], np.maximum(lowered, 0.16), pelvis[:, 2]], axis=-1)


def _leg(local: np.ndarray, root: np.ndarray, pelvis: np.ndarray, foot: np.ndarray, side: str) -> None:
    hip = pelvis + root @ sk.OFFSETS[sk.INDEX[f"{side}_hip"]]
    reach = ankles(foot) - hip
    length = np.linalg.norm(reach, axis=-1)
    distance = np.clip(length, 0.30 * (sk.THIGH + sk.SHANK), 0.997 * (sk.THIGH + sk.SHANK))
    along = unit(reach)
    toes = np.stack([np.sin(foot[:, 3]), 0 * length, np.cos(foot[:, 3])], axis=-1)
    pole = unit(toes + root[:, :, 2] + 0.25 * root[:, :, 1])
    pole = unit(pole - along * np.sum(pole * along, axis=-1, keepdims=True))
    inside = (sk.THIGH**2 + distance**2 - sk.SHANK**2) / (2 * sk.THIGH * distance)
    lift = np.arccos(np.clip(inside, -1, 1))[:, None]
    thigh = np.cos(lift) * along + np.sin(lift) * pole
    bend = (sk.THIGH**2 + sk.SHANK**2 - distance**2) / (2 * sk.THIGH * sk.SHANK)
    flexion = np.pi - np.arccos(np.clip(bend, -1, 1))
    hinge = unit(np.cross(-thigh, pole))
    frame = np.stack([hinge, -thigh, np.cross(hinge, -thigh)], axis=-1)
    knee = sk.matrices(np.stack([flexion, 0 * flexion, 0 * flexion], axis=-1))
    sole = _turn(foot[:, 3]) @ sk.matrices(np.stack([foot[:, 4], 0 * length, 0 * length], axis=-1))
    local[:, sk.INDEX[f"{side}_hip"]] = np.swapaxes(root, -1, -2) @ frame
    local[:, sk.INDEX[f"{side}_knee"]] = knee
    local[:, sk.INDEX[f"{side}_ankle"]] = np.swapaxes(frame @ knee, -1, -2) @ sole


def _arm(local: np.ndarray, arm: np.ndarray, side: str) -> None:
    """Solved as a left arm; the right one is its mirror image."""
    upper = unit(np.clip(arm[:, 0:3], (-0.75, -1.1, -0.75), 1.1))
    fore = unit(arm[:, 3:6])
    cosine = np.sum(upper * fore, axis=-1)
    # forearms folded back into the upper arm open to the elbow's range
    fold = np.maximum(-0.80 - cosine, 0.0)[:, None]
    fore = unit(fore + 1.6 * fold * (unit(np.array([0.3, 0.2, 1.0])) + upper))
    flexion = np.arccos(np.clip(np.sum(upper * fore, axis=-1), -1, 1))
    # an outstretched arm has no plane of its own: then it would bend to the front
    hinge = np.cross(upper, fore)
    straight = np.exp(-np.sum(hinge**2, axis=-1, keepdims=True) / 0.02)
    hinge = hinge + 0.10 * straight * np.cross(upper, np.array([0.0, 0.35, 1.0]))
    hinge = unit(hinge - upper * np.sum(hinge * upper, axis=-1, keepdims=True))
    frame = np.stack([upper, -hinge, np.cross(upper, -hinge)], axis=-1)
    shrug = arm[:, 6] + 0.22 * np.maximum(upper[:, 1], 0.0)
    collar = np.stack([0 * shrug, -0.12 * np.maximum(upper[:, 2], 0.0), shrug], axis=-1)
    shoulder = sk.rotvecs(np.swapaxes(sk.matrices(collar), -1, -2) @ frame)
    elbow = np.stack([0 * flexion, -flexion, 0 * flexion], axis=-1)
    wrist = np.stack([0 * flexion, -0.3 * arm[:, 7], -arm[:, 7]], axis=-1)
    mirror = np.array([1.0, 1.0, 1.0]) if side == "left" else np.array([1.0, -1.0, -1.0])
    for name, rotvec in (("collar", collar), ("shoulder", shoulder), ("elbow", elbow), ("wrist", wrist)):
        local[:, sk.INDEX[f"{side}_{name}"]] = sk.matrices(rotvec * mirror)


def _limited(rotvec: np.ndarray) -> np.ndarray:
    for name, most in LIMITS.items():
        for joint in (name, f"left_{name}", f"right_{name}"):
            if joint in sk.INDEX:
                angle = np.linalg.norm(rotvec[:, sk.INDEX[joint]], axis=-1, keepdims=True)
                rotvec[:, sk.INDEX[joint]] *= np.minimum(1.0, most / np.maximum(angle, 1e-9))
    return rotvec
