"""The loop that all training shares: what it keeps, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from d2m.errors import D2MError
from d2m.training.devices import make_fabric, share_of
from d2m.training.loop import LoopConfig, Task, train
from d2m.training.monitor import Sample

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class LineTraining:
    steps: int = 8
    batch: int = 4
    rate: float = 0.1


class Line(Task):
    """A line through points; it drops units at random, so that torch's own generator counts, too."""

    def __init__(self, settings=None, at=None):
        torch.manual_seed(0)
        self.settings = settings or LineTraining()
        self.at = at or (lambda step: None)
        self.line = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.modules = {"line": self.line}
        self.optimizers = {"line": torch.optim.Adam(self.line.parameters(), self.settings.rate)}

    def step(self, step, rng):
        points = torch.from_numpy(self.own(rng.standard_normal((self.settings.batch, 3)).astype(np.float32)))
        loss = (self.modules["line"](points) - points.sum(1, keepdim=True)).square().mean()
        wish = self.at(step)
        self.update("line", loss * (float("nan") if wish == "nan gradient" else 1), clip=5.0)
        return {"loss": float("nan") if wish == "nan" else loss.item(), "odd": step % 2}

    def evaluate(self, step):
        # Best in the middle.
        return {"distance": abs(step - 4.0)}

    def score(self, held_out):
        return held_out["distance"]

    def samples(self):
        wave = np.sin(np.arange(8192) / 20).astype(np.float32)
        return [Sample("sine", wave, wave / 2, 22050)]


def loop(folder, steps=8, **options):
    settings = {"log_every": 1, "evaluate_every": 2, "checkpoint_every": 2, "precision": "32-true", **options}
    return LoopConfig(folder, steps, accelerator="cpu", **settings)


def losses(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"], line["odd"]) for line in lines if "loss" in line]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_run_in_parts_is_the_run_in_one(tmp_path, precision):
    options = {"precision": precision, "log_every": 3}
    train(Line(), loop(tmp_path / "whole", 9, **options))
    for steps in (1, 5, 9):
        train(Line(), loop(tmp_path / "parts", steps, **options))
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_a_killed_run_goes_on_from_its_last_state_and_its_log_forgets_the_rest(tmp_path):
    def die(step):
        if step == 5:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        train(Line(at=die), loop(tmp_path / "parts"))
    with open(tmp_path / "parts" / "log.jsonl", "a") as file:
        file.write('{"step": 6, "lo')
    train(Line(), loop(tmp_path / "parts"))
    train(Line(), loop(tmp_path / "whole"))
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_the_best_networks_are_kept(tmp_path):
    train(Line(), loop(tmp_path, 3))
    train(Line(), loop(tmp_path, 8))
    best = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert best["step"] == 4
    assert tuple(best["best"]) == (0.0, 4)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["step"] == 8


def test_a_run_goes_on_only_with_its_own_settings(tmp_path):
    train(Line(), loop(tmp_path, 2))
    kept = json.loads((tmp_path / "settings.json").read_text())["settings"]
    assert kept == {"task": "Line", "seed": 0, "precision": "32-true", "steps": 8, "batch": 4, "rate": 0.1}
    with pytest.raises(D2MError, match=r"batch is 4, not 8; rate is 0\.1, not 0\.2"):
        train(Line(LineTraining(batch=8, rate=0.2)), loop(tmp_path, 4))
    with pytest.raises(D2MError, match="seed is 0, not 1"):
        train(Line(), loop(tmp_path, 4, seed=1))
    assert train(Line(LineTraining(steps=20)), loop(tmp_path, 4)) == 4
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(D2MError, match="settings.json is damaged"):
        train(Line(), loop(tmp_path, 6))


def test_a_run_from_before_settings_were_kept_goes_on(tmp_path):
    train(Line(), loop(tmp_path, 4))
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)
    torch.save({k: state[k] for k in ("step", "modules", "optimizers", "torch_rng", "task")}, tmp_path / "last.ckpt")
    (tmp_path / "settings.json").unlink()
    assert train(Line(), loop(tmp_path)) == 8
    train(Line(), loop(tmp_path / "whole"))
    assert losses(tmp_path) == losses(tmp_path / "whole")


@pytest.mark.parametrize("wish", ["nan", "nan gradient"])
def test_a_loss_that_is_no_number_ends_the_run_and_the_last_good_state_stays(tmp_path, wish):
    task = Line(at=lambda step: wish if step == 5 else None)
    with pytest.raises(D2MError, match="no longer .* step 6.*last.ckpt|no longer .* step 6.*last good state"):
        train(task, loop(tmp_path))
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert state["step"] == 4
    assert all(torch.isfinite(value).all() for value in state["modules"]["line"].values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_first(tmp_path, number):
    before = signal.getsignal(number)
    done = train(Line(at=lambda step: os.kill(os.getpid(), number) if step == 2 else None), loop(tmp_path))
    assert done == 3
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["step"] == 3
    assert "stopped at step 3 of 8" in (tmp_path / "log.txt").read_text()
    assert signal.getsignal(number) is before
    assert train(Line(), loop(tmp_path)) == 8


def test_the_log_tells_device_and_time_left_from_the_first_line_on(tmp_path):
    train(Line(), loop(tmp_path, 30))
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert "step 0 of 30, on cpu with" in lines[0]
    assert sum("s a step: about" in line for line in lines) == 1
    steps = [line for line in lines if "  training  " in line]
    assert steps
    assert all(line.endswith(" left") for line in steps)
    assert steps[-1].endswith("0 s left")
    train(Line(), loop(tmp_path, 40))
    assert "step 30 of 40, on cpu" in (tmp_path / "log.txt").read_text(encoding="utf-8")


def test_sounds_curves_and_events_are_written(tmp_path):
    train(Line(), loop(tmp_path, 4, samples_every=2, tensorboard=True))
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"losses.png", "samples/sine_real.wav", "samples/000002/sine.wav", "samples/000004/sine.png"} <= names
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "events")).Reload()
    assert [event.step for event in events.Scalars("training/loss")] == [1, 2, 3, 4]
    assert [event.step for event in events.Audio("samples/sine")] == [2, 4]
    assert not list(tmp_path.rglob("*.partial"))


def test_damaged_and_foreign_states_are_refused(tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"nothing")
    with pytest.raises(D2MError, match="is damaged"):
        train(Line(), loop(tmp_path))
    train(Line(), loop(tmp_path / "line", 2))
    state = torch.load(tmp_path / "line" / "last.ckpt", weights_only=True)
    torch.save(state | {"modules": {"curve": state["modules"]["line"]}}, tmp_path / "line" / "last.ckpt")
    with pytest.raises(D2MError, match="another kind of training"):
        train(Line(), loop(tmp_path / "line"))
    torch.save(state | {"modules": {"line": {"0.weight": torch.zeros(2, 2)}}}, tmp_path / "line" / "last.ckpt")
    with pytest.raises(D2MError, match="another shape"):
        train(Line(), loop(tmp_path / "line"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "8-bit"}, "no precision '8-bit'"),
        ({"precision": "16-mixed"}, "16-mixed needs a GPU"),
        ({"strategy": "fsdp"}, "no strategy 'fsdp'"),
        ({"devices": 0}, "counted from 1"),
        ({"accelerator": "quantum"}, "cannot train on"),
    ],
)
def test_devices_that_are_not_there_are_one_clear_line(changes, message):
    settings = {"accelerator": "cpu", "devices": 1, "nodes": 1, "strategy": "auto", "precision": "32-true", **changes}
    with pytest.raises(D2MError, match=message):
        make_fabric(**settings)


def test_a_batch_is_shared_evenly_or_not_at_all():
    second = SimpleNamespace(world_size=2, global_rank=1)
    assert share_of(6, second) == slice(3, 6)
    with pytest.raises(D2MError, match="a batch of 3 cannot be shared by 2 devices"):
        share_of(3, second)
