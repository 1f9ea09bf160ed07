"""Systems from elsewhere in the benchmark, and its table as LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import json
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from d2m.cli.main import main
from d2m.datasets.studio import make_studio
from d2m.errors import D2MError
from d2m.evaluation.benchmark.formats import csv_text, escape, latex
from d2m.evaluation.benchmark.items import data_set_of, find_items
from d2m.evaluation.benchmark.measure import segments_in
from d2m.evaluation.benchmark.outside import keep_common, outside_row, recording_of
from d2m.evaluation.benchmark.published import published, published_for
from d2m.evaluation.benchmark.run import benchmark, split_by_music
from d2m.evaluation.benchmark.studio import make_test_studio
from d2m.media import mux, read_audio, write_wav

RATE = 22050
SCRIPT = """
import sys, wave
with wave.open(sys.argv[1], "wb") as wav:
    wav.setnchannels(1); wav.setsampwidth(2); wav.setframerate(8000)
    wav.writeframes(bytes(2 * 8000 * 12))
"""


def click_track(dance, seed):
    """A system in Python: clicks on the beats of the dance."""
    wave = np.zeros((1, round(dance.duration * RATE)), np.float32)
    for beat in dance.grid.beats[(dance.grid.beats >= 0) & (dance.grid.beats < dance.duration - 0.05)]:
        start = round(beat * RATE)
        wave[0, start : start + 400] = np.random.default_rng(seed).standard_normal(400) * 0.3
    return wave, RATE


def broken(dance, seed):
    return np.full((1, 100), np.nan), RATE


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "studio"
    make_test_studio(folder, 3, 1, 10.0, seed=3)
    return folder


@pytest.fixture(scope="module")
def recordings(studio, tmp_path_factory):
    """The originals of two of the three dances under the dances' names: one cut short, one as it is."""
    folder = tmp_path_factory.mktemp("mine") / "My & system_1"
    folder.mkdir()
    items = find_items("studio", studio)
    for item, seconds in zip(items, (6.0, 10.0), strict=False):
        music = data_set_of(item).item_music(item)
        write_wav(folder / f"{item.name}.wav", read_audio(music, RATE)[:, : round(seconds * RATE)], RATE)
    return folder


def test_a_folder_is_found_by_the_names_of_the_dances(studio, recordings):
    items = find_items("studio", studio)
    row = outside_row(f"mine={recordings}")
    assert (row.kind, row.source) == ("system", "folder")
    assert [recording_of(row, item) is not None for item in items] == [True, True, False]
    kept, missing = keep_common(items, [row])
    assert [item.name for item in kept] == [item.name for item in items[:2]]
    assert missing == [f"{items[2].name}: no recording of mine; the dance is left out of all means"]


@pytest.mark.slow
def test_means_are_over_the_same_dances_and_the_missing_one_is_named(studio, recordings, tmp_path):
    items = find_items("studio", studio)
    here = f"clicks={__name__}:click_track"
    script = tmp_path / "system.py"
    script.write_text(SCRIPT)
    command = f"quiet={shlex.quote(sys.executable)} {shlex.quote(str(script))} {{output}} {{name}}"
    told = f"mine={recordings}"
    report = benchmark("studio", studio, tmp_path / "out", outside=(told, here, command), segment=5.0)
    lines = {row["key"]: row for row in report["rows"]}
    assert {row["sequences"] for row in report["rows"]} == {2}
    assert list(lines)[4:7] == ["mine", "clicks", "quiet"]
    assert "studio" not in lines
    assert any(items[2].name in note for note in report["notes"])
    assert any("6.00 s of music" in note for note in report["notes"])
    # The second recording is the original, and the first until it ends.
    assert lines["mine"]["beats"]["beat_f"] > 0.7 > lines["noise"]["beats"]["beat_f"]
    assert lines["quiet"]["sound"]["silent"] == lines["quiet"]["segments"] == 4
    assert lines["clicks"]["alignment"]["beats"]["beat_align"]["excess"] is not None
    assert lines["clicks"]["seconds_per_second"] is not None
    assert lines["mine"]["seconds_per_second"] is None
    for ending in ("json", "md", "html", "csv", "tex"):
        assert (tmp_path / "out" / f"report.{ending}").stat().st_size > 1000
    assert (tmp_path / "out" / "plots" / "beats.pdf").read_bytes().startswith(b"%PDF")
    table = latex(report)
    assert table.count(r"\begin{") == table.count(r"\end{") == 2
    body = table.split(r"\toprule")[1].split(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(lines)
    assert len({line.count(" & ") for line in rows}) == 1
    assert r"\textbf" in body
    headings = rows[0].removesuffix(r" \\").split(" & ")
    assert len(set(headings)) == len(headings)
    assert not any(r"\textbf" in line for line in rows if line.startswith(("ground truth", "white noise", "silence")))
    figures = list(csv.DictReader(io.StringIO(csv_text(report))))
    mine = [f for f in figures if f["row"] == "mine" and f["metric"] == "beat_f"]
    assert float(mine[0]["value"]) == lines["mine"]["beats"]["beat_f"]
    assert float(mine[0]["low"]) <= float(mine[0]["value"]) <= float(mine[0]["high"])


@pytest.mark.slow
def test_what_a_system_does_wrong_is_named_with_the_dance(studio, tmp_path, capsys):
    failing = f"fails={shlex.quote(sys.executable)} -c 'raise SystemExit(\"no model\")' {{name}} {{output}}"
    for told, what in (
        (f"bad={__name__}:broken", "not finite"),
        (failing, "ended with status 1: no model"),
        ("none=true {name} {output}", "true wrote no file"),
        ("gone=no-such-program-here {name} {output}", "cannot run no-such-program-here"),
    ):
        words = ["benchmark", "studio", "--data", studio, "-o", tmp_path / told[:3], "--system", told]
        assert main([*map(str, words), "--segment", "5", "--limit", "1", "--row", told.partition("=")[0]]) == 1
        assert what in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ("mine", "NAME=FOLDER"),
        ("=folder", "NAME=FOLDER"),
        ("mine=nowhere", "nowhere is no folder"),
        ("mine=run {output}", "does not name the dance"),
        ("mine=no_such_module:function", "cannot import"),
        (f"mine={__name__}:no_such_function", "cannot import"),
    ],
)
def test_what_is_no_system_is_one_line(told, what):
    with pytest.raises(D2MError, match=what) as caught:
        outside_row(told)
    assert "\n" not in str(caught.value)


def test_names_of_other_dances_are_refused(studio, tmp_path):
    write_wav(tmp_path / "other.wav", np.zeros((1, RATE), np.float32), RATE)
    items = find_items("studio", studio)
    with pytest.raises(D2MError, match=f"name the files after the dances, such as {items[0].name}"):
        keep_common(items, [outside_row(f"mine={tmp_path}")])


def test_an_unknown_format_is_refused_before_anything_is_measured(studio, tmp_path, capsys):
    words = ["benchmark", "studio", "--data", studio, "-o", tmp_path / "out", "--format", "xls"]
    assert main([*map(str, words)]) == 1
    assert "choose md, csv, latex, json, html" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_latex_commands_in_names_are_escaped():
    assert escape("a_b & 100% {x} \\ #$~^<>") == (
        r"a\_b \& 100\% \{x\} \textbackslash{} \#\$\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}"
    )


@pytest.mark.slow
def test_a_folder_of_videos_is_measured_against_its_own_sound(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_studio(tmp_path / "studio", 1, 1, 6.0, 3, True)
    clips = tmp_path / "clips"
    clips.mkdir()
    (video,) = (tmp_path / "studio").rglob("*.mp4")
    (music,) = (path for path in (tmp_path / "studio").rglob("*.wav"))
    mux(video, read_audio(music, RATE), RATE, clips / "one.mp4")
    (clips / "one.d2m.mp4").write_bytes(b"a result of d2m generate")
    (clips / "notes.txt").write_text("no video")
    assert [each.name for each in find_items("clips", clips)] == ["one"]
    report = benchmark("clips", clips, tmp_path / "out", (), segment=5.0, only=("noise",))
    lines = {row["key"]: row for row in report["rows"]}
    assert report["sequences"] == 1
    assert lines["ground-truth"]["beats"]["beat_f"] == pytest.approx(1.0)
    assert lines["noise"]["beats"]["beat_f"] < 0.8
    assert any("the same motion that the engines see" in remark for remark in report["remarks"])
    assert not report["published"]


@pytest.fixture(scope="module")
def silent_clips(tmp_path_factory):
    """One dance video of 5 s without sound."""
    folder = tmp_path_factory.mktemp("videos")
    make_studio(folder / "studio", 1, 1, 5.0, 3, True)
    (folder / "clips").mkdir()
    (video,) = (folder / "studio").rglob("*.mp4")
    (music,) = (folder / "studio").rglob("*.wav")
    (folder / "clips" / "one.mp4").write_bytes(video.read_bytes())
    return folder / "clips", read_audio(music, RATE)


@pytest.mark.slow
def test_videos_without_music_are_measured_by_the_movement_alone(silent_clips, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clips, music = silent_clips
    (tmp_path / "mine").mkdir()
    write_wav(tmp_path / "mine" / "one.wav", music, RATE)
    words = ["benchmark", "clips", "--data", clips, "-o", tmp_path / "out", "--system", f"mine={tmp_path / 'mine'}"]
    # A clip of exactly one segment is measured, although its last frame ends before the segment does.
    assert main([*map(str, words), "--segment", "5"]) == 0
    told = capsys.readouterr()
    assert told.err.count("no music of their own") == 1
    assert "fit over chance" in told.out
    assert "beat F" not in told.out
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [row["key"] for row in report["rows"]] == ["mine", "noise", "silence"]
    mine = report["rows"][0]
    assert (mine["segments"], mine["fidelity"]) == (1, None)
    assert mine["beats"]["beat_f"] is None
    assert mine["alignment"]["beats"]["beat_align"]["excess"] is not None
    assert mine["sound"]["loudness_lufs"] is not None
    page = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "## Fit to the dancer" in page
    assert "## Beats" not in page


@pytest.mark.slow
def test_where_some_videos_have_music_the_others_are_left_out_and_named(silent_clips, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clips, music = silent_clips
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "mute.mp4").write_bytes((clips / "one.mp4").read_bytes())
    mux(clips / "one.mp4", music, RATE, folder / "sounding.mp4")
    kept, notes, original = split_by_music(find_items("clips", folder))
    assert ([item.name for item in kept], original) == (["sounding"], True)
    assert notes == ["mute: no music of its own, but others have; the dance is left out of all means"]


def test_a_clip_of_one_segment_is_not_refused_for_the_rounding_of_its_length():
    assert [segments_in(length, 2.0) for length in (1.85, 1.93, 1.996, 2.0, 3.8, 3.96)] == [0, 1, 1, 1, 1, 2]
    assert segments_in(0.9, 1.0) == 0


@pytest.mark.slow
def test_a_damaged_recording_is_named_where_it_is_the_only_one(studio, tmp_path, capsys):
    name = find_items("studio", studio)[0].name
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / f"{name}.wav").write_bytes(b"RIFF and nothing else")
    words = ["benchmark", "studio", "--data", studio, "-o", tmp_path / "out", "--system", f"mine={tmp_path / 'mine'}"]
    assert main([*map(str, words), "--segment", "5", "--row", "mine"]) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert f"{name}, mine: " in told[0]
    assert f"{name}.wav" in told[0]


def test_a_folder_without_videos_is_no_folder_of_clips(tmp_path):
    with pytest.raises(D2MError, match="no videos in this folder"):
        find_items("clips", tmp_path)


def test_published_rows_have_source_and_protocol_and_no_two_are_alike():
    rows = published()
    assert len({(row.title, row.data, row.table) for row in rows}) == len(rows)
    assert all(row.source and row.protocol and 0 < value < 1 for row in rows for value in row.scores.values())
    loris = [row.scores["bcs"] for row in published_for("aist") if row.title == "LORIS"]
    assert sorted(loris) == [0.9213, 0.9592]


@pytest.mark.slow
def test_the_latex_table_compiles(tmp_path):
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("needs pdflatex, with the packages booktabs and graphicx")
    lines = [
        {
            "key": key, "title": title, "kind": kind, "note": "", "sequences": 2, "segments": 4, "true_beat_f": None,
            "beats": {"beat_f": 0.5, "f1": 0.9}, "intervals": {"beat_f": [0.4, 0.6]}, "alignment": None,
            "fidelity": {"frechet": 12.5}, "genre": None, "sound": {}, "music": {}, "pairs": None,
        }
        for key, title, kind in (
            ("ground-truth", "ground truth", "reference"),
            ("mine", "My & system_1, 100 %", "system"),
            ("other", "{x} ~ ^ \\ # $", "system"),
            ("noise", "white noise", "baseline"),
        )
    ]  # fmt: skip
    report = {
        "rows": lines, "title": "Benchmark: clips", "command": "d2m benchmark clips --system 'my_1=a b'",
        "sequences": 2, "segments": 4, "settings": {"segment": 2.0}, "machine": {"d2m": "1"},
    }  # fmt: skip
    head = "\\documentclass{article}\\usepackage{booktabs}\\usepackage{graphicx}\\begin{document}\n"
    (tmp_path / "table.tex").write_text(head + latex(report) + "\\end{document}\n", encoding="utf-8")
    words = [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "table.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "table.pdf").read_bytes().startswith(b"%PDF")
