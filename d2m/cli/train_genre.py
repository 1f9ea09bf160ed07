"""``d2m train genre``: train the network that recognises dance genres in music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from d2m.cli.options import RATE, STEPS
from d2m.cli.train_options import RunOptions, above_zero


def genre(
    options: RunOptions,
    data: Annotated[
        Path, typer.Option(help="Folder with train/ and held_out/ of music with genres, or a prepared data set.")
    ],
    steps: Annotated[int, typer.Option(min=1, help=STEPS)] = 2000,
    batch: Annotated[int, typer.Option(min=2, help="Batch size: windows of 2.97 s per step.")] = 24,
    rate: Annotated[float, typer.Option(callback=above_zero, help=RATE)] = 1e-3,
) -> None:
    """Train the genre network, which also stores embeddings of the training songs for retrieval."""
    import torch

    from d2m.training.genre import GenreTask, GenreTraining
    from d2m.training.loop import train

    torch.manual_seed(options.seed)
    settings = GenreTraining(data / "train", data / "held_out", steps, batch=batch, learning_rate=rate)
    train(GenreTask(settings), options.loop(steps))
