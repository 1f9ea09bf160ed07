"""Options of all training commands: folder, length, device, logging and checkpoints of a run."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeVar

import typer

from d2m.cli.options import ACCELERATOR, SEED

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
    """Values of the shared options; each field is an option of that name."""

    run: Annotated[Path, typer.Option(help="Folder of the run; an existing run is resumed.")]
    minutes: Annotated[float, typer.Option(min=0.0, help="Time limit in minutes; 0 for none.")] = 0.0
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help=SEED)] = 0
    log_every: Annotated[int, typer.Option(min=1, help="Number of steps between lines of the log.")] = 25
    evaluate_every: Annotated[
        int, typer.Option(min=1, help="Number of steps between evaluations on held-out data.")
    ] = 500
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Number of steps between checkpoints.")] = 250
    samples_every: Annotated[
        int, typer.Option(min=0, help="Number of steps between samples (sounds and plots); 0 for none.")
    ] = 1000
    precision: Annotated[
        str,
        typer.Option(metavar="NAME", help="Precision: 32-true, bf16-mixed, 16-mixed, or auto (by model and device)."),
    ] = "auto"
    accelerator: Annotated[str, typer.Option(metavar="NAME", help=ACCELERATOR)] = "auto"
    devices: Annotated[int, typer.Option(help="Number of devices per machine, which share every batch.")] = 1
    nodes: Annotated[
        int, typer.Option(help="Number of machines; start one process per machine with its NODE_RANK, or use torchrun.")
    ] = 1
    strategy: Annotated[str, typer.Option(metavar="NAME", help="Strategy for several devices: auto or ddp.")] = "auto"
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard event files into the folder of the run.")] = True

    def loop(self, steps: int, precision: str = "bf16-mixed") -> LoopConfig:
        """Return the configuration of the training loop.

        Args:
            steps: number of training steps.
            precision: default of the model, used with ``--precision auto``.
        """
        from d2m.training.loop import LoopConfig

        chosen = {name: getattr(self, name) for name in _NAMES if name not in ("run", "precision")}
        chosen["precision"] = _precision(precision, self.accelerator) if self.precision == "auto" else self.precision
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


_SHARED = inspect.signature(RunOptions, eval_str=True).parameters
_NAMES = tuple(_SHARED)


def with_run(function: Callable[..., None]) -> Callable[..., None]:
    """Add the shared options to a command.

    Args:
        function: the command; it gets the values of the shared options as ``options``.
    """
    signature = inspect.signature(function, eval_str=True)
    own = [entry for name, entry in signature.parameters.items() if name != "options"]
    shared = [entry.replace(kind=inspect.Parameter.KEYWORD_ONLY) for entry in _SHARED.values()]
    own = [entry.replace(kind=inspect.Parameter.KEYWORD_ONLY) for entry in own]

    def command(**values: Any) -> None:
        options = RunOptions(**{name: values.pop(name) for name in _NAMES})
        function(options=options, **values)

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    # Typer reads the signature, and the annotations beside it.
    command.__dict__["__signature__"] = signature.replace(parameters=[*own, *shared])
    command.__annotations__ = {entry.name: entry.annotation for entry in (*own, *shared)}
    return command
