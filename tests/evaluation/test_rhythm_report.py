"""Beats of dances against the music danced to: known answers, made dances, and files that are not fit."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from d2m.cli.main import main
from d2m.datasets.npy import read_npz
from d2m.errors import D2MError
from d2m.evaluation.rhythm import DanceClip, brier, chance_f, circular_mean, read_clip, reliability, score_grid
from d2m.evaluation.rhythm_report import evaluate_rhythm, summarise
from d2m.types import BeatGrid, Motion

DURATION = 12.0
KEYS = {
    *("name", "group", "duration", "tempo", "true_tempo", "beats", "downbeats", "confidence", "tempo_right"),
    *("octave_right", "f", "f_chance", "excess", "cmlt", "amlt", "downbeat_f", "phase_error", "phase_error_abs_ms"),
    *("phase_error_beats", "phase_concentration", "strength"),
}


def clip(tempo: float = 120.0, first: float = 0.1, duration: float = DURATION) -> DanceClip:
    """A clip without movement whose music has steady beats."""
    beats = np.arange(first, duration, 60.0 / tempo)
    motion = Motion(np.zeros((360, 33, 3), np.float32), 360 / duration, "mediapipe33", np.ones((360, 33), np.float32))
    return DanceClip("made", motion, None, duration, beats, beats[::4], None, "made")


def grid(tempo: float = 120.0, first: float = 0.1, confidence: float = 0.5) -> BeatGrid:
    return BeatGrid.steady(tempo, DURATION, first, confidence)


@pytest.fixture(scope="module")
def dances(tmp_path_factory):
    """Six dances of the studio, two of each of three sources, with more in the files than is needed."""
    from d2m.datasets.studio.example import sample

    folder = tmp_path_factory.mktemp("dances")
    for index in range(6):
        made = sample(seed=7, index=index, held_out=True, seconds=DURATION, audio=False, noise=1.0)
        beats = made.score.grid.beats
        held = {"landmarks": made.motion.joints, "confidence": made.motion.confidence, "fps": made.motion.fps}
        held |= {"beats": beats.astype(np.float32), "downbeats": beats[made.score.grid.downbeats], "width": 640}
        np.savez_compressed(folder / f"d{index}.npz", group=index // 2, strength=0.9, title=["more"], **held)
    return folder


def test_a_clip_with_several_dancers_and_cuts_is_read(dances, tmp_path):
    with np.load(dances / "d0.npz") as data:
        held = dict(data)
    frames = len(held["landmarks"])
    more = {
        "others": np.stack([held["landmarks"]] * 2), "others_confidence": np.stack([held["confidence"]] * 2),
        "cuts": np.array([100]), "others_cuts": (np.arange(frames) == 50)[None].repeat(2, 0).astype(np.uint8),
    }  # fmt: skip
    np.savez(tmp_path / "group.npz", **held, **more)
    read = read_clip(tmp_path / "group.npz")
    assert read.motion.cuts == (100,)
    assert [other.cuts for other in read.others] == [(50,), (50,)]
    assert read.other_worlds == (None, None)
    assert evaluate_rhythm(tmp_path)["mean"]["f"] > 0.3
    for wrong in ({"others": more["others"][:, 1:]}, {"cuts": np.array([5, 5])}, {"cuts": np.array([frames])}):
        np.savez(tmp_path / "group.npz", **held, **(more | wrong))
        with pytest.raises(D2MError, match="group.npz"):
            read_clip(tmp_path / "group.npz")


@pytest.mark.slow
def test_made_dances_are_found_and_every_figure_is_reported(dances, tmp_path, capsys):
    files = [str(tmp_path / "report.json"), str(tmp_path / "reliability.png")]
    assert main(["evaluate", "rhythm", str(dances), "--json", "-o", files[0], "-o", files[1]]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in report["clips"]] == [f"d{index}" for index in range(6)]
    assert all(set(row) == KEYS for row in report["clips"])
    mean, intervals = report["mean"], report["intervals"]
    assert mean["f"] > 0.6 > mean["f_chance"] + 0.2
    assert mean["f"] == pytest.approx(np.mean([row["f"] for row in report["clips"]]))
    assert all(intervals[name][0] <= mean[name] <= intervals[name][1] for name in ("f", "excess", "confidence"))
    assert report["sources"] == 3
    assert report["mean_by_source"]["f"] == pytest.approx(mean["f"])
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert (tmp_path / "reliability.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_table_has_a_line_for_each_clip_and_the_means(dances, capsys):
    assert main(["evaluate", "rhythm", str(dances)]) == 0
    told = capsys.readouterr().out
    assert all(f"\nd{index} " in told for index in range(6))
    assert "6 clips of 3 sources" in told
    assert "Brier score" in told


def test_the_right_grid_scores_one_and_chance_stays_below():
    scores = score_grid(clip(), grid())
    assert (scores["f"], scores["cmlt"], scores["amlt"], scores["tempo_right"]) == (1.0, 1.0, 1.0, True)
    assert scores["phase_error"] == pytest.approx(0.0, abs=1e-9)
    assert scores["phase_concentration"] == pytest.approx(1.0)
    # Within 70 ms on either side of a beat every half second: about 0.14 of 0.5.
    assert scores["f_chance"] == pytest.approx(0.28, abs=0.03)


@pytest.mark.slow
def test_a_grid_shifted_at_random_has_no_excess():
    scores = [score_grid(clip(), grid(first=0.1 + 0.5 * place))["excess"] for place in (np.arange(32) + 0.3) / 32]
    assert np.mean(scores) == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize(
    ("tempo", "right", "octave"),
    [(120.0, True, True), (124.0, True, True), (126.0, False, False), (60.0, False, True), (240.0, False, True),
     (40.0, False, False), (90.0, False, False)],
)  # fmt: skip
def test_a_tempo_is_right_within_4_percent(tempo, right, octave):
    scores = score_grid(clip(), grid(tempo))
    assert (scores["tempo_right"], scores["octave_right"]) == (right, octave)
    assert (scores["phase_error"] is None) == (not right)


@pytest.mark.parametrize("late", [0.06, -0.12])
def test_the_phase_error_is_above_0_where_the_grid_is_late(late):
    scores = score_grid(clip(), grid(first=0.1 + late))
    assert scores["phase_error"] == pytest.approx(late, abs=1e-6)
    assert scores["phase_error_beats"] == pytest.approx(2 * late, abs=1e-6)
    assert scores["phase_error_abs_ms"] == pytest.approx(1000 * abs(late), abs=1e-3)


def test_a_drifting_grid_has_no_clear_phase():
    assert score_grid(clip(), grid(123.0))["phase_concentration"] < 0.9
    assert circular_mean(np.array([0.45, -0.45])) == (pytest.approx(0.5), pytest.approx(np.cos(0.1 * np.pi)))


def test_bars_are_judged_apart_from_beats():
    shifted = grid()
    shifted = BeatGrid(shifted.beats, shifted.downbeats[:-1] + 2, 120.0, 0.5)
    assert score_grid(clip(), shifted)["downbeat_f"] == 0.0
    assert chance_f(clip(), shifted) == chance_f(clip(), grid())


def test_intervals_draw_whole_sources():
    base = score_grid(clip(), grid())
    # One source of many clips that all fail beside four that succeed: as single clips the mean would seem sure.
    rows = [base | {"name": str(n), "group": "one", "tempo_right": False} for n in range(40)]
    rows += [base | {"name": f"other {n}", "group": str(n), "tempo_right": True} for n in range(4)]
    report = summarise(rows)
    low, high = report["intervals"]["tempo_right"]
    assert report["mean"]["tempo_right"] == pytest.approx(4 / 44)
    assert report["mean_by_source"]["tempo_right"] == pytest.approx(0.8)
    assert (low, high) == (pytest.approx(0.02, abs=0.02), 1.0)
    assert report == summarise(rows)


def test_calibration():
    confidence, right = np.array([0.1, 0.15, 0.95, 1.0]), np.array([False, False, True, True])
    rows = reliability(confidence, right)
    assert [row["clips"] for row in rows] == [2, 0, 0, 0, 2]
    assert (rows[0]["right"], rows[1]["right"], rows[4]["right"]) == (0.0, None, 1.0)
    assert brier(confidence, right) < 0.02 < brier(1 - confidence, right)


def _saved(path, **changes):
    held = {"landmarks": np.zeros((300, 33, 3), np.float32), "fps": 30.0, "beats": np.arange(0.2, 10, 0.5)}
    held |= changes
    np.savez(path, **{name: value for name, value in held.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"beats": None}, "no 'beats' in it"),
        ({"landmarks": np.zeros((300, 17, 3))}, r"landmarks of shape \(300, 17, 3\)"),
        ({"landmarks": np.zeros((0, 33, 3))}, "landmarks of shape"),
        ({"landmarks": np.full((300, 33, 3), np.nan)}, "'landmarks' holds numbers that are not finite"),
        ({"landmarks": np.full((300, 33, 3), 1e30)}, "far outside the picture"),
        ({"landmarks": np.array([object()])}, "is damaged"),
        ({"fps": 0.0}, "'fps' must be one number from 1 to 1000"),
        ({"fps": np.array([30.0, 30.0])}, "'fps' must be one number"),
        ({"duration": 20.0}, "10.00 s of landmarks but a duration of 20.00 s"),
        ({"beats": np.array([1.0, 0.5, 2.0, 3.0, 4.0])}, "'beats' must be rising"),
        ({"beats": np.array([1.0, 2.0, 3.0])}, "3 beats within the clip"),
        ({"world": np.zeros((299, 33, 3))}, "'world' of shape"),
        ({"strength": 3.0}, "'strength' must be one number"),
    ],
)
def test_what_is_wrong_with_a_clip_is_said(tmp_path, changes, reason):
    with pytest.raises(D2MError, match=reason):
        read_clip(_saved(tmp_path / "clip.npz", **changes))


def test_a_clip_needs_no_more_than_landmarks_rate_and_beats(tmp_path):
    found = read_clip(_saved(tmp_path / "clip.npz"))
    assert (found.group, found.duration, found.world, len(found.downbeats)) == ("clip", 10.0, None, 0)
    assert found.motion.confidence.min() == 1.0


def test_unusable_files_are_named_and_do_not_stop_the_others(dances, tmp_path, capsys):
    (tmp_path / "good.npz").write_bytes((dances / "d0.npz").read_bytes())
    (tmp_path / "text.npz").write_text("no archive")
    whole = (dances / "d1.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    assert main(["evaluate", "rhythm", str(tmp_path), "--json"]) == 1
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert [row["name"] for row in report["clips"]] == ["good"]
    assert [row["name"] for row in report["failed"]] == ["cut.npz", "text.npz"]
    assert told.err.count("\n") == 2


def test_a_folder_without_clips_is_refused(tmp_path, capsys):
    for folder, reason in ((tmp_path, "no .npz files in it"), (tmp_path / "no", "no such folder")):
        with pytest.raises(D2MError, match=reason):
            evaluate_rhythm(folder)
    (tmp_path / "text.npz").write_text("no archive")
    assert main(["evaluate", "rhythm", str(tmp_path), "-o", str(tmp_path / "report.json")]) == 1
    assert "nothing is left to measure" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()
    assert main(["evaluate", "rhythm", str(tmp_path), "-o", "report.csv"]) == 1
    assert "ends in .json" in capsys.readouterr().err


def test_an_npz_is_never_believed(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.npy", bytes(2_000_000))
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"shape": (1 << 40,), "fortran_order": False, "descr": "<f8"})
        archive.writestr("claim.npy", header.getvalue())
    with pytest.raises(D2MError, match="larger than 1 MB"):
        read_npz(path, ["big"], 1_000_000)
    with pytest.raises(D2MError, match="damaged"):
        read_npz(path, ["claim"])
    assert read_npz(path, ["absent"]) == {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("packed.npy", bytes(1000))
    with pytest.raises(D2MError, match="damaged"):
        read_npz(path, ["packed"])
