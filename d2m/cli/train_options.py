"""Options that all training commands share: where a run lies, how long it goes, what it computes on, what it keeps."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeVar

import typer

if TYPE_CHECKING:
    from d2m.training.loop import LoopConfig


Value = TypeVar("Value")


def above_zero(value: float | None) -> float | None:
    """The value, unless it is no number above 0; for options that may be left out, None."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is no number above 0")
    return value


def given_or(value: Value | None, default: Value) -> Value:
    """Return the value of an option, or the default where it was left out."""
    return default if value is None else value


_START = typer.Option("--from", help="Weights (name or file) to start from.")
#: For options that name a set of weights.
Start = Annotated[Optional[str], _START]  # noqa: UP045
#: For options that name a set of weights and have a default.
StartWith = Annotated[str, _START]


@dataclass(frozen=True)
class RunOptions:
    """What the shared options say; each field is an option of that name."""

    run: Annotated[Path, typer.Option(help="Folder of the run. An existing run goes on where it stopped.")]
    minutes: Annotated[float, typer.Option(min=0.0, help="Stop after so many minutes; 0 for no limit.")] = 0.0
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of weights and batches.")] = 0
    log_every: Annotated[int, typer.Option(min=1, help="Steps between lines of the log.")] = 25
    evaluate_every: Annotated[int, typer.Option(min=1, help="Steps between looks at held-out data.")] = 500
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between saved states.")] = 250
    samples_every: Annotated[int, typer.Option(min=0, help="Steps between sounds and plots; 0 for none.")] = 1000
    precision: Annotated[
        str,
        typer.Option(metavar="NAME", help="32-true, bf16-mixed or 16-mixed; auto for what suits model and device."),
    ] = "auto"
    accelerator: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda, mps.")] = "auto"
    devices: Annotated[int, typer.Option(help="Devices of each machine; they share every batch.")] = 1
    nodes: Annotated[int, typer.Option(help="Machines; start each with its NODE_RANK, or use torchrun.")] = 1
    strategy: Annotated[str, typer.Option(metavar="NAME", help="auto or ddp.")] = "auto"
    tensorboard: Annotated[bool, typer.Option(help="Write event files into the run's folder.")] = True

    def loop(self, steps: int, precision: str = "bf16-mixed") -> LoopConfig:
        """The loop's configuration; ``precision`` is the model's own."""
        from d2m.training.loop import LoopConfig

        chosen = {name: getattr(self, name) for name in _NAMES if name not in ("run", "precision")}
        chosen["precision"] = _precision(precision, self.accelerator) if self.precision == "auto" else self.precision
        return LoopConfig(self.run, steps, **chosen)


def _precision(wanted: str, accelerator: str) -> str:
    """The model's precision, or 32-true on a processor that has no instructions for bf16.

    There PyTorch emulates it: grouped convolutions take ten times as long.
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
    """A command with the shared options beside its own; ``function`` gets them as ``options``."""
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
