"""Convert MediaPipe's 33 landmarks to OpenPose's BODY_25 and COCO's 17 keypoints.

BODY_25 (Cao et al., "OpenPose", TPAMI 2019; order as in its documentation of the output) asks for points that
MediaPipe does not have. They are composed:

===================  =============================================  ==========================================
BODY_25              from MediaPipe                                 why
===================  =============================================  ==========================================
1 neck               middle of both shoulders (11, 12)              OpenPose defines it so for its training
8 mid-hip            middle of both hips (23, 24)                   likewise
19, 22 big toe       foot index (31, 32)                            the tip of the foot
20, 23 small toe     foot index (31, 32)                            MediaPipe has one toe; a picture does not tell
                                                                    how far the little one is from it
21, 24 heel          heel (29, 30)                                  the same point
===================  =============================================  ==========================================

A composed point is as sure as the least sure of its parts. Unlike OpenPose, which gives a missing point as
(0, 0, 0), a point that was filled in keeps its place and has confidence 0.

Both skeletons name left and right as the dancer's own, as MediaPipe does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from d2m.types import Motion

#: The parts of each BODY_25 point, as MediaPipe indices.
BODY25: tuple[tuple[int, ...], ...] = (
    (0,), (11, 12), (12,), (14,), (16,), (11,), (13,), (15,), (23, 24), (24,), (26,), (28,), (23,), (25,), (27,),
    (5,), (2,), (8,), (7,), (31,), (31,), (29,), (32,), (32,), (30,),
)  # fmt: skip
#: The parts of each COCO keypoint.
COCO17: tuple[tuple[int, ...], ...] = tuple(
    (i,) for i in (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
)
#: Height in pixels of the picture that :func:`body25_frames` puts every dance in.
FRAME_HEIGHT = 720


def to_body25(motion: Motion) -> Motion:
    """Convert a ``"mediapipe33"`` motion to OpenPose's 25 keypoints, in the same units.

    Args:
        motion: landmarks.

    Raises:
        ValueError: if the motion has another skeleton.
    """
    return _composed(motion, BODY25, "body25")


def to_coco17(motion: Motion) -> Motion:
    """Convert a ``"mediapipe33"`` motion to COCO's 17 keypoints (Lin et al., ECCV 2014), in the same units.

    Args:
        motion: landmarks.

    Raises:
        ValueError: if the motion has another skeleton.
    """
    return _composed(motion, COCO17, "coco17")


def in_pixels(motion: Motion, height: float) -> np.ndarray:
    """Convert a motion to pixels.

    Args:
        motion: landmarks in picture heights.
        height: height of the picture in pixels.

    Returns:
        float32 (T, J, 3), x and y in pixels, confidence.
    """
    return np.concatenate([motion.joints[..., :2] * height, motion.confidence[..., None]], axis=-1).astype(np.float32)


def body25_frames(motion: Motion, height: float = FRAME_HEIGHT) -> np.ndarray:
    """Return the motion input of D2M-GAN on TikTok: float32 (T, 75), x, y and confidence of the 25 points in turn.

    The authors' data is OpenPose's, 60 frames for 2 s (30 a second), and their loader (``TiktokDataset`` in
    d2m/dataset.py of github.com/L-YeZhu/D2M-GAN) hands the values to the network as they are. OpenPose's default
    is pixels of the source video (``--keypoint_scale 0``), so values run into the hundreds; which scale they ran
    it with is not written down. Every dance is therefore put in pixels of a picture of one height, 720, that of
    their larger published samples: a video and its smaller copy are the same dance.

    Args:
        motion: skeleton ``"mediapipe33"`` or ``"body25"``, 30 frames a second for the published models.
        height: pixels that a picture height counts.

    Raises:
        ValueError: if the motion has another skeleton.
    """
    points = motion if motion.skeleton == "body25" else to_body25(motion)
    return in_pixels(points, height).reshape(len(points.joints), 75)


def at_rate(motion: Motion, fps: float, frames: int) -> Motion:
    """Resample a motion to frames at 0, 1/fps, 2/fps … seconds by interpolation.

    The ends are held, and so is the last frame before a cut until it.

    Args:
        motion: landmarks.
        fps: frames per second.
        frames: number of frames.
    """
    position = np.arange(frames) / fps * motion.fps
    first = np.clip(np.floor(position).astype(int), 0, len(motion.joints) - 1)
    second = np.minimum(first + 1, len(motion.joints) - 1)
    part = np.where(np.isin(second, motion.cuts), 0.0, np.clip(position - first, 0.0, 1.0))
    joints = motion.joints[first] * (1 - part)[:, None, None] + motion.joints[second] * part[:, None, None]
    # A point between a visible and an invisible one has the confidence of the latter.
    sure = np.where((part > 1e-6)[:, None], np.minimum(motion.confidence[first], motion.confidence[second]),
                    motion.confidence[first])  # fmt: skip
    cuts = {int(np.ceil(cut / motion.fps * fps - 1e-6)) for cut in motion.cuts}
    return Motion(
        joints.astype(np.float32), float(fps), motion.skeleton, sure.astype(np.float32),
        tuple(sorted(cut for cut in cuts if 0 < cut < frames)),
    )  # fmt: skip


def _composed(motion: Motion, parts: tuple[tuple[int, ...], ...], skeleton: str) -> Motion:
    if motion.skeleton != "mediapipe33":
        raise ValueError(f"a 'mediapipe33' motion is needed, not '{motion.skeleton}'")
    joints = np.stack([motion.joints[:, list(part)].mean(axis=1) for part in parts], axis=1).astype(np.float32)
    confidence = np.stack([motion.confidence[:, list(part)].min(axis=1) for part in parts], axis=1).astype(np.float32)
    return replace(motion, joints=joints, skeleton=skeleton, confidence=confidence)
