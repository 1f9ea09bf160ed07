"""``d2m train``: train the models. An interrupted run saves its state and is resumed by the same command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.options import ADVERSARIAL_AFTER, DECODER_ONLY, LEVEL, RATE, STEPS
from d2m.cli.train_beats import beats
from d2m.cli.train_bridge import bridge
from d2m.cli.train_d2m_gan import d2m_gan
from d2m.cli.train_emotion import emotion
from d2m.cli.train_generator import generator
from d2m.cli.train_genre import genre
from d2m.cli.train_musegan import musegan
from d2m.cli.train_musicvae import musicvae
from d2m.cli.train_options import RunOptions, Start, StartWith, above_zero, with_run
from d2m.errors import D2MError

app = typer.Typer(help="Train the models.", no_args_is_help=True)

Music = Annotated[Path, typer.Option(help="Folder of a prepared data set, or a folder with train/ and held_out/.")]
Steps = Annotated[int, typer.Option(min=1, help=STEPS)]
Batch = Annotated[int, typer.Option(min=1, help="Batch size: crops per step over all devices.")]
Rate = Annotated[float, typer.Option(callback=above_zero, help=RATE)]
Never = 10**9


@app.command()
@with_run
def codec(
    options: RunOptions,
    data: Music,
    steps: Steps = 10000,
    batch: Batch = 6,
    rate: Rate = 6e-4,
    start: Start = None,
    quantise_after: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, help="Number of first steps without quantisation. Default: 400; 0 with --from."),
    ] = None,
    adversarial_after: Annotated[int, typer.Option(min=0, help=ADVERSARIAL_AFTER)] = Never,
    length: Annotated[int, typer.Option(help="Length of a crop in samples, a multiple of 256.")] = 32768,
    bass: Annotated[
        float,
        typer.Option(min=0.0, help="Weight of the low-frequency loss, whose resolution separates notes in the bass."),
    ] = 4.0,
    fresh_tones: Annotated[bool, typer.Option(help="With --from: reset the gains of the tone bank.")] = False,
    decoder_only: Annotated[bool, typer.Option(help=DECODER_ONLY)] = False,
) -> None:
    """Train the spectral VQ codec."""
    import torch

    from d2m import codec as codecs
    from d2m.codec.spectral import SpectralCodec
    from d2m.training.codec import CodecTask, CodecTraining
    from d2m.training.loop import train

    if not start and (fresh_tones or decoder_only):
        raise typer.BadParameter(f"{'--fresh-tones' if fresh_tones else '--decoder-only'} needs --from")
    if quantise_after is None:
        quantise_after = 0 if start else 400
    settings = CodecTraining(
        data / "train",
        data / "held_out",
        steps,
        batch=batch,
        length=length,
        bass=bass,
        learning_rate=rate,
        quantise_after=quantise_after,
        adversarial_after=adversarial_after,
        freeze_codes=decoder_only,
    )
    torch.manual_seed(options.seed)
    task = CodecTask(settings)
    if start:
        codec = codecs.load(start)
        if not isinstance(codec, SpectralCodec):
            raise D2MError(f"{start} is no mono spectral codec; train it with 'd2m train stereo-codec'")
        task.start_from(codec, fresh_tones)
    train(task, options.loop(steps))


@app.command("stereo-codec")
@with_run
def stereo_codec(
    options: RunOptions,
    data: Annotated[Path, typer.Option(help="Folder with train/ and held_out/ of stereo music at 44.1 kHz.")],
    steps: Steps = 10000,
    batch: Batch = 6,
    rate: Rate = 3e-4,
    start: Start = None,
    adversarial_after: Annotated[int, typer.Option(min=0, help=ADVERSARIAL_AFTER)] = Never,
    length: Annotated[int, typer.Option(help="Length of a crop in samples, a multiple of 512.")] = 32768,
    decoder_only: Annotated[bool, typer.Option(help=DECODER_ONLY)] = False,
) -> None:
    """Train the stereo spectral VQ codec. --from may also name a mono codec, whose weights it starts from."""
    import torch

    from d2m import codec as codecs
    from d2m.codec.spectral import SpectralCodec
    from d2m.codec.stereo import StereoCodec, grow
    from d2m.training.loop import train
    from d2m.training.stereo_codec import StereoTask, StereoTraining

    if decoder_only and not start:
        raise typer.BadParameter("--decoder-only needs --from")
    settings = StereoTraining(
        data / "train",
        data / "held_out",
        steps,
        batch=batch,
        length=length,
        learning_rate=rate,
        adversarial_after=adversarial_after,
        freeze_codes=decoder_only,
    )
    torch.manual_seed(options.seed)
    codec = codecs.load(start) if start else None
    if isinstance(codec, SpectralCodec):
        codec = grow(codec)
    if not isinstance(codec, StereoCodec | None):
        raise D2MError(f"{start} is no spectral codec; name one, mono or stereo")
    train(StereoTask(settings, codec), options.loop(steps))


@app.command()
@with_run
def vqvae(options: RunOptions, data: Music, steps: Steps = 8000, batch: Batch = 8, rate: Rate = 6e-4) -> None:
    """Train a small JukeBox VQ-VAE with levels of hop 32 and 128."""
    import torch

    from d2m.training.loop import train
    from d2m.training.vqvae import VQVAETask, VQVAETraining

    torch.manual_seed(options.seed)
    settings = VQVAETraining(data / "train", data / "held_out", steps, batch=batch, learning_rate=rate)
    train(VQVAETask(settings, seed=options.seed), options.loop(steps))


@app.command()
@with_run
def decoder(
    options: RunOptions,
    data: Music,
    steps: Steps = 2000,
    batch: Batch = 4,
    rate: Rate = 1e-5,
    start: StartWith = "studio-vqvae",
    level: Annotated[str, typer.Option(metavar="NAME", help=LEVEL)] = "high",
) -> None:
    """Fine-tune one decoder of a JukeBox VQ-VAE against discriminators; encoder and codebook are frozen."""
    import torch

    from d2m import jukebox, weights
    from d2m.training.decoder import DecoderTask, DecoderTraining
    from d2m.training.loop import train

    torch.manual_seed(options.seed)
    settings = DecoderTraining(data / "train", data / "held_out", steps, level=level, batch=batch, learning_rate=rate)
    vqvae = jukebox.load(weights.find(start, "jukebox-vqvae")[0])
    train(DecoderTask(settings, vqvae), options.loop(steps))


app.command()(with_run(generator))
app.command("d2m-gan")(with_run(d2m_gan))
app.command()(with_run(beats))
app.command()(with_run(genre))
app.command()(with_run(bridge))
app.command()(with_run(musegan))
app.command()(with_run(musicvae))
app.command()(with_run(emotion))
