"""The dancer's landmarks in pictures: found, followed among others, filled and smoothed without moving the beat."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.features import analyse
from d2m.features.envelope import body_speeds
from d2m.features.landmarks import fill_and_smooth
from d2m.features.native_log import native_log_hidden
from d2m.features.people import People, Person, dancer, distinct
from d2m.features.pose import PeopleFinder, follow_dancers
from d2m.media import open_video

pytestmark = pytest.mark.slow

FPS = 30.0
SIZE = (480, 360)


@pytest.fixture(scope="module")
def danced():
    """A performance of three seconds on a grid of 100 beats a minute, and its camera."""
    from d2m.datasets.studio.camera import Camera
    from d2m.datasets.studio.choreographer import DancerStyle, choreograph
    from d2m.types import BeatGrid

    performance = choreograph(
        BeatGrid.steady(100.0, 12.0, 0.2), "gLH", 3.0, np.random.default_rng(3), dancer=DancerStyle(), fps=30.0
    )
    return performance, Camera.looking_at((0.3, 1.3, 4.4), (0, 0.95, 0), SIZE, 32.0)


@pytest.fixture(scope="module")
def drawn(danced) -> list[np.ndarray]:
    """The same as pictures, drawn once."""
    from d2m.datasets.studio.filming import pictures

    return list(pictures(*danced, None, 15.0, 1))


def film(path: Path, pictures: list[np.ndarray], rate: int = 15) -> Path:
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "18"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        out.mux(stream.encode(None))
    return path


def exact_landmarks(danced, fps: float) -> np.ndarray:
    from d2m.datasets.studio.landmarks import landmark_motion

    performance, camera = danced
    return landmark_motion(performance, camera, np.random.default_rng(0), fps=fps, noise=0.0).joints


def someone(frame: int, x: float, colour: float, lift: float = 0.0) -> Person:
    """A detection: a stick figure at ``x`` in clothes of one ``colour``."""
    joints = np.zeros((33, 3), np.float32)
    joints[:, 0] = x + 0.05 * np.cos(np.arange(33))
    joints[:, 1] = np.linspace(0.2, 0.8, 33)
    joints[15:23, 1] -= lift
    return Person(frame, joints, joints, np.full(33, 0.9, np.float32), np.full(6, colour, np.float32))


def test_the_dancer_is_found_where_she_is_and_quietly(danced, drawn, tmp_path, capfd) -> None:
    video = open_video(film(tmp_path / "dance.mp4", drawn))
    seen = follow_dancers(video, rate=15.0)
    assert capfd.readouterr().err == ""
    assert seen.found >= 0.95
    assert seen.people == 1
    assert seen.motion.skeleton == "mediapipe33"
    assert seen.motion.joints.shape == (len(drawn), 33, 3)
    assert seen.world.shape == (len(drawn), 33, 3)
    exact = exact_landmarks(danced, 15.0)[: len(drawn)]
    body = [11, 12, 13, 14, 23, 24, 25, 26, 27, 28]
    error = np.linalg.norm(seen.motion.joints[:, body, :2] - exact[:, body, :2], axis=-1)
    height = np.median(np.ptp(exact[..., 1], axis=1))
    assert np.median(error) < 0.04 * height


def test_nothing_is_logged_until_the_process_ends_when_the_dancer_enters_late(drawn, tmp_path) -> None:
    # In a process of its own: the native library logs some lines only once.
    path = film(tmp_path / "late.mp4", [np.full_like(drawn[0], 128)] * 4 + drawn[:8])
    code = (
        "import sys\nfrom d2m.features.pose import follow_dancers\nfrom d2m.media import open_video\n"
        "print(follow_dancers(open_video(sys.argv[1]), rate=15.0).people)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_only_the_native_log_is_kept_from_stderr(capfd) -> None:
    lines = [
        b"INFO: [environment.cc:36] Creating LiteRT environment with options\n",
        b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n",
        b"WARNING: Logging before InitGoogle() is written to STDERR\n",
        b"W0000 00:00:1795925102.923747    7736 landmark_projection_calculator.cc:81] Using NORM_RECT\n",
    ]
    with native_log_hidden():
        for line in lines:
            os.write(2, line)
        os.write(2, b"ERROR: out of memory\n")
        thread = threading.Thread(target=os.write, args=(2, b"WARNING:root:disk full\n"))
        thread.start()
        thread.join()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "ERROR: out of memory\nWARNING:root:disk full\nafter\n"


def test_stderr_is_as_before_after_overlapping_diversions(capfd) -> None:
    inside, outside = threading.Event(), threading.Event()

    def other() -> None:
        with native_log_hidden():
            inside.set()
            outside.wait(10)

    thread = threading.Thread(target=other)
    with native_log_hidden():
        thread.start()
        inside.wait(10)
    os.write(2, b"INFO: still hidden\n")
    outside.set()
    thread.join()
    os.write(2, b"INFO: seen\n")
    assert capfd.readouterr().err == "INFO: seen\n"


def test_the_one_who_dances_is_followed_not_the_one_who_stands(drawn, tmp_path) -> None:
    still = drawn[0][:, ::-1]
    pairs = [np.concatenate([still, picture], axis=1) for picture in drawn]
    seen = follow_dancers(open_video(film(tmp_path / "two.mp4", pairs)), rate=15.0)
    assert seen.people == 2
    assert seen.motion is not None
    # Picture heights: the dancer is in the right half.
    assert np.all(seen.motion.joints[:, [11, 12, 23, 24], 0].mean(axis=1) > SIZE[0] / SIZE[1])


def test_two_who_dance_are_two_dancers_with_the_first_as_motion(drawn, tmp_path) -> None:
    pairs = [np.concatenate([picture[:, ::-1], picture], axis=1) for picture in drawn]
    analysis = analyse(open_video(film(tmp_path / "pair.mp4", pairs)), beats="dance")
    assert len(analysis.dance.others) == len(analysis.other_worlds) == 1
    other = analysis.dance.others[0]
    assert other.joints.shape == analysis.dance.motion.joints.shape
    places = [one.joints[:, [11, 12, 23, 24], 0].mean() / (SIZE[0] / SIZE[1]) for one in (analysis.dance.motion, other)]
    assert sorted(int(place) for place in places) == [0, 1]
    assert any("2 dancers" in note for note in analysis.notes)


def test_each_shot_has_its_dancer_and_no_cut_is_a_movement(drawn, tmp_path) -> None:
    """Three shots: the dancer, another picture of her from nearer and mirrored, and the first again in other light."""
    import cv2

    near = [cv2.resize(picture[40:320, 100:460], SIZE)[:, ::-1] for picture in drawn]
    dark = [(0.45 * picture).astype(np.uint8) for picture in drawn]
    analysis = analyse(open_video(film(tmp_path / "shots.mp4", drawn + near + dark)), beats="dance")
    motion, count = analysis.dance.motion, len(drawn)
    assert analysis.cuts == motion.cuts == (count, 2 * count)
    for shot in motion.shots():
        assert (motion.confidence[shot].mean(axis=1) > 0.3).mean() > 0.9
    speed = body_speeds(motion, analysis.world).whole
    middle = speed[count : 2 * count]
    assert np.median(middle) > 0.5 * np.median(speed)
    assert speed[[count - 1, count, 2 * count - 1, 2 * count]].max() <= 1.2 * np.percentile(speed, 98)
    assert any("3 shots" in note for note in analysis.notes)


def test_no_dancer_means_the_motion_of_the_picture(clip, tmp_path) -> None:
    analysis = analyse(open_video(clip(tmp_path / "grey.mp4", duration=1.5)))
    assert analysis.dance.motion is None
    assert analysis.world is None
    assert any("no dancer found" in note for note in analysis.notes)
    assert analysis.dance.grid.beats[-1] >= analysis.dance.duration
    assert analysis.dance.grid.confidence < 0.1


def test_analysis_holds_together_and_reports_progress(drawn, tmp_path) -> None:
    done: list[float] = []
    video = open_video(film(tmp_path / "dance.mp4", drawn))
    analysis = analyse(video, genre="la-hip-hop", progress=done.append)
    dance = analysis.dance
    assert dance.genre == "gLH"
    assert dance.duration == video.duration
    # Fifteen pictures a second hold no more than that many poses.
    assert dance.motion.fps == pytest.approx(15.0)
    assert len(analysis.envelope) == len(dance.motion.joints)
    assert dance.grid.beats[0] <= 0.0
    assert dance.grid.beats[-1] >= video.duration
    assert done == sorted(done)
    assert done[-1] > 0.9
    assert np.all((analysis.motion_beats >= 0) & (analysis.motion_beats <= video.duration))
    with pytest.raises(ValueError, match="unknown genre"):
        analyse(video, genre="polka")


def test_a_file_that_is_no_pose_model_is_refused_in_one_line(tmp_path, drawn) -> None:
    for name, content in (("missing.task", None), ("wrong.task", b"not a model")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(D2MError, match=name) as caught, PeopleFinder(tmp_path / name, FPS) as finder:
            finder.find(drawn[0], 0)
        assert "\n" not in str(caught.value)


def test_two_people_who_cross_keep_their_identity() -> None:
    people = People(FPS)
    for frame in range(90):
        a, b = someone(frame, 0.3 + frame * 0.01, 0.3), someone(frame, 1.2 - frame * 0.01, 0.6)
        hidden = 42 <= frame <= 48
        people.add([b] if hidden else [b, a] if frame % 2 else [a, b])
    tracks = [track for track in people.tracks if len(track.people) > 10]
    assert len(tracks) == 2
    for track in tracks:
        colours = {round(float(person.colour[0]), 3) for person in track.people}
        assert len(colours) == 1


def test_someone_who_comes_back_is_the_same_person() -> None:
    people = People(FPS)
    for frame in range(120):
        found = [someone(frame, 0.4, 0.3)] if not 40 <= frame < 80 else []
        people.add([*found, someone(frame, 1.3, 0.7)])
    assert sorted(len(track.people) for track in people.tracks) == [80, 120]


def test_after_a_cut_the_dancer_is_taken_up_again() -> None:
    people = People(FPS)
    for frame in range(90):
        people.add([someone(frame, 0.3 if frame < 50 else 1.4, 0.3 + 0.01 * (frame >= 50), 0.1 * np.sin(frame))])
    assert len(dancer(people.tracks, FPS)) == 90


def test_the_dancer_is_who_moves_most() -> None:
    people = People(FPS)
    for frame in range(60):
        people.add([someone(frame, 0.4, 0.3), someone(frame, 1.2, 0.6, lift=0.15 * np.sin(0.4 * frame))])
    chosen = dancer(people.tracks, FPS)
    assert len(chosen) == 60
    assert all(person.colour[0] > 0.5 for person in chosen)
    assert dancer([], FPS) == []


def test_one_person_detected_twice_counts_once() -> None:
    assert len(distinct([someone(0, 0.5, 0.3), someone(0, 0.505, 0.3), someone(0, 1.2, 0.3)])) == 2


def test_gaps_are_filled_and_marked() -> None:
    line = np.linspace(0, 1, 60)[:, None, None] * np.ones((60, 33, 3))
    holes = line.copy()
    holes[20:26] = np.nan
    holes[:3] = np.nan
    joints, confidence = fill_and_smooth(holes, np.ones((60, 33)), FPS)
    assert np.abs(joints[10:-1] - line[10:-1]).max() < 0.01
    assert np.all(confidence[20:26] == 0)
    assert np.all(confidence[:3] == 0)
    assert np.all(confidence[26:] == 1)
    assert joints.dtype == np.float32


def test_a_flip_of_one_frame_is_removed() -> None:
    time = np.arange(90) / FPS
    joints = 0.3 + 0.1 * np.sin(2 * np.pi * time)[:, None, None] * np.ones((90, 33, 3))
    flipped = joints.copy()
    flipped[45, 15] += 0.3
    cleaned, confidence = fill_and_smooth(flipped, np.ones((90, 33)), FPS)
    assert np.abs(cleaned[45, 15] - joints[45, 15]).max() < 0.01
    assert confidence[45, 15] == 0
    assert confidence[:, 16].min() == 1


def test_smoothing_quietens_jitter_but_does_not_move_a_stop() -> None:
    time = np.arange(90) / FPS
    way = np.clip((time - 1.0) / 0.4, 0, 1)
    clean = (way**3 * (10 - 15 * way + 6 * way**2))[:, None, None] * np.ones((90, 33, 3)) * 0.3
    noisy = clean + np.random.default_rng(0).normal(0, 0.003, clean.shape)
    smooth, _ = fill_and_smooth(noisy, np.ones((90, 33)), FPS)
    assert (smooth - clean).std() < 0.75 * (noisy - clean).std()
    middle = smooth[:, :, 0].mean(axis=1)
    half = np.interp(0.15, middle[28:46], time[28:46])
    assert half == pytest.approx(1.2, abs=0.005)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, d2m.features, d2m.features.pose, d2m.features.flow\n"
        "print([m for m in ('mediapipe', 'cv2', 'torch', 'scipy.signal', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_real_clips_are_followed_and_beat_chance(shared) -> None:
    from d2m.evaluation.alignment import excess, judged_beats

    gains = []
    for name in ("aist_2", "tiktok_1"):
        analysis = analyse(open_video(shared / "clips" / f"{name}.mp4"))
        motion = analysis.dance.motion
        assert motion is not None
        beats = judged_beats(motion.joints, analysis.world, motion.fps)["picture"]
        gains.append(excess(beats, analysis.dance.grid.beats, analysis.dance.duration).excess)
    assert np.mean(gains) > 0.0
