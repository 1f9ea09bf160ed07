"""``d2m train musicvae``: a hierarchical MusicVAE on melodies of 16 bars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.train_options import RunOptions, above_zero, given_or


def musicvae(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder of melodies (d2m symbolic melodies).")],
    size: Annotated[
        str, typer.Option(metavar="NAME", help="compact (two cores), or full (Magenta's hierdec-mel_16bar).")
    ] = "compact",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the whole run.")] = 60000,
    batch: Annotated[Optional[int], typer.Option(min=1, help="Melodies a step; 32, full 512.")] = None,  # noqa: UP045
    rate: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(callback=above_zero, help="Learning rate at its highest; 2e-3, full 1e-3."),
    ] = None,
    decay: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, max=1.0, help="Factor of the learning rate a step; 0.9999."),
    ] = None,
    free_bits: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, help="Bits of KL divergence of a melody that cost nothing; 48, full 256."),
    ] = None,
    beta_rate: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, max=1.0, help="How slowly that weight rises; 0.9998, full 0, which is at once."),
    ] = None,
    max_beta: Annotated[float, typer.Option(min=0.0, help="Greatest weight of the KL divergence.")] = 0.2,
    unheard: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, max=1.0, help="Share of steps not told the one before; 0.3, full 0."),
    ] = None,
    sampling: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, help="Scheduled sampling, k of the inverse sigmoid; 0 for none."),
    ] = None,
    shift: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, max=24, help="Semitones by which melodies are transposed at most; 6, full 0."),
    ] = None,
    degrees: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, max=6, help="Steps of their scale by which half of them are moved; 3, full 0."),
    ] = None,
    turned: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, max=1.0, help="Share of melodies that begin some beats later; 0.5, full 0."),
    ] = None,
    dropout: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.0, max=0.9, help="Share of what is known of a bar that is left out; 0.1, full 0."),
    ] = None,
    start: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--from", metavar="CKPT", help="Checkpoint of another run whose networks to start from."),
    ] = None,
) -> None:
    """Train a MusicVAE: melodies of 16 bars to a latent vector and back."""
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
