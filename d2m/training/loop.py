"""Training loop of all models: seeds, devices, checkpoints, exact resume, logs, samples and a progress bar.

A trainer module supplies a :class:`Task`: its networks and optimisers, a batch by step number, and one training step.
Batches are drawn from a generator seeded with the seed and the step, so an interrupted run continues exactly where it
stopped, whatever the number of restarts; with several devices (:mod:`d2m.training.devices`) each computes its rows of
the same batch.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from d2m.errors import D2MError
from d2m.time_left import TimeLeft, duration_text
from d2m.training import state
from d2m.training.devices import average_gradients, device_name, greatest, make_fabric, mean_of, of_all, share_of
from d2m.training.monitor import Monitor, Sample
from d2m.training.settings import check_settings, describe, write_settings
from d2m.version import __version__

if TYPE_CHECKING:
    from lightning.fabric import Fabric

#: Requests of a step to the loop; with several devices the greatest one counts.
_GO_ON, _STOP, _FAILED = 0, 1, 2
#: Steps that are left out of the first estimate of the time of a run, and seconds that it is measured for.
_WARM_STEPS, _FIRST_ESTIMATE = 2, 8.0


@dataclass(frozen=True)
class LoopConfig:
    """Length of a run, device, logging and checkpoints.

    Attributes:
        folder: folder of the run: ``last.ckpt`` (to go on from), ``best.ckpt`` (networks with the least held-out
            score), ``settings.json``, and what :mod:`d2m.training.monitor` writes.
        steps: total number of steps.
        minutes: stop after so many minutes of this process, or 0 for no limit.
        log_every, evaluate_every, checkpoint_every, samples_every: steps; 0 samples for none.
        seed: random seed of weights and batches.
        accelerator, devices, nodes, strategy, precision: see :func:`~d2m.training.devices.make_fabric`.
        tensorboard: whether to write event files.
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
    nodes: int = 1
    strategy: str = "auto"
    samples_every: int = 0
    tensorboard: bool = False


class Task:
    """Training of one model, as used by the loop.

    Attributes:
        modules: every network with parameters, by name; they are set up, saved and restored by the loop.
        optimizers: optimizers by name.
        settings: a dataclass; a run goes on with the same ones or not at all.
        shares: whether gradients have been averaged over the devices (:meth:`update`).
    """

    shares = False
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    settings: Any = None

    def describe(self) -> dict[str, Any]:
        """Return the settings for ``settings.json``: plain values by name."""
        return describe(self.settings or {})

    def autocast(self):
        """Return context in which networks run in the precision of the loop; losses stay outside it."""
        return self.fabric.autocast()

    def setup(self, fabric: Fabric) -> None:
        """Move modules and optimisers to the device; called once before the first step.

        Args:
            fabric: Lightning Fabric of the run.
        """
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
        """Draw a batch with ``rng``, update the networks, return figures to log.

        ``rng`` is the same on every device: draw the whole batch, and work on :meth:`own` rows of it.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """

    def own(self, batch: np.ndarray) -> np.ndarray:
        """Return this device's rows of a batch.

        Args:
            batch: rows of all devices.
        """
        return batch[share_of(len(batch), self.fabric)]

    def mean(self, value: Tensor) -> Tensor:
        """Average a value over the devices, without a gradient.

        Args:
            value: value of this device.
        """
        mean = self.fabric.all_reduce(value, reduce_op="mean")
        if not isinstance(mean, Tensor):
            raise TypeError(f"the mean of a tensor is a tensor, not {type(mean).__name__}")
        return mean

    def update(self, name: str, loss: Tensor, clip: float = 0.0) -> None:
        """Take one step of an optimiser down the gradient of a loss, averaged over all devices.

        Args:
            name: name of the optimiser and its network.
            loss: loss of this device's rows.
            clip: maximum norm of the gradient, or 0 for no limit.
        """
        self.shares = True
        optimizer = self.optimizers[name]
        # Clears what the last step of another network left there, too.
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        average_gradients(p for group in optimizer.param_groups for p in group["params"])
        if clip:
            self.fabric.clip_gradients(self.modules[name], optimizer, max_norm=clip, error_if_nonfinite=False)
        optimizer.step()

    def evaluate(self, step: int) -> dict[str, float]:
        """Return held-out figures, the same on every device; empty by default.

        Args:
            step: number of training steps done.
        """
        return {}

    def score(self, held_out: dict[str, float]) -> float | None:
        """Return the one held-out figure, less being better, by which the best networks are kept; None for no such.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return None

    def samples(self) -> Sequence[Sample]:
        """Return a few sounds of the current model; called on the first device only."""
        return ()

    def state(self) -> dict[str, object]:
        """Return anything besides modules and optimisers that a resumed run needs."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned.

        Args:
            state: as returned by :meth:`state`.
        """


def train(task: Task, config: LoopConfig) -> int:
    """Train until ``config.steps``, a time limit, or an interrupt, after which the state is saved.

    Args:
        task: model to train.
        config: length of the run, device and logging.

    Returns:
        The last step done.

    Raises:
        D2MError: if the folder holds another run, the devices are not there, or a loss is no longer a number; the last
            good state is then kept.
    """
    fabric = make_fabric(config.accelerator, config.devices, config.nodes, config.strategy, config.precision)
    fabric.seed_everything(config.seed, verbose=False)
    settings = {"task": type(task).__name__, "seed": config.seed, "precision": config.precision}
    settings |= task.describe()
    if (config.folder / "last.ckpt").exists():
        check_settings(config.folder, settings)
    task.setup(fabric)
    return _Run(task, config, settings).go()


class _Run:
    """One call of :func:`train`."""

    def __init__(self, task: Task, config: LoopConfig, settings: dict[str, Any]) -> None:
        self.task, self.config, self.fabric = task, config, task.fabric
        self.last, self.best = config.folder / "last.ckpt", config.folder / "best.ckpt"
        try:
            config.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise D2MError(f"cannot write into {config.folder}: {error.strerror}; choose another --run") from error
        self.progress = state.restore(task, self.last)
        if len(set(of_all(self.progress.step, self.fabric))) > 1:
            raise D2MError(f"{config.folder} must be a folder that all machines share; choose another --run")
        self.told = self.progress.step
        self.left, self.warm, self.said = TimeLeft(self.progress.step), 0, False
        self.estimate: tuple[int, float] | None = None
        self.monitor = None
        if self.fabric.is_global_zero:
            machine = {"d2m": __version__, "torch": torch.__version__, "device": str(self.fabric.device)}
            write_settings(config.folder, settings, machine | {"processes": self.fabric.world_size})
            self.monitor = Monitor(config.folder, self.progress.step, config.tensorboard)

    def go(self) -> int:
        config, progress = self.config, self.progress
        began = self.logged = time.monotonic()
        began_at = saved = progress.step
        self.left = TimeLeft(began_at)
        self._say_start()
        try:
            with _stop_signals() as stop, _Bar(config.steps, enabled=self.monitor is not None) as bar:
                while progress.step < config.steps:
                    wish = self._step()
                    out_of_time = config.minutes and time.monotonic() - began > config.minutes * 60
                    wish = greatest(max(wish, _STOP if stop.is_set() or out_of_time else _GO_ON), self.fabric)
                    if wish == _FAILED:
                        raise self._failure(saved)
                    self._tell(bar)
                    ends = wish == _STOP or progress.step == config.steps
                    if progress.step % config.checkpoint_every == 0 or ends:
                        state.save(self.task, self.last, progress)
                        saved = progress.step
                    if ends:
                        break
            if self.monitor is not None and began_at >= config.steps:
                self.monitor.say(f"{config.folder} has its {began_at} steps; nothing to do until --steps is more", True)
            if self.monitor is not None and progress.step < config.steps:
                self.monitor.say(f"stopped at step {progress.step} of {config.steps}; the same command goes on", True)
        finally:
            if self.monitor is not None:
                self.monitor.close()
        return progress.step

    def _say_start(self) -> None:
        """The first line: before the first step, which may take long."""
        progress, config = self.progress, self.config
        if self.monitor is not None and progress.step < config.steps:
            processes = f", {self.fabric.world_size} processes" if self.fabric.world_size > 1 else ""
            self.monitor.say(f"step {progress.step} of {config.steps}, on {device_name(self.fabric.device)}{processes}")

    def _say_estimate(self) -> None:
        """One line on the length of the run, as soon as some steps were measured without the first ones."""
        step, now = self.progress.step, self.left.elapsed
        if self.monitor is None or self.said:
            return
        if self.estimate is None:
            self.warm = self.warm + 1
            if self.warm == _WARM_STEPS:
                self.estimate = (step, now)
            return
        first, then = self.estimate
        if now - then < _FIRST_ESTIMATE and step - first < self.config.log_every:
            return
        self.said = True
        each = (now - then) / (step - first)
        whole = duration_text(each * (self.config.steps - step))
        where = device_name(self.fabric.device)
        self.monitor.say(f"{each:.3g} s a step: about {whole} for the steps that are left, on {where}")

    def _step(self) -> int:
        progress = self.progress
        figures = self.task.step(progress.step, np.random.default_rng([self.config.seed, progress.step, 0]))
        if self.fabric.world_size > 1 and not self.task.shares:
            raise D2MError("this model is trained on one device; leave out --devices, --nodes and torchrun")
        progress.step += 1
        for name, value in figures.items():
            progress.window.setdefault(name, []).append(float(value))
        self.unsound = [name for name, value in figures.items() if not math.isfinite(value)]
        return _FAILED if self.unsound else _GO_ON

    def _failure(self, saved: int) -> D2MError:
        what = f"'{self.unsound[0]}'" if self.unsound else "a loss on another device"
        kept = f"{self.last} holds the state of step {saved}" if saved else "nothing was saved yet"
        return D2MError(
            f"{what} is no longer a number at step {self.progress.step}; {kept}; "
            "lower the learning rate, or train with --precision 32-true"
        )

    def _tell(self, bar: _Bar) -> None:
        config, progress, step = self.config, self.progress, self.progress.step
        self._say_estimate()
        if step % config.log_every == 0:
            means = {name: float(np.mean(values)) for name, values in progress.window.items()}
            means = mean_of(means, self.fabric)
            seconds = (time.monotonic() - self.logged) / (step - self.told)
            if self.monitor is not None:
                left = self._time_left()
                self.monitor.log(step, {"seconds_per_step": round(seconds, 4), **means}, note=left)
                bar.update(step, means)
            progress.window = {}
            self.logged, self.told = time.monotonic(), step
        if step % config.evaluate_every == 0 or step == config.steps:
            self._evaluate()
        wanted = config.samples_every and (step % config.samples_every == 0 or step == config.steps)
        if wanted and self.monitor is not None:
            began = time.monotonic()
            self.monitor.show(step, self.task.samples())
            self.logged += time.monotonic() - began

    def _time_left(self) -> str:
        """The time that is left in words; a limit in minutes counts."""
        config, step = self.config, self.progress.step
        left = self.left.seconds(step, config.steps)
        if left is None:
            return ""
        if config.minutes:
            left = min(left, max(0.0, 60 * config.minutes - self.left.elapsed))
        return f"{duration_text(left)} left"

    def _evaluate(self) -> None:
        progress, began = self.progress, time.monotonic()
        held_out = self.task.evaluate(progress.step)
        if held_out and self.monitor is not None:
            self.monitor.log(progress.step, held_out, held_out=True)
        score = self.task.score(held_out) if held_out else None
        if score is not None and math.isfinite(score) and (progress.best is None or score < progress.best[0]):
            progress.best = (score, progress.step)
            state.save_best(self.task, self.best, progress)
        # Looking is no part of a step's time.
        self.logged += time.monotonic() - began


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Ctrl-C or a terminate signal ends the run after the current step, with its state saved."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, _: object) -> None:
        # A second Ctrl-C does not wait for the step.
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Bar:
    """A bar on stderr when a person is watching."""

    def __init__(self, total: int, enabled: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._progress = Progress(console=console, disable=not (enabled and console.is_terminal))
        self._bar = self._progress.add_task("training", total=total)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, step: int, figures: dict[str, float]) -> None:
        shown = "  ".join(f"{name} {value:.4g}" for name, value in list(figures.items())[:4])
        self._progress.update(self._bar, completed=step, description=shown)
