"""``d2m train``: train the models of the toolkit. A run stops with its state saved, and goes on when called again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help="Train codecs and generators.", no_args_is_help=True)

Data = Annotated[Path, typer.Option(help="Folder with train/ and held_out/ (scripts/make_training_data.py).")]
Run = Annotated[Path, typer.Option(help="Folder of the run: checkpoint, log. An existing run goes on.")]
Steps = Annotated[int, typer.Option(help="Steps of the whole run.")]
Minutes = Annotated[float, typer.Option(help="Stop after so many minutes; 0 for no limit.")]
Seed = Annotated[int, typer.Option(help="Seed of weights and batches.")]
Batch = Annotated[int, typer.Option(help="Crops a step.")]
Rate = Annotated[float, typer.Option(help="Learning rate at its highest.")]
Start = Annotated[Optional[str], typer.Option("--from", help="Weights (name or file) to start from.")]  # noqa: UP045
Never = 10**9


def _loop(run: Path, steps: int, minutes: float, seed: int, evaluate_every: int = 500):
    from d2m.training.loop import LoopConfig

    return LoopConfig(run, steps, minutes, log_every=25, evaluate_every=evaluate_every, checkpoint_every=250, seed=seed)


@app.command()
def codec(
    data: Data,
    run: Run,
    steps: Steps = 10000,
    minutes: Minutes = 0.0,
    seed: Seed = 0,
    batch: Batch = 6,
    rate: Rate = 6e-4,
    start: Start = None,
    quantise_after: Annotated[int, typer.Option(help="Steps without quantisation.")] = 400,
    adversarial_after: Annotated[int, typer.Option(help="Step at which the discriminators join.")] = Never,
    length: Annotated[int, typer.Option(help="Samples of a crop.")] = 32768,
    bass: Annotated[float, typer.Option(help="Weight of the bass at the resolution of notes.")] = 4.0,
    fresh_tones: Annotated[bool, typer.Option(help="With --from: let the tone bank's gains start anew.")] = False,
    decoder_only: Annotated[bool, typer.Option(help="Keep the codes, train the decoder alone.")] = False,
) -> None:
    """Train the spectral VQ codec."""
    import torch

    from d2m import codec as codecs
    from d2m.training.codec import CodecTask, CodecTraining
    from d2m.training.loop import train

    settings = CodecTraining(
        data / "train",
        data / "held_out",
        steps,
        batch=batch,
        length=length,
        bass=bass,
        learning_rate=rate,
        quantise_after=0 if start else quantise_after,
        adversarial_after=adversarial_after,
        freeze_codes=decoder_only,
    )
    torch.manual_seed(seed)
    task = CodecTask(settings)
    if start:
        task.start_from(codecs.load(start), fresh_tones)
    train(task, _loop(run, steps, minutes, seed))


@app.command()
def generator(
    data: Data,
    run: Run,
    steps: Steps = 10000,
    minutes: Minutes = 0.0,
    seed: Seed = 0,
    batch: Batch = 8,
    rate: Rate = 6e-4,
    start: Start = None,
    codec: Annotated[str, typer.Option(help="Codec (name or file) whose features are predicted.")] = "studio-codec",
    perceptual_after: Annotated[
        int, typer.Option(help="Step from which the output is also decoded and heard.")
    ] = Never,
    adversarial_after: Annotated[int, typer.Option(help="Step at which the discriminators join.")] = Never,
) -> None:
    """Train the any-length generator against a frozen codec."""
    import torch

    from d2m import codec as codecs
    from d2m import generator as generators
    from d2m.training.generator import GeneratorTask, GeneratorTraining
    from d2m.training.loop import train

    settings = GeneratorTraining(
        data / "train",
        data / "held_out",
        steps,
        batch=batch,
        learning_rate=rate,
        perceptual_after=perceptual_after,
        adversarial_after=adversarial_after,
    )
    torch.manual_seed(seed)
    task = GeneratorTask(settings, codecs.load(codec))
    if start:
        task.generator.load_state_dict(generators.load(start)[0].state_dict())
    train(task, _loop(run, steps, minutes, seed))


@app.command()
def vqvae(
    data: Data,
    run: Run,
    steps: Steps = 8000,
    minutes: Minutes = 0.0,
    seed: Seed = 0,
    batch: Batch = 8,
    rate: Rate = 6e-4,
) -> None:
    """Train a small JukeBox VQ-VAE with levels of hop 32 and 128."""
    import torch

    from d2m.training.loop import train
    from d2m.training.vqvae import VQVAETask, VQVAETraining

    torch.manual_seed(seed)
    settings = VQVAETraining(data / "train", data / "held_out", steps, batch=batch, learning_rate=rate)
    train(VQVAETask(settings, seed=seed), _loop(run, steps, minutes, seed))


@app.command()
def decoder(
    data: Data,
    run: Run,
    steps: Steps = 2000,
    minutes: Minutes = 0.0,
    seed: Seed = 0,
    batch: Batch = 4,
    rate: Rate = 1e-5,
    start: Start = "studio-vqvae",
    level: Annotated[str, typer.Option(metavar="NAME", help="high (hop 128) or low (hop 32).")] = "high",
) -> None:
    """Fine-tune one decoder of a JukeBox VQ-VAE against discriminators; its codes stay as they are."""
    import torch

    from d2m import jukebox, weights
    from d2m.training.decoder import DecoderTask, DecoderTraining
    from d2m.training.loop import train

    torch.manual_seed(seed)
    settings = DecoderTraining(data / "train", data / "held_out", steps, level=level, batch=batch, learning_rate=rate)
    vqvae = jukebox.load(weights.find(start, "jukebox-vqvae")[0])
    train(DecoderTask(settings, vqvae), _loop(run, steps, minutes, seed))
