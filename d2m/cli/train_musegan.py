"""``d2m train musegan``: phrases of five tracks from random vectors, or around a given track."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.train_options import RunOptions, above_zero, given_or


def musegan(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder of phrases (d2m symbolic prepare).")],
    model: Annotated[str, typer.Option(metavar="NAME", help="jamming, composer or hybrid.")] = "hybrid",
    condition: Annotated[
        str, typer.Option(metavar="TRACK", help="Track that is given: none, drums, piano, guitar, bass or strings.")
    ] = "none",
    resolution: Annotated[
        str, typer.Option(metavar="NAME", help="compact (two cores), or paper: its resolution, networks and settings.")
    ] = "compact",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the generator in the whole run.")] = 20000,
    batch: Annotated[Optional[int], typer.Option(min=2, help="Phrases a step; 16, paper 64.")] = None,  # noqa: UP045
    rate: Annotated[Optional[float], typer.Option(callback=above_zero, help="Learning rate; 5e-4, paper 2e-4.")] = None,  # noqa: UP045
    critic_steps: Annotated[int, typer.Option(min=1, help="Steps of the critics for each of the generator.")] = 5,
    average: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0.0, max=0.99999, help="How slowly the averaged generator follows; 0.999, paper 0 (no average)."
        ),
    ] = None,
    transpose: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, max=11, help="Semitones by which phrases are moved at most; 5, paper 0."),
    ] = None,
    binary_after: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, help="Step from which critics hear notes, not the generator's numbers; 1000, paper never."),
    ] = None,
    rests: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--rests/--no-rests", help="Whether tracks decide bar by bar if they play; yes, paper no."),
    ] = None,
    classes: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--classes/--no-classes", help="Whether critics hear the pitch classes of bars; yes, paper no."),
    ] = None,
    start: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--from", metavar="FILE", help="A run's checkpoint to start from; what it lacks starts anew."),
    ] = None,
    measured: Annotated[int, typer.Option(min=2, help="Phrases that are made and measured at each evaluation.")] = 256,
) -> None:
    """Train MuseGAN by WGAN-GP; samples are drawn into RUN/samples at each evaluation."""
    from dataclasses import replace

    import torch

    from d2m.datasets.phrases import Phrases
    from d2m.symbolic.musegan.config import configure
    from d2m.training.loop import train
    from d2m.training.musegan import MuseGanTask, MuseGanTraining, compact_training

    config = configure(model, condition, resolution)
    config = replace(config, rests=int(given_or(rests, config.rests)), classes=int(given_or(classes, config.classes)))
    usual = compact_training(data) if resolution == "compact" else MuseGanTraining(data)
    settings = replace(
        usual,
        batch=given_or(batch, usual.batch),
        learning_rate=given_or(rate, usual.learning_rate),
        average=given_or(average, usual.average),
        transpose=given_or(transpose, usual.transpose),
        binary_after=given_or(binary_after, usual.binary_after),
        critic_steps=critic_steps,
        measured=measured,
    )
    torch.manual_seed(options.seed)
    pictures = options.run / "samples" if options.samples_every else None
    task = MuseGanTask(settings, config, Phrases(data, "train"), pictures, options.seed)
    if start is not None:
        task.start_from(start)
    train(task, options.loop(steps))
