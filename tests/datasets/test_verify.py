"""Verifying data sets: what is counted, and what is found to be wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from raw_data import AIST, TIKTOK, make_aist, make_pieces, make_tiktok, smpl

from d2m.cli.main import main
from d2m.datasets import aist
from d2m.datasets.aist.source import AistSource
from d2m.datasets.prepare import prepare
from d2m.datasets.verify import verify
from d2m.errors import D2MError

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = AIST["train"]


def problems(folder) -> dict[str, str]:
    return {problem.name: problem.what for problem in verify(folder).problems}


def test_a_sound_aist_folder_is_counted(tmp_path) -> None:
    report = verify(make_aist(tmp_path))
    assert report.sound
    assert report.kind == "aist"
    assert report.sequences == {"train": 3, "val": 1, "test": 1}
    assert report.seconds == {"train": 15.0, "val": 5.0, "test": 5.0}
    assert report.songs == {"train": 2, "val": 1, "test": 1}
    assert report.genres["train"] == {"gBR": 2, "gHO": 1}
    # as AIST++ is split
    assert report.notes == ["1 pieces of music are in val and in test: mLO2"]


def test_a_sound_tiktok_folder_is_counted(tmp_path) -> None:
    report = verify(make_tiktok(tmp_path))
    assert (report.kind, report.sound) == ("tiktok", True)
    assert report.sequences == {"train": 2, "val": 0, "test": 1}
    assert report.songs["train"] == 2


def test_files_that_are_missing_or_damaged_are_named(tmp_path) -> None:
    root = make_aist(tmp_path)
    (root / "motions" / f"{FIRST}.pkl").write_bytes(b"\x80\x04N")
    (root / "wav" / "mHO1.wav").unlink()
    aist.write_text(root / "ignore_list.txt", f"{SECOND}\n")
    report = verify(root)
    assert {p.name for p in report.problems} == {FIRST, THIRD}
    assert report.sequences["train"] == 0
    assert "1 listed sequences are in ignore_list and will be left out" in report.notes


def test_keypoints_and_cameras_are_read_where_they_are(tmp_path) -> None:
    root = make_aist(tmp_path)
    for name in (n for names in AIST.values() for n in names):
        rate = 50 if name == FIRST else 60
        stamps = np.round(np.arange(300) * 1e6 / rate)
        views = aist.Keypoints2d(np.zeros((9, 300, 17, 3)), np.zeros((9, 300)), stamps)
        aist.write_keypoints2d(root / "keypoints2d" / f"{name}.pkl", views)
        space = np.zeros((200 if name == SECOND else 300, 17, 3))
        aist.write_keypoints3d(root / "keypoints3d" / f"{name}.pkl", space, space)
    aist.write_text(
        root / "cameras" / "mapping.txt", f"{FIRST} setting1\n{SECOND} setting1\n{AIST['val'][0]} setting2\n"
    )
    aist.write_text(root / "cameras" / "setting1.json", json.dumps([{"name": "c01"}] * 9))
    aist.write_text(root / "cameras" / "setting2.json", "[]")
    found = problems(root)
    assert found[FIRST] == "its 2-D keypoints run at 50.00 fps, not at 60"
    assert found[SECOND] == "it has 300 frames of motion and 200 of 3-D keypoints"
    assert "does not list" in found[THIRD]
    assert found[AIST["val"][0]] == "its cameras are not nine"


def test_what_is_in_two_splits_is_found(tmp_path) -> None:
    root = make_aist(tmp_path / "a", splits=AIST | {"val": (FIRST,)})
    assert problems(root)[FIRST] == "it is in train and in val"
    root = make_aist(tmp_path / "b", splits=AIST | {"train": (FIRST, FIRST), "test": ("gBR_sBM_cAll_d06_mBR0_ch03",)})
    found = problems(root)
    assert found[FIRST] == "it is listed 2 times in train"
    assert found["splits"] == "1 pieces of music are in train and in test: mBR0"
    root = make_tiktok(tmp_path / "c")
    for path in (root / "keypoints" / f"{TIKTOK['test'][0]}.npy", root / "wav" / f"{TIKTOK['test'][0]}.wav"):
        path.rename(path.with_stem("000003_0_188"))
    (root / "test.txt").write_text("000003_0_188\n")
    assert problems(root)["splits"] == "1 pieces of music are in train and in test: song 0"


def test_a_prepared_folder_is_read(tmp_path) -> None:
    root, out = make_aist(tmp_path / "raw"), tmp_path / "out"
    aist.write_text(root / "ignore_list.txt", f"{THIRD}\n")
    prepare(AistSource(root), root, out)
    report = verify(out)
    assert (report.kind, report.sound) == ("prepared aist", True)
    assert report.sequences == {"train": 2, "val": 1, "test": 1}
    assert "1 sequences were left out when it was prepared: see skipped.json" in report.notes
    path = out / "sequences" / f"{FIRST}.npz"
    content = bytearray(path.read_bytes())
    place = content.index(smpl_bytes(root, FIRST))
    content[place : place + 4] = np.float32(np.nan).tobytes()
    path.write_bytes(content)
    (out / "sequences" / f"{SECOND}.npz").unlink()
    found = problems(out)
    assert found[FIRST] == "it holds numbers that are not finite"
    assert "is missing" in found[SECOND]


def smpl_bytes(root, name) -> bytes:
    """The first numbers of a sequence's frames as they are stored."""
    from d2m.features.smpl import smpl_frames

    return smpl_frames(aist.read_motion(root / "motions" / f"{name}.pkl"))[:2].tobytes()


@pytest.mark.parametrize("kind", ["aist", "tiktok"])
def test_the_pieces_of_the_authors_are_counted(tmp_path, kind) -> None:
    root = make_pieces(tmp_path, kind, (120, 219) if kind == "aist" else (60, 75))
    report = verify(root)
    assert report.kind == f"{kind} pieces"
    assert report.sequences == {"train": 2, "val": 0, "test": 1}
    # made so: all three are pieces of one dance
    assert [p.name for p in report.problems] == ["splits"]
    next(root.glob("audio_s2/**/*_seg1.wav")).unlink()
    assert verify(root).sequences["train"] == 1


def test_splits_by_dancer_may_share_music(tmp_path) -> None:
    root, out = make_aist(tmp_path / "raw"), tmp_path / "out"
    for split, names in {"train": (FIRST,), "val": (THIRD,), "test": (SECOND,)}.items():
        aist.write_text(root / "splits" / f"pose_{split}.txt", "".join(f"{name}\n" for name in names))
    prepare(AistSource(root, protocol="pose"), root, out)
    report = verify(out)
    assert report.sound
    assert report.notes == ["1 pieces of music are in train and in test: mBR0"]
    with pytest.raises(D2MError, match="other data"):
        prepare(AistSource(root), root, out)


def test_what_is_no_data_set_is_refused(tmp_path) -> None:
    with pytest.raises(D2MError, match="is not a data set"):
        verify(tmp_path)
    with pytest.raises(D2MError, match="no such folder"):
        verify(tmp_path / "nothing")
    aist.write_motion(tmp_path / "motions" / f"{FIRST}.pkl", smpl(10))
    with pytest.raises(D2MError, match=r"no ignore_list\.txt"):
        verify(tmp_path)
    aist.write_text(tmp_path / "ignore_list.txt", "")
    with pytest.raises(D2MError, match=r"crossmodal_train\.txt is missing"):
        verify(tmp_path)


def test_the_command_tells_and_sets_the_status(tmp_path, capfd) -> None:
    root = make_aist(tmp_path)
    assert main(["data", "verify", str(root), "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["sound"]
    assert report["sequences"]["train"] == 3
    (root / "wav" / "mHO1.wav").unlink()
    assert main(["data", "verify", str(root)]) == 1
    told = capfd.readouterr()
    assert f"{THIRD}: no music mHO1.wav" in told.out
    assert told.err.startswith("error: 1 things are wrong")
    assert main(["data", "verify", str(root), "--json"]) == 1
    assert not json.loads(capfd.readouterr().out)["sound"]


def test_preparing_from_the_command_line(tmp_path, capfd) -> None:
    root = make_aist(tmp_path / "raw")
    (root / "wav" / "mHO1.wav").unlink()
    assert main(["data", "prepare", "aist", "--root", str(root), "-o", str(tmp_path / "out")]) == 0
    told = capfd.readouterr().err
    assert "4 sequences (2 train, 1 val, 1 test)" in told
    assert "1 left out: 1 without music" in told
    assert main(["data", "verify", str(tmp_path / "out")]) == 0
    capfd.readouterr()
    assert main(["data", "prepare", "aist", "--root", str(root), "-o", str(tmp_path / "out"), "--json"]) == 0
    outcome = json.loads(capfd.readouterr().out)
    assert outcome["sequences"]["train"] == [FIRST, SECOND]
    assert outcome["skipped"][0]["name"] == THIRD
    (root / "ignore_list.txt").unlink()
    assert main(["data", "prepare", "aist", "--root", str(root), "-o", str(tmp_path / "out")]) == 1
    assert "no ignore_list.txt" in capfd.readouterr().err
    assert main(["data", "studio", str(tmp_path / "x"), "--format", "ballet"]) == 1
    assert capfd.readouterr().err.startswith("error: there is no layout 'ballet'")
    assert main(["data", "prepare", "ballet", "--root", str(root), "-o", str(tmp_path / "x")]) == 1
    assert capfd.readouterr().err.startswith("error: there is no data set 'ballet'")
    assert main(["data", "prepare", "tiktok", "--root", str(root), "-o", str(tmp_path / "x")]) == 1
    assert "not a TikTok folder" in capfd.readouterr().err
