"""Training MuseGAN: it comes nearer to the data, goes on where it stopped, and its run becomes weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from d2m.errors import D2MError
from d2m.symbolic.musegan import COMPACT, load
from d2m.training.export import export, read_checkpoint
from d2m.training.loop import LoopConfig, train
from d2m.training.musegan import MuseGanTask, MuseGanTraining, compact_training
from d2m.training.musegan_report import distance_from, measure

pytestmark = pytest.mark.slow

SMALL = replace(COMPACT, temporal_width=32, width=16, encoder_width=4, critic_width=8, latent=16)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Riffs:
    """Phrases of one pattern in all keys: a beat, a bass on the root, chords held for half a bar, no guitar."""

    def batch(self, rng: np.random.Generator, count: int, transpose: int = 0) -> np.ndarray:
        out = np.zeros((count, 4, 16, 72, 5), np.float32)
        out[:, :, ::4, 12, 0] = out[:, :, 4::8, 14, 0] = out[:, :, ::2, 18, 0] = 1
        for phrase, root in enumerate(rng.integers(0, 1 + transpose, count).tolist()):
            for bar, step in enumerate((0, 5, 7, 0)):
                key = root + step
                out[phrase, bar, :, 12 + key, 3] = 1
                out[phrase, bar, :8, [36 + key, 40 + key, 43 + key], 1] = 1
                out[phrase, bar, :, [48 + key, 52 + key], 4] = 1
        return out


def task(steps: int = 0, config=SMALL, pictures: Path | None = None, seed: int = 0, **changes) -> MuseGanTask:
    torch.manual_seed(seed)
    settings = {"batch": 8, "critic_steps": 2, "learning_rate": 2e-3, "average": 0.9, "measured": 32, **changes}
    return MuseGanTask(MuseGanTraining(Path("riffs"), **settings), config, Riffs(), pictures, seed)


def loop(folder: Path, steps: int, **changes) -> LoopConfig:
    settings = {"log_every": 5, "evaluate_every": steps, "checkpoint_every": steps, "accelerator": "cpu"}
    return LoopConfig(folder, steps, **(settings | {"precision": "32-true"} | changes))


def logged(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_short_run_finds_the_tracks_of_the_data(tmp_path):
    work = task(pictures=tmp_path / "run" / "samples", critic_steps=3)
    train(work, loop(tmp_path / "run", 50, evaluate_every=25))
    figures = [entry for entry in logged(tmp_path / "run") if entry.get("held_out")]
    assert figures[-1]["distance from data"] < 0.6 * figures[0]["distance from data"]
    assert figures[-1]["EB guitar"] > 90
    assert figures[-1]["EB bass"] < 50
    assert figures[-1]["QN strings"] > 50
    pictures = sorted((tmp_path / "run" / "samples").glob("*.png"))
    assert [p.name for p in pictures] == ["000025.png", "000050.png"]
    losses = [entry for entry in logged(tmp_path / "run") if "held_out" not in entry]
    assert {"distance", "penalty", "generator"} <= set(losses[-1])
    assert (tmp_path / "run" / "best.ckpt").exists()


@pytest.mark.parametrize(("model", "condition"), [("hybrid", -1), ("jamming", 1)])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path, model, condition):
    config = replace(SMALL, model=model, condition=condition)
    whole, first, second = (task(config=config, batch=4, critic_steps=1, measured=16) for _ in range(3))
    train(whole, loop(tmp_path / "whole", 6, evaluate_every=3))
    train(first, loop(tmp_path / "parts", 4, evaluate_every=3))
    train(second, loop(tmp_path / "parts", 6, evaluate_every=3))
    for name, module in whole.modules.items():
        expected, actual = module.state_dict(), second.modules[name].state_dict()
        assert all(torch.equal(actual[key], expected[key]) for key in expected), name


def test_a_run_starts_from_another_whose_model_had_less(tmp_path):
    plain = replace(SMALL, rests=0, classes=0)
    train(task(config=plain, critic_steps=1, measured=8), loop(tmp_path / "first", 2))
    fuller = task()
    fresh = fuller.generator.rests[0].view.weight.clone()
    fuller.start_from(tmp_path / "first" / "last.ckpt")
    before = read_checkpoint(tmp_path / "first" / "last.ckpt")["modules"]
    for name in ("generator", "average"):
        state = fuller.modules[name].state_dict()
        assert all(torch.equal(state[key], value) for key, value in before["generator"].items())
    assert torch.equal(fuller.generator.rests[0].view.weight, fresh)
    with pytest.raises(D2MError, match="another model"):
        task(config=replace(SMALL, width=8)).start_from(tmp_path / "first" / "last.ckpt")


def test_a_run_with_another_given_track_takes_the_networks_of_the_tracks_both_make(tmp_path):
    given_drums, given_bass = (replace(SMALL, condition=track) for track in (0, 3))
    train(task(config=given_drums, critic_steps=1, measured=8), loop(tmp_path / "first", 2))
    old = read_checkpoint(tmp_path / "first" / "last.ckpt")["modules"]
    work = task(config=given_bass, seed=5)
    own = {name: value.clone() for name, value in work.generator.state_dict().items()}
    work.start_from(tmp_path / "first" / "last.ckpt")
    new = work.generator.state_dict()
    # Made were piano, guitar, bass, strings; they are drums, piano, guitar, strings now.
    for old_place, new_place in ((0, 1), (1, 2), (3, 3)):
        for part in ("bars.{}.start.linear.weight", "rests.{}.view.weight"):
            assert torch.equal(new[part.format(new_place)], old["generator"][part.format(old_place)])
        assert torch.equal(new["prior"][..., new_place], old["generator"]["prior"][..., old_place])
    assert torch.equal(new["bars.0.start.linear.weight"], own["bars.0.start.linear.weight"])
    assert torch.equal(new["prior"][..., 0], own["prior"][..., 0])
    assert torch.equal(new["encoder.octaves.linear.weight"], old["generator"]["encoder.octaves.linear.weight"])
    assert all(torch.equal(value, old["critics"][key]) for key, value in work.critics.state_dict().items())


@pytest.mark.parametrize(("key", "value"), [("bars.x.weight", torch.zeros(2)), ("prior", torch.zeros(2))])
def test_a_checkpoint_with_parts_that_no_generator_has_is_refused(tmp_path, key, value):
    train(task(config=replace(SMALL, condition=0), critic_steps=1, measured=8), loop(tmp_path / "first", 1))
    path = tmp_path / "first" / "last.ckpt"
    state = torch.load(path, weights_only=True)
    state["modules"]["generator"][key] = value
    torch.save(state, path)
    with pytest.raises(D2MError, match="another model"):
        task(config=replace(SMALL, condition=3)).start_from(path)


def test_half_precision_measures_the_same_slopes():
    config = replace(SMALL, critic_width=32)
    work = task(config=config)
    real = torch.from_numpy(Riffs().batch(np.random.default_rng(0), 8, 5)) * 2 - 1
    points = real * 0.3
    exact = work.critics(real, points)
    with torch.autocast("cpu", torch.bfloat16):
        rough = work.critics(real, points)
    assert torch.allclose(exact.slopes, rough.slopes, rtol=0.03)
    exact.slopes.sum().backward()
    gradient = work.critics.critics[0].beats.linear.weight.grad.clone()
    work.critics.zero_grad()
    rough.slopes.sum().backward()
    half = work.critics.critics[0].beats.linear.weight.grad
    assert torch.nn.functional.cosine_similarity(gradient.flatten(), half.flatten(), dim=0) > 0.99


def test_the_critic_alone_learns_in_its_steps_and_the_generator_alone_in_its():
    work = task()
    work.fabric = _fabric()
    generator = {name: value.clone() for name, value in work.generator.named_parameters()}
    critics = {name: value.clone() for name, value in work.critics.named_parameters()}
    work._critic_step(np.random.default_rng(0))
    assert all(torch.equal(value, generator[name]) for name, value in work.generator.named_parameters())
    assert any(not torch.equal(value, critics[name]) for name, value in work.critics.named_parameters())
    critics = {name: value.clone() for name, value in work.critics.named_parameters()}
    work._generator_step(np.random.default_rng(0))
    assert all(torch.equal(value, critics[name]) for name, value in work.critics.named_parameters())
    assert any(not torch.equal(value, generator[name]) for name, value in work.generator.named_parameters())
    assert all(value.requires_grad for value in work.critics.parameters())


def test_critics_hear_notes_once_they_are_to_and_the_generator_still_learns(tmp_path):
    work = task(binary_after=1, critic_steps=1, batch=4, measured=8)
    numbers = torch.tensor([0.3, -0.9, 0.0], requires_grad=True)
    assert torch.equal(work._heard(numbers), numbers)
    train(work, loop(tmp_path, 1))
    assert not work._binary
    before = {name: value.clone() for name, value in work.generator.named_parameters()}
    work.step(1, np.random.default_rng(0))
    heard = work._heard(numbers)
    assert heard.tolist() == [1.0, -1.0, -1.0]
    heard.sum().backward()
    assert numbers.grad.tolist() == [1.0, 1.0, 1.0]
    assert any(not torch.equal(value, before[name]) for name, value in work.generator.named_parameters())


def _fabric():
    from lightning.fabric import Fabric

    return Fabric(accelerator="cpu", precision="32-true")


def test_batch_norms_of_the_average_belong_to_its_weights(tmp_path):
    work = task()
    work.fabric = _fabric()
    rng = np.random.default_rng(0)
    for module in (work.generator, work.average):
        for layer in module.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.data.mul_(3)
    work._recount(rng)
    work.average.train()
    with torch.no_grad():
        trained = work._play(work.average, np.random.default_rng(1), 512)
        work.average.eval()
        counted = work._play(work.average, np.random.default_rng(1), 512)
    assert (trained - counted).abs().mean() < 0.02 * trained.std() + 0.02


def test_tracks_rest_as_often_as_in_the_data_whatever_has_been_learnt():
    work = task(measured=256)
    work.fabric = _fabric()
    work._playing = torch.tensor([0.9, 0.5, 0.2, 0.7, 1.0])
    for part in work.average.rests:
        part.view.weight.data.pow_(3)
    work.average.start_from(torch.full((16, 72, 5), 0.9), torch.full((5,), 0.6))
    work._recount(np.random.default_rng(0))
    made = work._made(np.random.default_rng(1), 512)
    sounding = made.any((2, 3)).mean((0, 1))
    assert np.allclose(sounding, work._playing, atol=0.06)


def test_phrases_of_another_resolution_are_refused():
    with pytest.raises(D2MError, match="phrases of 4 x 16 x 72 x 5, the model needs 4 x 96 x 84 x 5"):
        task(config=replace(SMALL, steps=96, pitches=84))
    with pytest.raises(D2MError, match="2 phrases or more"):
        task(batch=1)


def test_defaults_are_those_of_the_paper_and_compact_ones_say_how_they_differ():
    paper = MuseGanTraining(Path("data"))
    assert (paper.batch, paper.critic_steps, paper.penalty, paper.betas) == (64, 5, 10.0, (0.5, 0.9))
    compact = compact_training(Path("data"), batch=32)
    assert (compact.batch, compact.critic_steps, compact.penalty) == (32, 5, 10.0)
    assert compact.average > 0
    assert paper.binary_after > 10**6 > compact.binary_after


def test_the_distance_is_none_for_the_data_itself_and_counts_each_figure():
    phrases = Riffs().batch(np.random.default_rng(0), 16) > 0.5
    data = measure(phrases, SMALL)
    assert data["EB guitar"] == 100
    assert data["QN bass"] == 100
    assert data["UPC bass"] == 1
    assert distance_from(data, data) == 0
    silent = phrases.copy()
    silent[..., 3] = False
    assert distance_from(data, measure(silent, SMALL)) > 1


def test_a_run_becomes_weights_with_a_card(tmp_path):
    config = replace(SMALL, condition=1)
    train(task(config=config, critic_steps=1), loop(tmp_path / "run", 2))
    state = read_checkpoint(tmp_path / "run" / "last.ckpt")
    card = {"architecture": "small", "data": "riffs", "licence": "MIT", "command": "test", "seed": 0, "scores": {}}
    settings = state["task"]["config"]
    written = export(state, "average", tmp_path / "w.safetensors", "musegan", settings, card)
    assert written.steps == 2
    muse = load(tmp_path / "w.safetensors")
    assert muse.config == config
    assert muse.accompany(np.zeros((5, 16, 72), bool)).shape == (5, 16, 72, 5)
