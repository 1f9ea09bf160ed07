"""``d2m train musegan``: train MuseGAN, from random vectors only or conditioned on a track."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.train_options import RunOptions, above_zero, given_or


def musegan(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder of phrases (see 'd2m symbolic prepare').")],
    model: Annotated[str, typer.Option(metavar="NAME", help="Model: jamming, composer or hybrid.")] = "hybrid",
    condition: Annotated[
        str,
        typer.Option(
            metavar="TRACK", help="Track that is given to the generator: none, drums, piano, guitar, bass or strings."
        ),
    ] = "none",
    resolution: Annotated[
        str, typer.Option(metavar="NAME", help="Resolution, networks and settings: compact (for two cores) or paper.")
    ] = "compact",
    steps: Annotated[int, typer.Option(min=1, help="Number of generator steps of the whole run.")] = 20000,
    batch: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=2, help="Batch size: phrases per step. Default: 16 (compact), 64 (paper)."),
    ] = None,
    rate: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(callback=above_zero, help="Peak learning rate. Default: 5e-4 (compact), 2e-4 (paper)."),
    ] = None,
    critic_steps: Annotated[int, typer.Option(min=1, help="Number of critic steps per generator step.")] = 5,
    average: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0.0,
            max=0.99999,
            help="Decay of the moving average of the generator's weights. Default: 0.999 (compact); 0, no "
            "average (paper).",
        ),
    ] = None,
    transpose: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=0, max=11, help="Maximum random transposition in semitones (0-11). Default: 5 (compact), 0 (paper)."
        ),
    ] = None,
    binary_after: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=0,
            help="Step from which the critics get binary notes instead of real values. Default: 1000 "
            "(compact), never (paper).",
        ),
    ] = None,
    rests: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--rests/--no-rests",
            help="Let each generator decide per bar whether its track plays. Default: yes (compact), no (paper).",
        ),
    ] = None,
    classes: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--classes/--no-classes",
            help="Give the critics the pitch classes of each bar. Default: yes (compact), no (paper).",
        ),
    ] = None,
    start: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--from",
            metavar="FILE",
            help="Checkpoint of a run to start from, also one with another --condition; missing parts are initialised.",
        ),
    ] = None,
    measured: Annotated[
        int, typer.Option(min=2, help="Number of phrases generated and measured per evaluation.")
    ] = 256,
) -> None:
    """Train MuseGAN by WGAN-GP. Samples are drawn into RUN/samples at each evaluation."""
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
