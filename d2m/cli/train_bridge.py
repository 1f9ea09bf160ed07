"""``d2m train bridge``: the bars between two songs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.train_options import RunOptions, above_zero, given_or


def bridge(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder of phrases (d2m symbolic prepare, resolution compact).")],
    model: Annotated[str, typer.Option(metavar="NAME", help="own, or published: Smootify's network and settings.")] = (
        "own"
    ),
    objective: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NAME", help="bce (cross-entropy) or mse; published takes mse."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the whole run.")] = 40000,
    batch: Annotated[Optional[int], typer.Option(min=2, help="Bridges a step; 32, published 16.")] = None,  # noqa: UP045
    rate: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(callback=above_zero, help="Learning rate; 1e-3, published 1e-4."),
    ] = None,
    transpose: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, max=6, help="Semitones by which music is moved at most; 5, published 0."),
    ] = None,
    decay: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, help="Steps over which the rate falls to a tenth; 40000, published 0 (stays)."),
    ] = None,
    measured: Annotated[int, typer.Option(min=1, help="Held-out bridges at each evaluation.")] = 256,
) -> None:
    """Train a network that fills masked bars in; held-out bridges are drawn into RUN/samples at each evaluation."""
    from dataclasses import replace

    import torch

    from d2m.datasets.phrase_windows import PhraseWindows
    from d2m.datasets.phrases import Phrases
    from d2m.errors import D2MError
    from d2m.symbolic.bridge.config import MODELS, BridgeConfig
    from d2m.training.bridge import BridgeTask, BridgeTraining, published_training
    from d2m.training.loop import train

    if model not in MODELS:
        raise D2MError(f"no bridge network '{model}'; choose {' or '.join(MODELS)}")
    usual = published_training(data) if model == "published" else BridgeTraining(data)
    settings = replace(
        usual,
        objective=given_or(objective, usual.objective),
        batch=given_or(batch, usual.batch),
        learning_rate=given_or(rate, usual.learning_rate),
        transpose=given_or(transpose, usual.transpose),
        decay=given_or(decay, usual.decay),
        measured=measured,
    )
    torch.manual_seed(options.seed)
    pictures = options.run / "samples" if options.samples_every else None
    heard, held_out = (PhraseWindows(Phrases(data, split)) for split in ("train", "held_out"))
    task = BridgeTask(settings, BridgeConfig(model), heard, held_out, pictures, options.seed)
    # On a processor bfloat16 is no faster for layers this narrow.
    train(task, options.loop(steps, precision="32-true"))
