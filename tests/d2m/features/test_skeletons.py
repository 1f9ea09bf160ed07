"""MediaPipe's landmarks in other skeletons: the right point in the right place, as sure as its parts."""

from __future__ import annotations

import numpy as np
import pytest

from d2m.features.skeletons import at_rate, body25_frames, in_pixels, to_body25, to_coco17
from d2m.types import Motion

#: Anatomy by MediaPipe's documentation, written down independently of the tables under test.
MEDIAPIPE = {
    "nose": 0, "left eye": 2, "right eye": 5, "left ear": 7, "right ear": 8, "left shoulder": 11, "right shoulder": 12,
    "left elbow": 13, "right elbow": 14, "left wrist": 15, "right wrist": 16, "left hip": 23, "right hip": 24,
    "left knee": 25, "right knee": 26, "left ankle": 27, "right ankle": 28, "left heel": 29, "right heel": 30,
    "left big toe": 31, "right big toe": 32,
}  # fmt: skip
#: OpenPose's documentation of its output.
BODY25 = (
    "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist",
    "mid hip", "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle", "right eye", "left eye",
    "right ear", "left ear", "left big toe", "left small toe", "left heel", "right big toe", "right small toe",
    "right heel",
)  # fmt: skip
COCO = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle",
    "right ankle",
)  # fmt: skip


@pytest.fixture
def motion() -> Motion:
    rng = np.random.default_rng(0)
    return Motion(
        rng.random((12, 33, 3)).astype(np.float32), 30.0, "mediapipe33", rng.random((12, 33)).astype(np.float32)
    )


def test_body25_is_in_openpose_order(motion) -> None:
    points = to_body25(motion)
    assert (points.skeleton, points.fps, points.joints.shape) == ("body25", 30.0, (12, 25, 3))
    for index, name in enumerate(BODY25):
        if name in MEDIAPIPE:
            assert np.array_equal(points.joints[:, index], motion.joints[:, MEDIAPIPE[name]]), name
            assert np.array_equal(points.confidence[:, index], motion.confidence[:, MEDIAPIPE[name]]), name


def test_points_that_mediapipe_lacks_are_composed(motion) -> None:
    points = to_body25(motion)
    for name, parts in (("neck", ("left shoulder", "right shoulder")), ("mid hip", ("left hip", "right hip"))):
        both = [MEDIAPIPE[part] for part in parts]
        index = BODY25.index(name)
        assert np.allclose(points.joints[:, index], motion.joints[:, both].mean(axis=1))
        assert np.array_equal(points.confidence[:, index], motion.confidence[:, both].min(axis=1))
    for side in ("left", "right"):
        small, big = BODY25.index(f"{side} small toe"), BODY25.index(f"{side} big toe")
        assert np.array_equal(points.joints[:, small], points.joints[:, big])


def test_coco_is_in_its_order(motion) -> None:
    points = to_coco17(motion)
    assert (points.skeleton, points.joints.shape) == ("coco17", (12, 17, 3))
    for index, name in enumerate(COCO):
        assert np.array_equal(points.joints[:, index], motion.joints[:, MEDIAPIPE[name]]), name


def test_pixels_count_from_the_top_left_in_picture_heights(motion) -> None:
    points = in_pixels(to_coco17(motion), 1080)
    assert points.shape == (12, 17, 3)
    assert points.dtype == np.float32
    assert np.allclose(points[..., :2], 1080 * to_coco17(motion).joints[..., :2])
    assert np.array_equal(points[..., 2], to_coco17(motion).confidence)


def test_the_tiktok_input_is_75_values_of_a_picture_720_high(motion) -> None:
    frames = body25_frames(motion)
    assert frames.shape == (12, 75)
    assert np.allclose(frames[:, 3:5], 720 * to_body25(motion).joints[:, 1, :2], atol=1e-3)
    assert np.array_equal(frames[:, 2::3], to_body25(motion).confidence)
    assert np.array_equal(body25_frames(to_body25(motion)), frames)
    assert np.allclose(body25_frames(motion, 360)[:, 0::3], frames[:, 0::3] / 2)


def test_another_skeleton_is_refused(motion) -> None:
    for function in (to_body25, to_coco17):
        with pytest.raises(ValueError, match="mediapipe33"):
            function(to_coco17(motion))


def test_more_frames_lie_between_those_that_were_seen() -> None:
    time = np.arange(10) / 10.0
    joints = np.broadcast_to(time[:, None, None], (10, 33, 3)).astype(np.float32)
    confidence = np.ones((10, 33), np.float32)
    confidence[4] = 0
    finer = at_rate(Motion(joints, 10.0, "mediapipe33", confidence), 30.0, 30)
    assert (finer.fps, finer.joints.shape) == (30.0, (30, 33, 3))
    assert np.allclose(finer.joints[:28, 0, 0], np.arange(28) / 30.0, atol=1e-6)
    assert np.allclose(finer.joints[28:, 0, 0], 0.9, atol=1e-6)
    assert np.flatnonzero(finer.confidence[:, 0] == 0).tolist() == [10, 11, 12, 13, 14]
