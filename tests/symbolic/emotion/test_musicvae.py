"""A MusicVAE reads and writes melodies as it should, learns, stops, and goes on exactly where it stopped."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from d2m import weights
from d2m.cli.main import main
from d2m.datasets.melodies import PARTS
from d2m.errors import D2MError
from d2m.symbolic import emotion
from d2m.symbolic.emotion.encoder import one_hot
from d2m.symbolic.emotion.musicvae import (
    COMPACT,
    FULL,
    HierarchicalMusicVae,
    MusicVae,
    MusicVaeConfig,
    divergence,
    drawing,
    spherical,
)
from d2m.symbolic.melody import CLASSES, STEPS_PER_BAR, canonical, from_notes, in_scale, scale_roots
from d2m.training.export import read_checkpoint
from d2m.training.loop import LoopConfig, train
from d2m.training.musicvae import MusicVaeTask, MusicVaeTraining, beta, measure, rate, sampled_share, turn

pytestmark = pytest.mark.slow

LINKED = MusicVaeConfig(12, 16, 2, False, 16, 16, 2)
SMALL = MusicVaeConfig(32, 48, 1, True, 48, 64, 1)


def tune(seed: int) -> np.ndarray:
    """One key over and over, in a rhythm of its own."""
    every = (2, 4, 8, 16)[seed]
    return from_notes(np.array([(at, at + every - seed % 2, 60 + 5 * seed) for at in range(0, 256, every)]))


MELODIES = np.stack([tune(seed) for seed in range(4)])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("melodies")
    index = np.arange(len(MELODIES), dtype=np.int32)
    for part in PARTS:
        np.savez(folder / f"{part}.npz", melodies=MELODIES, songs=index, bars=index * 0, names=[f"{i}" for i in index])
    return folder


def network(config: MusicVaeConfig) -> HierarchicalMusicVae:
    torch.manual_seed(0)
    return HierarchicalMusicVae(config)


def task(data, folder=None, **changes):
    settings = MusicVaeTraining(data, batch=4, learning_rate=5e-3, **{"sampling": 4.0, "shift": 3, **changes})
    torch.manual_seed(0)
    return MusicVaeTask(settings, SMALL, folder)


def loop(folder, steps, evaluate_every=6, precision="32-true"):
    return LoopConfig(
        folder,
        steps,
        log_every=1,
        evaluate_every=evaluate_every,
        samples_every=evaluate_every,
        accelerator="cpu",
        precision=precision,
    )


def test_the_full_size_is_that_of_magenta():
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in HierarchicalMusicVae(FULL).state_dict().items()}
    assert shapes["encoder.lstm.weight_ih_l0"] == (4 * 2048, 90)
    assert shapes["encoder.lstm.weight_ih_l1_reverse"] == (4 * 2048, 4096)
    assert shapes["mu.weight"] == shapes["sigma.weight"] == (512, 4096)
    assert shapes["decoder.conductor_start.weight"] == (4 * 1024, 512)
    assert shapes["decoder.conductor.weight_ih_l0"] == (4 * 1024, 1)
    assert shapes["decoder.writer_start.weight"] == (4 * 1024, 1024)
    assert shapes["decoder.writer.weight_ih_l0"] == (4 * 1024, 90 + 1024)
    assert shapes["decoder.output.weight"] == (90, 1024)


@pytest.mark.parametrize("config", [LINKED, SMALL])
def test_writing_step_by_step_is_what_training_sees(config):
    model = network(config)
    melodies = torch.from_numpy(MELODIES[:2]).long()
    truth = one_hot(melodies)
    rows = iter(truth.reshape(-1, STEPS_PER_BAR, CLASSES).unbind(1) if config.side_by_side else truth.unbind(1))
    z = torch.randn(2, config.latent)
    logits, chosen = model.decoder.write(z, lambda _: next(rows))
    torch.testing.assert_close(logits, model.decoder(z, melodies))
    torch.testing.assert_close(chosen, truth)


@pytest.mark.parametrize(("config", "reach"), [(LINKED, 3 * 16 + 16), (SMALL, 3 * 16)])
def test_a_bar_knows_of_another_by_the_latent_vector_alone(config, reach):
    model = network(config)
    melodies = torch.from_numpy(MELODIES[:1]).long()
    other = melodies.clone()
    other[0, 2 * 16 + 5 : 3 * 16] = 40
    z = torch.randn(1, config.latent)
    changed = (model.decoder(z, melodies) != model.decoder(z, other)).any(dim=2)[0].nonzero().ravel()
    assert changed[0] == 2 * 16 + 6
    assert changed[-1] == reach - 1
    assert (model.decoder.plan(z)[0, 0] != model.decoder.plan(z)[0, 9]).any()


def test_the_encoder_hears_every_step():
    for config in (LINKED, SMALL):
        model, melodies = network(config), torch.from_numpy(MELODIES[:1]).long()
        mu, sigma = model.encode(melodies)
        assert (sigma > 0).all()
        for step in (0, 100, 255):
            other = melodies.clone()
            other[0, step] = 70
            assert (model.encode(other)[0] != mu).any()


def test_divergence_is_that_of_normal_distributions():
    from torch.distributions import Normal, kl_divergence

    mu, sigma = torch.randn(3, 5), torch.rand(3, 5) + 0.1
    torch.testing.assert_close(divergence(mu, sigma), kl_divergence(Normal(mu, sigma), Normal(0.0, 1.0)))


def test_schedules():
    settings = MusicVaeTraining(
        None, learning_rate=1e-3, beta_rate=0.999, sampling=100.0, most_sampled=0.9, decay=0.999
    )
    assert beta(settings, 0) == 0.0
    assert beta(settings, 10**5) == pytest.approx(settings.max_beta)
    assert sampled_share(settings, 0) == pytest.approx(1 / 101)
    assert sampled_share(settings, 10**6) == 0.9
    assert rate(settings, 0) == pytest.approx(1e-3)
    assert rate(settings, 10**5) == pytest.approx(1e-5)
    assert sampled_share(MusicVaeTraining(None, sampling=0.0), 10**6) == 0.0


def test_drawing_follows_the_probabilities():
    logits = torch.full((20000, 90), -50.0)
    logits[:, 3], logits[:, 7] = np.log(0.75), np.log(0.25)
    rng = np.random.default_rng(0)
    assert drawing(1.0, rng)(logits)[:, 3].mean() == pytest.approx(0.75, abs=0.02)
    assert drawing(0.5, rng)(logits)[:, 3].mean() == pytest.approx(0.9, abs=0.02)
    assert drawing(0.0, rng)(logits)[:, 3].all()


def test_it_learns_melodies_by_heart_and_keeps_them_in_a_file(data, tmp_path):
    model = task(data, tmp_path / "samples", sampling=0.0, shift=0, turned=0.0, degrees=0, dropout=0.0, free_bits=256.0)
    train(model, loop(tmp_path, 200, evaluate_every=200))
    figures = measure(MusicVae(model.vae), MELODIES)
    assert figures["accuracy"] > 0.95
    assert figures["note_f1"] > 0.9
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"bar_accuracy", "kl_bits", "samples: notes a bar"} <= set(records[-1])
    assert len(list((tmp_path / "samples" / "000200").glob("*.mid"))) == 8

    weights.save_state(tmp_path / "a.safetensors", model.vae.state_dict(), "musicvae", model.vae.settings())
    vae = emotion.load(tmp_path / "a.safetensors")
    back = vae.reconstruct(MELODIES)
    assert (back == MELODIES).mean() > 0.95
    way = vae.interpolate(MELODIES[0], MELODIES[1], 4)
    np.testing.assert_array_equal(way[[0, -1]], back[:2])
    own = vae.log_likelihood(MELODIES)
    assert own.shape == (4, 256)
    assert own.sum() > vae.log_likelihood(MELODIES, vae.encode(MELODIES[::-1])[0]).sum() + 100


@pytest.mark.parametrize(("sampling", "precision"), [(0.0, "32-true"), (4.0, "bf16-mixed")])
def test_a_run_goes_on_exactly_where_it_stopped(data, tmp_path, sampling, precision):
    for name, steps in (("whole", 6), ("parts", 3), ("parts", 6)):
        train(task(data, sampling=sampling), loop(tmp_path / name, steps, precision=precision))
    logs = []
    for name in ("whole", "parts"):
        lines = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        logs.append([{k: v for k, v in line.items() if k != "seconds_per_step"} for line in lines])
    # The shorter first part looks at held-out data at its end.
    whole, parts = ([line for line in lines if line.get("held_out") is None or line["step"] == 6] for lines in logs)
    assert [line["step"] for line in parts] == [1, 2, 3, 4, 5, 6, 6]
    assert parts == whole


def test_the_command_trains_and_refuses(data, tmp_path, capsys):
    words = ["train", "musicvae", "--data", str(data), "--run", str(tmp_path), "--steps", "1", "--batch", "2"]
    words += ["--accelerator", "cpu", "--no-tensorboard", "--samples-every", "0"]
    assert main(words) == 0
    state = read_checkpoint(tmp_path / "last.ckpt")
    assert state["task"]["config"] == HierarchicalMusicVae(COMPACT).settings()
    assert not (tmp_path / "samples").exists()
    capsys.readouterr()
    assert main([*words, "--free-bits", "5"]) == 1
    assert "free_bits is 48.0, not 5.0" in capsys.readouterr().err
    assert main([*words, "--size", "huge"]) == 2
    assert "compact or full" in capsys.readouterr().err


def test_a_run_starts_from_the_networks_of_another(data, tmp_path):
    train(task(data), loop(tmp_path / "first", 2))
    start = str(tmp_path / "first" / "last.ckpt")
    begun = MusicVaeTask(MusicVaeTraining(data, batch=4), SMALL, start=start)
    for name, tensor in read_checkpoint(tmp_path / "first" / "last.ckpt")["modules"]["musicvae"].items():
        assert torch.equal(tensor, begun.vae.state_dict()[name])
    with pytest.raises(D2MError, match="of this size"):
        MusicVaeTask(MusicVaeTraining(data, batch=4), LINKED, start=start)


def test_a_run_starts_from_shipped_weights(data):
    begun = MusicVaeTask(MusicVaeTraining(data, batch=4), start="studio-musicvae")
    shipped = emotion.load("studio-musicvae").network.state_dict()
    assert all(torch.equal(tensor, begun.vae.state_dict()[name]) for name, tensor in shipped.items())
    with pytest.raises(D2MError, match="of this size"):
        MusicVaeTask(MusicVaeTraining(data, batch=4), SMALL, start="studio-musicvae")
    with pytest.raises(D2MError, match="weights 'nothing'|no weights"):
        MusicVaeTask(MusicVaeTraining(data, batch=4), SMALL, start="nothing")


def test_melodies_are_turned_by_whole_beats():
    rng = np.random.default_rng(0)
    rows = np.tile(MELODIES[3], (200, 1))
    turned = turn(rows, 0.5, rng)
    ways = [tuple(canonical(np.roll(MELODIES[3], -4 * beats))) for beats in range(4)]
    assert {tuple(row) for row in turned} == set(ways)
    assert 70 < sum(tuple(row) == ways[0] for row in turned) < 130
    np.testing.assert_array_equal(turn(rows, 0.0, rng), rows)


def test_what_is_left_out_in_training_is_there_in_use(data):
    model = task(data, dropout=0.5)
    vae = MusicVae(model.vae)
    np.testing.assert_array_equal(vae.encode(MELODIES)[0], vae.encode(MELODIES)[0])
    model.vae.train()
    melodies = torch.from_numpy(MELODIES).long()
    assert (model.vae.encode(melodies)[0] != model.vae.encode(melodies)[0]).any()


def test_samples_follow_the_seed():
    vae = MusicVae(network(SMALL))
    first = vae.sample(3, 1.0, seed=5)
    assert first.shape == (3, 256)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, vae.sample(3, 1.0, seed=5))
    assert (first != vae.sample(3, 1.0, seed=6)).any()


@pytest.mark.parametrize("config", [LINKED, SMALL])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_discount_keeps_notes_in_the_melodys_scale(config, temperature):
    vae, z = MusicVae(network(config)), np.random.default_rng(0).standard_normal((3, config.latent)) * 2.0

    def decoded(discount):
        return vae.decode(z, temperature, np.random.default_rng(4), discount=discount)

    free = decoded(0.0)
    allowed = in_scale(scale_roots(free))
    outside = [~np.take_along_axis(allowed, decoded(discount), axis=1) for discount in (0.0, 1.0, 100.0)]
    np.testing.assert_array_equal(decoded(1e-6), free)
    assert outside[2].sum() == 0
    if temperature:
        assert 0 < outside[1].sum() < outside[0].sum()


def test_the_way_between_vectors_is_round():
    a, b = np.array([1.0, 0.0]), np.array([0.0, 2.0])
    way = spherical(a, b, 3)
    np.testing.assert_allclose(way[[0, 2]], [a, b], atol=1e-12)
    np.testing.assert_allclose(way[1], np.sqrt(0.5) * (a + b))
    np.testing.assert_allclose(spherical(a, a, 3), [a, a, a])


def test_bad_input_is_one_clear_line(tmp_path):
    vae = MusicVae(network(SMALL))
    for melodies in (np.zeros((1, 250), int), np.zeros(256, int), np.full((1, 256), 90), np.zeros((1, 256))):
        with pytest.raises(D2MError, match="melod"):
            vae.encode(melodies)
    with pytest.raises(D2MError, match="latent"):
        vae.decode(np.zeros((1, 3)))
    with pytest.raises(D2MError, match="latent"):
        vae.decode(np.full((1, 32), np.nan))
    with pytest.raises(D2MError, match="temperature"):
        vae.decode(np.zeros((1, 32)), -1.0)
    with pytest.raises(D2MError, match="two steps"):
        vae.interpolate(MELODIES[0], MELODIES[1], 1)
    with pytest.raises(D2MError, match="no weights called"):
        emotion.load("nothing")


@pytest.mark.parametrize(
    "forged", [{"encoder": 10**6}, {"encoder_layers": 10**5}, {"latent": 4}, {"side_by_side": "x"}]
)
def test_a_forged_configuration_is_refused(tmp_path, forged):
    model = network(SMALL)
    weights.save_state(tmp_path / "a.safetensors", model.state_dict(), "musicvae", model.settings() | forged)
    with pytest.raises(D2MError, match="does not fit"):
        emotion.load(tmp_path / "a.safetensors")
