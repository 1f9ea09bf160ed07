"""``d2m train d2m-gan``: train D2M-GAN as in the paper, with all its ablations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.options import LEVEL, RATE, STEPS
from d2m.cli.train_options import RunOptions, above_zero
from d2m.errors import D2MError


def d2m_gan(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder of a prepared data set (see 'd2m data prepare').")],
    steps: Annotated[int, typer.Option(min=1, help=STEPS)] = 10000,
    batch: Annotated[int, typer.Option(min=1, help="Batch size: segments per step over all devices.")] = 16,
    rate: Annotated[float, typer.Option(callback=above_zero, help=RATE)] = 1e-4,
    vqvae: Annotated[str, typer.Option(help="Weights of the JukeBox VQ-VAE (name or file).")] = "studio-vqvae",
    level: Annotated[str, typer.Option(metavar="NAME", help=LEVEL)] = "high",
    seconds: Annotated[float, typer.Option(help="Length of a segment in seconds (2-6).")] = 2.0,
    modality: Annotated[str, typer.Option(metavar="NAME", help="Inputs: both, motion or vision.")] = "both",
    without: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="TERM", help="Loss to leave out: adversarial, matching, codebook, waveform or mel. Repeatable."
        ),
    ] = None,
    scales: Annotated[int, typer.Option(help="Number of discriminators (1-3).")] = 3,
    sigma: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Scale of the generator's output. Default: 100."),
    ] = None,
    no_scaling: Annotated[
        bool, typer.Option("--no-scaling", help="Do not scale the generator's output (--sigma 1).")
    ] = False,
    no_reshape: Annotated[
        bool, typer.Option("--no-reshape", help="Give the discriminators 64 channels instead of one row.")
    ] = False,
    augment: Annotated[
        bool, typer.Option("--augment", help="Vary the loudness of the music (data augmentation).")
    ] = False,
) -> None:
    """Train D2M-GAN (Zhu et al. 2022) on a frozen JukeBox VQ-VAE, with all ablations of the paper."""
    import torch

    from d2m import jukebox, weights
    from d2m.files.download import sha256_of
    from d2m.training.d2m_gan import TERMS, D2MGANTask, D2MGANTraining
    from d2m.training.loop import train

    if no_scaling and sigma is not None:
        raise D2MError("--no-scaling means --sigma 1; give only one of them")
    wrong = sorted(set(without or ()) - set(TERMS))
    if wrong:
        raise D2MError(f"no loss '{wrong[0]}' for --without; choose from {', '.join(TERMS)}")
    if not 1 <= scales <= 3:
        raise D2MError(f"discriminators have 1 to 3 scales, not {scales}")
    path, card = weights.find(vqvae, "jukebox-vqvae")
    torch.manual_seed(options.seed)
    training = D2MGANTraining(
        data,
        steps,
        seed=options.seed,
        batch=batch,
        learning_rate=rate,
        level=level,
        seconds=seconds,
        modality=modality,
        scales=scales,
        sigma=1.0 if no_scaling else 100.0 if sigma is None else sigma,
        augment=augment,
        reshaping=not no_reshape,
        vqvae=card.name if card else path.name,
        vqvae_sha256=sha256_of(path),
    )
    off = dict.fromkeys(without or (), 0.0)
    training = replace(training, weights=replace(training.weights, **off))
    if not any(getattr(training.weights, term) for term in TERMS):
        raise D2MError("all losses are left out; give --without less often")
    train(D2MGANTask(training, jukebox.load(path)), options.loop(steps, "32-true"))
