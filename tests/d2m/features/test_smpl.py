"""SMPL motion: 219 values a frame and back, and joints where a plain calculation puts them."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.features.smpl import SmplBody, joints, read_body, smpl_frames, smpl_motion
from d2m.types import SmplMotion

PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])
VERTICES = 60


def motion(frames: int = 30, seed: int = 0) -> SmplMotion:
    rng = np.random.default_rng(seed)
    poses = rng.normal(0, 0.8, (frames, 24, 3)).astype(np.float32)
    poses[:, 5] = 0.0
    return SmplMotion(poses, rng.normal(0, 60, (frames, 3)).astype(np.float32), 93.8, 60.0)


def rotation(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula, one vector at a time."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-9:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def plain_joints(moved: SmplMotion, rest: np.ndarray) -> np.ndarray:
    """Forward kinematics, joint by joint."""
    result = np.zeros((len(moved.poses), 24, 3))
    for frame, pose in enumerate(moved.poses.astype(np.float64)):
        turned = [np.eye(3)] * 24
        for joint, parent in enumerate(PARENTS):
            own = rotation(pose[joint])
            turned[joint] = own if parent < 0 else turned[parent] @ own
            result[frame, joint] = (
                rest[0] if parent < 0 else result[frame, parent] + turned[parent] @ (rest[joint] - rest[parent])
            )
        result[frame] += moved.translation[frame] / moved.scale
    return result


def model(seed: int = 4) -> dict[str, np.ndarray]:
    """A made-up body of few vertices, with the names and kinds of arrays of SMPL's own files."""
    rng = np.random.default_rng(seed)
    regressor = np.where(rng.random((24, VERTICES)) < 0.1, rng.random((24, VERTICES)), 0.0)
    regressor[:, 0] += 0.1
    tree = np.stack([PARENTS, np.arange(24)]).astype(np.int64) % 2**32
    return {
        "v_template": rng.normal(0, 0.5, (VERTICES, 3)),
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True),
        "kintree_table": tree.astype(np.uint32),
        "shapedirs": rng.normal(0, 0.1, (VERTICES, 3, 10)),
        "bs_style": "lbs",
    }


def rest_of(body: dict[str, np.ndarray]) -> np.ndarray:
    return body["J_regressor"] @ body["v_template"]


def test_a_frame_is_the_translation_in_metres_and_then_the_rotations_row_by_row() -> None:
    moved = motion(3)
    frames = smpl_frames(moved)
    assert frames.shape == (3, 219)
    assert frames.dtype == np.float32
    assert np.allclose(frames[:, :3], moved.translation / 93.8, atol=1e-5)
    for joint in range(24):
        wanted = rotation(moved.poses[1, joint].astype(np.float64))
        assert np.allclose(frames[1, 3 + 9 * joint : 12 + 9 * joint].reshape(3, 3), wanted, atol=1e-6)


def test_frames_give_the_motion_back() -> None:
    moved = motion()
    back = smpl_motion(smpl_frames(moved), fps=60.0, scale=moved.scale)
    assert np.allclose(back.translation, moved.translation, atol=1e-3)
    assert np.allclose(smpl_frames(back), smpl_frames(moved), atol=1e-5)
    gentle = np.linalg.norm(moved.poses, axis=-1) < 3.0
    assert np.allclose(back.poses[gentle], moved.poses[gentle], atol=1e-3)
    assert (back.scale, back.fps) == (moved.scale, 60.0)


def test_what_is_no_rotation_becomes_the_nearest_one() -> None:
    frames = smpl_frames(motion(4))
    noisy = 1.3 * frames + np.random.default_rng(1).normal(0, 0.02, frames.shape).astype(np.float32)
    repaired = smpl_frames(smpl_motion(noisy))[:, 3:].reshape(-1, 3, 3)
    assert np.allclose(repaired @ repaired.transpose(0, 2, 1), np.eye(3), atol=1e-5)
    assert np.allclose(np.linalg.det(repaired), 1.0, atol=1e-5)
    assert np.abs(repaired - frames[:, 3:].reshape(-1, 3, 3)).max() < 0.1
    mirrored = np.tile(np.diag([1.0, 1.0, -1.0]).ravel(), 24)[None]
    assert np.isfinite(smpl_motion(np.concatenate([np.zeros((1, 3)), mirrored], axis=1)).poses).all()


def test_a_motion_that_is_not_finite_is_refused_with_its_frame() -> None:
    moved = motion()
    moved.poses[7, 3, 1] = np.nan
    with pytest.raises(D2MError, match="frame 7"):
        smpl_frames(moved)
    with pytest.raises(D2MError, match="scale"):
        smpl_frames(SmplMotion(motion().poses, moved.translation, 0.0, 60.0))
    with pytest.raises(ValueError, match="219"):
        smpl_motion(np.zeros((3, 72)))


@pytest.mark.parametrize("form", ["dense.pkl", "columns.pkl", "rows.pkl", "old.pkl", "plain.npz"])
def test_joints_are_where_a_plain_calculation_puts_them(tmp_path, form: str) -> None:
    pytest.importorskip("smplx")
    from scipy.sparse import csc_matrix, csr_matrix

    body, path = model(), tmp_path / form
    kinds = {"columns.pkl": csc_matrix, "rows.pkl": csr_matrix, "old.pkl": csc_matrix}
    stored = body | {"J_regressor": kinds.get(form, np.asarray)(body["J_regressor"])}
    if path.suffix == ".npz":
        np.savez(path, **stored)
    else:
        path.write_bytes(pickle.dumps(stored, protocol=0 if form == "old.pkl" else 2))
    moved = motion(2100)
    found = joints(moved, path)
    assert (found.skeleton, found.fps, found.joints.dtype) == ("smpl24", 60.0, np.float32)
    assert found.joints.shape == (2100, 24, 3)
    assert np.all(found.confidence == 1)
    for part in (slice(0, 5), slice(2046, 2050)):
        cut = SmplMotion(moved.poses[part], moved.translation[part], moved.scale, moved.fps)
        assert np.abs(found.joints[part] - plain_joints(cut, rest_of(body))).max() < 1e-4


def test_arrays_wrapped_by_chumpy_are_read_without_it(tmp_path, monkeypatch) -> None:
    import sys
    import types

    library = types.ModuleType("chumpy.ch")
    library.Ch = type("Ch", (), {"__module__": "chumpy.ch"})
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", library)
    body, wrapped = model(), library.Ch()
    wrapped.x = body["v_template"]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(body | {"v_template": wrapped}, protocol=2))
    monkeypatch.undo()
    assert np.allclose(read_body(tmp_path / "m.pkl").rest, rest_of(body), atol=1e-6)


def test_the_bones_are_those_of_the_whole_smplx_model(tmp_path) -> None:
    smplx = pytest.importorskip("smplx")
    import torch
    from smplx.utils import Struct

    body, moved = model(), motion(4)
    arrays = body | {
        "f": np.zeros((1, 3), np.int64),
        "posedirs": np.zeros((VERTICES, 3, 207)),
        "weights": np.full((VERTICES, 24), 1 / 24),
    }
    ends = dict.fromkeys(("nose", "reye", "leye", "rear", "lear"), 0)
    whole = smplx.SMPL("", data_struct=Struct(**arrays), batch_size=4, vertex_ids=ends, use_hands=False,
                       use_feet_keypoints=False)  # fmt: skip
    poses = torch.from_numpy(moved.poses.reshape(4, 72))
    placed = whole(body_pose=poses[:, 3:], global_orient=poses[:, :3],
                   transl=torch.from_numpy(moved.translation / np.float32(moved.scale)))  # fmt: skip
    ours = joints(moved, SmplBody(rest_of(body).astype(np.float32), PARENTS)).joints
    assert np.abs(placed.joints[:, :24].detach().numpy() - ours).max() < 1e-4


class _Runs:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def bad_models() -> dict[str, bytes]:
    tree = model()["kintree_table"].copy()
    tree[0, 3] = 9
    return {
        "code": pickle.dumps(model() | {"f": _Runs()}),
        "nothing": pickle.dumps({"a": 1}),
        "other joints": pickle.dumps(model() | {"J_regressor": np.zeros((55, VERTICES))}),
        "a loop": pickle.dumps(model() | {"kintree_table": tree}),
        "cut off": pickle.dumps(model())[:-40],
        "text": b"hello " * 50,
        "npz": b"PK\x03\x04 not a zip",
    }


@pytest.mark.parametrize("kind", bad_models())
def test_a_file_that_is_no_body_is_one_line_and_runs_nothing(tmp_path, monkeypatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ("bad.npz" if kind == "npz" else "bad.pkl")
    path.write_bytes(bad_models()[kind])
    with pytest.raises(D2MError, match="bad") as caught:
        read_body(path)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_missing_file_says_where_to_get_one(tmp_path) -> None:
    with pytest.raises(D2MError, match="smpl.is.tue.mpg.de"):
        read_body(tmp_path / "SMPL_MALE.pkl")
