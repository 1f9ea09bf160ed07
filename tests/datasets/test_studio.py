"""The studio: people who dance to the beat, films of them that a pose model understands, data sets of both."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from d2m.datasets import aist
from d2m.datasets.studio import (
    DancerStyle,
    aist_cameras,
    body,
    choreograph,
    landmark_motion,
    make_studio,
    plan,
    sample,
)
from d2m.datasets.studio import skeleton as sk
from d2m.datasets.studio.camera import Camera
from d2m.datasets.studio.landmarks import COCO17, MEDIAPIPE33, estimate, points
from d2m.datasets.studio.music import read_beats, read_score
from d2m.errors import D2MError
from d2m.types import GENRES, BeatGrid

pytestmark = pytest.mark.slow

GRID = BeatGrid.steady(112.0, 12.0, first_beat=0.2)


def dance(genre: str, seed: int = 0, seconds: float = 8.0, dancer: DancerStyle | None = None, **more):
    rng = np.random.default_rng(seed)
    style = dancer or DancerStyle.random(rng)
    return choreograph(more.pop("grid", GRID), genre, seconds, rng, dancer=style, **more)


# --- the body -----------------------------------------------------------------------------------------------


def test_the_skeleton_is_smpls() -> None:
    assert len(sk.JOINTS) == len(sk.PARENTS) == 24
    assert [sk.JOINTS[i] for i in (0, 1, 2, 9, 12, 15, 16, 20, 22)] == [
        "pelvis", "left_hip", "right_hip", "spine3", "neck", "head", "left_shoulder", "left_wrist", "left_hand",
    ]  # fmt: skip
    rest, _ = sk.forward_kinematics(np.tile(np.eye(3), (1, 24, 1, 1)), np.array([[0, sk.STANDING, 0]]))
    rest = rest[0]
    assert rest[sk.INDEX["left_foot"], 1] == pytest.approx(0.016, abs=0.02)
    assert 1.45 < rest[sk.INDEX["head"], 1] < 1.60
    assert rest[sk.INDEX["left_wrist"], 0] > 0.6
    assert np.allclose(rest[sk.INDEX["right_wrist"]] * (-1, 1, 1), rest[sk.INDEX["left_wrist"]])


def test_standing_feet_stay_where_the_choreographer_put_them() -> None:
    controls = {part: np.tile(np.array(value), (50, 1)).astype(float) for part, value in body.NEUTRAL.items()}
    controls["pelvis"][:, 1] = np.linspace(-0.02, -0.35, 50)
    controls["pelvis"][:, 5] = np.linspace(-0.5, 0.5, 50)
    controls["spine"][:, 0] = np.linspace(0, 0.6, 50)
    poses, pelvis = body.solve(controls)
    joints, _ = sk.forward_kinematics(sk.matrices(poses), pelvis)
    ankle = joints[:, sk.INDEX["left_ankle"]]
    assert np.abs(ankle - (0.13, sk.ANKLE_HEIGHT, 0.0)).max() < 0.01


@pytest.mark.parametrize("genre", list(GENRES))
def test_a_dance_is_humanly_possible(genre: str) -> None:
    danced = dance(genre, seed=3)
    joints, smpl = danced.joints, danced.smpl
    assert joints.shape == (480, 24, 3)
    assert smpl.poses.shape == (480, 24, 3)
    assert np.isfinite(joints).all()
    # within the joints' ranges
    for name, most in body.LIMITS.items():
        for joint in (name, f"left_{name}", f"right_{name}"):
            if joint in sk.INDEX:
                assert np.linalg.norm(smpl.poses[:, sk.INDEX[joint]], axis=-1).max() <= most + 1e-3
    # nobody sinks into the floor, and one foot is usually on it
    assert joints[..., 1].min() > -0.06
    lowest = np.minimum(joints[:, sk.INDEX["left_ankle"], 1], joints[:, sk.INDEX["right_ankle"], 1])
    assert (lowest < 0.20).mean() > 0.9
    # bones keep their length
    for joint in range(1, 24):
        length = np.linalg.norm(joints[:, joint] - joints[:, sk.PARENTS[joint]], axis=-1)
        assert np.ptp(length) < 1e-3
    # trunk speeds of people, hands below a boxer's, and the dancer does move
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * 60
    assert speed[:, 0].max() < 4.0
    assert np.quantile(speed[:, sk.INDEX["left_wrist"]], 0.999) < 14.0
    assert speed.mean() > 0.12
    # and stays on the stage
    assert np.abs(joints[:, 0, [0, 2]]).max() < 1.4


def test_standing_feet_do_not_slide() -> None:
    joints = dance("gHO", seed=5).joints
    speed = np.linalg.norm(np.diff(joints[:, [7, 8]], axis=0), axis=-1) * 60
    # at any time one of the feet rests
    assert (speed.min(axis=1) < 0.15).mean() > 0.8


def test_smpl_parameters_and_joints_agree() -> None:
    danced = dance("gLO", seed=2, dancer=DancerStyle(scale=1.07))
    again = sk.joints_of(danced.smpl.poses, danced.smpl.translation, danced.smpl.scale)
    assert np.abs(again - danced.joints).max() < 2e-3
    assert danced.smpl.scale == pytest.approx(107.0)


def test_the_same_seed_gives_the_same_dance_and_another_another() -> None:
    assert np.array_equal(dance("gWA", 4).joints, dance("gWA", 4).joints)
    assert np.abs(dance("gWA", 4).joints - dance("gWA", 5).joints).mean() > 0.05


def test_loud_music_is_danced_larger() -> None:
    def busyness(energy: float) -> float:
        level = np.full(len(GRID.beats), energy)
        dances = [dance("gMH", seed, dancer=DancerStyle(offbeat=0.0), energy=level) for seed in range(4)]
        return float(np.mean([np.linalg.norm(np.diff(d.joints, axis=0), axis=-1).mean() for d in dances]))

    assert busyness(1.0) > 1.15 * busyness(0.0)


def test_bad_requests_are_refused_in_one_line() -> None:
    with pytest.raises(D2MError, match="no such dance genre"):
        dance("tango")
    with pytest.raises(D2MError, match="too short"):
        dance("gHO", seconds=0.0)


# --- the beat in the motion ---------------------------------------------------------------------------------


def _stops(danced) -> np.ndarray:
    """Seconds at which the whole body slows down most."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import argrelmin

    speed = np.linalg.norm(np.diff(danced.joints[::2], axis=0), axis=-1).mean(axis=1) * 30
    return argrelmin(gaussian_filter1d(speed, 1.5))[0] / 30 + 1 / 60


def _alignment(beats: np.ndarray, stops: np.ndarray) -> float:
    nearest = np.abs(beats[:, None] - stops[None]).min(axis=1)
    return float(np.exp(-(nearest**2) / (2 * 0.05**2)).mean())


def test_movement_tells_the_beat_but_with_the_looseness_of_people() -> None:
    scores, chances, offsets = [], [], []
    for i, genre in enumerate(GENRES):
        rng = np.random.default_rng(40 + i)
        grid = BeatGrid.steady(float(rng.uniform(85, 128)), 16.0, float(rng.uniform(0, 0.5)))
        stops = _stops(dance(genre, seed=80 + i, seconds=16.0, grid=grid))
        beats = grid.beats[(grid.beats > 0.3) & (grid.beats < 15.7)]
        scores.append(_alignment(beats, stops))
        shifts = np.linspace(0, 60 / grid.tempo, 12, endpoint=False)
        chances.append(np.mean([_alignment(beats + shift, stops) for shift in shifts]))
        offsets.extend(_offsets(stops, beats))
    # clearly better than chance, clearly worse than a machine
    assert np.mean(scores) > np.mean(chances) + 0.12
    assert np.mean(scores) < 0.85
    assert 0.02 < np.std(offsets) < 0.09
    assert abs(np.mean(offsets)) < 0.05


def _offsets(stops: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """Seconds from the nearest beat, of those stops that belong to one."""
    offset = stops - beats[np.abs(stops[:, None] - beats[None]).argmin(axis=1)]
    return offset[np.abs(offset) < 0.15]


def test_a_late_dancer_is_late() -> None:
    def lateness(bias: float) -> float:
        style = DancerStyle(bias=bias, jitter=0.005, limb_jitter=0.005, offbeat=0.0)
        dances = [dance("gKR", seed, 10.0, style) for seed in range(5)]
        return float(np.concatenate([_offsets(_stops(d), GRID.beats) for d in dances]).mean())

    assert 0.03 < lateness(0.05) - lateness(-0.05) < 0.15


def test_the_beat_tracker_finds_the_true_beats_in_what_a_pose_estimator_sees() -> None:
    mir_eval = pytest.importorskip("mir_eval")
    rhythm = pytest.importorskip("d2m.features.rhythm")
    scores = []
    for index in range(10):
        example = sample(seed=11, index=index, held_out=True, seconds=12.0, audio=False, noise=1.0)
        found = rhythm.find_rhythm(example.motion, 12.0).grid.beats
        true = example.score.grid.beats
        inside = [b[(b > 0) & (b < 12.0)] for b in (true, found)]
        scores.append(mir_eval.beat.f_measure(*inside))
    assert np.mean(scores) >= 0.8


# --- cameras and estimators ---------------------------------------------------------------------------------


def test_the_first_camera_faces_the_dancer() -> None:
    danced = dance("gHO", seed=1)
    cameras = aist_cameras(np.random.default_rng(0))
    assert len(cameras) == 9
    pixels, depth = cameras[0].project(danced.joints.astype(float))
    assert (depth > 2).all()
    left, right = pixels[:, sk.INDEX["left_shoulder"], 0].mean(), pixels[:, sk.INDEX["right_shoulder"], 0].mean()
    # facing us, the dancer's left is on our right
    assert left > right
    assert (pixels[:, 15, 1] < pixels[:, 7, 1]).mean() > 0.95
    for camera in cameras:
        pixels, _ = camera.project(danced.joints.astype(float))
        inside = ((pixels >= 0) & (pixels <= np.array(camera.size))).all(axis=-1)
        assert inside.mean() > 0.97
    back, _ = cameras[4].project(danced.joints.astype(float))
    assert back[:, sk.INDEX["left_shoulder"], 0].mean() < back[:, sk.INDEX["right_shoulder"], 0].mean()


def test_landmarks_are_in_picture_heights_and_in_mediapipes_order() -> None:
    danced = dance("gMH", seed=1)
    camera = Camera.looking_at((0, 1.2, 4.5), (0, 0.95, 0), (640, 480), 36.0)
    exact = landmark_motion(danced, camera, np.random.default_rng(0), noise=0.0)
    assert exact.skeleton == "mediapipe33"
    assert exact.joints.shape == (240, 33, 3)
    assert exact.fps == 30.0
    at = {name: i for i, name in enumerate(MEDIAPIPE33)}
    assert (at["nose"], at["left_shoulder"], at["right_hip"], at["right_foot_index"]) == (0, 11, 24, 32)
    x, y, z = np.moveaxis(exact.joints, -1, 0)
    assert ((y > 0) & (y < 1)).mean() > 0.98
    assert (x[:, at["left_shoulder"]] > x[:, at["right_shoulder"]]).mean() > 0.9
    assert np.abs(z[:, [at["left_hip"], at["right_hip"]]].mean(axis=1)).max() < 1e-4
    # the nose is nearer to the camera than the ears
    assert z[:, at["nose"]].mean() < z[:, at["left_ear"]].mean()


def test_the_estimator_errs_like_one() -> None:
    danced = dance("gLO", seed=1, seconds=10.0)
    exact = points(danced, COCO17)
    seen, confidence = estimate(exact, COCO17, 1.7, 60.0, np.random.default_rng(0))
    error = np.linalg.norm(seen - exact, axis=-1)
    assert 0.004 < np.median(error) < 0.04
    assert confidence.min() >= 0
    assert confidence.max() <= 1
    # where a limb was lost, the estimator is less sure
    lost = error > 0.12
    assert lost.any()
    assert confidence[lost].mean() < confidence[~lost].mean() - 0.2
    worse, _ = estimate(exact, COCO17, 1.7, 60.0, np.random.default_rng(0), noise=3.0)
    assert np.median(np.linalg.norm(worse - exact, axis=-1)) > 2 * np.median(error)


# --- data sets ----------------------------------------------------------------------------------------------


def _contents(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file() and p.name != "make.log"
    }


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("studio")
    make_studio(root, 3, 2, 5.0, seed=7)
    return root


def test_a_studio_is_an_aist_folder(studio: Path) -> None:
    data = aist.Aist(studio)
    names = data.names()
    assert len(names) == 6
    assert {n for part in aist.SPLITS for n in data.names(part)} == set(names)
    for name in names:
        smpl = data.motion(name)
        assert smpl.poses.shape == (300, 24, 3)
        space = data.landmarks(name)
        assert space.joints.shape == (300, 17, 3)
        joints = sk.joints_of(smpl.poses, smpl.translation, smpl.scale)
        assert np.median(np.linalg.norm(space.joints[:, 5] - joints[:, 16], axis=-1)) < 0.02
        flat = data.keypoints2d(name)
        assert flat.points.shape == (9, 300, 17, 3)
        camera = data.cameras(name)[0]
        assert camera["name"] == "c01"
        seen = _project(camera, 100 * space.joints)
        assert np.median(np.abs(seen - flat.points[0, ..., :2])) < 12
        assert data.wav(name).is_file()


def _project(camera: dict, centimetres: np.ndarray) -> np.ndarray:
    rotation = sk.matrices(np.array(camera["rotation"]))
    seen = centimetres @ rotation.T + np.array(camera["translation"])
    return (seen[..., :2] / seen[..., 2:]) * np.diag(camera["matrix"])[:2] + np.array(camera["matrix"])[:2, 2]


def test_the_true_beats_are_those_of_the_music(studio: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    for name in aist.Aist(studio).names():
        music = f"m{aist.AistName.parse(name).music}"
        score, energy = read_score(studio / "scores" / f"{music}.npz")
        assert score.duration == 5.0
        assert len(energy) == len(score.grid.beats)
        beats = read_beats(studio / "beats" / f"{music}.txt")
        inside = score.grid.beats[(score.grid.beats >= 0) & (score.grid.beats < 5.0)]
        assert np.allclose(beats.beats, inside, atol=1e-5)
        wave, rate = soundfile.read(studio / "wav" / f"{music}.wav")
        assert rate == 22050
        assert len(wave) == 5 * rate
        assert np.abs(wave).max() > 0.1


def test_no_song_or_dancer_of_the_test_split_is_trained_on() -> None:
    songs = [plan.song(i, 3, seed=1) for i in range(100)]
    for part in ("test", "val"):
        assert sum(s.split == part for s in songs) == 10
        assert {s.genre for s in songs if s.split == part} == set(GENRES)
    people = {part: {d for s in songs if s.split == part for d in s.dancers} for part in aist.SPLITS}
    assert not people["train"] & people["test"]
    assert not people["train"] & people["val"]
    assert not people["val"] & people["test"]
    assert len({s.music for s in songs}) == 100


def test_an_interrupted_studio_goes_on_and_a_larger_one_contains_it(studio: Path, tmp_path) -> None:
    make_studio(tmp_path, 2, 1, 5.0, seed=7)
    motions = sorted(tmp_path.glob("motions/*.pkl"))
    motions[0].unlink()
    kept = motions[1].stat().st_mtime_ns
    seen: list[int] = []
    make_studio(tmp_path, 3, 2, 5.0, seed=7, progress=lambda done, total: seen.append(done))
    assert seen == [1, 2, 3]
    assert motions[1].stat().st_mtime_ns == kept
    assert _contents(tmp_path) == _contents(studio)


def test_processes_do_not_change_the_result(studio: Path, tmp_path) -> None:
    make_studio(tmp_path, 3, 2, 5.0, seed=7, processes=2)
    assert _contents(tmp_path) == _contents(studio)
    assert json.loads((tmp_path / "manifest.json").read_text())["seed"] == 7


def test_another_studio_in_the_folder_is_not_touched(studio: Path) -> None:
    before = _contents(studio)
    with pytest.raises(D2MError, match="another studio"):
        make_studio(studio, 3, 2, 5.0, seed=8)
    with pytest.raises(D2MError, match="choose 4 to 600"):
        make_studio(studio, 3, 2, 1.0, seed=7)
    assert _contents(studio) == before


def test_an_example_pairs_music_and_motion_on_one_clock() -> None:
    example = sample(seed=3, index=4, seconds=6.0)
    assert example.waveform.shape == (6 * 22050,)
    assert example.motion.joints.shape == (180, 33, 3)
    assert example.dance.grid is example.score.grid
    assert len(example.dance.energy) == len(example.dance.accents) == len(example.score.grid.beats)
    again = sample(seed=3, index=4, seconds=6.0, audio=False)
    assert np.array_equal(again.motion.joints, example.motion.joints)
    assert again.waveform.size == 0
    held = sample(seed=3, index=4, held_out=True, seconds=6.0, audio=False)
    assert held.dancer in plan.DANCERS["test"]
    assert example.dancer in plan.DANCERS["train"]


def test_the_command_makes_a_studio(tmp_path) -> None:
    testing = pytest.importorskip("typer.testing")
    from d2m.cli.data import app

    result = testing.CliRunner().invoke(
        app, ["studio", str(tmp_path / "s"), "--songs", "1", "--dances", "1", "--seconds", "4", "--video"]
    )
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "s").glob("videos/*.mp4"))) == 1
