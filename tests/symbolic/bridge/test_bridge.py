"""Bridges: the networks, their training and figures, and songs joined by what they write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_bridge_songs import BASS, CHORDS, DRUMS, PIANO, bars_of, roll_of, song
from typer.testing import CliRunner

from d2m.cli.symbolic import app
from d2m.datasets.phrase_windows import PhraseWindows
from d2m.datasets.phrases import Phrases, PhraseSet, pack, save_phrases
from d2m.errors import D2MError, D2MWarning
from d2m.symbolic.bridge.composer import Composer, build
from d2m.symbolic.bridge.config import BridgeConfig
from d2m.symbolic.bridge.files import load, save
from d2m.symbolic.bridge.joining import bridge_keys, join, moved, settle
from d2m.symbolic.bridge.measure import baselines, f1, figures, starts
from d2m.symbolic.bridge.mixpoints import MixPoint
from d2m.symbolic.bridge.network import ShiftedCopies
from d2m.symbolic.midi import read_midi, write_midi
from d2m.symbolic.midi_write import within_channels
from d2m.symbolic.pianoroll_midi import write_roll
from d2m.symbolic.pianoroll_tensor import COMPACT
from d2m.training.bridge import BridgeTask, BridgeTraining, _pace, published_training
from d2m.training.export import export, read_checkpoint
from d2m.training.loop import LoopConfig, train

pytestmark = pytest.mark.slow

SMALL = BridgeConfig(width=8, beat_width=12, channels=24, blocks=1, shifts=3)
POINT = MixPoint(5, 2, 0, 0.0, "given")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Songs:
    """Windows of songs that repeat one bar, each song on its own chord."""

    shape = (16, 72, 5)

    def __init__(self) -> None:
        self.songs = [song(chord * 3, seed).held[1] for seed, chord in enumerate(CHORDS)]

    def batch(self, rng: np.random.Generator, count: int, bars: int, transpose: int = 0) -> np.ndarray:
        chosen = rng.integers(0, len(self.songs), count)
        return np.stack([np.repeat(self.songs[k][None], bars, axis=0) for k in chosen]).astype(np.float32)


class Repeater(Composer):
    """Writes the bar before again: a network whose music is known."""

    def __init__(self) -> None:
        super().__init__(build(SMALL), "repeater")

    def chances(self, context: np.ndarray, bars: int) -> np.ndarray:
        return np.repeat(context[:, :1], bars, axis=1).astype(np.float32)


def task(config: BridgeConfig = SMALL, seed: int = 0, **changes) -> BridgeTask:
    torch.manual_seed(seed)
    defaults = {"batch": 4, "measured": 8, "learning_rate": 1e-2, "two_bars": 0.8}
    make = published_training if config.model == "published" else BridgeTraining
    settings = make(Path("songs"), **((defaults if config.model == "own" else {"measured": 8, "batch": 4}) | changes))
    return BridgeTask(settings, config, Songs(), Songs())


def loop(folder: Path, steps: int, **changes) -> LoopConfig:
    settings = {"log_every": 2, "evaluate_every": steps, "checkpoint_every": steps, "accelerator": "cpu"}
    return LoopConfig(folder, steps, **(settings | {"precision": "32-true"} | changes))


def test_the_published_network_has_the_published_size_and_ours_needs_less():
    from torch.utils.flop_counter import FlopCounterMode

    context = torch.zeros(1, 2, 16, 72, 5)
    published, ours = build(BridgeConfig("published")).eval(), build(BridgeConfig()).eval()
    assert sum(p.numel() for p in published.parameters()) == 619_696
    counts = []
    for run in (lambda: published.phrase(context), lambda: ours(context, 2)):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            made = run()
        counts.append(counter.get_total_flops() // 2)
        assert made.shape[2:] == (16, 72, 5)
    assert published.phrase(context).shape[1] == 4
    assert counts[1] < counts[0] < 16_140_000
    assert sum(p.numel() for p in ours.parameters()) < 619_696


@pytest.mark.parametrize("bars", range(1, 9))
def test_bridges_have_any_length_up_to_eight_bars(bars):
    made = build(SMALL)(torch.zeros(2, 2, 16, 72, 5), bars)
    assert made.shape == (2, bars, 16, 72, 5)
    with pytest.raises(ValueError, match="1 to 8"):
        build(SMALL)(torch.zeros(2, 2, 16, 72, 5), 9)


def test_copies_are_moved_by_the_semitones_that_are_asked_for():
    copies = ShiftedCopies(SMALL)
    context = torch.from_numpy(np.stack([song("CCC").held[1], song("FFF").held[1]])[None].astype(np.float32))
    with torch.no_grad():
        copies.ask.bias.zero_()
        # The bar after, two semitones up: window place d is the bar moved by shifts - d.
        copies.ask.bias.view(5, 2, 7)[:, 1, SMALL.shifts - 2] = 1
        made = copies(torch.zeros(1, 3, 4, SMALL.channels), context)[0]
    expected = np.zeros((16, 72, 5), np.float32)
    expected[:, 2:] = context[0, 1, :, :-2]
    assert all(np.array_equal(bar.numpy(), expected) for bar in made)


def test_a_bridge_learns_to_go_on_as_before_and_its_run_becomes_weights(tmp_path):
    work = task()
    train(work, loop(tmp_path / "run", 60, evaluate_every=30))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    last = [line for line in lines if line.get("held_out")][-1]
    assert last["note F1"] > 0.8
    assert last["note F1"] > work.simple_bridges()["silence"]["note F1"] + 0.5
    losses = [line["loss"] for line in lines if "loss" in line]
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])
    state = read_checkpoint(tmp_path / "run" / "best.ckpt")
    card = {"architecture": "small", "data": "songs", "licence": "MIT", "command": "test", "seed": 0, "scores": {}}
    export(state, "bridge", tmp_path / "w.safetensors", "bridge", state["task"]["config"], card)
    composer = load(tmp_path / "w.safetensors")
    assert composer.config == SMALL
    context = Songs().batch(np.random.default_rng(0), 4, 2) > 0.5
    made = composer.compose(context, 3)
    assert f1(made, np.repeat(context[:, :1], 3, axis=1)) > 0.8
    # The thresholds came with the weights.
    assert composer.network.densities.shape == (5,)


@pytest.mark.parametrize("config", [SMALL, BridgeConfig("published")], ids=["own", "published"])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path, config):
    whole, first, second = (task(config) for _ in range(3))
    train(whole, loop(tmp_path / "whole", 4, evaluate_every=2))
    train(first, loop(tmp_path / "parts", 3, evaluate_every=2))
    train(second, loop(tmp_path / "parts", 4, evaluate_every=2))
    expected, actual = (t.modules["bridge"].state_dict() for t in (whole, second))
    assert all(torch.equal(actual[name], expected[name]) for name in expected)


def test_the_learning_rate_rises_then_falls_to_a_tenth_and_is_a_plain_number(tmp_path):
    rates = [_pace(step, 1000) for step in (0, 50, 99, 500, 1000, 5000)]
    assert rates == pytest.approx([0.01, 0.51, 0.978, 0.55, 0.1, 0.1], abs=2e-3)
    assert {type(rate) for rate in rates} == {float}
    assert _pace(5000, 0) == 1.0


def test_both_objectives_train_ours_and_only_squares_the_published():
    from lightning.fabric import Fabric

    for objective in ("bce", "mse"):
        work = task(objective=objective)
        work.setup(Fabric(accelerator="cpu", precision="32-true"))
        assert np.isfinite(work.step(0, np.random.default_rng(0))["loss"])
    with pytest.raises(D2MError, match="trained by mse"):
        task(BridgeConfig("published"), objective="bce")
    with pytest.raises(D2MError, match="no objective 'gan'"):
        task(objective="gan")


def test_a_bridge_is_as_busy_as_the_bars_around_it_and_no_likelier_key_is_left_out():
    composer = Repeater()
    rng = np.random.default_rng(0)
    sure = rng.random((1, 3, 16, 72, 5)) * 0.5 + 0.5
    composer.chances = lambda context, bars: sure
    context = np.zeros((1, 2, 16, 72, 5), bool)
    context[0, 0, :8, [30, 34], 1] = context[0, :, ::4, 12, 0] = True
    made = composer.compose(context, 3)
    assert made[0].sum(axis=(1, 2)).tolist() == [[4, 12, 0, 0, 0], [4, 8, 0, 0, 0], [4, 4, 0, 0, 0]]
    assert sure[0, 0, ..., 1][made[0, 0, ..., 1]].min() > sure[0, 0, ..., 1][~made[0, 0, ..., 1]].max()
    composer.network.thresholds.fill_(2.0)
    assert not composer.compose(context, 3).any()


def test_no_track_plays_more_keys_at_a_time_than_in_the_bars_around():
    composer = Repeater()
    sure = np.random.default_rng(1).random((1, 2, 16, 72, 5)) * 0.5 + 0.5
    composer.chances = lambda context, bars: sure
    context = np.zeros((1, 2, 16, 72, 5), bool)
    # The bass walks, each bar another key; the piano plays three at once in one of the bars.
    context[0, 0, :, 8, 3] = context[0, 1, :, 13, 3] = True
    context[0, 0, :, 30, 1] = context[0, 1, :4, [30, 34, 37], 1] = True
    made = composer.compose(context, 2)[0].sum(axis=2)
    assert made[..., 3].max() == 1
    assert made[..., 3].sum() >= 24
    assert made[..., 1].max() == 3


def test_thresholds_and_densities_are_those_that_bring_the_real_bars_back():
    composer = Repeater()
    context = Songs().batch(np.random.default_rng(0), 6, 2) > 0.5
    composer.chances = lambda given, bars: np.where(np.repeat(given[:, :1], bars, axis=1), 0.45, 0.35)
    composer.network.thresholds.fill_(0.9)
    composer.calibrate(context, np.repeat(context[:, :1], 2, axis=1))
    assert f1(composer.compose(context, 2), np.repeat(context[:, :1], 2, axis=1)) == 1.0


def test_figures_of_the_real_bars_are_perfect_and_of_silence_nothing():
    windows = Songs().batch(np.random.default_rng(0), 6, 4) > 0.5
    context, real = windows[:, [0, -1]], windows[:, 1:-1]
    found = figures(real, real, context)
    assert (found["note F1"], found["onset F1"], found["density"]) == (1.0, 1.0, 1.0)
    assert found["groove"] == pytest.approx(1.0)
    assert found["distance before"] == pytest.approx(0.0)
    simple = {name: figures(made, real, context) for name, made in baselines(context, 2).items()}
    assert simple["silence"]["note F1"] == 0
    assert simple["silence"]["empty bars"] == 1
    assert simple["repeat A"]["note F1"] == 1
    assert set(simple) == {"silence", "repeat A", "repeat B", "halves", "cross-fade"}


def test_halves_take_each_bar_from_the_nearer_side():
    context = np.zeros((1, 2, 16, 72, 5), bool)
    context[0, 0, 0, 10, 1] = context[0, 1, 0, 20, 1] = True
    halves = baselines(context, 3)["halves"][0, :, 0, :, 1]
    assert [int(row.argmax()) for row in halves] == [10, 10, 20]
    assert f1(context[:, :1], context[:, 1:]) == 0.0
    held_on = np.repeat(context[:, :1], 1, axis=1)
    context[0, 0, -1, 10, 1] = True
    assert not starts(context, held_on).any()


def test_windows_run_across_phrases_that_touch(tmp_path):
    bars = song("CaFGdeCG" + "FFFF").held.reshape(3, 4, 16, 72, 5)
    (tmp_path / "train").mkdir()
    shard = PhraseSet(
        pack(bars), pack(bars), np.array([0, 0, 0]), np.array([0, 4, 12]), np.full(3, 120.0), ("x",), COMPACT
    )
    save_phrases(tmp_path / "train" / "x.npz", shard)
    windows = PhraseWindows(Phrases(tmp_path, "train", articulated=False))
    assert windows.starts(4).tolist() == [0, 1, 2]
    assert windows.starts(5).tolist() == [0]
    taken = windows.take(np.array([0]), np.array([2]), 6)[0]
    assert np.array_equal(taken, bars.reshape(12, 16, 72, 5)[2:8])
    drawn = windows.batch(np.random.default_rng(0), 5, 6, transpose=3)
    assert drawn.shape == (5, 6, 16, 72, 5)
    assert {int(window.sum()) for window in drawn} <= {int(bars.reshape(12, -1)[k : k + 6].sum()) for k in range(3)}
    with pytest.raises(D2MError, match="9 bars in a row"):
        windows.starts(9)


def test_joined_songs_keep_their_own_notes_around_the_bridge():
    a, b = song("CaFGCaFG", 1, tempo=100), song("FGCaFGCa", 2, style=1, tempo=140)
    joined = join(a, b, POINT, Repeater(), bars=2)
    assert (joined.start, joined.end) == (24, 32)
    parts = {part.track: part for part in joined.score.parts}
    original = {part.track: part for part in a.score.parts}
    second = {part.track: part for part in b.score.parts}
    for track, part in parts.items():
        early, late = part.starts < 24, part.starts >= 32
        mine, theirs = original[track].starts < 24, second[track].starts >= 8
        for name in ("starts", "ends", "pitches", "velocities"):
            assert np.array_equal(getattr(part, name)[early], getattr(original[track], name)[mine])
            assert np.array_equal(
                getattr(part, name)[late],
                getattr(second[track], name)[theirs] + (24 if name in ("starts", "ends") else 0),
            )
    assert joined.score.grid.downbeats.tolist() == list(range(0, 56, 4))
    assert joined.bridge[0].any()
    assert not (joined.bridge[0] & ~a.held[5]).any()
    assert joined.score.duration == pytest.approx(24 * 0.6 + 24 * 60 / 140 + joined.seconds[1] - joined.seconds[0])


def test_the_tempo_moves_from_one_song_to_the_other():
    joined = join(song("CaFGCaFG", tempo=100), song("CaFGCaFG", tempo=144), POINT, Repeater(), bars=4)
    gaps = np.diff(joined.score.grid.beats)
    tempo = 60 / gaps
    assert np.allclose(tempo[:24], 100)
    assert np.allclose(tempo[40:], 144)
    assert np.all(np.diff(tempo[23:41]) > 0)
    ratios = tempo[25:40] / tempo[24:39]
    assert np.allclose(ratios, ratios[0])


def test_instruments_change_half_way_and_levels_little_by_little():
    a, b = song("CaFGCaFG"), song("CaFGCaFG", style=1)
    b = replace(b, roll=replace(b.roll, programs=(8, 4, 24, 38, 48)))
    programs = {"drums": 8, "piano": 4, "bass": 38, "strings": 48}
    loud = tuple(replace(p, velocities=np.full(len(p.pitches), 40), program=programs[p.track]) for p in b.score.parts)
    b = replace(b, score=replace(b.score, parts=loud))
    joined = join(a, b, POINT, Repeater(), bars=4)
    of_bass = [p for p in joined.score.parts if p.track == "bass"]
    inside = {p.program: p.starts[(p.starts >= 24) & (p.starts < 40)] for p in of_bass}
    assert inside[32].max() < 32 <= inside[38].min()
    drums = [p for p in joined.score.parts if p.track == "drums"]
    struck = np.concatenate([np.stack([p.starts, p.velocities], 1) for p in drums])
    bars = [struck[(struck[:, 0] >= s) & (struck[:, 0] < s + 4), 1].mean() for s in (24, 28, 32, 36)]
    assert all(x > y + 5 for x, y in zip(bars, bars[1:], strict=False))


def test_bridges_between_keys_change_key_half_way():
    a, b = song("CaFGCaFG"), song("CaFGCaFG", key=6)
    keys = bridge_keys(a, b, POINT, 4)
    assert [key % 12 for key in keys] == [0, 0, 6, 6]
    wrong = np.ones((4, 16, 72, 5), bool)
    right = settle(wrong, keys, a, b, POINT)
    used = [set(((24 + np.flatnonzero(bar[0, :, PIANO])) % 12).tolist()) for bar in right]
    assert used[0] == {0, 2, 4, 5, 7, 9, 11}
    assert used[3] == {(6 + k) % 12 for k in used[0]}
    assert right[..., DRUMS].all()
    assert settle(wrong, keys, a, a, POINT) is wrong


def test_the_second_song_is_moved_as_the_point_says():
    a, b = song("CaFGCaFG"), song("CaFGCaFG", key=3)
    joined = join(a, b, replace(POINT, transpose=-3), Repeater(), bars=1)
    bass = next(p for p in joined.score.parts if p.track == "bass")
    assert bass.pitches[bass.starts >= 28][0] == 36 + 5
    drums = next(p for p in joined.score.parts if p.track == "drums")
    assert set(drums.pitches.tolist()) == {36, 42}
    assert set(joined.keys) == {0}
    bar = np.zeros((16, 72, 5), bool)
    bar[0, [0, 70], BASS] = True
    assert np.flatnonzero(moved(bar, -3)[0, :, BASS]).tolist() == [9, 67]
    assert np.flatnonzero(moved(bar, 3)[0, :, BASS]).tolist() == [3, 61]


def test_a_few_bars_around_the_seam_can_be_kept():
    joined = join(song("CaFGCaFG"), song("CaFGCaFG"), POINT, Repeater(), bars=2, around=2)
    assert (joined.start, joined.end) == (8, 16)
    assert float(joined.score.grid.position_of(joined.score.duration)) == pytest.approx(24)


def test_what_a_network_cannot_do_is_told():
    a = song("CaFGCaFG")
    published = Composer(build(BridgeConfig("published")), "smootify")
    assert join(a, a, POINT, published, bars=2).bridge.shape == (2, 16, 72, 5)
    with pytest.raises(D2MError, match="two bars only, not of 3"):
        join(a, a, POINT, published, bars=3)
    with pytest.raises(D2MError, match="bar 9 of song is not a bar in 4/4"):
        join(a, a, replace(POINT, bar_a=8), Repeater(), bars=2)


def test_configurations_out_of_range_are_refused():
    with pytest.raises(D2MError, match="unknown entry 'depth'"):
        BridgeConfig.from_dict({"depth": 3})
    with pytest.raises(D2MError, match="width must be"):
        BridgeConfig.from_dict({"width": 10**9})


@pytest.fixture
def files(tmp_path) -> list[str]:
    for name, seed, tempo in (("a", 1, 100.0), ("b", 2, 120.0)):
        write_roll(roll_of(bars_of("CaFGCaFGCaFG", seed), 12, tempo), tmp_path / f"{name}.mid")
    save(build(SMALL), tmp_path / "w.safetensors")
    return [str(tmp_path / name) for name in ("a.mid", "b.mid", "w.safetensors")]


def test_mix_points_on_the_command_line(files):
    for method in ("harmonic", "jsd"):
        done = CliRunner().invoke(app, ["mixpoints", *files[:2], "--method", method, "--top", "3", "--json"])
        assert done.exit_code == 0, done.output
        found = json.loads(done.output)["mix_points"]
        assert len(found) == 3
        assert 2 <= found[0]["bar_a"] <= 11
        assert found[0]["tempo_b"] == pytest.approx(120, abs=0.01)
    assert "after bar" in CliRunner().invoke(app, ["mixpoints", *files[:2]]).output


def test_a_bridge_on_the_command_line(files, tmp_path):
    out = tmp_path / "joined.mid"
    words = ["bridge", *files[:2], "-o", str(out), "--model", files[2], "--at", "6:3", "--bars", "3", "--around", "2"]
    done = CliRunner().invoke(app, [*words, "--png", "--wav", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["bridge_seconds"][0] == pytest.approx(2 * 4 * 0.6, abs=0.01)
    assert [Path(file).suffix for file in told["files"]] == [".mid", ".png", ".wav"]
    assert all(Path(file).stat().st_size > 1000 for file in told["files"][1:])
    joined = read_midi(out)
    first = next(part for part in joined.parts if part.track == "bass")
    assert first.pitches[0] == 36
    assert joined.duration > 8 * 0.6


def test_bad_requests_on_the_command_line(files, tmp_path):
    out = tmp_path / "joined.mid"
    for words, reason in (
        (["--at", "6"], "such as --at 32:9"),
        (["--at", "99:1"], "bars 1 to 12, not 99"),
        (["--choice", "900"], "mix points"),
        (["-o", str(tmp_path / "x.wav")], "should end in .mid"),
        (["--method", "best"], "no method 'best'"),
    ):
        done = CliRunner().invoke(app, ["bridge", *files[:2], "-o", str(out), "--model", files[2], *words])
        assert isinstance(done.exception, D2MError), words
        assert reason in str(done.exception)
    assert not out.exists()


def test_two_full_bands_fit_into_the_channels_of_a_midi_file():
    score = song("CaFGCaFG").score
    strings = next(part for part in score.parts if part.track == "strings")
    players = [replace(strings, program=40 + k, **_first(strings, 2 + k)) for k in range(18)]
    few, taken = within_channels(replace(score, parts=(*score.parts, *players)))
    pitched = {(part.track, part.program) for part in few.parts if not part.is_drum}
    assert len(pitched) <= 15
    assert len(pitched) == len([part for part in few.parts if not part.is_drum])
    assert ("strings", 57) in pitched
    assert ("strings", 40) not in pitched
    count = sum(len(part.pitches) for part in (*score.parts, *players))
    assert sum(len(part.pitches) for part in few.parts) == count
    assert "strings (program 40) by strings (program 48)" in taken
    same, taken = within_channels(score)
    assert not taken
    assert same.parts[0].pitches.tolist() == score.parts[0].pitches.tolist()


def test_an_instrument_too_many_is_played_by_its_like_and_that_is_said(tmp_path):
    score = song("CaFGCaFG").score
    strings = next(part for part in score.parts if part.track == "strings")
    players = [replace(strings, program=40 + k, name=f"voice {k}", **_first(strings, 3 + k)) for k in range(17)]
    second = replace(strings, program=56, name="second", **_first(strings, 2))
    full = replace(score, parts=(*(part for part in score.parts if part.is_drum), *players, second))
    told = "of 18 the rarest are played by others: voice 0 by voice 16, voice 1 by voice 16, second by voice 16"
    with pytest.warns(D2MWarning, match=told):
        write_midi(full, tmp_path / "full.mid")
    names = {part.name for part in read_midi(tmp_path / "full.mid").parts if not part.is_drum}
    assert names == {f"voice {k}" for k in range(2, 17)}


def _first(part, count: int) -> dict[str, np.ndarray]:
    return {name: getattr(part, name)[:count] for name in ("starts", "ends", "pitches", "velocities")}


def test_joined_music_survives_a_midi_file(tmp_path):
    joined = join(song("CaFGCaFG", tempo=100), song("CaFGCaFG", tempo=144), POINT, Repeater(), bars=2)
    read = read_midi(write_midi(joined.score, tmp_path / "j.mid"))
    assert read.duration == pytest.approx(joined.score.duration, abs=0.3)
    assert sum(len(p.pitches) for p in read.parts) == sum(len(p.pitches) for p in joined.score.parts)
