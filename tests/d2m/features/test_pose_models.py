"""The registry of pose models, and a pose model that another package adds."""

from __future__ import annotations

import numpy as np
import pytest
from other_packages import install

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.features import analyse
from d2m.features.extract import Settings, keys_of
from d2m.features.pose import follow_dancers
from d2m.features.pose_models import POSE_MODELS, KeypointModel, Keypoints, pose_model
from d2m.features.to_mediapipe import COCO17
from d2m.media import open_video

MODULE = '''
import numpy as np
from d2m.features.pose_models import KeypointModel, Keypoints


class Bar(KeypointModel):
    """Takes the red corner of a test picture for the shoulders of a person who bobs twice a second."""

    name, version, skeleton = "bar", "2", "coco17"

    def __init__(self, rate):
        super().__init__(rate)
        self.frame = -1

    def detect(self, rgb):
        self.frame += 1
        if rgb[5, 5, 0] < 150:
            return []
        y = 0.1 + 0.8 * np.linspace(0, 1, 17) + 0.03 * abs(np.sin(2 * np.pi * self.frame / self.rate))
        x = 0.6 + 0.1 * (-1.0) ** np.arange(17)
        sure = np.ones(17)
        sure[9] = self.frame % 5 != 0
        x[9] = x[9] if sure[9] else np.nan
        return [Keypoints(np.stack([x, y], axis=1), sure)]


class Wrong(Bar):
    name = "wrong"

    def detect(self, rgb):
        return [Keypoints(np.zeros((12, 2)), np.ones(12))]
'''
POINTS = "[d2m.pose]\nbar = bar_pose:Bar\nwrong = bar_pose:Wrong\nnumber = bar_pose:np\n"


@pytest.fixture
def bar(tmp_path, monkeypatch):
    install(tmp_path / "site", monkeypatch, "bar_pose", MODULE, POINTS)


@pytest.mark.slow
def test_a_pose_model_of_another_package_is_followed(bar, clip, tmp_path):
    assert list(POSE_MODELS) == ["mediapipe", "bar", "number", "wrong"]
    video = open_video(clip(tmp_path / "v.mp4", duration=4.0))
    tracking = follow_dancers(video, rate=20.0, pose="bar")
    assert tracking.motion is not None
    assert tracking.motion.skeleton == "mediapipe33"
    assert tracking.world is None
    assert (tracking.found, tracking.people) == (1.0, 1)
    nose, wrist = tracking.motion.joints[:, 0], tracking.motion.joints[:, 15]
    assert nose[:, 0] == pytest.approx(0.7, abs=0.01)
    assert np.ptp(nose[:, 1]) == pytest.approx(0.03, abs=0.01)
    # A wrist that is unseen in every fifth frame is filled in from its neighbours.
    assert wrist[:, 0] == pytest.approx(0.5, abs=0.01)
    assert (tracking.motion.confidence[::5, 15] == 0).all()
    assert (tracking.motion.confidence[1::5, 15] == 1).all()
    analysis = analyse(video, pose="bar", beats="dance")
    assert analysis.world is None
    assert analysis.dance.motion is not None


def test_its_features_are_extracted_and_kept_apart_in_the_cache(bar, clip, tmp_path):
    video = clip(tmp_path / "v.mp4", duration=2.0)
    words = ["features", str(video), "-o", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert main([*words, "--pose", "bar"]) == 0
    with np.load(tmp_path / "out" / "v.npz") as held:
        assert str(held["pose_model"]) == "bar:2"
        assert held["coco17"][5, :9, 0] == pytest.approx(120 * (0.6 + 0.1 * (-1.0) ** np.arange(9)), abs=2)
    keys = {keys_of(video, Settings(pose=name)).pose for name in ("bar", "wrong", "mediapipe")}
    assert len(keys) == 3


def test_errors_say_what_is_wrong_with_a_pose_model(bar, clip, tmp_path, capsys):
    video = clip(tmp_path / "v.mp4", duration=1.0)
    with pytest.raises(D2MError, match=r"the pose model wrong gave keypoints of shape \(12, 2\).*'coco17' has 17"):
        follow_dancers(open_video(video), rate=20.0, pose="wrong")
    with pytest.raises(D2MError, match="the pose model 'number' is not a subclass of"):
        pose_model("number")
    assert main(["features", str(video), "-o", str(tmp_path / "out"), "--pose", "none"]) == 1
    assert "unknown pose model 'none'; choose mediapipe, bar, number or wrong" in capsys.readouterr().err


def test_the_shipped_model_is_the_default_and_keeps_its_name():
    assert pose_model().identity().startswith("mediapipe-pose_landmarker_full:")
    assert pose_model().metres


def test_joints_that_are_unseen_move_nobody():
    class Half(KeypointModel):
        name, skeleton = "half", "coco17"

        def detect(self, rgb):
            joints = np.stack([np.full(17, 0.5), np.linspace(0.2, 0.8, 17)], axis=1)
            joints[13:] = 0.0
            return [Keypoints(joints, np.r_[np.ones(13), np.zeros(4)])]

    (person,) = Half(30.0).find(np.zeros((100, 100, 3), np.uint8), 0)
    assert person.height == pytest.approx(0.8 - 0.2 - 4 * 0.0375, abs=0.05)
    assert person.seen is not None
    assert [COCO17[i] for i in np.flatnonzero(~person.seen)] == [13, 14, 15, 16, 15, 16, 15, 16]
