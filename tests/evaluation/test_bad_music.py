"""Every way in which a recording can be unfit, through every command that measures music: named, and in no mean."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
import soundfile

from d2m.cli.main import main
from d2m.evaluation.alignment_report import Watched, judge_music, summary
from d2m.evaluation.fidelity_report import check
from d2m.evaluation.recordings import silent
from d2m.evaluation.rhythm_features import rhythm_features

RATE, SECONDS = 22050, 3.2


def music(seed: int) -> np.ndarray:
    """float64 (samples,): decaying notes and hits."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(SECONDS * RATE)) / RATE
    beat = time % 0.5
    tone = np.sin(2 * np.pi * rng.uniform(80, 300) * time) + 0.5 * np.sin(2 * np.pi * rng.uniform(400, 900) * time)
    return 0.3 * np.exp(-6 * beat) * tone + 0.2 * np.exp(-60 * beat) * rng.standard_normal(len(time))


#: What cannot be measured at all, and a word of what is said of it.
UNFIT = {
    "one": "1 sample",
    "nan": "not numbers",
    "inf": "not numbers",
    "empty": "is empty",
    "junk": "neither sound nor a video",
    "cut": "neither sound nor a video",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """``real`` with a good file for each in ``made``; ``only`` has only what cannot be measured."""
    root = tmp_path_factory.mktemp("bad")
    for name in ("real", "made", "only", "nothing"):
        (root / name).mkdir()
    good = music(0)
    spoilt = np.where(np.arange(len(good)) == 500, np.nan, good)
    sounds = {
        "a": good, "b": music(1), "c": music(2), "silence": np.zeros(len(good)), "constant": np.full(len(good), 0.5),
        "short": good[: len(good) // 3], "one": good[:1], "nan": spoilt, "inf": np.full(9000, np.inf),
    }  # fmt: skip
    for name, sound in sounds.items():
        soundfile.write(root / "made" / f"{name}.wav", sound, RATE, subtype="FLOAT")
    soundfile.write(root / "made" / "rate.wav", np.repeat(good, 2), 2 * RATE)
    whole = (root / "made" / "rate.wav").read_bytes()
    for name, content in (("empty", b""), ("junk", b"hello"), ("cut", whole[:30])):
        (root / "made" / f"{name}.wav").write_bytes(content)
    for path in (root / "made").iterdir():
        soundfile.write(root / "real" / path.name, music(zlib.crc32(path.name.encode())), RATE)
        if path.stem in UNFIT:
            (root / "only" / path.name).write_bytes(path.read_bytes())
    return root


def run(capsys, *words):
    """Exit status, report, and the lines of stderr."""
    status = main(["evaluate", *map(str, words), "--json"])
    said = capsys.readouterr()
    return status, json.loads(said.out) if said.out else None, said.err.splitlines()


def words_of(command, folders, made):
    if command == "genre":
        return (command, folders / made)
    return (command, "--reference", folders / "real", "--generated", folders / made)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["beats", "fidelity", "genre"])
def test_unfit_files_are_named_in_report_and_on_stderr_and_the_others_measured(folders, capsys, command):
    status, report, told = run(capsys, *words_of(command, folders, "made"))
    assert status == 1
    errors = {f["name"].removeprefix("generated ").removesuffix(".wav"): f["error"] for f in report["failed"]}
    wanted = UNFIT | ({"silence": "no genre", "constant": "no genre"} if command == "genre" else {})
    assert set(errors) == set(wanted)
    for name, word in wanted.items():
        assert word in errors[name]
        assert any(line.startswith("error: ") and errors[name] in line for line in told)
    rows = (
        report["checks"]["generated"]
        if command == "fidelity"
        else report[{"beats": "pairs"}.get(command, "recordings")]
    )
    assert {"a", "b", "c", "short", "rate"} <= {row["name"] for row in rows}
    assert not any("bug" in line or "nothing is left" in line for line in told)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["beats", "fidelity", "genre"])
def test_where_nothing_is_left_the_last_line_says_so(folders, capsys, command):
    status, report, told = run(capsys, *words_of(command, folders, "only"))
    assert status == 1
    assert len(report["failed"]) == len(UNFIT)
    assert told[-1] == "error: nothing is left to measure, see above"
    assert not any(isinstance(value, float) for value in (report.get("mean") or {}).values())


@pytest.mark.parametrize("command", ["beats", "fidelity", "genre"])
def test_an_empty_folder_is_one_line(folders, capsys, command):
    status, report, told = run(capsys, *words_of(command, folders, "nothing"))
    assert (status, report, len(told)) == (1, None, 1)
    assert "no sound files" in told[0]


@pytest.mark.slow
def test_silence_and_a_constant_are_in_no_distance_of_sets(folders, capsys):
    _, report, told = run(capsys, *words_of("fidelity", folders, "made"))
    problems = {row["name"]: row["problems"] for row in report["checks"]["generated"]}
    for name in ("silence", "constant"):
        assert problems[name][0] == "silence"
        assert "left out of the sets' distances: silence" in problems[name]
    assert any("off centre" in problem for problem in problems["constant"])
    assert report["sets"]["generated"]["recordings"] == 4
    assert any("3 of the generated recordings are left out" in note for note in report["notes"])
    assert any("constant: silence" in line for line in told)
    notes = {row["name"]: " ".join(row["notes"]) for row in report["pairs"]}
    assert "generated 44100 Hz" in notes["rate"]
    assert "not compared sample by sample" in notes["short"]


def test_a_constant_is_silence_to_the_beat_scores_too(folders, capsys):
    _, report, _ = run(capsys, *words_of("beats", folders, "made"))
    rows = {row["name"]: row for row in report["pairs"]}
    for name in ("silence", "constant"):
        assert "generated: silence" in rows[name]["notes"]
        assert (rows[name]["onset_f"], rows[name]["beat_f"], rows[name]["tempo_ratio"]) == (0, 0, None)
    assert report["counted"]["tempo_ratio"] <= len(report["pairs"]) - 2
    assert silent(np.full((1, 100), 0.7, np.float32))
    assert not silent(np.stack([np.zeros(100), np.sin(np.arange(100))]))
    assert check(0.3 + 0.2 * music(3)[None], RATE)["problems"] == ["off centre (mean +0.30)"]


@pytest.mark.parametrize("sound", [np.zeros(4 * RATE, np.float32), np.full(4 * RATE, 0.5, np.float32)])
def test_silence_under_a_dancer_has_no_score_and_is_in_no_mean(sound):
    dance = Watched(4.0, {"space": np.arange(0.3, 4, 0.6)}, np.arange(0.3, 4, 0.6))
    nothing, something = (
        judge_music(dance, rhythm_features(sound)),
        judge_music(dance, rhythm_features(np.tile(music(0), 2)[: 4 * RATE])),
    )
    json.dumps(nothing, allow_nan=False)
    assert nothing["motion_beats"] == something["motion_beats"]
    for events in ("onsets", "beats"):
        assert nothing[events]["beat_align"]["value"] is nothing["aist"][events]["value"] is None
    assert {"no onset in the music: its scores are undefined", "no beat in the music: its scores are undefined"} == {
        *nothing["notes"]
    }
    table = summary([nothing, something], np.random.default_rng(0))
    assert table["beats"]["beat_align"]["clips"] == 1
    assert table["beats"]["beat_align"]["value"] == something["beats"]["beat_align"]["value"]
    still = judge_music(Watched(4.0, {"space": np.zeros(0)}, None), rhythm_features(np.tile(music(0), 2)[: 4 * RATE]))
    assert "no motion beat in the picture: nothing can be scored" in still["notes"]


def test_unfit_music_under_a_video_is_one_line(folders, clip, tmp_path, capsys):
    video = clip(tmp_path / "v.mp4", duration=1.5)
    for name, word in UNFIT.items():
        status, report, told = run(capsys, "alignment", video, "--audio", folders / "made" / f"{name}.wav")
        assert (status, report, len(told)) == (1, None, 1)
        assert word in told[0]
    status, report, told = run(capsys, "alignment", folders / "nothing", folders / "made" / "junk.wav")
    assert status == 1
    assert report["mean"] is None
    assert [f["name"] for f in report["failed"]] == [str(folders / "nothing"), str(folders / "made" / "junk.wav")]
    assert told[-1] == "error: nothing is left to measure, see above"
