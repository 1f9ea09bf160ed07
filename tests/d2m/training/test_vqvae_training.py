"""Training of the JukeBox VQ-VAE: it learns, fills its codebooks, and goes on where it stopped."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import d2m.jukebox
from d2m.jukebox import VQVAEConfig
from d2m.jukebox.losses import ReconstructionLoss
from d2m.training.loop import LoopConfig, train
from d2m.training.vqvae import STUDIO, VQVAETask, VQVAETraining

pytestmark = pytest.mark.slow

TINY = VQVAEConfig((2, 1), (2, 2), (12, 12), (2, 2), 8, 32)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """A folder of two short recordings of gliding tones."""
    folder = tmp_path_factory.mktemp("songs")
    time = np.arange(22050) / 22050
    for number, root in enumerate((220, 330)):
        tone = 0.3 * np.sin(2 * np.pi * root * time * (1 + time)) + 0.1 * np.sin(2 * np.pi * 3 * root * time)
        np.savez(folder / f"{number}.npz", waveform=(tone * 32767).astype(np.int16))
    return folder


def task(songs, steps: int, **changes) -> VQVAETask:
    torch.manual_seed(0)
    settings = {"batch": 2, "length": 2048, "levels": (0, 1), "quantise_after": 4, **changes}
    return VQVAETask(VQVAETraining(songs, songs, steps, **settings), TINY)


def loop(folder, steps: int, precision: str = "32-true") -> LoopConfig:
    return LoopConfig(
        folder, steps, log_every=4, evaluate_every=steps, checkpoint_every=steps, accelerator="cpu", precision=precision
    )


def test_it_learns_both_levels_and_fills_their_codebooks(songs, tmp_path):
    work = task(songs, 160, learning_rate=3e-3)
    train(work, loop(tmp_path, 160))
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    training = [entry for entry in log if "held_out" not in entry]
    for level in (0, 1):
        spectral = [entry[f"spectral_{level}"] for entry in training if f"spectral_{level}" in entry]
        assert spectral[-1] < 0.8 * spectral[0]
        assert float(work.vqvae.bottleneck.level_blocks[level].counts.sum()) > 0
    held_out = next(entry for entry in log if "held_out" in entry)
    assert {"mel_0", "mel_1"} <= set(held_out)
    codes = work.vqvae.eval().encode(torch.from_numpy(work._crops(np.random.default_rng(0), 4)))
    assert all(len(level.unique()) >= 8 for level in codes)


def test_an_interrupted_run_ends_as_an_uninterrupted_one(songs, tmp_path):
    whole, first, second = (task(songs, 24) for _ in range(3))
    train(whole, loop(tmp_path / "whole", 24))
    train(first, loop(tmp_path / "parts", 14))
    train(second, loop(tmp_path / "parts", 24))
    expected, actual = whole.vqvae.state_dict(), second.vqvae.state_dict()
    assert all(torch.equal(actual[name], expected[name]) for name in expected)


def test_codes_are_those_of_full_precision_in_a_run_of_half(songs, tmp_path):
    work = task(songs, 12)
    train(work, loop(tmp_path, 12, "bf16-mixed"))
    work.vqvae.train()
    features = torch.randn(1, 8, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    for book in work.vqvae.bottleneck.level_blocks:
        codes = book.quantise(features.float())
        with torch.autocast("cpu", torch.bfloat16):
            quantised = book(features)
        assert quantised.vectors.dtype == book.k.dtype == torch.float32
        assert torch.equal(quantised.codes, codes)


def test_only_the_level_whose_turn_it_is_changes(songs, tmp_path):
    work = task(songs, 1, levels=(1,))
    before = {name: tensor.clone() for name, tensor in work.vqvae.state_dict().items()}
    train(work, loop(tmp_path, 1))
    changed = {
        name.split(".")[1] for name, tensor in work.vqvae.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed == {"1"}


def test_levels_learn_alone_then_take_turns(songs, tmp_path):
    work = task(songs, 100, levels=(0, 1, 1))
    assert [work._turn(step) for step in (0, 3, 4, 7)] == [(0, False), (0, False), (1, False), (1, False)]
    assert [work._turn(step) for step in (9, 10, 11, 12)] == [(0, True), (1, True), (1, True), (0, True)]
    assert task(songs, 100, levels=(1,), quantise_after=0)._turn(0) == (1, True)


def test_a_coarse_level_starts_from_the_finer_one(songs):
    work = task(songs, 100)
    lower, upper = (work.vqvae.encoders[level].level_blocks[0].state_dict() for level in (0, 1))
    assert not all(torch.equal(upper[name], lower[name]) for name in lower)
    work._turn(4)
    upper = work.vqvae.encoders[1].level_blocks[0].state_dict()
    assert all(torch.equal(upper[name], lower[name]) for name in lower)
    assert torch.equal(work.vqvae.decoders[1].out.weight, work.vqvae.decoders[0].out.weight)


def test_crops_must_fit_the_codes(songs):
    with pytest.raises(ValueError, match="multiple of 8"):
        task(songs, 1, length=1001)


def test_the_loss_measures_relative_to_the_music():
    loss = ReconstructionLoss()
    x = torch.randn(4, 4096, generator=torch.Generator().manual_seed(0)) * 0.1
    loss.calibrate(x)
    assert float(loss(x, x)["samples"]) == 0
    assert float(loss(x, x)["spectral"]) == pytest.approx(0, abs=1e-6)
    silence = loss(torch.zeros_like(x), x)
    assert float(silence["samples"]) == pytest.approx(1, abs=0.05)
    assert float(silence["spectral"]) == pytest.approx(1, abs=0.05)


def test_the_shape_that_ships_has_the_hops_of_the_two_coarser_levels(tmp_path):
    assert STUDIO.hops == VQVAEConfig().hops[1:]
    d2m.jukebox.save(d2m.jukebox.VQVAE(STUDIO), tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").stat().st_size < 8e6
