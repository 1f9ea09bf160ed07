"""``d2m train genre``: the network that hears dance genres."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from d2m.cli.train_options import RunOptions, above_zero


def genre(
    options: RunOptions,
    data: Annotated[
        Path, typer.Option(help="Folder with train/ and held_out/ of music with genres, or a prepared data set.")
    ],
    steps: Annotated[int, typer.Option(min=1, help="Steps of the whole run.")] = 2000,
    batch: Annotated[int, typer.Option(min=2, help="Windows of 2.97 s a step.")] = 24,
    rate: Annotated[float, typer.Option(callback=above_zero, help="Learning rate at its highest.")] = 1e-3,
) -> None:
    """Train the genre network, which keeps the training set's songs to retrieve from."""
    import torch

    from d2m.training.genre import GenreTask, GenreTraining
    from d2m.training.loop import train

    torch.manual_seed(options.seed)
    settings = GenreTraining(data / "train", data / "held_out", steps, batch=batch, learning_rate=rate)
    train(GenreTask(settings), options.loop(steps))
