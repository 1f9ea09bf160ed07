"""The benchmark on a small studio: baselines are told apart, work goes on where it stopped, failures are named."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import soundfile

from d2m.cli.benchmark import finish
from d2m.cli.main import main
from d2m.datasets.studio import make_tiktok_studio
from d2m.errors import D2MError
from d2m.evaluation.benchmark.baselines import WRONG, clicks, metronome
from d2m.evaluation.benchmark.inputs import read_inputs
from d2m.evaluation.benchmark.items import Item, find_items
from d2m.evaluation.benchmark.measure import cut, space_for
from d2m.evaluation.benchmark.order import expectations
from d2m.evaluation.benchmark.published import published
from d2m.evaluation.benchmark.report import short_table
from d2m.evaluation.benchmark.rows import BASELINES, all_rows, system_row
from d2m.evaluation.benchmark.run import benchmark
from d2m.evaluation.benchmark.studio import make_test_studio
from d2m.evaluation.benchmark.work import others_for
from d2m.evaluation.rhythm_features import rhythm_features
from d2m.features.skeletons import to_body25, to_coco17
from d2m.features.to_mediapipe import tidied, to_mediapipe33
from d2m.types import Motion

pytestmark = pytest.mark.slow

SONGS, SECONDS, SEGMENT = 3, 9.0, 4.5


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench") / "studio"
    make_test_studio(folder, SONGS, 1, SECONDS, seed=3)
    return folder


@pytest.fixture(scope="module")
def measured(studio, tmp_path_factory):
    """Folder and report of a run over all baselines and two systems."""
    out = tmp_path_factory.mktemp("report")
    rows = ("vq-spectral", "symbolic-composer", *BASELINES)
    report = benchmark(
        "studio", studio, out, ("symbolic-composer",), segment=SEGMENT, only=rows, command="d2m benchmark <studio>"
    )
    return out, report


@pytest.fixture(scope="module")
def lines(measured):
    return {line["key"]: line for line in measured[1]["rows"]}


def few(studio, out, **options):
    """A run that takes a moment: two baselines."""
    settings = {"segment": SEGMENT, "only": ("noise", "silence"), **options}
    return benchmark("studio", studio, out, (), **settings)


def results(out):
    return {path: path.stat().st_mtime_ns for path in out.glob("results/*/*.json")}


def test_the_original_is_best_and_strict_scores_tell_the_baselines_apart(lines):
    beat_f = {key: line["beats"]["beat_f"] for key, line in lines.items()}
    assert beat_f["ground-truth"] == 1.0
    assert beat_f["metronome"] > 0.65
    assert beat_f["vq-spectral"] > 0.7
    for key in ("metronome-late", "metronome-wrong", "shuffled", "noise"):
        assert beat_f[key] < 0.55, key
    assert beat_f["metronome-late"] < 0.3
    # What the coarse score does not see: a metronome half a beat off.
    assert lines["metronome-late"]["beats"]["d2m_hit"] > 0.8
    assert lines["metronome-late"]["beats"]["tempo_ratio"] == pytest.approx(1, abs=0.05)


def test_true_beats_judge_the_original_too(lines):
    assert lines["metronome"]["true_beat_f"] > 0.8
    assert 0.5 < lines["ground-truth"]["true_beat_f"] <= 1
    assert lines["metronome-late"]["true_beat_f"] < 0.3


def test_a_metronome_is_in_time_and_sounds_like_no_music(lines):
    distance = {key: (line["fidelity"] or {}).get("frechet") for key, line in lines.items()}
    assert distance["vq-spectral"] < distance["symbolic-composer"] < distance["noise"]
    assert distance["metronome"] > 3 * distance["symbolic-composer"]
    assert lines["vq-spectral"]["pairs"]["log_mel_l1"] < 0.3
    assert lines["noise"]["pairs"] is None


def test_what_cannot_be_said_of_silence_is_undefined(lines):
    silence = lines["silence"]
    assert silence["beats"]["tempo_ratio"] is None
    assert set(silence["alignment"]["beats"].values()) == {None}
    assert silence["fidelity"] is None
    assert silence["sound"]["loudness_lufs"] is None
    assert silence["sound"]["silent"] == silence["segments"] == 2 * SONGS
    # Silence has failed to play any beat: no system gets round the strict score by saying nothing.
    assert silence["beats"]["beat_f"] == 0


def test_unrelated_music_is_near_chance_beside_music_for_the_dance(lines):
    excess = {key: line["alignment"]["beats"]["beat_align"] for key, line in lines.items()}
    assert excess["symbolic-composer"]["excess"] > 0.1
    assert excess["symbolic-composer"]["excess"] > excess["noise"]["excess"] + 0.1
    assert excess["symbolic-composer"]["sequences"] == SONGS
    low, high = excess["symbolic-composer"]["interval"]
    assert low <= excess["symbolic-composer"]["excess"] <= high


def test_noise_and_speed_are_told(lines):
    assert lines["noise"]["sound"]["noise_like"] == 2 * SONGS
    assert lines["symbolic-composer"]["seconds_per_second"] > 0
    assert lines["noise"]["seconds_per_second"] is None


def test_genre_is_judged_where_a_network_is_and_undefined_elsewhere(lines, studio, tmp_path, monkeypatch):
    assert lines["ground-truth"]["genre"]["classification"] >= 0.5
    assert lines["ground-truth"]["genre"]["segments"] == 2 * SONGS
    assert lines["noise"]["genre"]["classification"] < 1
    assert lines["silence"]["genre"] is None
    monkeypatch.setattr("d2m.evaluation.benchmark.run.GENRE", "nowhere")
    report = few(studio, tmp_path, limit=1, only=("silence",))
    assert report["genre_note"].startswith("No genre weights")
    assert report["rows"][0]["genre"] is None


def test_the_report_is_whole_in_three_forms(measured):
    out, report = measured
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == json.loads(json.dumps(report))
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert not re.search(r"(src|href)=['\"](?!data:)", page)
    assert "d2m benchmark &lt;studio&gt;" in page
    text = (out / "report.md").read_text(encoding="utf-8")
    assert text.count("as published") == len(report["published"]) > 5
    for name in re.findall(r"\((plots/\w+\.png)\)", text):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table[: len(report["rows"])]} == {table[0].count("|")}


def test_the_report_says_whether_the_baselines_stand_where_they_should(measured, lines):
    out, report = measured
    ordered = dict(expectations(report["rows"]))
    strict = [text for text in ordered if text.startswith("beat F")]
    assert len(strict) == 4
    assert all(ordered[text] for text in strict)
    assert re.search(r"beat F: silence scores least +\| yes", (out / "report.md").read_text(encoding="utf-8"))
    cheat = {**lines["silence"], "beats": {**lines["silence"]["beats"], "beat_f": 0.99}}
    worse = dict(expectations([cheat if row["key"] == "silence" else row for row in report["rows"]]))
    assert not worse["beat F: silence scores least"]
    assert expectations([lines["symbolic-composer"]]) == []


def test_the_short_table_comes_first_and_the_command_prints_it_as_it_stands(measured, studio, capsys):
    out, report = measured
    text = (out / "report.md").read_text(encoding="utf-8")
    assert text.index("## In short") < text.index("## Beats")
    table = short_table(report)
    assert table in text
    assert table.count("\n") == len(report["rows"]) + 1
    finish(report, out, "md")
    assert table in capsys.readouterr().out


def test_published_figures_have_a_source_and_are_shares():
    for row in published():
        assert row.source
        assert all(0 < value <= 1 for value in row.scores.values())


def test_a_second_run_measures_nothing_again(studio, tmp_path):
    first = few(studio, tmp_path, limit=1)
    before = results(tmp_path)
    assert len(before) == 3
    assert few(studio, tmp_path, limit=1) == first
    assert results(tmp_path) == before
    damaged, other = list(before)[:2]
    damaged.write_text("{", encoding="utf-8")
    assert few(studio, tmp_path, limit=1)["rows"] == first["rows"]
    after = results(tmp_path)
    assert after[damaged] != before[damaged]
    assert after[other] == before[other]
    few(studio, tmp_path, limit=1, seed=1)
    assert len(results(tmp_path)) == 2 * len(before)


def test_two_processes_measure_the_same(studio, tmp_path):
    alone, together = (
        few(studio, tmp_path / str(count), processes=count, limit=2, only=("silence",)) for count in (1, 2)
    )
    assert alone["rows"] == together["rows"]


def test_an_interrupted_run_goes_on(studio, tmp_path):
    def interrupt(done, total):
        if done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        few(studio, tmp_path, progress=interrupt)
    kept = results(tmp_path)
    assert len(kept) == 3
    assert not (tmp_path / "report.json").exists()
    assert len(few(studio, tmp_path)["results"]["noise"]) == SONGS
    assert kept.items() <= results(tmp_path).items()
    assert not list(tmp_path.rglob("*.part*"))


def test_a_full_disk_is_no_fault_of_the_music(studio, tmp_path):
    (tmp_path / "results").write_text("in the way")
    with pytest.raises(D2MError, match="cannot write"):
        few(studio, tmp_path)


def test_one_broken_file_is_named_and_in_no_mean(studio, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(studio, data)
    scenes = find_items("studio", data)
    broken = data / "wav" / f"{scenes[0].music}.wav"
    broken.write_bytes(broken.read_bytes()[:5000])
    silent = data / "wav" / f"{scenes[1].music}.wav"
    soundfile.write(silent, np.zeros(round(SECONDS * 22050)), 22050)
    words = ["benchmark", "studio", "--data", str(data), "-o", str(tmp_path / "out"), "--segment", str(SEGMENT)]
    assert main([*words, "--row", "noise", "--row", "shuffled", "--json"]) == 1
    told = capsys.readouterr()
    report = json.loads(told.out)
    failed = {(failure["name"], failure["row"]): failure["error"] for failure in report["failed"]}
    assert "cut short" in failed[scenes[0].name, None]
    assert "silence" in failed[scenes[1].name, None]
    assert scenes[0].name in told.err
    assert report["sequences"] == 1
    assert {line["sequences"] for line in report["rows"] if line["key"] == "noise"} == {1}
    # The other originals are silent or broken; a silent one can still be played.
    assert [r["details"]["music"] for r in report["results"]["shuffled"]] == [scenes[1].name]
    assert scenes[0].name in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_music_that_is_unfit_is_named_and_music_that_is_short_too(studio, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(studio, data)
    sound = soundfile.read(data / "wav" / f"{find_items('studio', data)[0].music}.wav")[0]
    short, one, spoilt = (data / "wav" / f"{scene.music}.wav" for scene in find_items("studio", data))
    soundfile.write(short, np.repeat(sound[: round(5 * 22050)], 2), 44100)
    soundfile.write(one, sound[:1], 22050)
    soundfile.write(spoilt, np.where(np.arange(len(sound)) == 9, np.nan, sound), 22050, "FLOAT")
    report = few(data, tmp_path / "out", only=("silence",))
    errors = {failure["name"]: failure["error"] for failure in report["failed"]}
    names = [scene.name for scene in find_items("studio", data)]
    assert list(errors) == names[1:]
    assert "1 sample" in errors[names[1]]
    assert "not numbers" in errors[names[2]]
    assert report["notes"] == [f"{names[0]}: 5.00 s of music for 9.00 s of dance: the rest of the dance is left out"]
    assert report["notes"][0] in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert report["segments"] == 1


def test_nothing_to_measure_is_an_error(studio, tmp_path):
    with pytest.raises(D2MError, match="shorter than a segment"):
        few(studio, tmp_path, segment=20.0)
    with pytest.raises(D2MError, match="no such folder"):
        few(studio / "none", tmp_path)
    with pytest.raises(D2MError, match="split 'val'"):
        few(studio, tmp_path, split="val")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--weights", "nowhere.pt"], "no weights called"),
        (["--weights", "a="], "name files"),
        (["--weights", "studio", "--weights", "studio"], "two rows are called 'studio'"),
        (["--row", "best"], "there is no row 'best'"),
        (["--segment", "0.2"], "segment"),
        (["--genre", "rock"], "given or auto"),
        (["--genre-weights", "nowhere"], "no weights called"),
    ],
)
def test_wrong_options_are_one_line(studio, tmp_path, capsys, words, message):
    assert main(["benchmark", "studio", "--data", str(studio), "-o", str(tmp_path / "out"), *words]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_the_other_layouts_are_measured_too(tmp_path):
    from d2m.datasets.aist.source import AistSource
    from d2m.datasets.prepare import prepare

    make_tiktok_studio(tmp_path / "tiktok", 3, 1, 5.0, seed=3)
    report = benchmark("tiktok", tmp_path / "tiktok", tmp_path / "a", (), segment=5.0, only=("noise",), split="test")
    assert report["sequences"] == 1
    assert report["judge"] == "the same in the picture"
    make_test_studio(tmp_path / "aist", 1, 1, 5.0, seed=3)
    (tmp_path / "aist" / "splits" / "crossmodal_train.txt").write_text("")
    prepare(AistSource(tmp_path / "aist", any_fps=True), tmp_path / "aist", tmp_path / "prepared")
    scene = find_items("aist", tmp_path / "prepared")[0]
    raw = find_items("studio", tmp_path / "aist")[0]
    ready, stage = read_inputs(scene), read_inputs(raw)
    assert ready.dance.smpl.poses == pytest.approx(stage.dance.smpl.poses, abs=1e-4)
    assert ready.dance.genre == stage.dance.genre == raw.genre
    # On its own bones and in the picture's plane, the motion is still the same dance.
    assert abs(ready.dance.grid.tempo / stage.dance.grid.tempo - 1) < 0.1
    assert abs(len(ready.music) - len(stage.music)) <= 1


def test_systems_are_named_in_many_ways():
    assert system_row("studio").key == "studio"
    assert system_row("mine=studio-codec,studio-vqvae").weights == ("studio-codec", "studio-vqvae")
    row = system_row("my best/one=studio-codec")
    assert row.key == "my-best-one"
    assert row.fingerprint != system_row("x=studio-vqvae").fingerprint
    keys = [row.key for row in all_rows(("symbolic-composer",))]
    assert keys[0] == "ground-truth"
    assert set(BASELINES) < set(keys)


def test_shuffling_gives_nobody_their_own_music_and_each_song_once(tmp_path):
    scenes = [Item(f"d{i}", f"song{i // 2}", "aist", tmp_path) for i in range(8)]
    drawn = {scene.name: others_for(scene, scenes, 4) for scene in scenes}
    assert all(scene.music not in {other.music for other in drawn[scene.name]} for scene in scenes)
    assert sorted(drawn[f"d{i}"][0].music for i in (0, 2, 4, 6)) == [f"song{i}" for i in range(4)]
    assert others_for(scenes[0], scenes[:2], 4) == ()


def test_metronomes_beat_where_they_say():
    beats = np.arange(0.4, 8, 0.5)
    samples = 8 * 22050
    on, late, wrong = (rhythm_features(metronome(beats, samples, f"metronome{end}")) for end in ("", "-late", "-wrong"))
    assert np.abs(on.onsets[:10] - beats[:10]).max() < 0.05
    assert np.abs((late.onsets - 0.15) % 0.5 - 0.0).min() < 0.06
    assert wrong.tempo == pytest.approx(120 * WRONG, rel=0.03)
    with pytest.raises(D2MError, match="no beats"):
        metronome(beats[:1], samples, "metronome")
    assert not clicks(np.array([-1.0, 9.0]), samples).any()


def test_segments_are_whole_and_none_is_left_out():
    assert [len(part[0]) for part in cut(np.zeros((1, 100_000)), 10_000, 3.0, 9.9999)] == [30_000] * 3
    assert len(cut(np.zeros((2, 90_000)), 10_000, 3.0, 8.9999)) == 3
    assert space_for("log-mel", 1.5) is None
    assert space_for("log-mel", 2.0).window == pytest.approx(2.0, abs=0.01)


def test_skeletons_keep_the_points_that_they_share():
    rng = np.random.default_rng(0)
    for name, joints, back in (("coco17", 17, to_coco17), ("body25", 25, to_body25)):
        motion = Motion(rng.standard_normal((4, joints, 3)), 30.0, name, rng.uniform(0.5, 1, (4, joints)))
        full = to_mediapipe33(motion)
        assert full.joints.shape == (4, 33, 3)
        again = back(full)
        kept = [i for i in range(joints) if name == "coco17" or i not in (1, 8, 20, 23)]
        assert again.joints[:, kept] == pytest.approx(motion.joints[:, kept], abs=1e-6)
        assert (full.confidence[:, 17:23] == 0).all()
    with pytest.raises(ValueError, match="nobody"):
        tidied(np.full((5, 17, 2), np.nan), np.ones((5, 17)), 30.0, "coco17")
