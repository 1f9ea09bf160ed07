"""``d2m train musicvae``: train a hierarchical MusicVAE on melodies of 16 bars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.options import STEPS
from d2m.cli.train_options import RunOptions, above_zero, given_or


def musicvae(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder of melodies (see 'd2m symbolic melodies').")],
    size: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Size of the networks: compact (for two cores) or full (Magenta's hierdec-mel_16bar)."
        ),
    ] = "compact",
    steps: Annotated[int, typer.Option(min=1, help=STEPS)] = 60000,
    batch: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Batch size: melodies per step. Default: 32 (compact), 512 (full)."),
    ] = None,
    rate: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(callback=above_zero, help="Peak learning rate. Default: 2e-3 (compact), 1e-3 (full)."),
    ] = None,
    decay: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, max=1.0, help="Factor of the learning rate per step (0-1). Default: 0.9999."),
    ] = None,
    free_bits: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0.0,
            help="Free bits: KL divergence per melody, in bits, that is not penalised. Default: 48 "
            "(compact), 256 (full).",
        ),
    ] = None,
    beta_rate: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0.0,
            max=1.0,
            help="Rate of the KL weight's rise: weight (1 - rate^step) * max-beta. Default: 0.9998 "
            "(compact), 0 (full).",
        ),
    ] = None,
    max_beta: Annotated[float, typer.Option(min=0.0, help="Maximum weight of the KL divergence.")] = 0.2,
    unheard: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--input-dropout",
            min=0.0,
            max=1.0,
            help="Share of decoder inputs (previous steps) dropped at random (0-1). Default: 0.3 (compact), 0 (full).",
        ),
    ] = None,
    sampling: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, help="Scheduled sampling: k of the inverse sigmoid; 0 for teacher forcing. Default: 0."),
    ] = None,
    shift: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=0, max=24, help="Maximum random transposition in semitones (0-24). Default: 6 (compact), 0 (full)."
        ),
    ] = None,
    degrees: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=0,
            max=6,
            help="Maximum random shift along the scale in scale degrees (0-6), for half of the melodies. "
            "Default: 3 (compact), 0 (full).",
        ),
    ] = None,
    turned: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            "--rotate-prob",
            min=0.0,
            max=1.0,
            help="Probability that a melody is rotated by one to three beats (0-1). Default: 0.5 (compact), 0 (full).",
        ),
    ] = None,
    dropout: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0.0,
            max=0.9,
            help="Dropout of the features of a bar (0-0.9; compact only). Default: 0.1 (compact), 0 (full).",
        ),
    ] = None,
    start: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--from", metavar="NAME", help="Weights (name or file) or checkpoint of a run to start from."),
    ] = None,
) -> None:
    """Train a MusicVAE, which encodes melodies of 16 bars to latent vectors and decodes them."""
    from dataclasses import replace

    import torch

    from d2m.symbolic.emotion.musicvae import SIZES
    from d2m.training.loop import train
    from d2m.training.musicvae import MAGENTA, MusicVaeTask, MusicVaeTraining

    if size not in SIZES:
        raise typer.BadParameter(f"no size '{size}'; choose {' or '.join(SIZES)}", param_hint="--size")
    usual = MusicVaeTraining(data, max_beta=max_beta)
    if size == "full":
        usual = replace(usual, **MAGENTA)
    settings = replace(
        usual,
        batch=given_or(batch, usual.batch),
        learning_rate=given_or(rate, usual.learning_rate),
        free_bits=given_or(free_bits, usual.free_bits),
        sampling=given_or(sampling, usual.sampling),
        shift=given_or(shift, usual.shift),
        unheard=given_or(unheard, usual.unheard),
        decay=given_or(decay, usual.decay),
        beta_rate=given_or(beta_rate, usual.beta_rate),
        turned=given_or(turned, usual.turned),
        dropout=given_or(dropout, usual.dropout),
        degrees=given_or(degrees, usual.degrees),
    )
    torch.manual_seed(options.seed)
    folder = options.run / "samples" if options.samples_every else None
    train(MusicVaeTask(settings, SIZES[size], folder, start), options.loop(steps))
