"""The one training loop: seeds, devices, checkpoints, exact resume, logs and a progress bar, through Lightning Fabric.

A trainer module supplies a :class:`Task`: its networks and optimisers, a batch by step number, and what one step
does. Batches are drawn from a generator seeded with the seed and the step, so an interrupted run goes on exactly
where it stopped, whatever the number of restarts.
"""

from __future__ import annotations

import json
import os
import signal
import time
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import nn


@dataclass(frozen=True)
class LoopConfig:
    """How long to train, and what to keep.

    Attributes:
        folder: holds ``last.ckpt`` (state to resume from), ``log.jsonl`` (one object a logged step) and samples.
        steps: total number of steps.
        minutes: stop after so many minutes of this process, or 0 for no limit.
        log_every, evaluate_every, checkpoint_every: steps.
        seed: of weights and batches.
        accelerator, devices, precision: as Lightning Fabric takes them.
    """

    folder: Path
    steps: int
    minutes: float = 0.0
    log_every: int = 50
    evaluate_every: int = 1000
    checkpoint_every: int = 500
    seed: int = 0
    accelerator: str = "auto"
    devices: int = 1
    precision: str = "bf16-mixed"


class Task:
    """One model's training: what the loop needs to know of it.

    Attributes:
        modules: every network with parameters, by name; they are set up, saved and restored by the loop.
        optimizers: by name.
    """

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    def autocast(self):
        """Context in which networks run in the precision of the loop; losses stay outside it."""
        return self.fabric.autocast()

    def setup(self, fabric: Fabric) -> None:
        """Move modules and optimisers to the device; called once before the first step."""
        self.fabric = fabric
        for name, module in self.modules.items():
            owned = [o for o in self.optimizers if o == name]
            if owned:
                wrapped, optimizer = fabric.setup(module, self.optimizers[name])
                self.modules[name], self.optimizers[name] = wrapped, optimizer
            else:
                self.modules[name] = fabric.setup_module(module) if any(True for _ in module.parameters()) else module

    @abstractmethod
    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Draw a batch with ``rng``, update the networks, return figures to log."""

    def evaluate(self, step: int) -> dict[str, float]:
        """Held-out figures; empty by default."""
        return {}

    def state(self) -> dict[str, object]:
        """Anything besides modules and optimisers that a resumed run needs."""
        return {}

    def restore(self, state: dict[str, object]) -> None:
        """Take back what :meth:`state` returned."""


def train(task: Task, config: LoopConfig) -> int:
    """Train until ``config.steps``, a time limit, or an interrupt (which saves first). Returns the last step done."""
    fabric = Fabric(accelerator=config.accelerator, devices=config.devices, precision=config.precision)
    fabric.launch()
    fabric.seed_everything(config.seed, verbose=False)
    task.setup(fabric)
    config.folder.mkdir(parents=True, exist_ok=True)
    path = config.folder / "last.ckpt"
    step = _restore(task, path) if path.exists() else 0
    stop = _StopSignal()
    began, logged, figures = time.monotonic(), time.monotonic(), {}
    with _Progress(config.steps, enabled=fabric.is_global_zero) as progress:
        while step < config.steps and not stop.asked:
            figures = _accumulate(
                figures, task.step(step, np.random.default_rng([config.seed, step, fabric.global_rank]))
            )
            step += 1
            if step % config.log_every == 0:
                seconds = (time.monotonic() - logged) / config.log_every
                means = {k: float(np.mean(v)) for k, v in figures.items()}
                _log(config.folder, {"step": step, "seconds_per_step": round(seconds, 4), **means}, fabric)
                progress.update(step, means)
                logged, figures = time.monotonic(), {}
            if step % config.evaluate_every == 0 or step == config.steps:
                held_out = task.evaluate(step)
                if held_out:
                    _log(config.folder, {"step": step, "held_out": True, **held_out}, fabric)
                logged = time.monotonic()
            out_of_time = config.minutes and time.monotonic() - began > config.minutes * 60
            if step % config.checkpoint_every == 0 or step == config.steps or stop.asked or out_of_time:
                _save(task, path, step, fabric)
            if out_of_time:
                break
    return step


def _accumulate(figures: dict[str, list[float]], new: dict[str, float]) -> dict[str, list[float]]:
    for key, value in new.items():
        figures.setdefault(key, []).append(float(value))
    return figures


def _save(task: Task, path: Path, step: int, fabric: Fabric) -> None:
    if not fabric.is_global_zero:
        return
    state = {
        "step": step,
        "modules": {name: _unwrap(m).state_dict() for name, m in task.modules.items()},
        "optimizers": {name: o.state_dict() for name, o in task.optimizers.items()},
        "torch_rng": torch.get_rng_state(),
        "task": task.state(),
    }
    temporary = path.with_suffix(".partial")
    torch.save(state, temporary)
    os.replace(temporary, path)


def _restore(task: Task, path: Path) -> int:
    state = torch.load(path, map_location="cpu", weights_only=True)
    for name, module in task.modules.items():
        _unwrap(module).load_state_dict(state["modules"][name])
    for name, optimizer in task.optimizers.items():
        optimizer.load_state_dict(state["optimizers"][name])
    torch.set_rng_state(state["torch_rng"])
    task.restore(state["task"])
    return int(state["step"])


def _unwrap(module: nn.Module) -> nn.Module:
    return getattr(module, "module", module)


def _log(folder: Path, record: dict[str, object], fabric: Fabric) -> None:
    if fabric.is_global_zero:
        rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in record.items()}
        with open(folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(rounded) + "\n")


class _StopSignal:
    """Ctrl-C or a terminate signal ends the run after the current step, with its state saved."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


class _Progress:
    """A bar on stderr when a person is watching."""

    def __init__(self, total: int, enabled: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._progress = Progress(console=console, disable=not (enabled and console.is_terminal))
        self._bar = self._progress.add_task("training", total=total)

    def __enter__(self) -> _Progress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, step: int, figures: dict[str, float]) -> None:
        shown = "  ".join(f"{name} {value:.4g}" for name, value in list(figures.items())[:4])
        self._progress.update(self._bar, completed=step, description=shown)
