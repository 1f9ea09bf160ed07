"""Registries: names in this package, names of other packages, and a codec that another package adds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from other_packages import install

from d2m import codec as codecs
from d2m import weights
from d2m.engines.vq import VqEngine
from d2m.errors import D2MError
from d2m.generator.temporal import TemporalConfig, TemporalGenerator
from d2m.registry import Registry
from d2m.types import BeatGrid, Dance

MODULE = '''
import torch
from d2m.codec.base import Codec


class Blocks(Codec):
    """Codes the mean of each frame with one of 16 levels."""

    channels, feature_size, codebook_count, codebook_size, context = 1, 4, 1, 16, 0

    def __init__(self, sizes):
        super().__init__()
        self.sample_rate, self.hop = sizes["sample_rate"], sizes["hop"]
        self.levels = torch.nn.Parameter(torch.linspace(-1, 1, 16))

    def features(self, waveform):
        frames = waveform[:, : waveform.shape[1] // self.hop * self.hop].unflatten(1, (-1, self.hop))
        return frames.mean(2)[:, None].repeat(1, 4, 1)

    def quantise(self, features):
        codes = (features.mean(1, keepdim=True)[..., None] - self.levels).abs().argmin(-1)
        return codes, self.lookup(codes)

    def lookup(self, codes):
        return self.levels[codes].repeat(1, 4, 1)

    def decode_features(self, vectors, start=0):
        return vectors[:, 0].repeat_interleave(self.hop, 1)


def build(sizes):
    return Blocks(sizes)
'''


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """Install a package that adds a codec."""
    install(
        tmp_path / "site",
        monkeypatch,
        "block_codec",
        MODULE,
        "[d2m.codecs]\n"
        "block-codec = block_codec:build\nbroken = block_codec:nothing\nspectral-codec = block_codec:build\n",
    )


def test_a_codec_of_another_package_is_loaded_and_played(other_package, tmp_path) -> None:
    assert "block-codec" in codecs.CODECS
    path = tmp_path / "blocks.safetensors"
    weights.save_state(
        path, {"levels": torch.linspace(-1, 1, 16)}, "block-codec", {"sample_rate": 8000, "hop": 100}, half=False
    )
    codec = codecs.load(path)
    assert codec.decode(codec.encode(torch.full((1, 1000), 0.2)))[0] == pytest.approx(np.full(1000, 0.2), abs=0.01)
    torch.manual_seed(0)
    generator = TemporalGenerator(TemporalConfig(4, channels=16, blocks=1, part_channels=8, part_blocks=1)).eval()
    dance = Dance(2.0, None, BeatGrid.steady(120, 2.0), np.full(5, 0.5, np.float32), np.zeros(5, np.float32), "gHO")
    music = VqEngine(codec, generator, ()).compose(dance, seed=1)
    assert (music.sample_rate, music.waveform.shape) == (8000, (1, 16000))


def test_names_are_this_packages_first_and_none_of_them_is_replaced(other_package) -> None:
    assert list(codecs.CODECS) == ["spectral-codec", "stereo-codec", "block-codec", "broken"]
    assert codecs.CODECS.get("spectral-codec").__module__ == "d2m.codec.spectral"


def test_errors_name_what_there_is_and_what_is_broken(other_package) -> None:
    with pytest.raises(
        D2MError, match="unknown codec 'none'; choose spectral-codec, stereo-codec, block-codec or broken"
    ):
        codecs.CODECS.get("none")
    with pytest.raises(D2MError, match="the codec 'broken' cannot be imported"):
        codecs.CODECS.get("broken")
    with pytest.raises(D2MError, match="unknown metric 'x'; choose one$"):
        Registry("metric", "d2m.nothing", {"one": "d2m.errors:D2MError"}).get("x")


def test_weights_of_another_model_are_no_codec() -> None:
    with pytest.raises(D2MError, match="holds a genre network, but a codec is needed here"):
        codecs.load("studio-genre")
