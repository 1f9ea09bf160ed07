"""``d2m train emotion``: train an actor and a critic that change the emotion of a MusicVAE's melodies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from d2m.cli.options import RATE, STEPS
from d2m.cli.train_options import RunOptions, above_zero


def emotion(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder of melodies (see 'd2m symbolic melodies').")],
    vae: Annotated[
        str, typer.Option(help="Weights of the MusicVAE (name or file) whose latent vectors the actor moves.")
    ] = "studio-musicvae",
    steps: Annotated[int, typer.Option(min=1, help=STEPS)] = 10000,
    batch: Annotated[int, typer.Option(min=1, help="Batch size: latent vectors per step.")] = 32,
    rate: Annotated[float, typer.Option(callback=above_zero, help=RATE)] = 5e-4,
    units: Annotated[int, typer.Option(min=1, max=4096, help="Number of units of the hidden layers (1-4096).")] = 512,
    judged: Annotated[
        float, typer.Option("--critic-weight", min=0.0, help="Weight of the losses predicted by the critic.")
    ] = 1.0,
    heard: Annotated[
        float, typer.Option(min=0.0, help="Weight of the losses of the decoded melodies; 0 to leave them out.")
    ] = 0.25,
    real: Annotated[float, typer.Option(min=0.0, help="Weight of the critic's realism loss.")] = 0.2,
    near: Annotated[
        float, typer.Option(min=0.0, help="Weight of the distance from the starting vector (new melodies).")
    ] = 0.5,
    guided: Annotated[
        float,
        typer.Option(
            "--imitation-weight",
            min=0.0,
            help="Weight of the distance from the vector of the melody rewritten by rule (given melodies).",
        ),
    ] = 3.0,
    lessons: Annotated[
        int, typer.Option("--replay-steps", min=0, help="Number of updates from the replay memory after each step.")
    ] = 4,
    harmony: Annotated[float, typer.Option(min=0.0, help="Weight of notes outside the chord in the pitch loss.")] = 0.5,
) -> None:
    """Train an actor and a critic that move the latent vectors of a MusicVAE towards nine emotions."""
    import torch

    from d2m.symbolic.emotion import load
    from d2m.training.emotion import EmotionTask, EmotionTraining
    from d2m.training.loop import train

    settings = EmotionTraining(
        data,
        batch,
        rate,
        judged=judged,
        heard=heard,
        real=real,
        near=near,
        harmony=harmony,
        lessons=lessons,
        guided=guided,
    )
    model = load(vae)
    torch.manual_seed(options.seed)
    # Losses through 16 steps of hard choices are too fine for bfloat16.
    train(EmotionTask(settings, model, units), options.loop(steps, precision="32-true"))
