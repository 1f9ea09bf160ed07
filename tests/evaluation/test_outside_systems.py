"""Systems from elsewhere in the benchmark, and its table as LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import shlex
import sys

import numpy as np
import pytest

from d2m.cli.main import main
from d2m.datasets.studio import make_studio
from d2m.errors import D2MError
from d2m.evaluation.benchmark.formats import csv_text, escape, latex
from d2m.evaluation.benchmark.items import data_set_of, find_items
from d2m.evaluation.benchmark.outside import keep_common, outside_row, recording_of
from d2m.evaluation.benchmark.run import benchmark
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


def test_a_folder_without_videos_is_no_folder_of_clips(tmp_path):
    with pytest.raises(D2MError, match="no videos in this folder"):
        find_items("clips", tmp_path)
