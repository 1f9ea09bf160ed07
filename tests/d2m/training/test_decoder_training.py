"""Fine-tuning of one JukeBox decoder: it learns, the codes stay, and a run goes on where it stopped."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import d2m.jukebox
from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.files.download import sha256_of
from d2m.jukebox import VQVAE, VQVAEConfig
from d2m.training.decoder import DecoderTask, DecoderTraining, WaveformDiscriminator
from d2m.training.loop import LoopConfig, train
from d2m.training.vqvae import VQVAETask, VQVAETraining, reconstruction_error
from d2m.weights.card import Card

pytestmark = pytest.mark.slow

TINY = VQVAEConfig((5, 2), (2, 2), (8, 8), (1, 1), 8, 32)


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


def started(songs) -> VQVAE:
    """A model whose codebooks are filled with what its encoders make of the music."""
    torch.manual_seed(0)
    vqvae = VQVAE(TINY)
    song = torch.from_numpy(np.load(songs / "0.npz")["waveform"][:16384].astype(np.float32) / 32768)[None]
    for level in (0, 1):
        with torch.no_grad():
            features = vqvae.encoders[level](song[:, None])
        vqvae.codebook(level).start(features[0].T)
    return vqvae


def task(songs, steps: int, **changes) -> DecoderTask:
    vqvae = started(songs)
    torch.manual_seed(1)
    settings = {"batch": 1, "length": 4096, **changes}
    return DecoderTask(DecoderTraining(songs, songs, steps, **settings), vqvae)


def loop(folder, steps: int, **changes) -> LoopConfig:
    settings = {"log_every": 5, "evaluate_every": steps, "checkpoint_every": steps, "precision": "32-true", **changes}
    return LoopConfig(folder, steps, accelerator="cpu", **settings)


def records(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("level", ["high", "low"])
def test_the_decoder_learns_and_the_codes_stay(songs, tmp_path, level):
    work = task(songs, 25, level=level, learning_rate=3e-3)
    before = {name: tensor.clone() for name, tensor in work.vqvae.state_dict().items()}
    wave = torch.from_numpy(work.songs.batch(np.random.default_rng(0), 2, 8192))
    codes = work.vqvae.encode(wave)
    discriminator = {name: tensor.clone() for name, tensor in work.discriminator.state_dict().items()}
    train(work, loop(tmp_path, 25))
    number = {"high": 1, "low": 0}[level]
    after = work.vqvae.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {name for name in after if name.startswith(f"decoders.{number}.")}
    assert all(torch.equal(a, b) for a, b in zip(work.vqvae.encode(wave), codes, strict=True))
    assert any(not torch.equal(t, discriminator[name]) for name, t in work.discriminator.state_dict().items())
    log = records(tmp_path)
    held_out = log[-1]
    assert held_out["held_out"]
    assert held_out["mel"] < 0.9 * held_out["mel_before"]
    training = [entry for entry in log if "held_out" not in entry]
    assert {"total", "adversarial", "matching", "waveform", "mel", "discriminator"} <= set(training[0])
    assert training[-1]["mel"] < training[0]["mel"]


def test_an_interrupted_run_ends_as_an_uninterrupted_one(songs, tmp_path):
    whole, first, second = (task(songs, 5, learning_rate=1e-3) for _ in range(3))
    train(whole, loop(tmp_path / "whole", 5))
    train(first, loop(tmp_path / "parts", 3))
    train(second, loop(tmp_path / "parts", 5))
    for one, other in ((whole.vqvae, second.vqvae), (whole.discriminator, second.discriminator)):
        expected, actual = one.state_dict(), other.state_dict()
        assert all(torch.equal(actual[name], expected[name]) for name in expected)
    assert second.before == first.before


def test_a_run_keeps_to_its_level(songs, tmp_path):
    train(task(songs, 1), loop(tmp_path, 1))
    with pytest.raises(D2MError, match="level is 'high', not 'low'"):
        train(task(songs, 1, level="low"), loop(tmp_path, 1))
    # A run from before settings were kept.
    (tmp_path / "settings.json").unlink()
    with pytest.raises(D2MError, match="trains the high level"):
        train(task(songs, 2, level="low"), loop(tmp_path, 2))


def test_what_cannot_be_trained_is_refused(songs):
    settings = DecoderTraining(songs, songs, 1, level="middle")
    with pytest.raises(D2MError, match="no level 'middle'"):
        DecoderTask(settings, started(songs))
    with pytest.raises(D2MError, match="empty codebook"):
        DecoderTask(DecoderTraining(songs, songs, 1), VQVAE(TINY))
    with pytest.raises(ValueError, match="multiple of 128"):
        task(songs, 1, length=4000)


def export(*words: object) -> int:
    return main(["models", "export", *map(str, words)])


def test_an_exported_run_keeps_the_codes_and_the_other_level(songs, tmp_path, capsys):
    d2m.jukebox.save(started(songs), tmp_path / "start.safetensors")
    vqvae = d2m.jukebox.load(tmp_path / "start.safetensors")
    train(DecoderTask(DecoderTraining(songs, songs, 2, batch=1, length=4096), vqvae), loop(tmp_path / "run", 2))
    out = tmp_path / "tuned.safetensors"
    words = ("--command", "one;  two", "--steps-before", 7, "-o", out, "--scores", "x=1.5")
    assert export(tmp_path / "run", *words) == 0
    card = Card.read(out.with_suffix(".toml"))
    assert (card.kind, card.command, card.steps, card.scores) == ("jukebox-vqvae", "one; two", 9, {"x": 1.5})
    assert card.sha256 == sha256_of(out)
    before, after = d2m.jukebox.load(tmp_path / "start.safetensors"), d2m.jukebox.load(out)
    wave = torch.from_numpy(np.random.default_rng(0).uniform(-0.3, 0.3, (1, 4096)).astype(np.float32))
    codes = before.encode(wave)
    assert all(torch.equal(a, b) for a, b in zip(after.encode(wave), codes, strict=True))
    assert torch.equal(before.decode(codes, 0), after.decode(codes, 0))
    assert export(tmp_path / "run", "--kind", "vqvae", "--command", "one", "-o", tmp_path / "b.safetensors") == 1
    assert "not a run of 'd2m train vqvae'" in capsys.readouterr().err
    assert not (tmp_path / "b.safetensors").exists()


def test_a_vqvae_is_exported_once_it_quantises(songs, tmp_path, capsys):
    settings = VQVAETraining(songs, songs, 6, batch=1, length=2048, levels=(0, 1), quantise_after=2)
    out = tmp_path / "w.safetensors"
    for steps, status in ((4, 1), (6, 0)):
        train(VQVAETask(settings, TINY), loop(tmp_path / "run", steps))
        assert export(tmp_path / "run", "--command", "one", "-o", out) == status
        assert ("not begun to quantise" in capsys.readouterr().err) == (status == 1)
        assert out.exists() == (status == 0)
    assert d2m.jukebox.load(out).config == TINY


def test_the_discriminator_hears_each_scale():
    answers = WaveformDiscriminator()(torch.zeros(2, 1, 4096))
    assert [logits.shape for logits, _ in answers] == [(2, 1, 64), (2, 1, 32), (2, 1, 16)]
    assert all(len(maps) == 8 for _, maps in answers)


def test_the_error_is_that_of_quantised_music(songs):
    work = task(songs, 1)
    mel, held_out = work.hear.mel, work.held_out.songs
    quantised = reconstruction_error(work.vqvae, 1, held_out, mel)
    crop = torch.from_numpy(held_out[0][:21888].astype(np.float32) / 32768)[None]
    through = work.vqvae.decode(work.vqvae.encode_level(crop, 1), 1)
    assert quantised == pytest.approx(float((mel(through) - mel(crop)).abs().mean()), rel=0.05)
    work.vqvae.codebook(1).k.mul_(30)
    assert reconstruction_error(work.vqvae, 1, held_out, mel) != pytest.approx(quantised, rel=0.01)
