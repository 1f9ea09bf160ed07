"""TikTok folders: names, lists, keypoints of all kinds, and the studio in that layout."""

from __future__ import annotations

import json

import numpy as np
import pytest
from raw_data import TIKTOK, make_tiktok

from d2m.datasets import tiktok
from d2m.datasets.studio import make_tiktok_studio
from d2m.errors import D2MError

NAME = "000007_7_188"


def test_a_name_is_taken_apart_and_put_together() -> None:
    name = tiktok.TikTokName.parse("000007_23_207")
    assert (name.collection, name.music, name.video) == (7, 23, 207)
    assert str(name) == "000007_23_207"
    for bad in ("", "7_23_207", "000007_23", "../000007_23_207", "000007_23_207/x", "gBR_sBM_cAll_d04_mBR0_ch01"):
        with pytest.raises(D2MError, match="not a TikTok name"):
            tiktok.TikTokName.parse(bad)


def test_lists_of_videos_and_of_pieces_mean_the_same(tmp_path) -> None:
    data = tiktok.TikTok(make_tiktok(tmp_path))
    assert data.names("train") == TIKTOK["train"]
    assert data.names("val") == ()
    (tmp_path / "keypoints" / "features.log").write_text("")
    assert data.names() == tuple(sorted(TIKTOK["train"] + TIKTOK["test"]))
    (tmp_path / "train.txt").unlink()
    with pytest.raises(D2MError, match=r"no train\.txt"):
        data.names("train")
    lines = [f"./tiktok/audio_s2/{name}_seg{i}.wav" for name in TIKTOK["train"] for i in (3, 10, 1)]
    (tmp_path / "tiktok_audio_train_segment.txt").write_text("\n".join(lines))
    assert data.names("train") == TIKTOK["train"]


def test_a_folder_without_keypoints_is_refused(tmp_path) -> None:
    with pytest.raises(D2MError, match="no keypoints/"):
        tiktok.TikTok(tmp_path)
    data = tiktok.TikTok(make_tiktok(tmp_path))
    (tmp_path / "keypoints" / f"{NAME}.npy").unlink()
    with pytest.raises(D2MError, match="make it with `d2m features`"):
        data.frames(NAME)
    (tmp_path / "wav" / f"{NAME}.wav").unlink()
    with pytest.raises(D2MError, match="no music"):
        data.sound(NAME)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((5, 74)), "expected"),
        (np.zeros((0, 75)), "expected"),
        (np.full((5, 75), np.nan), "not finite"),
        (np.array(["x"] * 75), "no array of numbers"),
        (np.zeros(3, dtype=[("a", "f4")]), "no array of numbers"),
    ],
)
def test_keypoints_of_another_form_are_refused(tmp_path, values, message) -> None:
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(D2MError, match=message):
        tiktok.read_frames(tmp_path / "x.npy")


def test_an_array_that_claims_more_than_it_holds_takes_no_memory(tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1000, 75)))
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content.replace(b"(1000, 75), }" + b" " * 11, b"(10000000000000, 75), }" + b" "))
    assert (tmp_path / "x.npy").read_bytes() != content
    with pytest.raises(D2MError, match="damaged"):
        tiktok.read_frames(tmp_path / "x.npy")


def openpose(folder, people_by_picture) -> None:
    folder.mkdir(parents=True)
    for i, people in enumerate(people_by_picture):
        content = {"version": 1.3, "people": [{"pose_keypoints_2d": p.ravel().tolist()} for p in people]}
        (folder / f"v_{i:012d}_keypoints.json").write_text(json.dumps(content))


def person(x: float, confidence: float = 0.9) -> np.ndarray:
    """BODY_25 of somebody at x pixels; the nose is not seen."""
    points = np.stack([np.full(25, x), np.arange(25) * 10.0, np.full(25, confidence)], axis=1)
    points[0] = 0
    return points


def test_openpose_follows_one_dancer_and_fills_gaps(tmp_path) -> None:
    left = [person(100.0 + i, 0.9) for i in range(6)]
    right = [person(400.0, 0.7) for _ in range(6)]
    pictures = [[right[0], left[0]], [left[1], right[1]], [], [right[3], left[3]], [left[4]], [left[5], right[5]]]
    openpose(tmp_path / "v", pictures)
    motion = tiktok.read_openpose(tuple(sorted((tmp_path / "v").glob("*.json"))), 25.0, 480)
    assert (motion.skeleton, motion.fps, motion.joints.shape) == ("body25", 25.0, (6, 25, 3))
    assert np.allclose(motion.joints[:, 5, 0] * 480, [100, 101, 102, 103, 104, 105], atol=1e-3)
    assert motion.confidence[:, 5].tolist() == pytest.approx([0.9, 0.9, 0, 0.9, 0.9, 0.9])
    assert not motion.confidence[:, 0].any()


def test_openpose_goes_by_the_rate_and_height_of_the_video(tmp_path, clip) -> None:
    root = make_tiktok(tmp_path)
    (root / "keypoints" / f"{NAME}.npy").unlink()
    openpose(root / "keypoints" / NAME, [[person(100.0 + 2 * i)] for i in range(50)])
    data = tiktok.TikTok(root)
    with pytest.raises(D2MError, match=r"need videos/.*\.mp4"):
        data.frames(NAME)
    (root / "videos").mkdir()
    clip(root / "videos" / f"{NAME}.mp4", rate=25, duration=2.0, size=(128, 96))
    frames = data.frames(NAME)
    assert frames.shape == (60, 75)
    # 96 pixels become 720; frame 30 of 30 a second is picture 25
    assert frames[30, 3] == pytest.approx((100 + 2 * 25) * 720 / 96, rel=1e-3)
    (root / "keypoints" / NAME / "v_000000000003_keypoints.json").write_text('{"people": [{"pose_keypoints_2d": [1]}]}')
    with pytest.raises(D2MError, match="not OpenPose's BODY_25"):
        data.frames(NAME)


@pytest.mark.slow
def test_the_studio_is_a_tiktok_folder(tmp_path) -> None:
    make_tiktok_studio(tmp_path / "a", 1, 2, 4.0, seed=3)
    data = tiktok.TikTok(tmp_path / "a")
    assert data.names("train") == ("000000_0_0", "000000_0_1")
    assert data.names("val") == data.names("test") == ()
    frames = data.frames("000000_0_1")
    assert frames.shape == (120, 75)
    seen = frames.reshape(120, 25, 3)
    # upright, in the picture, surely seen, and moving
    assert (seen[:, 0, 1] < seen[:, 8, 1]).mean() > 0.9
    assert np.median(seen[..., 2]) > 0.8
    assert 0 < np.median(seen[..., 1]) < 720
    assert seen[:, 4, :2].std(axis=0).max() > 5
    assert data.sound("000000_0_1").is_file()
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "a" / "keypoints").iterdir()}
    make_tiktok_studio(tmp_path / "a", 1, 2, 4.0, seed=3)
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "a" / "keypoints").iterdir()} == before
    with pytest.raises(D2MError, match="another studio"):
        make_tiktok_studio(tmp_path / "a", 1, 2, 4.0, seed=4)
