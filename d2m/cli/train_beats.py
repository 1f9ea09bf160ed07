"""``d2m train beats``: the network that hears beats and downbeats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from d2m.cli.train_options import RunOptions, above_zero


def beats(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder with train/ and held_out/, made by scripts/make_beat_data.py.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of the whole run.")] = 6000,
    batch: Annotated[int, typer.Option(min=1, help="Excerpts of 20 s a step, over all devices.")] = 8,
    rate: Annotated[float, typer.Option(callback=above_zero, help="Learning rate at its highest.")] = 2e-3,
) -> None:
    """Train the beat tracker of sound."""
    import torch

    from d2m.training.beats import BeatTask, BeatTraining
    from d2m.training.loop import train

    torch.manual_seed(options.seed)
    settings = BeatTraining(data, steps, batch=batch, learning_rate=rate)
    train(BeatTask(settings), options.loop(steps, "32-true"))
