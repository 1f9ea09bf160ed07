"""Registries: names in this package, names of other packages, and parts that another package adds."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from other_packages import install

import d2m
from d2m import codec as codecs
from d2m import engines, weights
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

ENGINE = """
from dataclasses import dataclass

import numpy as np

from d2m.engines import Engine, EngineKind
from d2m.options import option
from d2m.types import BeatGrid, Part, Score, Soundtrack


@dataclass(frozen=True)
class HumOptions:
    pitch: float = option(100.0, "Pitch in hertz.", metavar="HZ")


class Hum(Engine):
    name, weights = "hum", ()

    def __init__(self, pitch):
        self.pitch = pitch

    def compose(self, dance, *, seed=0, progress=None):
        time = np.arange(round(dance.duration * 8000)) / 8000
        sound = 0.5 * np.sin(2 * np.pi * self.pitch * time)
        return Soundtrack(sound[None].astype(np.float32), 8000, dance.grid)


HUM = EngineKind("a steady tone", HumOptions, lambda options: Hum(options.pitch))


class Drone:
    name, weights = "drone", ()

    def write(self, dance, seed):
        end = float(len(dance.grid.beats) - 1)
        note = Part("strings", 48, *(np.array([v]) for v in (0.0, end)), np.array([60]), np.array([90]))
        return Score((note,), dance.grid, dance.duration)
"""


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """Install a package that adds a codec, engines and an arranger."""
    install(
        tmp_path / "site",
        monkeypatch,
        "block_codec",
        MODULE + ENGINE,
        "[d2m.codecs]\n"
        "block-codec = block_codec:build\nbroken = block_codec:nothing\nspectral-codec = block_codec:build\n"
        "[d2m.engines]\nhum = block_codec:HUM\nlost = block_codec:NOTHING\n"
        "[d2m.arrangers]\ndrone = block_codec:Drone\n",
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
    # The sound library adds effects and voices in stereo.
    assert (music.sample_rate, music.waveform.shape) == (44100, (2, 88200))


@pytest.mark.slow
def test_an_engine_of_another_package_is_a_choice_of_generate(other_package, clip, tmp_path) -> None:
    video = clip(tmp_path / "a.mp4", duration=1.0)
    command = [sys.executable, "-m", "d2m", "generate"]
    paths = {"PYTHONPATH": str(tmp_path / "site"), "COLUMNS": "200"}
    told = subprocess.run([*command, "--help"], env=os.environ | paths, capture_output=True, text=True, check=True)
    assert "hum (a steady tone)" in told.stdout
    assert "Pitch in hertz." in told.stdout
    music = d2m.generate(video, tmp_path / "out", engine="hum", pitch=250.0).soundtrack
    assert np.argmax(np.abs(np.fft.rfft(music.waveform[0]))) == pytest.approx(250, abs=2)
    with pytest.raises(D2MError, match="--pitch is for --engine hum; leave it out with --engine symbolic"):
        engines.load("symbolic", pitch=250.0)
    with pytest.raises(D2MError, match="unknown option --colour of the engine 'hum'"):
        engines.load("hum", colour="blue")
    with pytest.raises(D2MError, match="the engine 'lost' cannot be imported"):
        engines.load("lost")


def test_an_arranger_of_another_package_writes_for_both_engines(other_package) -> None:
    dance = Dance(2.0, None, BeatGrid.steady(120, 2.0), np.full(5, 0.5, np.float32), np.zeros(5, np.float32), "gHO")
    music = engines.load("symbolic", arranger="drone").compose(dance)
    assert music.provenance["details"]["arranger"] == "drone"
    assert [part.pitches.tolist() for part in music.score.parts] == [[60]]


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
