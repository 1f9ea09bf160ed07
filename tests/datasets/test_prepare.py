"""Preparing raw data sets: what is made of them, what is left out and why."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import pickle

import numpy as np
import pytest
from raw_data import AIST, TIKTOK, make_aist, make_pieces, make_tiktok, smpl, write_wav

from d2m.datasets import aist
from d2m.datasets.aist.source import AistSource
from d2m.datasets.pieces import PiecesSource
from d2m.datasets.prepare import prepare
from d2m.datasets.segments import Segments
from d2m.datasets.tiktok.source import TikTokSource
from d2m.errors import D2MError
from d2m.features.extract import Features, Settings, write_features
from d2m.features.i3d import segments
from d2m.types import GENRES, Motion, Visual

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = AIST["train"]


def skipped(out) -> dict[str, tuple[str, str]]:
    return {e["name"]: (e["what"], e["why"]) for e in json.loads((out / "skipped.json").read_text())["skipped"]}


def contents(out) -> dict[str, bytes]:
    files = (p for p in out.rglob("*") if p.is_file() and p.suffix != ".log")
    return {str(p.relative_to(out)): p.read_bytes() for p in files}


def test_aist_becomes_segments_of_motion_music_and_genre(tmp_path) -> None:
    root = make_aist(tmp_path / "raw")
    told = []
    outcome = prepare(AistSource(root), root, tmp_path / "out", progress=lambda *step: told.append(step))
    assert outcome.sequences == {split: list(names) for split, names in AIST.items()}
    assert outcome.skipped == []
    assert outcome.line() == "5 sequences (3 train, 1 val, 1 test), 0.4 min, 3 pieces of music"
    assert told[-1] == ("sequences", 5, 5)
    data = Segments(tmp_path / "out", "train")
    assert (data.kind, data.motion_fps, data.motion_size, len(data)) == ("aist", 60.0, 219, 6)
    assert [list(GENRES)[s.genre] for s in data] == ["gBR"] * 4 + ["gHO"] * 2
    # translation in metres, then rotations with unit rows
    motion = aist.read_motion(root / "motions" / f"{FIRST}.pkl")
    assert np.allclose(data[0].motion[:, :3], motion.translation[:120] / motion.scale, atol=1e-5)
    assert np.allclose(np.linalg.norm(data[1].motion[:, 3:6], axis=1), 1, atol=1e-5)
    sine = 16000 / 32768 * np.sin(2 * np.pi * 220 * np.arange(44100) / 22050)
    assert np.abs(data[0].waveform - sine).max() < 1e-3


def test_two_processes_give_the_same(tmp_path) -> None:
    root = make_aist(tmp_path / "raw", splits={"train": (FIRST, SECOND), "val": (), "test": ()})
    prepare(AistSource(root), root, tmp_path / "one")
    prepare(AistSource(root), root, tmp_path / "two", processes=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_second_run_makes_only_what_is_new(tmp_path) -> None:
    root, out = make_aist(tmp_path / "raw"), tmp_path / "out"
    prepare(AistSource(root), root, out)
    (out / "sequences" / f"{FIRST}.npz").unlink()
    (out / "prepared.json").unlink()
    aist.write_motion(root / "motions" / f"{SECOND}.pkl", smpl(400, 9))
    later = (out / "sequences" / f"{SECOND}.npz").stat().st_mtime + 5
    os.utime(root / "motions" / f"{SECOND}.pkl", (later, later))
    before = {path.name: path.stat().st_mtime_ns for path in out.rglob("*.np?")}
    prepare(AistSource(root), root, out)
    after = {path.name: path.stat().st_mtime_ns for path in out.rglob("*.np?")}
    assert {name for name in after if before.get(name) != after[name]} == {f"{FIRST}.npz", f"{SECOND}.npz"}
    assert len(Segments(out, "train")) == 2 + 3 + 2


def test_what_was_damaged_since_is_made_again(tmp_path) -> None:
    root, out = make_aist(tmp_path / "raw"), tmp_path / "out"
    prepare(AistSource(root), root, out)
    whole = contents(out)
    for path in (out / "sequences" / f"{FIRST}.npz", out / "music" / "mHO1.npy"):
        path.write_bytes(path.read_bytes()[:1000])
    assert prepare(AistSource(root), root, out).skipped == []
    assert contents(out) == whole


def test_a_full_disk_is_no_fault_of_the_data(tmp_path, monkeypatch) -> None:
    root, out = make_aist(tmp_path / "raw"), tmp_path / "out"

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "disk is full on device")

    for function in ("save", "savez"):
        with monkeypatch.context() as patch:
            patch.setattr(np, function, full)
            with pytest.raises(D2MError, match="disk is full"):
                prepare(AistSource(root), root, out)
        assert not (out / "skipped.json").exists()
        prepare(AistSource(root), root, out)
        for path in [*(out / "sequences").iterdir(), out / "skipped.json"]:
            path.unlink()


def test_a_folder_never_holds_two_data_sets(tmp_path) -> None:
    root, out = make_aist(tmp_path / "raw"), tmp_path / "out"
    prepare(AistSource(root), root, out)
    other = make_aist(tmp_path / "other")
    with pytest.raises(D2MError, match="prepared from other data"):
        prepare(AistSource(other), other, out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(D2MError, match="not empty"):
        prepare(AistSource(root), root, tmp_path / "full")


class _Runs:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def _cut(root, name):
    path = root / "motions" / f"{name}.pkl"
    path.write_bytes(path.read_bytes()[:5000])


def _evil(root, name):
    (root / "motions" / f"{name}.pkl").write_bytes(pickle.dumps({"smpl_poses": _Runs()}))


def _nan(root, name):
    motion = smpl(300)
    motion.poses[17, 3] = np.nan
    aist.write_motion(root / "motions" / f"{name}.pkl", motion)


def _fps(root, name):
    data = {"smpl_poses": np.zeros((300, 72)), "smpl_trans": np.zeros((300, 3)), "smpl_scaling": np.ones(1), "fps": 30}
    (root / "motions" / f"{name}.pkl").write_bytes(pickle.dumps(data))


def _no_motion(root, name):
    (root / "motions" / f"{name}.pkl").unlink()


def _no_wav(root, name):
    (root / "wav" / "mHO1.wav").unlink()


def _cut_wav(root, name):
    path = root / "wav" / "mHO1.wav"
    path.write_bytes(path.read_bytes()[:100_000])


def _text_wav(root, name):
    (root / "wav" / "mHO1.wav").write_text("no sound")


def _absurd_wav(root, name):
    path = root / "wav" / "mHO1.wav"
    path.write_bytes(path.read_bytes().replace((22050).to_bytes(4, "little"), (0xFFFFFF0F).to_bytes(4, "little"), 1))


def _short(root, name):
    aist.write_motion(root / "motions" / f"{name}.pkl", smpl(119))


def _short_wav(root, name):
    write_wav(root / "wav" / "mHO1.wav", 1.9)


def _ignored(root, name):
    aist.write_text(root / "ignore_list.txt", f"{name}\n")


FAULTS = {
    "truncated pickle": (_cut, "with damaged motion", "damaged or not a pickle file"),
    "malicious pickle": (_evil, "with damaged motion", "do not use it"),
    "not a number": (_nan, "with damaged motion", "not finite"),
    "other rate": (_fps, "with damaged motion", "runs at 30 fps"),
    "no motion": (_no_motion, "without motion", "is missing"),
    "no wav": (_no_wav, "without music", "no music mHO1.wav"),
    "truncated wav": (_cut_wav, "with damaged music", "cut short"),
    "no sound": (_text_wav, "with damaged music", "mHO1.wav"),
    "absurd wav": (_absurd_wav, "with damaged music", "1 channels at 4294967055 Hz"),
    "short": (_short, "too short", "1.98 s of motion"),
    "short wav": (_short_wav, "too short", "1.90 s of music"),
    "ignored": (_ignored, "in ignore_list", "ignore_list.txt"),
}


@pytest.mark.parametrize("kind", list(FAULTS))
def test_what_cannot_be_used_is_named(tmp_path, kind, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    spoil, what, why = FAULTS[kind]
    root, out = make_aist(tmp_path / "raw"), tmp_path / "out"
    spoil(root, THIRD)
    outcome = prepare(AistSource(root), root, out)
    found = skipped(out)
    assert list(found) == [THIRD]
    assert found[THIRD][0] == what
    assert why in found[THIRD][1]
    assert f"1 left out: 1 {what}" in outcome.line()
    assert Segments(out, "train").names == (FIRST, SECOND)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "what"),
    [("gXX_sBM_cAll_d04_mBR0_ch01", "of an unknown genre"), ("../../etc/passwd", "with a name of another form")],
)
def test_names_outside_the_grammar_are_left_out(tmp_path, name, what) -> None:
    root, out = make_aist(tmp_path / "raw"), tmp_path / "out"
    aist.write_text(root / "splits" / "crossmodal_train.txt", f"{FIRST}\n{name}\n")
    prepare(AistSource(root), root, out)
    assert skipped(out)[name][0] == what


def test_a_video_of_another_rate_or_length_is_left_out(tmp_path, clip) -> None:
    root = make_aist(tmp_path / "raw")
    (root / "videos").mkdir()
    for name, rate, duration in ((FIRST, 60, 5.0), (SECOND, 30, 5.0), (THIRD, 60, 3.0)):
        view = aist.AistName.parse(name).view(1)
        clip(root / "videos" / f"{view}.mp4", rate=rate, duration=duration, size=(64, 48))
    prepare(AistSource(root), root, tmp_path / "out")
    found = skipped(tmp_path / "out")
    assert found[SECOND][0] == found[THIRD][0] == "not at 60 fps"
    assert "runs at 30.00 fps" in found[SECOND][1]
    assert "300 frames of motion, 5.00 s at 60 fps, but its video lasts 3.00 s" in found[THIRD][1]
    # a studio's videos run at 30
    prepare(AistSource(root, any_fps=True), root, tmp_path / "studio")
    assert list(skipped(tmp_path / "studio")) == [THIRD]


def test_nothing_left_is_an_error(tmp_path) -> None:
    root = make_aist(tmp_path / "raw", seconds=1.0)
    with pytest.raises(D2MError, match=r"no sequence .* can be used, the first because: .*less than a segment of 2 s"):
        prepare(AistSource(root), root, tmp_path / "out")
    with pytest.raises(D2MError, match="is unfinished"):
        Segments(tmp_path / "out", "train")


def test_a_sequence_in_two_splits_is_refused(tmp_path) -> None:
    root = make_aist(tmp_path / "raw", splits=AIST | {"val": (FIRST,)})
    with pytest.raises(D2MError, match="listed twice or in two splits"):
        prepare(AistSource(root), root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_annotations_may_lie_beside_the_music(tmp_path) -> None:
    root = make_aist(tmp_path / "raw")
    (root / "aist_plusplus_final").mkdir()
    for name in ("motions", "splits", "ignore_list.txt"):
        (root / name).rename(root / "aist_plusplus_final" / name)
    assert sum(map(len, prepare(AistSource(root), root, tmp_path / "out").sequences.values())) == 5


def test_picture_features_go_with_the_sequence(tmp_path) -> None:
    root, visual = make_aist(tmp_path / "raw"), tmp_path / "i3d"
    visual.mkdir()
    for number, name in enumerate(n for names in AIST.values() for n in names if n != SECOND):
        np.save(visual / f"{aist.AistName.parse(name).view(1)}.npy", np.full((2, 2048), number, np.float32))
    prepare(AistSource(root, visual), root, tmp_path / "out")
    data = Segments(tmp_path / "out", "train")
    assert data.visual_size == 2048
    assert [s.visual[0] for s in data] == [0, 0, 1, 1]
    assert "c01_d05_mBR0_ch02.npz is missing" in skipped(tmp_path / "out")[SECOND][1]


def write_extracted(path, seconds: float, fps: float, visual: bool) -> None:
    """A file as `d2m features` writes it; landmark 0 moves to the right by a picture height a second."""
    frames = round(seconds * fps)
    landmarks = np.zeros((frames, 33, 3), np.float32)
    landmarks[:, 0, 0] = np.arange(frames) / fps
    motion = Motion(landmarks, fps, "mediapipe33", np.full((frames, 33), 0.9, np.float32))
    spans = segments(seconds, 2.0)
    rows = np.repeat(np.arange(len(spans), dtype=np.float32)[:, None], 2048, axis=1)
    found = Features(
        motion, frames, fps, 640, 480, seconds, 1.0, 1, Visual(rows, "i3d") if visual else None, spans, (), "key", True
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # the name of the visual model would need its weights
    write_features(path, dataclasses.replace(found, visual=None), Settings())
    if visual:
        with np.load(path) as plain:
            np.savez(path, **plain, visual=rows, segments=spans)


def test_what_d2m_features_writes_is_read(tmp_path) -> None:
    root = make_tiktok(tmp_path / "raw")
    for name, fps in zip((n for names in TIKTOK.values() for n in names), (30.0, 30.0, 60.0), strict=True):
        (root / "keypoints" / f"{name}.npy").unlink()
        write_extracted(root / "keypoints" / f"{name}.npz", 5.0, fps, visual=name != "000000_0_1")
    prepare(TikTokSource(root, root / "keypoints"), root, tmp_path / "out")
    assert list(skipped(tmp_path / "out")) == ["000000_0_1"]
    for split in ("train", "test"):
        data = Segments(tmp_path / "out", split)
        # the third row looks at the last 2 s, not at 4 to 6 s
        assert [s.visual[0] for s in data] == [0, 1]
        # the nose of BODY_25, in pixels of 720, 30 frames a second whatever the file has
        assert np.allclose(data[1].motion[:, 0], 720 * (2 + np.arange(60) / 30), atol=0.1)
        assert np.allclose(data[1].motion[:, 2], 0.9)


def test_picture_features_that_are_too_short_are_told(tmp_path) -> None:
    root, visual = make_aist(tmp_path / "raw"), tmp_path / "i3d"
    for name in (n for names in AIST.values() for n in names):
        write_extracted(visual / f"{aist.AistName.parse(name).view(1)}.npz", 5.0, 30.0, visual=True)
    write_extracted(visual / f"{aist.AistName.parse(THIRD).view(1)}.npz", 2.5, 30.0, visual=True)
    prepare(AistSource(root, visual), root, tmp_path / "out", seconds=4.0)
    assert skipped(tmp_path / "out")[THIRD] == (
        "too short",
        "2.00 s of visual features are less than a segment of 4 s",
    )
    assert len(Segments(tmp_path / "out", "train", seconds=4.0)) == 2


def test_tiktok_becomes_segments_of_keypoints(tmp_path) -> None:
    root = make_tiktok(tmp_path / "raw")
    np.save(root / "keypoints" / "000000_0_1.npy", np.zeros((150, 60), np.float32))
    outcome = prepare(TikTokSource(root), root, tmp_path / "out")
    assert outcome.sequences == {"train": ["000000_0_0"], "val": [], "test": list(TIKTOK["test"])}
    assert "expected (T, 75)" in skipped(tmp_path / "out")["000000_0_1"][1]
    data = Segments(tmp_path / "out", "test")
    assert (data.kind, data.motion_fps, data.motion_size, len(data)) == ("tiktok", 30.0, 75, 2)
    assert data[0].motion.shape == (60, 75)
    assert np.array_equal(data[0].motion, np.load(root / "keypoints" / "000007_7_188.npy")[:60])
    assert data[0].genre == -1


@pytest.mark.parametrize(("kind", "shape"), [("aist", (120, 219)), ("tiktok", (60, 75)), ("tiktok", (4500,))])
def test_the_pieces_of_the_authors_are_read(tmp_path, kind, shape) -> None:
    root = make_pieces(tmp_path / "raw", kind, shape, samples=44000)
    prepare(PiecesSource(root, kind), root, tmp_path / "out")
    data = Segments(tmp_path / "out", "train")
    assert [s.name[-5:] for s in data] == ["_seg1", "_seg2"]
    assert [s.visual[0] for s in data] == [s.motion[0, 0] for s in data] == [1, 2]
    assert data[0].genre == (1 if kind == "aist" else -1)
    # filled up with silence, as the authors do
    assert not data[0].waveform[44000:].any()


def test_a_piece_of_another_rate_is_left_out(tmp_path) -> None:
    root = make_pieces(tmp_path / "raw", "aist", (120, 219))
    np.save(root / "motion_s2" / "train" / "gPO_sBM_c01_d11_mPO1_ch02_seg1.npy", np.zeros((60, 219)))
    prepare(PiecesSource(root, "aist"), root, tmp_path / "out")
    assert skipped(tmp_path / "out")["gPO_sBM_c01_d11_mPO1_ch02_seg1"][0] == "not at 60 fps"
