"""AIST++ folders: names, what is read back, and what strangers' files may not do."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from d2m.datasets import aist
from d2m.datasets.safe_pickle import load_pickle, save_pickle
from d2m.errors import D2MError
from d2m.types import SmplMotion

NAME = "gBR_sBM_cAll_d04_mBR0_ch01"


def motion(frames: int = 20) -> SmplMotion:
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 0.3, (frames, 24, 3)).astype(np.float32)
    return SmplMotion(poses, rng.normal(0, 50, (frames, 3)).astype(np.float32), 93.5, 60.0)


def test_a_name_is_taken_apart_and_put_together() -> None:
    name = aist.AistName.parse(NAME)
    assert (name.genre, name.situation, name.camera, name.dancer, name.music, name.dance) == (
        "gBR", "BM", "All", "04", "BR0", "01",
    )  # fmt: skip
    assert str(name) == NAME
    assert str(name.view(9)) == "gBR_sBM_c09_d04_mBR0_ch01"
    assert aist.AistName.parse("gBR_sBM_c09_d04_mBR0_ch01").view("All") == name


@pytest.mark.parametrize("name", ["", "gXX_sBM_cAll_d04_mBR0_ch01", NAME + "/../../etc", "../" + NAME, NAME[:-5]])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(D2MError, match="not an AIST name"):
        aist.AistName.parse(name)


def test_what_is_written_is_read_back(tmp_path) -> None:
    rng = np.random.default_rng(1)
    written = motion()
    points = rng.normal(0, 1, (9, 20, 17, 3)).astype(np.float32)
    points[3, 5] = np.nan
    space = rng.normal(0, 90, (20, 17, 3)).astype(np.float32)
    keypoints = aist.Keypoints2d(points, np.ones((9, 20), np.float32), np.arange(20) * 16667)
    aist.write_motion(tmp_path / "motions" / f"{NAME}.pkl", written)
    aist.write_keypoints2d(tmp_path / "keypoints2d" / f"{NAME}.pkl", keypoints)
    aist.write_keypoints3d(tmp_path / "keypoints3d" / f"{NAME}.pkl", space, space + 1)
    aist.write_text(tmp_path / "ignore_list.txt", "")
    aist.write_text(tmp_path / "splits" / "crossmodal_test.txt", f"{NAME}\n")

    data = aist.Aist(tmp_path)
    assert data.names("test") == data.names() == (NAME,)
    assert np.array_equal(data.motion(NAME).poses, written.poses)
    assert np.array_equal(data.motion(NAME).translation, written.translation)
    assert data.motion(NAME).scale == 93.5
    assert np.array_equal(data.keypoints2d(NAME).points, points, equal_nan=True)
    assert np.array_equal(data.keypoints3d(NAME), space + 1)
    assert np.array_equal(data.keypoints3d(NAME, optimised=False), space)
    assert np.allclose(data.landmarks(NAME).joints, (space + 1) / 100)
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_ignored_sequences_are_left_out(tmp_path) -> None:
    other = NAME.replace("ch01", "ch02")
    for name in (NAME, other):
        aist.write_motion(tmp_path / "motions" / f"{name}.pkl", motion(3))
    aist.write_text(tmp_path / "ignore_list.txt", f"{NAME}\n")
    assert aist.Aist(tmp_path).names() == (other,)


def test_the_published_layout_of_motions_is_read(tmp_path) -> None:
    # smpl_poses comes as (T, 24, 3) too, and numpy 1 named its builders differently
    data = {
        "smpl_poses": np.zeros((4, 24, 3)),
        "smpl_scaling": np.array([93.77886], np.float32),
        "smpl_trans": np.zeros((4, 3)),
        "smpl_loss": np.float32(1.59),
    }
    for protocol in range(6):
        raw = pickle.dumps(data, protocol=protocol)
        if protocol < 4:
            # a length stands before each text from protocol 4 on
            raw = raw.replace(b"numpy._core.", b"numpy.core.")
        (tmp_path / "m.pkl").write_bytes(raw)
        read = aist.read_motion(tmp_path / "m.pkl")
        assert read.poses.shape == (4, 24, 3)
        assert read.scale == pytest.approx(93.77886, rel=1e-6)


def test_every_number_type_survives(tmp_path) -> None:
    data = {
        "f4": np.arange(6, dtype="f4").reshape(2, 3), "big": np.arange(3, dtype=">f8"),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)), "u1": np.arange(3, dtype=np.uint8),
        "bool": np.array([True, False]), "scalar": np.float64(2.5), "empty": np.zeros((0, 3), np.float32), "n": 3,
    }  # fmt: skip
    for protocol in range(6):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(data, protocol=protocol))
        read = load_pickle(tmp_path / "x.pkl")
        for key, value in data.items():
            assert np.array_equal(read[key], value), (protocol, key)
            assert type(read[key]) is type(value)


class _Runs:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def _attacks() -> dict[str, bytes]:
    huge = b"\x80\x04" + b"r\xff\xff\xff\x7f"
    array = pickle.dumps({"a": np.zeros(3)}, protocol=2)
    return {
        "code": pickle.dumps({"smpl_poses": _Runs()}),
        "old code": b"cos\nmkdir\n(S'ran'\ntR.",
        "builtin": b'cbuiltins\neval\n(S\'open("ran","w")\'\ntR.',
        "numpy's own loader": b"cnumpy\nload\n(S'ran'\ntR.",
        "objects in an array": pickle.dumps({"smpl_poses": np.array([_Runs()], dtype=object)}),
        "text in an array": pickle.dumps({"smpl_poses": np.array(["x"])}),
        "structured array": pickle.dumps({"a": np.zeros(2, dtype=[("x", "f4")])}),
        "huge memo": huge + b"N.",
        "bytes beyond the end": b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"x.",
        "huge array": array.replace(b"K\x00\x85", b"J\xff\xff\xff\x7f\x85", 1),
        "shape that lies": array.replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85", 1),
        "truncated": pickle.dumps({"a": np.zeros(100)})[:-50],
        "empty": b"",
        "text": b"hello, world",
        "a list": pickle.dumps([1, 2]),
        "object made without a call": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
    }


@pytest.mark.parametrize("kind", list(_attacks()))
def test_a_hostile_or_broken_pickle_is_one_line_and_runs_nothing(kind, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pkl"
    path.write_bytes(_attacks()[kind])
    with pytest.raises(D2MError) as caught:
        load_pickle(path)
    assert "\n" not in str(caught.value)
    assert "x.pkl" in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["x.pkl"]


def test_a_pickle_that_is_too_large_is_not_read(tmp_path) -> None:
    save_pickle(tmp_path / "x.pkl", {"a": np.zeros(1000)})
    with pytest.raises(D2MError, match="larger than"):
        load_pickle(tmp_path / "x.pkl", most_bytes=4000)


def test_a_file_of_another_kind_says_what_is_missing(tmp_path) -> None:
    save_pickle(tmp_path / "x.pkl", {"keypoints3d": np.zeros((4, 17, 3))})
    with pytest.raises(D2MError, match="no array 'smpl_poses'"):
        aist.read_motion(tmp_path / "x.pkl")
    with pytest.raises(D2MError, match="no array 'keypoints3d_optim'"):
        aist.read_keypoints3d(tmp_path / "x.pkl")
    save_pickle(tmp_path / "y.pkl", {"keypoints3d": np.zeros((4, 16, 3))})
    with pytest.raises(D2MError, match=r"expected \(T, 17, 3\)"):
        aist.read_keypoints3d(tmp_path / "y.pkl", optimised=False)


def test_a_folder_without_annotations_is_refused(tmp_path) -> None:
    with pytest.raises(D2MError, match="not an AIST"):
        aist.Aist(tmp_path)
    aist.write_motion(tmp_path / "motions" / f"{NAME}.pkl", motion(3))
    data = aist.Aist(tmp_path)
    with pytest.raises(D2MError, match="crossmodal_train"):
        data.names("train")
    with pytest.raises(D2MError, match=r"mBR0\.wav"):
        data.wav(NAME)
    with pytest.raises(D2MError, match="not an AIST name"):
        data.motion("../../secret")


def test_nothing_is_left_where_it_cannot_be_written(tmp_path) -> None:
    (tmp_path / "motions").write_text("a file in the way")
    with pytest.raises(D2MError, match="cannot write"):
        aist.write_motion(tmp_path / "motions" / f"{NAME}.pkl", motion(3))
    assert [p.name for p in tmp_path.iterdir()] == ["motions"]
