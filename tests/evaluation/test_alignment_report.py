"""Chance beside every alignment score, and whole reports on made videos whose right answer is known."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from test_alignment import BEATS, pendulum
from test_beat_report import RATE, clicks

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.evaluation.alignment import aist_beats, aist_frames, beat_align, hit_rate
from d2m.evaluation.alignment_report import Watched, evaluate_alignment, judge_music, summary
from d2m.evaluation.chance import against_shifts
from d2m.evaluation.rhythm_features import rhythm_features

pytestmark = pytest.mark.slow

# Chance --------------------------------------------------------------------------------------------------------


def test_music_in_time_is_beyond_chance_and_its_interval_is_too():
    rng = np.random.default_rng(0)
    dance = np.cumsum(rng.uniform(0.3, 0.8, 60))
    found = against_shifts(beat_align, dance, dance, dance[-1] + 0.5)
    assert found.value == 1
    assert found.excess > 0.6
    assert found.interval[0] > 0.4
    assert found.p < 0.01
    assert found.interval[0] < found.excess < found.interval[1]


def test_unrelated_music_is_within_chance_nineteen_times_of_twenty():
    """Music on a steady beat too, where single beats are anything but independent."""
    rng = np.random.default_rng(1)
    inside = low = 0
    for trial in range(200):
        dance = np.sort(rng.uniform(0, 12, 24)) if trial % 2 else np.arange(rng.uniform(0, 0.6), 12, 0.6)
        music = np.arange(rng.uniform(0, 0.5), 12, 0.5)
        found = against_shifts(beat_align, dance, music, 12.0, shifts=100)
        inside += found.interval[0] <= 0 <= found.interval[1]
        low += found.p <= 0.05
    assert 0.90 <= inside / 200 <= 0.995
    assert low / 200 < 0.1


def test_on_one_beat_the_interval_stays_wide():
    """Dance and music of one tempo agree or not as a whole: sixty beats say as little as one."""
    dance = np.arange(0.25, 30, 0.5)
    found = against_shifts(beat_align, dance, dance, 30.0)
    assert found.value == 1
    assert found.interval[1] - found.interval[0] > 0.8
    assert 0 <= found.interval[0] < 0.1


def test_half_a_beat_off_is_below_chance():
    dance = np.arange(0.25, 30, 0.5)
    found = against_shifts(hit_rate, dance, dance + 0.25, 30.0)
    assert found.value == 0
    assert found.chance == pytest.approx(0.28, abs=0.02)
    assert found.p == 1


def test_what_cannot_be_scored_is_nan_and_bad_settings_are_refused():
    assert math.isnan(against_shifts(beat_align, np.zeros(0), BEATS, 20.0).excess)
    silent = against_shifts(beat_align, BEATS, np.zeros(0), 20.0)
    assert (silent.value, silent.chance, silent.excess, silent.p) == (0, 0, 0, 1)
    with pytest.raises(ValueError, match="duration"):
        against_shifts(beat_align, BEATS, BEATS, 0.0)
    with pytest.raises(ValueError, match="20 shifts"):
        against_shifts(beat_align, BEATS, BEATS, 20.0, shifts=5)


# The AIST++ script ---------------------------------------------------------------------------------------------


def test_aist_beats_are_slowest_of_twenty_one_frames():
    # A turn right on a frame has two equal steps beside it, neither of which is strictly the slowest.
    turns = aist_beats(pendulum(1.21, 6.0, 60.0), 60.0)
    assert np.abs(turns - np.arange(0.605, 5.9, 0.605)).max() <= 1 / 60
    quick = aist_beats(pendulum(0.2, 6.0, 60.0) + 3 * pendulum(1.2, 6.0, 60.0), 60.0)
    assert np.diff(quick).min() > 10 / 60


def test_aist_counts_whole_frames():
    assert aist_frames(np.array([0.0, 0.004, 0.02])) == pytest.approx([0, 1 / 60])
    # 24 ms apart is one or two frames, never one and a half; sigma of three frames is 0.05 s.
    score = beat_align(aist_frames(np.array([1.0])), aist_frames(np.array([1.024])), 3 / 60)
    assert score == pytest.approx(math.exp(-0.5 / 9))


# Reports -------------------------------------------------------------------------------------------------------


def write_swing(path, seconds=4.0, period=1.2, sound=None):
    """A speckled square that swings to and fro and turns every half period, from half a period on; and a sound."""
    import av

    rng = np.random.default_rng(0)
    patch = rng.integers(0, 255, (50, 50, 3), np.uint8)
    back = rng.integers(90, 140, (120, 200, 3), np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 200, 120, "yuv420p"
        music = None
        if sound is not None:
            music = out.add_stream("aac", rate=RATE, layout="mono")
        for i in range(round(seconds * 30)):
            rgb = back.copy()
            x = round(75 - 60 * math.cos(2 * math.pi * (i / 30) / period))
            rgb[35:85, x : x + 50] = patch
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        out.mux(stream.encode(None))
        if music is not None:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None]), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            out.mux(music.encode(frame))
            out.mux(music.encode(None))
    return path


@pytest.fixture(scope="module")
def swing(tmp_path_factory):
    """A video that turns at 0.6, 1.2 … s with clicks at just these times, and its report."""
    path = write_swing(tmp_path_factory.mktemp("swing") / "swing.mp4", sound=clicks(100, 4.0, first=0.6))
    return path, evaluate_alignment(path)


def test_music_on_the_turns_is_in_time(swing):
    _, report = swing
    assert report["judge"] == "picture motion"
    assert any("no dancer" in note for note in report["notes"])
    turns = np.arange(0.6, 3.7, 0.6)
    assert np.abs(np.array(report["motion_beats"])[:, None] - turns).min(1).max() < 0.06
    assert report["music_onsets"] == pytest.approx(turns, abs=0.05)
    for events in ("onsets", "beats"):
        row = report[events]["beat_align"]
        assert row["value"] > 0.75
        assert row["excess"] == pytest.approx(row["value"] - row["chance"])
        assert row["excess"] > 0.4
        assert report[events]["hit_rate"]["value"] > 0.8
    json.dumps(report, allow_nan=False)


def test_music_between_the_turns_is_not(swing):
    _, seen = swing
    dance = Watched(seen["duration"], {"picture motion": np.array(seen["motion_beats"])}, None)
    report = judge_music(dance, rhythm_features(clicks(100, 4.0, first=0.9)))
    assert report["onsets"]["hit_rate"]["value"] == 0
    assert report["onsets"]["beat_align"]["excess"] < -0.1
    assert report["onsets"]["beat_align"]["interval"][0] < 0


def test_a_video_without_sound_is_one_clear_line(tmp_path, clip, capsys):
    video = clip(tmp_path / "mute.mp4", duration=1.0)
    assert main(["evaluate", "alignment", str(video)]) == 1
    error = capsys.readouterr().err
    assert error == f"error: {video}: this video has no sound; name the music with --audio FILE\n"
    with pytest.raises(D2MError, match="above 0"):
        evaluate_alignment(video, video, sigma=0.0)


def test_music_from_a_file_and_silence_under_a_resting_picture(tmp_path, clip, capsys):
    video = clip(tmp_path / "mute.mp4", duration=1.5)
    soundfile.write(tmp_path / "silence.flac", np.zeros(RATE), RATE)
    assert main(["evaluate", "alignment", str(video), "--audio", str(tmp_path / "silence.flac"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["audio"].endswith("silence.flac")
    assert report["music_onsets"] == []
    assert "the music is silence" in report["notes"]
    assert any("1.00 s of sound" in note for note in report["notes"])
    assert report["onsets"]["beat_align"]["value"] in (None, 0)


def test_several_videos_have_a_mean_and_a_bad_one_is_named(clip, tmp_path, capsys):
    path = clip(tmp_path / "a.mp4", duration=1.0, sound=clicks(seconds=1.0)[None], sample_rate=RATE)
    (tmp_path / "bad.mp4").write_text("no video")
    assert main(["evaluate", "alignment", str(path), str(tmp_path / "bad.mp4"), "--json"]) == 1
    said = capsys.readouterr()
    table = json.loads(said.out)
    assert [video["video"] for video in table["videos"]] == [str(path)]
    assert set(table["mean"]) == {"onsets", "beats"}
    assert [f["name"] for f in table["failed"]] == [str(tmp_path / "bad.mp4")]
    assert "bad.mp4" in said.err
    assert main(["evaluate", "alignment", str(path), str(path), "--audio", "x.wav"]) == 1
    assert "one video" in capsys.readouterr().err


def test_the_mean_over_clips_leaves_out_what_is_undefined(swing):
    _, report = swing
    row = dict.fromkeys(("value", "chance", "excess", "p")) | {"interval": [None, None]}
    blank = {**report, "onsets": {"count": 0, "beat_align": row, "hit_rate": row, "beat_align_music_to_motion": row}}
    table = summary([report, blank], np.random.default_rng(0))
    assert table["onsets"]["beat_align"]["clips"] == 1
    assert table["beats"]["beat_align"]["clips"] == 2
    assert table["onsets"]["beat_align"]["excess"] == report["onsets"]["beat_align"]["excess"]
    assert summary([blank], np.random.default_rng(0))["onsets"]["hit_rate"]["excess"] is None


def test_a_real_dancer_is_judged_every_way(shared):
    report = evaluate_alignment(shared / "clips" / "aist_1.mp4")
    assert report["judge"] == "space"
    assert {"space", "picture", "flow"} <= set(report["judges"])
    assert report["aist"]["sigma_frames"] == 3
    for events in ("onsets", "beats"):
        assert 0 <= report["aist"][events]["value"] <= 1
        assert 0 < report[events]["beat_align"]["chance"] < 1
