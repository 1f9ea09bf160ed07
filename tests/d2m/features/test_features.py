"""``d2m features``: what is written, what is kept, what fails and how that is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT
from test_bad_input import BAD

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.features.extract import Settings, extract, read_features
from d2m.features.skeletons import in_pixels, to_body25, to_coco17
from d2m.features.sources import Source, find_sources

pytestmark = pytest.mark.slow

#: Few frames, since pose is what takes the time.
SLOW = ["--fps", "5"]


@pytest.fixture(scope="module")
def dance(tmp_path_factory) -> Path:
    """Two seconds of the example, its packets copied."""
    import av

    path = tmp_path_factory.mktemp("dance") / "dance.mp4"
    with av.open(str(ROOT / "examples" / "dance.mp4")) as source, av.open(str(path), "w") as out:
        copied = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None and packet.pts * packet.time_base < 2:
                packet.stream = copied
                out.mux(packet)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(cache, capfd):
    """Runs the command; gives status, stdout and stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        status = main(["features", *map(str, words), "--cache", str(cache)])
        return (status, *capfd.readouterr())

    return call


def test_the_file_holds_the_same_dancer_in_three_skeletons(run, dance, tmp_path) -> None:
    status, out, err = run(dance, "-o", tmp_path / "out", *SLOW)
    assert (status, err) == (0, "")
    assert "10 frames at 5 a second" in out
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["dance.npz"]
    with np.load(tmp_path / "out" / "dance.npz", allow_pickle=False) as data:
        held = dict(data)
    assert held["landmarks"].shape == (10, 33, 3)
    assert (held["body25"].shape, held["coco17"].shape) == ((10, 25, 3), (10, 17, 3))
    assert {held[name].dtype for name in ("landmarks", "confidence", "body25", "coco17")} == {np.dtype("f4")}
    assert (float(held["fps"]), int(held["width"]), int(held["height"])) == (5.0, 640, 360)
    assert str(held["pose_model"]).startswith("mediapipe-pose_landmarker_full:")
    assert "visual" not in held
    read = read_features(tmp_path / "out" / "dance.npz")
    assert np.array_equal(held["body25"], in_pixels(to_body25(read.motion), 360))
    assert np.array_equal(held["coco17"], in_pixels(to_coco17(read.motion), 360))
    assert read.found > 0.9
    assert (held["others"].shape, held["others_confidence"].shape) == ((0, 10, 33, 3), (0, 10, 33))
    assert (held["others_cuts"].shape, held["cuts"].shape) == ((0, 10), (0,))
    assert read.others == ()
    # Head above feet, in the picture.
    assert np.all(held["coco17"][:, 0, 1] < held["coco17"][:, 15:, 1].min(axis=1))
    assert 0 < held["coco17"][..., 0].mean() < 640


def test_one_skeleton_may_be_chosen(run, dance, tmp_path) -> None:
    for name, other in (("body25", "coco17"), ("coco17", "body25")):
        assert run(dance, "-o", tmp_path, *SLOW, "--keypoints", name)[0] == 0
        with np.load(tmp_path / "dance.npz") as data:
            assert name in data
            assert other not in data


def test_what_is_there_is_kept_and_the_cache_makes_up_for_what_is_not(run, dance, tmp_path) -> None:
    def how(*words: object) -> str:
        status, out, _ = run(*words, "--json")
        assert status == 0
        return json.loads(out)["videos"][0]["how"]

    arguments = (dance, "-o", tmp_path / "out", "--fps", 4)
    assert how(*arguments) == "extracted"
    first = (tmp_path / "out" / "dance.npz").read_bytes()
    stamp = (tmp_path / "out" / "dance.npz").stat().st_mtime_ns
    assert how(*arguments) == "unchanged"
    assert (tmp_path / "out" / "dance.npz").stat().st_mtime_ns == stamp
    # Cut short, and with the landmarks damaged but the key in place.
    for damaged in (first[:500], first[:2000] + b"\0" * 64 + first[2064:]):
        (tmp_path / "out" / "dance.npz").write_bytes(damaged)
        assert how(*arguments) == "cached"
    assert (tmp_path / "out" / "dance.npz").read_bytes() == first
    shutil.copy(dance, tmp_path / "again.mp4")
    assert how(tmp_path / "again.mp4", "-o", tmp_path / "out", "--fps", 4) == "cached"
    assert how(*arguments, "--keypoints", "coco17") == "cached"
    assert how(*arguments, "--force") == "extracted"
    assert (tmp_path / "out" / "dance.npz").read_bytes() == first


def test_the_second_run_loads_nothing_heavy(run, dance, cache, tmp_path) -> None:
    assert run(dance, "-o", tmp_path, *SLOW)[0] == 0
    (tmp_path / "dance.npz").unlink()
    words = ["features", str(dance), "-o", str(tmp_path), *SLOW, "--cache", str(cache)]
    code = (
        "import sys\nfrom d2m.cli.main import main\n"
        f"assert main({words!r}) == 0\n"
        "print([m for m in ('mediapipe', 'cv2', 'torch', 'av', 'scipy', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cached" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_more_frames_than_pictures_are_interpolated_not_repeated(dance, cache) -> None:
    features = extract(dance, Settings(fps=45.0, cache=cache))
    assert features.motion.joints.shape == (90, 33, 3)
    assert features.motion.fps == 45.0
    steps = np.abs(np.diff(features.motion.joints[:75, 15:17, :2], axis=0)).max(axis=(1, 2))
    assert np.count_nonzero(steps == 0) < 4


def test_nobody_in_the_picture_is_told_and_kept_only_if_asked_for(run, clip, tmp_path) -> None:
    video = clip(tmp_path / "grey.mp4", duration=1.0, rate=10)
    for _ in range(2):
        status, out, err = run(video, "-o", tmp_path / "out", *SLOW)
        assert (status, out) == (1, "")
        assert err == (
            f"error: {video}: no dancer found (somebody was seen in 0% of the frames); leave the video out, or write "
            "zeros for it with --keep-empty\n"
        )
        assert not (tmp_path / "out").exists()
    assert run(video, "-o", tmp_path / "out", *SLOW, "--keep-empty")[0] == 0
    with np.load(tmp_path / "out" / "grey.npz") as data:
        assert data["body25"].shape == (5, 25, 3)
        assert not data["body25"].any()
        assert not data["confidence"].any()
    assert read_features(tmp_path / "out" / "grey.npz").motion is None


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind != "folder"])
def test_a_file_that_is_no_dance_video(run, clip, tmp_path, kind) -> None:
    make, name, said = BAD[kind]
    (tmp_path / "in").mkdir()
    make(clip, tmp_path / "in")
    status, out, err = run(tmp_path / "in" / name, "-o", tmp_path / "out", *SLOW)
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert err.startswith(f"error: {tmp_path / 'in' / name}: ")
    assert said in err
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_many_videos_go_on_past_those_that_fail_and_the_next_run_goes_on_from_there(run, dance, clip, tmp_path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "b").mkdir(parents=True)
    shutil.copy(dance, folder / "a.mp4")
    shutil.copy(dance, folder / "b" / "a.mp4")
    shutil.copy(dance, folder / "._a.mp4")
    (folder / "notes.txt").write_text("no video")
    (folder / "broken.mp4").write_text("hello " * 100)
    clip(folder / "grey.mp4", duration=1.0, rate=10)
    status, said, err = run(folder, "-o", out, "--fps", 3, "--processes", 2, "--json")
    assert status == 1
    told = json.loads(said)
    assert {Path(v["file"]).relative_to(out).as_posix() for v in told["videos"]} == {"a.npz", "b/a.npz"}
    assert {Path(v["video"]).name for v in told["failed"]} == {"broken.mp4", "grey.mp4"}
    assert err.count("error: ") == 2
    assert err.splitlines()[-1].startswith(f"4 videos in {out}: 1 extracted, 1 cached, 2 failed (which and why: ") or (
        "2 extracted, 2 failed" in err
    )
    failed = json.loads((out / "failed.json").read_text())
    assert {Path(v["video"]).name: v["error"].split(": ", 1)[1] for v in failed} == {
        "broken.mp4": next(v["error"] for v in failed if "broken" in v["video"]).split(": ", 1)[1],
        "grey.mp4": "no dancer found (somebody was seen in 0% of the frames); leave the video out, or write zeros "
        "for it with --keep-empty",
    }
    assert len((out / "features.log").read_text().splitlines()) == 4
    (folder / "broken.mp4").unlink()
    (folder / "grey.mp4").unlink()
    status, _, err = run(folder, "-o", out, "--fps", 3)
    assert (status, err) == (0, f"2 videos in {out}: 2 unchanged\n")
    assert sorted(p.name for p in out.rglob("*")) == ["a.npz", "a.npz", "b", "features.log"]


def test_a_list_names_videos_relative_to_itself(tmp_path) -> None:
    (tmp_path / "all.txt").write_text("# mine\nx/a.mp4\n\n/else/b.c.webm\nx/a.mp4\n")
    assert find_sources([tmp_path / "all.txt"]) == [
        Source(tmp_path / "x/a.mp4", Path("a.npz")),
        Source(Path("/else/b.c.webm"), Path("b.c.npz")),
    ]


def test_inputs_that_make_no_sense_are_one_line(run, dance, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    shutil.copy(dance, tmp_path / "other" / "dance.mp4")
    wrong = {
        "no videos in this folder": [tmp_path / "empty", "-o", tmp_path / "out"],
        "no videos in this list": [tmp_path / "empty.txt", "-o", tmp_path / "out"],
        "cannot be read as a list": [tmp_path / "binary.txt", "-o", tmp_path / "out"],
        "both be written to": [dance, tmp_path / "other" / "dance.mp4", "-o", tmp_path / "out"],
        "this is a file": [dance, "-o", tmp_path / "file"],
        "unknown keypoints": [dance, "-o", tmp_path / "out", "--keypoints", "smpl"],
        "unknown visual": [dance, "-o", tmp_path / "out", "--visual", "clip"],
        "frames a second": [dance, "-o", tmp_path / "out", "--fps", "nan"],
        "segments of": [dance, "-o", tmp_path / "out", "--seconds", "100"],
        "--visual i3d": [dance, "-o", tmp_path / "out", "--i3d-weights", "x.pyth"],
        "no such weights file": [dance, "-o", tmp_path / "out", "--visual", "i3d", "--i3d-weights", "x.pyth"],
    }
    before = sorted(p.name for p in tmp_path.iterdir())
    for said, words in wrong.items():
        status, out, err = run(*words)
        assert (status, out) == (1, ""), said
        assert said in err
        assert len(err.splitlines()) == 1
        assert err.startswith("error: ")
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_weights_that_do_not_fit_end_the_run_at_once(run, dance, tmp_path) -> None:
    (tmp_path / "other.pyth").write_text("hello " * 100)
    videos = [shutil.copy(dance, tmp_path / f"{i}.mp4") for i in range(3)]
    options = ["--visual", "i3d", "--i3d-weights", tmp_path / "other.pyth", "--fps", "7"]
    status, _, err = run(*videos, "-o", tmp_path / "out", *options)
    assert status == 1
    assert err == f"error: {tmp_path / 'other.pyth'} is damaged or not a PyTorch file; download the file again\n"
    assert not list(tmp_path.rglob("*.npz"))


def alive(group: int) -> bool:
    """Whether a process of this group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_stop_leaves_nothing_half_written_and_nobody_behind(dance, tmp_path) -> None:
    import signal
    import time

    for index in range(6):
        data = bytearray(dance.read_bytes())
        (tmp_path / f"{index}.mp4").write_bytes(data + bytes([0, 0, 0, 8]) + b"free" * (index + 1))
    words = [sys.executable, "-m", "d2m.cli.main", "features", str(tmp_path), "-o", str(tmp_path / "out")]
    words += ["--cache", str(tmp_path / "cache"), "--processes", "2"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    while not list((tmp_path / "cache").rglob("*")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    process.stderr.close()
    deadline = time.monotonic() + 20
    while alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(process.pid)
    assert not list(tmp_path.rglob(".*.npz.*"))


def test_a_file_of_another_kind_is_refused(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    (tmp_path / "b.npz").write_text("hello")
    for name in ("a.npz", "b.npz", "c.npz"):
        with pytest.raises(D2MError, match=name):
            read_features(tmp_path / name)


def test_real_clips_are_found_in_nearly_every_frame(shared, cache) -> None:
    found = [
        extract(shared / "clips" / f"{name}.mp4", Settings(fps=3.0, cache=cache)).found
        for name in ("aist_1", "tiktok_1")
    ]
    assert min(found) > 0.9
