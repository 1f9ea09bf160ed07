"""State of a run on disk: written atomically for every process, and never with values that are not finite."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from d2m.errors import D2MError
from d2m.files.atomic import io_errors
from d2m.training.devices import of_all
from d2m.weights.torch_file import check_torch_file

if TYPE_CHECKING:
    from d2m.training.loop import Task


@dataclass
class Progress:
    """Position of a run.

    Attributes:
        step: steps done.
        window: figures of the steps since the last line of the log, so that the next one is the same whether or not the
            run was interrupted between them.
        best: the least held-out score so far and its step, if the task has one.
    """

    step: int = 0
    window: dict[str, list[float]] = field(default_factory=dict)
    best: tuple[float, int] | None = None


def save(task: Task, path: Path, progress: Progress) -> None:
    """Write the complete state of a run, for an exact resume; all processes call this together.

    Args:
        task: model in training.
        path: the output file.
        progress: position of the run.

    Raises:
        D2MError: if a network holds values that are not numbers; the file then stays as it was.
    """
    own: dict[str, Any] = {"torch": torch.get_rng_state(), "cuda": _cuda_state(task), "window": progress.window}
    processes = of_all(own, task.fabric)
    if not _is_sound(task):
        raise D2MError(
            f"the networks no longer hold numbers at step {progress.step}, so they were not saved; the last good state "
            f"is in {path.parent}; lower the learning rate, or train with --precision 32-true"
        )
    if not task.fabric.is_global_zero:
        return
    _write(
        path,
        {
            "step": progress.step,
            "modules": _modules(task),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in task.optimizers.items()},
            "torch_rng": processes[0]["torch"],
            "processes": processes,
            "precision": task.fabric.strategy.precision.state_dict(),
            "best": progress.best,
            "task": task.state(),
        },
    )


def save_best(task: Task, path: Path, progress: Progress) -> None:
    """Write the networks only, for export or evaluation.

    Args:
        task: model in training.
        path: the output file.
        progress: position of the run.
    """
    if task.fabric.is_global_zero:
        _write(path, {"step": progress.step, "modules": _modules(task), "best": progress.best, "task": task.state()})


def restore(task: Task, path: Path) -> Progress:
    """Restore the state that :func:`save` wrote.

    Args:
        task: model in training.
        path: the file.

    Returns:
        The position of the run; the beginning if there is no file.

    Raises:
        D2MError: if the file is damaged or of another training.
    """
    if not path.exists():
        return Progress()
    try:
        check_torch_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        names, optimizers = state["modules"].keys(), state["optimizers"].keys()
        step = int(state["step"])
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise D2MError(f"{path} is damaged; remove it to begin anew, or choose another --run folder") from error
    if names != task.modules.keys() or optimizers != task.optimizers.keys():
        raise D2MError(f"{path} is of another kind of training; choose another --run folder")
    try:
        for name, module in task.modules.items():
            unwrap(module).load_state_dict(state["modules"][name])
        for name, optimizer in task.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
    except (RuntimeError, ValueError) as error:
        raise D2MError(f"{path} holds a model of another shape; choose another --run folder") from error
    if state.get("precision"):
        task.fabric.strategy.precision.load_state_dict(state["precision"])
    own = _own_state(task, state)
    torch.set_rng_state(own["torch"])
    if own["cuda"] is not None and task.fabric.device.type == "cuda":
        torch.cuda.set_rng_state(own["cuda"], task.fabric.device)
    task.restore(state["task"])
    best = state.get("best")
    return Progress(step, own["window"], tuple(best) if best else None)


def unwrap(module: nn.Module) -> nn.Module:
    """Return the network inside a wrapper of Fabric.

    Args:
        module: the wrapped network.
    """
    return getattr(module, "module", module)


def _modules(task: Task) -> dict[str, dict[str, torch.Tensor]]:
    return {name: unwrap(module).state_dict() for name, module in task.modules.items()}


def _is_sound(task: Task) -> bool:
    # A sum is finite only if all of its terms are; one number a network instead of one a parameter.
    sums = [
        sum(p.detach().float().sum() for p in unwrap(module).parameters() if p.requires_grad)
        for module in task.modules.values()
    ]
    return all(bool(torch.isfinite(torch.as_tensor(total))) for total in sums)


def _cuda_state(task: Task) -> Any:
    return torch.cuda.get_rng_state(task.fabric.device) if task.fabric.device.type == "cuda" else None


def _own_state(task: Task, state: dict[str, Any]) -> dict[str, Any]:
    """What only this process knew."""
    processes = state.get("processes", [])
    if len(processes) == task.fabric.world_size:
        return processes[task.fabric.global_rank]
    # A run of another number of processes, whose batches follow from the step, whoever works on them; or from before
    # these states were kept.
    return {"torch": state["torch_rng"], "cuda": None, "window": {}}


def _write(path: Path, state: dict[str, Any]) -> None:
    # Always the same name, so that runs that are killed do not leave one file each.
    temporary = path.with_suffix(".partial")
    try:
        with io_errors(path):
            try:
                torch.save(state, temporary)
            except RuntimeError as error:
                # PyTorch's message only says that the file is incomplete.
                raise OSError(errno.ENOSPC, "the disk is full") from error
            os.replace(temporary, path)
    except D2MError as error:
        raise D2MError(f"{error}; what was saved before is kept") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
