"""Options of all training commands: folder, length, device, logging and checkpoints of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, TypeVar

import typer

from d2m.cli.from_dataclass import with_options
from d2m.cli.options import DEVICE, SEED
from d2m.nn.device import check
from d2m.options import option

if TYPE_CHECKING:
    from d2m.training.loop import LoopConfig


Value = TypeVar("Value")


def above_zero(value: float | None) -> float | None:
    """Check that the value of an option is a finite number above 0.

    Args:
        value: of the option; None for an option that was not given.

    Raises:
        typer.BadParameter: if it is not.
    """
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is not a number above 0")
    return value


def given_or(value: Value | None, default: Value) -> Value:
    """Return the value of an option, or the default where it was left out."""
    return default if value is None else value


_START = typer.Option("--from", help="Weights to start from (name or file).")
#: For options that name a set of weights.
Start = Annotated[Optional[str], _START]  # noqa: UP045
#: For options that name a set of weights and have a default.
StartWith = Annotated[str, _START]


@dataclass(frozen=True)
class RunOptions:
    """Values of the shared options; each field is an option of that name.

    Raises:
        D2MError: if there is no such device.
    """

    run: Path = option(MISSING, "Folder of the run; an existing run is resumed.")
    minutes: float = option(0.0, "Time limit in minutes; 0 for none.", minimum=0.0)
    seed: int = option(0, SEED, minimum=0, maximum=2**32 - 1)
    log_every: int = option(25, "Number of steps between lines of the log.", minimum=1)
    evaluate_every: int = option(500, "Number of steps between evaluations on held-out data.", minimum=1)
    checkpoint_every: int = option(250, "Number of steps between checkpoints.", minimum=1)
    samples_every: int = option(1000, "Number of steps between samples (sounds and plots); 0 for none.", minimum=0)
    precision: str = option(
        "auto", "Precision: 32-true, bf16-mixed, 16-mixed, or auto (by model and device).", metavar="NAME"
    )
    device: str = option("auto", DEVICE, metavar="NAME")
    devices: int = option(1, "Number of devices per machine, which share every batch.")
    nodes: int = option(1, "Number of machines; start one process per machine with its NODE_RANK, or use torchrun.")
    strategy: str = option("auto", "Strategy for several devices: auto or ddp.", metavar="NAME")
    tensorboard: bool = option(
        True,
        "Write TensorBoard event files into the folder of the run.",
        names=("--tensorboard/--no-tensorboard",),
    )

    def __post_init__(self) -> None:
        check(self.device)

    def loop(self, steps: int, precision: str = "bf16-mixed") -> LoopConfig:
        """Return the configuration of the training loop.

        Args:
            steps: number of training steps.
            precision: default of the model, used with ``--precision auto``.
        """
        from d2m.training.loop import LoopConfig

        chosen = {name: getattr(self, name) for name in _NAMES if name not in ("run", "precision", "device")}
        chosen["accelerator"] = self.device
        chosen["precision"] = _precision(precision, self.device) if self.precision == "auto" else self.precision
        return LoopConfig(self.run, steps, **chosen)


def _precision(wanted: str, accelerator: str) -> str:
    """Return the precision, or 32-true on a processor without instructions for bf16.

    PyTorch emulates bf16 there: grouped convolutions take ten times as long.
    """
    import torch

    on_processor = accelerator == "cpu" or (
        accelerator == "auto" and not torch.cuda.is_available() and not torch.backends.mps.is_available()
    )
    if wanted == "bf16-mixed" and on_processor and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "32-true"
    return wanted


_NAMES = tuple(each.name for each in fields(RunOptions))


def with_run(function: Callable[..., None]) -> Callable[..., None]:
    """Add the shared options to a command.

    Args:
        function: the command; it gets the values of the shared options as ``options``.
    """
    return with_options(RunOptions, build=RunOptions)(function)
