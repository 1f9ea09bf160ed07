"""``d2m train emotion``: an actor and a critic that give a MusicVAE's melodies an emotion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from d2m.cli.train_options import RunOptions, above_zero


def emotion(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder of melodies (d2m symbolic melodies).")],
    vae: Annotated[str, typer.Option(help="MusicVAE (name or file) whose latent space it is.")] = "studio-musicvae",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the whole run.")] = 10000,
    batch: Annotated[int, typer.Option(min=1, help="Latent vectors a step.")] = 32,
    rate: Annotated[float, typer.Option(callback=above_zero, help="Learning rate.")] = 5e-4,
    units: Annotated[int, typer.Option(min=1, max=4096, help="Units of the hidden layers.")] = 512,
    judged: Annotated[float, typer.Option(min=0.0, help="Weight of what the critic foresees.")] = 1.0,
    heard: Annotated[
        float, typer.Option(min=0.0, help="Weight of the melodies themselves, through the decoder; 0 for none.")
    ] = 0.25,
    real: Annotated[float, typer.Option(min=0.0, help="Weight of looking like a real melody's vector.")] = 0.2,
    near: Annotated[float, typer.Option(min=0.0, help="Weight of staying near the start.")] = 0.5,
    guided: Annotated[
        float, typer.Option(min=0.0, help="Weight of staying near a tune that was rewritten by hand.")
    ] = 3.0,
    lessons: Annotated[int, typer.Option(min=0, help="Lessons from memory after each step.")] = 4,
    harmony: Annotated[float, typer.Option(min=0.0, help="Weight of notes off the chord.")] = 0.5,
) -> None:
    """Train an actor and a critic that move a MusicVAE's latent vectors towards nine emotions."""
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
