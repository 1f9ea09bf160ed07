"""What a person may get wrong when training: each is one line that says what, and nothing is trained."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from d2m.cli.main import main
from d2m.datasets.prepared import Manifest, Sequence, write_music, write_sequence, write_split
from d2m.datasets.segments import Segments
from d2m.datasets.studio import make_studio
from d2m.errors import D2MError
from d2m.training.audio import SongCrops
from d2m.training.codec import CodecTask, CodecTraining
from d2m.training.devices import make_fabric
from d2m.training.generator import GeneratorTraining, _examples
from d2m.training.monitor import Monitor


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two pieces of music, danced to for 4 s each, in two splits."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    Manifest("aist", 22050, 60.0, 219, None, 2.0, "test", "0").write(folder)
    for name in ("a", "b"):
        write_music(folder, name, rng.standard_normal(4 * 22050).astype(np.float32) * 0.1)
        write_sequence(folder, name, Sequence(rng.standard_normal((240, 219)).astype(np.float32), name, genre=2))
    write_split(folder, "train", ["a"])
    write_split(folder, "val", [])
    write_split(folder, "test", ["b"])
    return folder


def refused(capsys, status: int, *words: object) -> str:
    assert main([str(word) for word in words]) == status
    *progress, line = capsys.readouterr().err.splitlines()
    assert not any(each.startswith("error: ") for each in progress)
    assert line.startswith("error: ")
    assert "bug in d2m" not in line
    return line


@pytest.mark.slow
@pytest.mark.parametrize("model", ["codec", "vqvae", "decoder", "genre", "generator", "musegan", "bridge", "musicvae"])
@pytest.mark.parametrize("rate", ["-1", "0", "nan", "inf"])
def test_learning_rates_are_above_zero(data, tmp_path, capsys, model, rate):
    line = refused(capsys, 2, "train", model, "--data", data, "--run", tmp_path / "run", "--rate", rate)
    assert "not a number above 0" in line


@pytest.mark.parametrize(
    ("model", "option", "value"),
    [("codec", "--seed", -1), ("vqvae", "--seed", 2**32), ("codec", "--minutes", -1), ("codec", "--bass", -1)],
)
def test_options_have_their_ranges(data, tmp_path, capsys, model, option, value):
    assert option in refused(capsys, 2, "train", model, "--data", data, "--run", tmp_path / "run", option, value)


@pytest.mark.parametrize("option", ["--fresh-tones", "--decoder-only"])
def test_options_of_a_start_need_one(data, tmp_path, capsys, option):
    line = refused(capsys, 2, "train", "codec", "--data", data, "--run", tmp_path / "run", option)
    assert f"{option} needs --from" in line


@pytest.mark.parametrize("length", [0, 1000, 4095, 5000])
def test_crops_have_a_length_that_a_codec_takes(data, length):
    with pytest.raises(D2MError, match="choose a multiple of 256"):
        CodecTask(CodecTraining(data / "train", data / "held_out", 1, length=length))


def test_music_of_no_length_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", waveform=np.ones(500, np.int16))
    with pytest.raises(D2MError, match=r"a.npz holds less than 0.04 s of sound"):
        SongCrops(tmp_path)


def test_a_generator_without_examples_says_so(data, tmp_path, capsys):
    assert "no examples of 160 frames" in refused(
        capsys, 1, "train", "generator", "--data", data, "--run", tmp_path / "run"
    )
    with pytest.raises(D2MError, match="d2m data examples"):
        _examples(GeneratorTraining(tmp_path, 1), "train")


def test_a_wrong_modality_is_named_before_missing_features(data, tmp_path, capsys):
    words = ("train", "d2m-gan", "--data", data, "--run", tmp_path / "run", "--modality")
    assert "no modality 'sound'; choose one of both, motion, vision" in refused(capsys, 1, *words, "sound")
    assert "no visual features" in refused(capsys, 1, *words, "both")


def test_motion_that_is_not_finite_is_named(data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    motion = np.zeros((240, 219), np.float32)
    motion[200] = np.nan
    write_sequence(tmp_path / "data", "a", Sequence(motion, "a", genre=2))
    segments = Segments(tmp_path / "data", "train")
    assert segments[0].motion.shape == (120, 219)
    with pytest.raises(D2MError, match=r"a.npz holds numbers that are not finite"):
        segments[1]


@pytest.mark.slow
def test_a_finished_run_says_that_there_is_nothing_to_do(data, tmp_path, capsys):
    words = ["train", "vqvae", "--data", str(data), "--run", str(tmp_path / "run"), "--batch", "1", "--steps", "1",
             "--samples-every", "0", "--no-tensorboard"]  # fmt: skip
    assert main(words) == 0
    capsys.readouterr()
    assert main(words) == 0
    assert "has its 1 steps; nothing to do until --steps is more" in capsys.readouterr().err


@pytest.mark.slow
def test_a_full_disk_is_told_as_such(data, tmp_path, capsys, monkeypatch):
    def full(*_: object, **__: object) -> None:
        (tmp_path / "run" / "last.partial").write_bytes(b"half of it")
        raise RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    words = ["train", "vqvae", "--data", data, "--run", tmp_path / "run", "--batch", 1, "--steps", 1, "--log-every", 9,
             "--evaluate-every", 9, "--samples-every", 0, "--no-tensorboard"]  # fmt: skip
    monkeypatch.setattr("d2m.training.loop._Run._evaluate", lambda run: None)
    line = refused(capsys, 1, *words)
    assert line == (
        f"error: cannot write {tmp_path / 'run' / 'last.ckpt'}: the disk is full; free some space or choose another "
        "folder; what was saved before is kept"
    )
    assert not list((tmp_path / "run").glob("*.partial"))


def test_a_log_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    monitor = Monitor(tmp_path, 0, tensorboard=False)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("builtins.open", full)
    for tell in (lambda: monitor.say("x"), lambda: monitor.log(1, {"loss": 1.0})):
        with pytest.raises(D2MError, match="the disk is full"):
            tell()


def test_a_studio_is_not_made_among_other_files(data):
    with pytest.raises(D2MError, match="is not empty"):
        make_studio(data, 1, 1, 4.0, 0)


def test_a_run_is_not_greeted_by_a_library(capfd):
    make_fabric("cpu", 1, 1, "auto", "bf16-mixed")
    assert capfd.readouterr().err == ""
