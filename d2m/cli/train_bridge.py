"""``d2m train bridge``: train the network that composes the bars between two songs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.options import STEPS
from d2m.cli.train_options import RunOptions, above_zero, given_or


def bridge(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder of phrases (see 'd2m symbolic prepare', resolution compact).")],
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Network and settings: own, or published (Smootify's).")
    ] = ("own"),
    objective: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME", help="Loss: bce (binary cross-entropy) or mse. Default: bce (own), mse (published)."
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help=STEPS)] = 40000,
    batch: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=2, help="Batch size: bridges per step. Default: 32 (own), 16 (published)."),
    ] = None,
    rate: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(callback=above_zero, help="Peak learning rate. Default: 1e-3 (own), 1e-4 (published)."),
    ] = None,
    transpose: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=0, max=6, help="Maximum random transposition in semitones (0-6). Default: 5 (own), 0 (published)."
        ),
    ] = None,
    decay: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=0,
            help="Number of steps in which the learning rate falls to a tenth. Default: 40000 (own); 0, "
            "constant (published).",
        ),
    ] = None,
    measured: Annotated[int, typer.Option(min=1, help="Number of held-out bridges per evaluation.")] = 256,
) -> None:
    """Train the bridge network, which fills in masked bars. Samples are drawn into RUN/samples."""
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
