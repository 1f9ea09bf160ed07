"""``--device``: one option, checked in one place and followed by every network."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from clips import write_clip

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.nn import device

WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
COMMANDS = [
    ["generate", "FILM"],
    ["train", "genre", "--data", "nowhere", "--run", "RUN"],
    ["train", "musegan", "--data", "nowhere", "--run", "RUN"],
    ["benchmark", "studio", "-o", "RUN"],
    ["benchmark", "ablation", "--data", "nowhere", "--table", "losses", "-o", "RUN"],
    ["evaluate", "genre", "nowhere"],
    ["evaluate", "fidelity", "--reference", "nowhere", "--generated", "nowhere"],
]


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv(device.VARIABLE, "auto")


@WITHOUT_GPU
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command[:2]))
def test_a_device_that_is_not_there_is_one_line_before_anything_is_done(command, tmp_path, capsys):
    film = write_clip(tmp_path / "film.mp4", duration=1.0, rate=10)
    words = [{"FILM": str(film), "RUN": str(tmp_path / "run")}.get(word, word) for word in command]
    assert main([*words, "--device", "cuda"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == ["error: PyTorch finds no CUDA GPU on this machine; use --device cpu or auto"]
    assert sorted(tmp_path.iterdir()) == [film]


def test_an_unknown_device_is_one_line(capsys):
    assert main(["evaluate", "genre", "nowhere", "--device", "tpu"]) == 1
    assert "no device 'tpu'; choose one of auto, cpu, cuda, mps" in capsys.readouterr().err


def test_the_old_name_of_the_option_still_works(tmp_path, capsys):
    assert main(["train", "genre", "--data", "nowhere", "--run", str(tmp_path / "run"), "--accelerator", "tpu"]) == 1
    assert "no device 'tpu'" in capsys.readouterr().err


def test_networks_are_moved_to_the_device_that_was_chosen(monkeypatch):
    device.choose("cpu")
    assert device.device_of(device.on_device(torch.nn.Linear(2, 2))).type == "cpu"
    assert os.environ[device.VARIABLE] == "cpu"
    # No GPU is needed to see where a network goes: this device holds shapes without values.
    monkeypatch.setattr(device, "current", lambda: torch.device("meta"))
    assert device.device_of(device.on_device(torch.nn.Linear(2, 2))).type == "meta"


@pytest.mark.parametrize("there", [True, False])
def test_auto_takes_the_gpu_where_there_is_one(monkeypatch, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device.current().type == ("cuda" if there else "cpu")
    assert device.check("cpu") == "cpu"


def test_a_wrong_environment_is_told(monkeypatch):
    monkeypatch.setenv(device.VARIABLE, "fridge")
    with pytest.raises(D2MError, match="no device 'fridge'"):
        device.current()


def test_the_environment_is_the_default_of_the_option(monkeypatch, capsys):
    monkeypatch.setenv(device.VARIABLE, "tpu")
    assert main(["evaluate", "genre", "nowhere"]) == 1
    assert "no device 'tpu'" in capsys.readouterr().err


def test_inputs_follow_the_network():
    from d2m.generator.temporal import Conditions

    moved = Conditions(3, noise=torch.zeros(1, 3, 2), genre=torch.tensor([1])).to(torch.device("meta"))
    assert moved.frames == 3
    assert moved.noise is not None
    assert moved.noise.device.type == moved.genre.device.type == "meta"
    assert moved.rows is None


@pytest.mark.slow
def test_the_codec_gives_the_same_on_the_chosen_processor():
    from d2m import codec
    from d2m.codec.reconstruct import reconstruct

    wave = np.random.default_rng(0).normal(0, 0.1, (1, 22050)).astype(np.float32)
    device.choose("cpu")
    sound = codec.load()
    np.testing.assert_array_equal(
        reconstruct(device.on_device(sound), wave, 22050), reconstruct(codec.load(), wave, 22050)
    )
