"""Scripts that print the tables of the documentation, each on as little as it takes."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from repository import SCRIPTS
from scipy.io import wavfile

from d2m.datasets.studio import make_studio
from d2m.errors import D2MError
from d2m.evaluation.alignment_report import Watched, judge_music
from d2m.evaluation.rhythm import read_clip
from d2m.evaluation.rhythm_features import RhythmFeatures

pytestmark = pytest.mark.slow


@pytest.fixture
def script(monkeypatch):
    """Loads a script of the repository that is called with words."""

    def load(name: str, *words: object):
        path = SCRIPTS / f"{name}.py"
        if not path.is_file():
            pytest.skip("needs the scripts of the repository")
        monkeypatch.syspath_prepend(str(SCRIPTS))
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, words)])
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        # Dataclasses look their module up here.
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


def test_speed_of_the_beat_scores_is_told_a_file(script, tmp_path, capsys):
    words = ["--pairs", 2, "--seconds", 3, "--rate", 44100, "--channels", 2, "--processes", 1, "--keep", tmp_path]
    script("measure_beats_speed", *words).main()
    told = capsys.readouterr().out
    assert "2 pairs of 3 s, 44100 Hz, channels 2, 1 processes" in told
    assert "not measured: 0" in told
    assert len(re.findall(r"\d+\.\d s, \d+\.\d ms a file", told)) == 2
    assert len(list(tmp_path.glob("*/*.wav"))) == 4


def test_a_rendered_file_is_compared_with_another_one(script, tmp_path, capsys):
    words = ["--genres", "gHO", "--seconds", 2, "--keep", tmp_path, "--against", tmp_path]
    made = script("measure_render", *words)
    made.main()
    assert re.search(r"gHO: \d+\.\d+ s, \d+\.\d+ s of processor time, \d+ MiB", capsys.readouterr().out)
    rate, sound = wavfile.read(tmp_path / "gHO.wav")
    wavfile.write(tmp_path / "quiet.wav", rate, sound // 2)
    rms, peak = made.difference(tmp_path / "quiet.wav", tmp_path / "gHO.wav")
    assert rms == pytest.approx(-6.02, abs=0.05)
    assert peak < 0.0
    assert made.difference(tmp_path / "gHO.wav", tmp_path / "gHO.wav")[0] < -200.0


@pytest.mark.parametrize("name", ["h264.ts", "clock_falls.flv", "start_negative.mp4"])
def test_copies_are_held_against_those_of_ffmpeg(script, tmp_path, capsys, name):
    if not shutil.which("ffmpeg") or not shutil.which("ffprobe"):
        pytest.skip("needs the commands ffmpeg and ffprobe")
    with pytest.raises(SystemExit, match="0"):
        script("measure_containers", tmp_path, "--only", name).main()
    told = capsys.readouterr().out
    assert re.search(rf"\| {name} +\| .mp4 +\|.* \| ok", told)
    assert "1 of 1 files pass" in told


def test_copies_that_lack_pictures_do_not_pass(script):
    containers = script("measure_containers")
    assert containers.agrees((90, 3.0), (90, 3.03), 1 / 30)
    assert not containers.agrees((90, 3.0), (89, 3.0), 1 / 30)
    assert not containers.agrees((90, 3.0), (90, 3.1), 1 / 30)


def heard(times):
    return RhythmFeatures(4.0, times, times, 120.0, {})


def test_clips_are_summed_up_over_what_is_defined(script):
    clips = script("measure_clips")
    turns = np.arange(0.3, 4, 0.7)
    dance = Watched(4.0, {"space": turns, "flow": turns[::2]}, None)
    good, late, none = (judge_music(dance, heard(times)) for times in (turns, turns + 0.3, np.zeros(0)))
    found = {"ours": {"a": [good, good], "b": [good, late], "c": [none]}, "published": {"a": [late]}}
    first, ours, published = clips.summary(found, "space")
    assert len(first) == len(ours) == len(published)
    assert ours[:3] == ["ours", "3", "5"]
    well, badly = (report["beats"]["beat_align"]["excess"] for report in (good, late))
    mean = (well + (well + badly) / 2) / 2
    assert ours[3].startswith(f"{mean:+.2f} (")
    assert ours[3].endswith("2 clips")
    assert "(" not in published[3]
    header, *lines = clips.by_clip(found, "flow")
    assert header == ["clip", "motion beats", "ours", "published"]
    assert [line[:2] for line in lines] == [["a", "3"], ["b", "3"], ["c", "3"]]
    assert lines[2][2] == "undefined, undefined"
    assert lines[1][3] == ""
    assert clips.markdown([header, *lines]).count("\n") == 4


def test_clips_in_which_nobody_is_seen_are_left_out(script, clip, tmp_path, capsys):
    clip(tmp_path / "a.mp4", duration=1.0)
    with pytest.raises(D2MError, match="nobody is seen"):
        script("measure_clips", tmp_path, "--seeds", 1).main()
    assert "a: nobody is seen" in capsys.readouterr().out
    with pytest.raises(D2MError, match="holds no clip 'b'; it has a"):
        script("measure_clips", tmp_path, "--original", "b").main()
    with pytest.raises(D2MError, match="no such folder"):
        script("measure_clips", tmp_path / "none").main()


def test_peers_are_found_by_the_names_of_their_files(script, tmp_path):
    peers = script("measure_peers")
    aist, tiktok = "gHO_sFM_c02_d19_mHO4_ch05_003", "79_327_130_140_slice_0_5"
    for name, count in ((aist, 5), (tiktok, 5), ("79_352_slice", 3)):
        for number in range(1, count + 1):
            (tmp_path / f"{name}_sample{number}.mp4").touch()
    (tmp_path / "other.mp4").touch()
    dances, partial = peers.find_dances(tmp_path)
    assert partial == ["79_352_slice"]
    found = {dance.name: dance for dance in dances}
    assert set(found) == {aist, tiktok}
    assert found[aist].videos["LORIS"].stem.endswith("sample2")
    assert found[tiktok].videos["LORIS"].stem.endswith("sample3")
    assert (found[aist].tempo, found[tiktok].tempo) == (130.0, None)
    assert [peers.aist_tempo(f"gPO_sFM_c09_d10_mPO{n}_ch01") for n in (0, 5)] == [80.0, 130.0]
    with pytest.raises(D2MError, match="no dance with NAME_sample1"):
        peers.find_dances(tmp_path / "..")
    with pytest.raises(D2MError, match="no such folder"):
        peers.find_dances(tmp_path / "none")


def test_peers_are_heard_by_a_command(script, tmp_path):
    peers = script("measure_peers")
    program = tmp_path / "hear.py"
    program.write_text(
        "import json, sys\n"
        "for wav in sys.argv[2:]:\n"
        "    print(json.dumps({'file': wav, 'beats': [0.5, float(sys.argv[1])], 'strength': 0.8}))\n"
    )
    wavs = [tmp_path / "a b.wav", tmp_path / "c.wav"]
    heard = peers.track(f"{sys.executable} {program} 1.25", wavs)
    assert [heard[wav]["beats"].tolist() for wav in wavs] == [[0.5, 1.25]] * 2
    for command, reason in (
        (f"{sys.executable} {program}", "failed"),
        (f"{sys.executable} {program} one", "could not convert"),
        (f"{sys.executable} -c print(5)", "printed no JSON"),
        (f"{sys.executable} -c pass", "printed nothing for a b.wav and 1 more"),
        ("/no/such/program", "cannot be run"),
        ("", "is empty"),
    ):
        with pytest.raises(D2MError, match=reason):
            peers.track(command, wavs)


def test_music_in_time_with_the_dancer_leads_the_table_of_peers(script):
    peers = script("measure_peers")
    turns = np.arange(0.3, 5, 0.5)
    late = turns[:-1] + 0.25
    dances, heard = [], {}
    for number in range(4):
        dance = peers.Dance(f"gHO_sFM_c02_d19_mHO{number}_ch05_00{number}", {}, 5.0, {"space": turns, "flow": turns})
        for row, beats in (("LORIS", late), ("d2m, vq", turns), ("CDCD", np.zeros(0))):
            path = Path(f"{number}-{row}.wav")
            dance.wavs[row] = [path]
            heard[path] = {"beats": beats, "strength": None if row == "LORIS" else 0.5}
        dances.append(dance)
    header, *lines = peers.table(dances, heard)
    rows = {line[0]: dict(zip(header, line, strict=True)) for line in lines}
    good, bad, none, absent = (rows[name] for name in ("d2m, vq", "LORIS", "CDCD", "GACA-DiT"))
    assert float(good["hit rate, landmarks in space"].split()[0]) > 0.6
    assert float(bad["hit rate, landmarks in space"].split()[0]) < -0.1
    assert none["beat-align, optical flow"] == "undefined"
    # 120 bpm is right for the third piece of house; the others have 110, 115 and 125.
    assert (good["tempo (AIST)"], good["tempo or octave"], none["tempo (AIST)"]) == ("0.25", "0.25", "0.00")
    assert (good["strength"], bad["strength"]) == ("0.50", "")
    assert absent["dances"] == "0"


def test_dances_are_written_as_clips_with_their_beats(script, tmp_path):
    script("make_rhythm_clips", tmp_path / "free", "--count", 6, "--free", "--seed", 5).main()
    clips = [read_clip(path) for path in sorted((tmp_path / "free").glob("*.npz"))]
    assert len(clips) == 6
    assert any(clip.others for clip in clips)
    for clip in clips:
        assert all(other.cuts == clip.motion.cuts for other in clip.others)
        assert set(clip.downbeats) <= set(clip.beats)
    make_studio(tmp_path / "studio", 2, 1, 20.0, 3)
    script("make_rhythm_clips", tmp_path / "aist", "--aist", tmp_path / "studio").main()
    pieces = [read_clip(path) for path in sorted((tmp_path / "aist").glob("*.npz"))]
    assert [piece.name[-1] for piece in pieces] == ["0", "1"] * 2
    for first, second in zip(pieces[::2], pieces[1::2], strict=True):
        assert first.group == second.group
        step = 60.0 / first.tempo
        whole = (second.beats[0] + first.duration - first.beats[-1]) / step
        assert whole == pytest.approx(round(whole), abs=0.1)
