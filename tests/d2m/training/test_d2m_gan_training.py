"""Training D2M-GAN: every term and ablation, exact resume, and the same result on one process or two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from d2m.datasets.prepared import Manifest, Sequence, write_music, write_sequence, write_split
from d2m.errors import D2MError
from d2m.generator import load_d2m_gan
from d2m.generator.d2m_gan import D2MGAN, D2MGANConfig
from d2m.generator.d2m_gan_discriminator import D2MGANDiscriminator
from d2m.jukebox import VQVAE, VQVAEConfig
from d2m.training.d2m_gan import TERMS, D2MGANTask, D2MGANTraining
from d2m.training.export import export_d2m_gan
from d2m.training.loop import LoopConfig, train
from d2m.weights import verify

pytestmark = pytest.mark.slow

TINY = VQVAEConfig((5, 2), (2, 2), (8, 8), (1, 1), 64, 32)
RATES = {"aist": (219, 60), "tiktok": (75, 30)}


class TinyGenerator(nn.Module):
    """Motion, vision and genre to features of the right shape, in a thousandth of the paper's time."""

    def __init__(self, frames: int, motion_size: int = 219) -> None:
        super().__init__()
        self.frames = frames
        self.motion, self.visual = nn.Linear(motion_size, 16), nn.Linear(2048, 16)
        self.genre, self.out = nn.Embedding(10, 16), nn.Conv1d(16, 64, 9, padding=4)

    def forward(self, motion, visual, genre):
        x = nn.functional.interpolate(self.motion(motion).transpose(1, 2), self.frames)
        for part in ([] if visual is None else [self.visual(visual)]) + ([] if genre is None else [self.genre(genre)]):
            x = x + part[:, :, None]
        return 20 * torch.tanh(self.out(x))


def make_data(folder, kind="aist", sequences=6, seconds=4, visual=True):
    """Dances whose movement is the loudness of the music: there is something to learn."""
    size, rate = RATES[kind]
    rng, names = np.random.default_rng(0), []
    for number in range(sequences):
        name = f"dance{number}"
        time = np.arange(seconds * 22050) / 22050
        loudness = 0.25 + 0.25 * np.sign(np.sin(2 * np.pi * (1 + number / 3) * time))
        wave = loudness * np.sin(2 * np.pi * 220 * 2 ** (number / 12) * time)
        motion = loudness[:: 22050 // rate][: seconds * rate, None] * rng.standard_normal((1, size))
        picture = rng.standard_normal((seconds // 2, 2048)).astype(np.float16) if visual else None
        genre = number % 10 if kind == "aist" else -1
        write_music(folder, f"music{number}", wave.astype(np.float32))
        write_sequence(folder, name, Sequence(motion.astype(np.float32), f"music{number}", 0, genre, picture))
        names.append(name)
    write_split(folder, "train", names[:-1])
    write_split(folder, "val", [])
    write_split(folder, "test", names[-1:])
    Manifest(kind, 22050, rate, size, 2048 if visual else None, 2.0, "made by a test", "0").write(folder)
    return folder


def started(folder) -> VQVAE:
    torch.manual_seed(0)
    vqvae = VQVAE(TINY)
    song = torch.from_numpy(np.load(folder / "music" / "music0.npy")[:32768].astype(np.float32) / 32768)[None]
    for level in (0, 1):
        with torch.no_grad():
            vqvae.codebook(level).start(vqvae.encoders[level](song[:, None])[0].T * 5)
    return vqvae.eval()


def tiny_task(folder, steps=6, kind="aist", weights=None, **settings) -> D2MGANTask:
    settings = D2MGANTraining(folder, steps, **{"batch": 4, "learning_rate": 3e-3, **settings})
    if weights:
        settings = replace(settings, weights=replace(settings.weights, **weights))
    vqvae = started(folder)
    torch.manual_seed(1)
    frames = int(settings.seconds * 22050) // {"high": 128, "low": 32}[settings.level]
    model = TinyGenerator(frames, RATES[kind][0])
    return D2MGANTask(settings, vqvae, model, D2MGANDiscriminator(settings.scales, settings.reshaping, 8, 2))


def loop(folder, steps, **options) -> LoopConfig:
    settings = {"log_every": 1, "evaluate_every": 10**6, "checkpoint_every": 10**6, "precision": "32-true", **options}
    return LoopConfig(folder, steps, accelerator="cpu", **settings)


def records(folder, held_out=False):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if bool(line.get("held_out")) == held_out]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("aist"))


@pytest.fixture(scope="module")
def tiktok(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("tiktok"), "tiktok", visual=False)


def test_defaults_are_the_papers():
    settings, weights = D2MGANTraining("data", 1), D2MGANTraining("data", 1).weights
    assert (settings.batch, settings.learning_rate, settings.betas, settings.sigma) == (16, 1e-4, (0.5, 0.9), 100)
    assert (settings.seconds, settings.scales, settings.reshaping, settings.modality) == (2, 3, True, "both")
    assert [getattr(weights, term) for term in TERMS] == [1, 3, 15, 40, 15]


@pytest.mark.parametrize("level", ["high", "low"])
def test_losses_fall_and_samples_are_kept(data, tmp_path, level):
    task = tiny_task(data, 12, level=level, batch=2, learning_rate=1e-3)
    options = {"log_every": 2, "evaluate_every": 6, "samples_every": 12, "tensorboard": level == "high"}
    train(task, loop(tmp_path, 12, **options))
    log = records(tmp_path)
    for name in ("codebook", "discriminator"):
        assert log[-1][name] < 0.95 * log[0][name], name
    assert {"adversarial", "matching", "waveform", "mel"} <= set(log[0])
    held_out = records(tmp_path, held_out=True)
    assert [line["step"] for line in held_out] == [6, 12]
    assert {"codebook", "mel", "codes", "mel_vqvae"} <= set(held_out[0])
    sounds = sorted(path.name for path in (tmp_path / "samples" / "000012").iterdir())
    assert sounds == ["dance5_0s.png", "dance5_0s.wav", "dance5_2s.png", "dance5_2s.wav"]
    assert (tmp_path / "losses.png").read_bytes()[:4] == b"\x89PNG"
    assert "step      12" in (tmp_path / "log.txt").read_text()
    assert any((tmp_path / "events").glob("events*")) == (level == "high")


def test_an_interrupted_run_is_the_same_as_an_unbroken_one(data, tmp_path):
    # Ten segments by fours: step 3 lies in the middle of the second epoch, and of a line of the log.
    train(tiny_task(data, 6), loop(tmp_path / "whole", 6, log_every=2))
    for steps in (3, 6):
        train(tiny_task(data, steps), loop(tmp_path / "parts", steps, log_every=2))
    whole, parts = records(tmp_path / "whole"), records(tmp_path / "parts")
    for one, other in zip(whole, parts, strict=True):
        assert {**one, "seconds_per_step": 0} == {**other, "seconds_per_step": 0}


def test_every_segment_is_seen_once_an_epoch(data):
    task = tiny_task(data)
    task.own = lambda batch: batch
    seen = [(s.name, s.start) for step in range(5) for s in task._segments(step, np.random.default_rng(0))]
    assert len(set(seen[:10])) == len(set(seen[10:])) == 10
    assert seen[:10] != seen[10:]


ABLATIONS = [
    *({"weights": {term: 0.0}} for term in TERMS),
    {"scales": 1},
    {"scales": 2},
    {"reshaping": False},
    {"seconds": 3.0},
    {"augment": True},
]


@pytest.mark.parametrize("changes", ABLATIONS, ids=str)
def test_every_ablation_trains(data, tmp_path, changes):
    train(tiny_task(data, 1, batch=2, **changes), loop(tmp_path, 1))
    (line,) = records(tmp_path)
    off = next(iter(changes.get("weights", {"none": 0})))
    assert np.isfinite(line["total"])
    assert (off in line) == (off == "codebook" or off in ("waveform", "mel", "adversarial", "matching"))


@pytest.mark.parametrize(("modality", "size"), [("motion", 1024 + 256), ("vision", 2048 + 256), ("both", 3328)])
def test_modalities_and_scaling_are_the_models(data, modality, size):
    settings = D2MGANTraining(data, 1, modality=modality, sigma=1.0)
    task = D2MGANTask(settings, started(data), nn.Linear(1, 1), nn.Linear(1, 1))
    with torch.device("meta"):
        model = D2MGAN(task.config)
    assert model.config.fused_size == size
    assert model.config.sigma == 1
    assert (model.motion_encoder is None) == (modality == "vision")


def test_tiktok_trains_on_motion_alone(tiktok, tmp_path):
    train(tiny_task(tiktok, 2, "tiktok", modality="motion", batch=2), loop(tmp_path, 2))
    assert len(records(tmp_path)) == 2


def test_what_does_not_fit_is_refused(data, tiktok, tmp_path):
    with pytest.raises(D2MError, match="no visual features.*--modality motion"):
        tiny_task(tiktok, kind="tiktok")
    with pytest.raises(D2MError, match="2 to 6 seconds"):
        tiny_task(data, seconds=1.0)
    with pytest.raises(D2MError, match="no level 'middle'|none of high, low"):
        D2MGANTask(D2MGANTraining(data, 1, level="middle"), started(data), nn.Linear(1, 1), nn.Linear(1, 1))
    with pytest.raises(D2MError, match="empty codebook"):
        D2MGANTask(D2MGANTraining(data, 1), VQVAE(TINY), nn.Linear(1, 1), nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--adversarial-after", "0"], 2, "No such option: --adversarial-after"),
        (["--from", "x"], 2, "No such option: --from"),
        (["--without", "noise"], 1, "no loss 'noise' for --without; choose from adversarial"),
        ([word for term in TERMS for word in ("--without", term)], 1, "all losses are left out"),
        (["--scales", "4"], 1, "1 to 3 scales, not 4"),
        (["--sigma", "3", "--no-scaling"], 1, "--no-scaling means --sigma 1"),
        (["--vqvae", "nothing"], 1, "no weights called 'nothing'"),
        ([], 1, "is not a prepared data set"),
    ],
)
def test_wrong_calls_are_one_clear_line(tmp_path, capsys, words, status, message):
    from d2m.cli.main import main

    assert main(["train", "d2m-gan", "--data", str(tmp_path), "--run", str(tmp_path / "run"), *words]) == status
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "status", "lines"),
    [
        (
            ["--model", "d2m-gan", "--level", "low"],
            1,
            ["warning: 'train generator --model d2m-gan' is now 'd2m train d2m-gan'", "is not a prepared data set"],
        ),
        (
            ["--model=temporal"],
            1,
            ["warning: 'train generator --model temporal' is now 'd2m train generator'", "no examples of 160 frames"],
        ),
        (["--model", "wavenet"], 2, ["No such option: --model"]),
        (["--model"], 2, ["No such option: --model"]),
        (["--level", "low"], 2, ["No such option: --level"]),
    ],
)
def test_the_former_option_for_the_model_still_works(tmp_path, capsys, words, status, lines):
    from d2m.cli.main import main

    assert main(["train", "generator", "--data", str(tmp_path), "--run", str(tmp_path / "run"), *words]) == status
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(lines)
    assert all(part in line for part, line in zip(lines, told, strict=True))


def test_the_command_trains_the_model_that_its_options_say(data, tmp_path, monkeypatch):
    import d2m.training.loop
    from d2m.cli.main import main

    seen = []
    monkeypatch.setattr(d2m.training.loop, "train", lambda task, config: seen.append((task, config)))
    words = ["--data", str(data), "--run", str(tmp_path), "--level", "low", "--no-scaling"]
    words += ["--modality", "vision", "--without", "mel", "--without", "waveform", "--scales", "2", "--no-reshape"]
    assert main(["train", "d2m-gan", *words, "--batch", "3", "--devices", "2", "--samples-every", "7"]) == 0
    ((task, config),) = seen
    weights = task.settings.weights
    assert [getattr(weights, term) for term in TERMS] == [1, 3, 15, 0, 0]
    assert (task.config.level, task.config.sigma, task.config.modality) == ("low", 1, "vision")
    assert (len(task.discriminator.model), task.discriminator.reshaping, task.settings.batch) == (2, False, 3)
    assert (config.devices, config.samples_every, config.precision, config.seed) == (2, 7, "32-true", 0)
    assert (task.settings.vqvae, len(task.settings.vqvae_sha256)) == ("studio-vqvae", 64)


def test_a_trained_model_becomes_weights_that_name_their_vqvae(tmp_path):
    torch.manual_seed(0)
    model = D2MGAN(D2MGANConfig("tiktok", modality="vision"))
    task = {"config": model.config.to_dict(), "vqvae": "studio-vqvae", "codebook": "abc"}
    state = {"step": 7, "modules": {"generator": model.state_dict()}, "task": task}
    details = {"architecture": "a", "data": "b", "licence": "MIT", "command": "c", "seed": 0, "scores": {}}
    (card,) = export_d2m_gan(state, tmp_path / "mine.safetensors", details)
    assert (card.kind, card.steps, card.config["codec"]) == ("d2m-gan-generator", 7, "studio-vqvae")
    assert verify(tmp_path / "mine.safetensors") == card
    loaded = load_d2m_gan(None, tmp_path / "mine.safetensors")
    assert (loaded.config, loaded.codec, loaded.codebook) == (model.config, "studio-vqvae", "abc")
    visual = torch.randn(1, 2048)
    with torch.no_grad():
        torch.testing.assert_close(loaded(None, visual), model(None, visual), rtol=0.05, atol=0.05)
    with pytest.raises(D2MError, match="not a checkpoint of"):
        export_d2m_gan({"step": 1, "modules": {}}, tmp_path / "other.safetensors", details)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_d2m_gan_training as tests
tests.run_all(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
"""


def run_all(data, songs, out, which, devices):
    """The runs that are compared: with torchrun, which brings its own number of processes, the smaller models."""
    from test_decoder_training import task as decoder_task
    from test_vqvae_training import task as vqvae_task

    torch.set_num_threads(1)
    if which == "fabric":
        train(tiny_task(data, 4, learning_rate=1e-4), loop(out / "d2m-gan", 4, devices=devices, evaluate_every=4))
    else:
        train(decoder_task(songs, 3, batch=2), loop(out / "decoder", 3, devices=devices, evaluate_every=3))
        train(vqvae_task(songs, 12), loop(out / "vqvae", 12, devices=devices, evaluate_every=12))


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    time = np.arange(22050) / 22050
    for number, root in enumerate((220, 330)):
        tone = 0.3 * np.sin(2 * np.pi * root * time * (1 + time))
        np.savez(folder / f"{number}.npz", waveform=(tone * 32767).astype(np.int16))
    return folder


@pytest.mark.parametrize(("launcher", "names"), [("fabric", ["d2m-gan"]), ("torchrun", ["decoder", "vqvae"])])
def test_two_processes_match_one(data, songs, tmp_path, monkeypatch, launcher, names):
    monkeypatch.syspath_prepend(os.path.dirname(__file__))
    run_all(data, songs, tmp_path / "one", launcher, 1)
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(tests=os.path.dirname(__file__)))
    start = [sys.executable]
    if launcher == "torchrun":
        start += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    call = [*start, str(script), str(data), str(songs), str(tmp_path / "two"), launcher]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    # torchrun says itself how many processes there are.
    devices = {"fabric": "2", "torchrun": "1"}[launcher]
    result = subprocess.run([*call, devices], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    for name in names:
        one, two = (records(tmp_path / n / name) + records(tmp_path / n / name, True) for n in ("one", "two"))
        assert json.loads((tmp_path / "two" / name / "settings.json").read_text())["latest start"]["processes"] == 2
        for expected, actual in zip(one, two, strict=True):
            for key in expected.keys() - {"seconds_per_step"}:
                assert actual[key] == pytest.approx(expected[key], rel=1e-3, abs=2e-4), (name, expected["step"], key)
