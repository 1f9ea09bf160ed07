"""``d2m train beats``: train the network that finds beats and downbeats in sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from d2m.cli.options import RATE, STEPS
from d2m.cli.train_options import RunOptions, above_zero


def beats(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder with train/ and held_out/, made by 'd2m data beats'.")],
    steps: Annotated[int, typer.Option(min=1, help=STEPS)] = 6000,
    batch: Annotated[int, typer.Option(min=1, help="Batch size: excerpts of 20 s per step over all devices.")] = 8,
    rate: Annotated[float, typer.Option(callback=above_zero, help=RATE)] = 2e-3,
) -> None:
    """Train the beat tracker for sound."""
    import torch

    from d2m.training.beats import BeatTask, BeatTraining
    from d2m.training.loop import train

    torch.manual_seed(options.seed)
    settings = BeatTraining(data, steps, batch=batch, learning_rate=rate)
    train(BeatTask(settings), options.loop(steps, "32-true"))
