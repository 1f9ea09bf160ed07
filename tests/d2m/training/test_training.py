"""Training learns, stops, and goes on exactly where it stopped."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from d2m.codec.spectral import SpectralCodec, SpectralConfig
from d2m.datasets.pairs import load_pairs, make_pair, save_pair
from d2m.errors import D2MError
from d2m.generator.temporal import TemporalConfig
from d2m.training.codec import CodecTask, CodecTraining
from d2m.training.export import export, read_checkpoint
from d2m.training.generator import GeneratorTask, GeneratorTraining
from d2m.training.loop import LoopConfig, train
from d2m.types import BeatGrid, Dance, Part, Score

pytestmark = pytest.mark.slow

SMALL = SpectralConfig(
    encoder_channels=32, encoder_blocks=1, decoder_channels=48, decoder_blocks=2, feature_size=16, codebook_count=2,
    codebook_size=32,
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two seconds of plucked notes and clicks, with their score."""
    folder = tmp_path_factory.mktemp("data")
    for name, seed in (("train", 0), ("held_out", 1)):
        (folder / name).mkdir()
        rng = np.random.default_rng(seed)
        starts = np.arange(8) * 0.5
        pitches = rng.integers(45, 70, 8)
        t = np.arange(44032) / 22050
        wave = np.zeros(44032, np.float32)
        for start, pitch in zip(starts / 2, pitches, strict=True):
            since = np.maximum(t - start, 0)
            wave += (t >= start) * 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * since) * np.exp(-6 * since)
        part = Part("piano", 0, starts, starts + 0.4, pitches, np.full(8, 90))
        grid = BeatGrid.steady(120, 2.0)
        beats = np.ones(len(grid.beats), np.float32)
        pair = make_pair(wave, Score((part,), grid, 2.0), Dance(2.0, None, grid, beats, beats), 3, 22050, 256)
        save_pair(pair, folder / name / "a.npz")
    return folder


def codec_task(data, steps=12):
    torch.manual_seed(0)
    settings = CodecTraining(
        data / "train", data / "held_out", steps, batch=2, length=8192, quantise_after=6, adversarial_after=9,
        learning_rate=3e-2,
    )  # fmt: skip
    return CodecTask(settings, SMALL)


def loop(folder, steps, **options):
    return LoopConfig(folder, steps, log_every=1, evaluate_every=100, checkpoint_every=6, accelerator="cpu", **options)


def records(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {r["step"]: r["total"] for r in lines if not r.get("held_out")}


def test_pairs_survive_the_disk(data):
    pair = load_pairs([data / "train" / "a.npz"])[0]
    assert pair.rows.shape[1] == pair.frames == 172
    assert pair.genre == 3
    assert len(pair.motion) == 0


def test_codec_learns_and_resumes_exactly(data, tmp_path):
    train(codec_task(data), loop(tmp_path / "whole", 12))
    train(codec_task(data), loop(tmp_path / "parts", 6))
    train(codec_task(data), loop(tmp_path / "parts", 12))
    whole, parts = records(tmp_path / "whole"), records(tmp_path / "parts")
    assert whole[6] < 0.9 * whole[1]
    assert list(parts) == list(range(1, 13))
    for step in range(1, 13):
        assert parts[step] == pytest.approx(whole[step], rel=2e-3), step


def test_frozen_codes_stay_as_they_are(data, tmp_path):
    torch.manual_seed(0)
    codec = SpectralCodec(SMALL)
    codec.quantiser.start(torch.randn(200, 16))
    settings = CodecTraining(data / "train", data / "held_out", 3, batch=2, quantise_after=0, freeze_codes=True)
    task = CodecTask(settings, SMALL)
    task.start_from(codec)
    train(task, loop(tmp_path, 3))
    trained = task.codec
    torch.testing.assert_close(trained.quantiser.codebooks, codec.quantiser.codebooks)
    torch.testing.assert_close(trained.encoder.out.weight, codec.encoder.out.weight)
    assert not torch.allclose(trained.decoder.head.weight, codec.decoder.head.weight)


def test_generator_learns_with_every_term(data, tmp_path):
    torch.manual_seed(0)
    codec = SpectralCodec(SMALL)
    codec.quantiser.start(torch.randn(500, 16) * 0.1)
    settings = GeneratorTraining(
        data, 40, batch=2, frames=96, perceptual_after=30, adversarial_after=35,
        learning_rate=2e-2,
    )  # fmt: skip
    config = TemporalConfig(feature_size=16, channels=32, blocks=2, part_channels=16, part_blocks=1)
    task = GeneratorTask(settings, codec, config)
    train(task, LoopConfig(tmp_path, 40, log_every=5, evaluate_every=40, checkpoint_every=40, accelerator="cpu"))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-2]["codebook"] < 0.9 * lines[0]["codebook"]
    assert {"mel", "adversarial", "matching", "discriminator"} <= set(lines[-2])
    assert lines[-1]["held_out"]


def test_a_checkpoint_becomes_weights_with_a_card(data, tmp_path):
    train(codec_task(data, 5), loop(tmp_path, 5))
    state = read_checkpoint(tmp_path / "last.ckpt")
    details = {"architecture": "small", "data": "clicks", "licence": "MIT", "command": "none", "seed": 0, "scores": {}}
    config = SpectralCodec(SMALL).settings()
    card = export(state, "codec", tmp_path / "tiny.safetensors", "spectral-codec", config, details)
    assert card.steps == 5
    from d2m import codec as codecs

    codec = codecs.load(tmp_path / "tiny.safetensors")
    assert codec.encode(torch.zeros(1, 5120)).shape == (1, 2, 20)


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint"])
def test_a_bad_checkpoint_is_one_clear_line(tmp_path, content):
    path = tmp_path / "last.ckpt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(D2MError, match="checkpoint"):
        read_checkpoint(path)
