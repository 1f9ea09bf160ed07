"""``d2m train generator``: train the generator of music of any length."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.options import ADVERSARIAL_AFTER, RATE, STEPS
from d2m.cli.train_options import RunOptions, Start, above_zero

_NEVER = 10**9


def generator(
    options: RunOptions,
    data: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help="Folder of training examples (see 'd2m data examples'), or folder or URL of shards of them (see "
            "'d2m data shards').",
        ),
    ],
    steps: Annotated[int, typer.Option(min=1, help=STEPS)] = 10000,
    batch: Annotated[int, typer.Option(min=1, help="Batch size: crops per step over all devices.")] = 8,
    rate: Annotated[float, typer.Option(callback=above_zero, help=RATE)] = 6e-4,
    start: Start = None,
    codec: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Weights of the codec (name or file) whose features are predicted. Default: studio-codec."),
    ] = None,
    perceptual_after: Annotated[
        int,
        typer.Option(
            min=0, help="Step at which the losses on the decoded waveform start. Default: never.", show_default=False
        ),
    ] = _NEVER,
    adversarial_after: Annotated[int, typer.Option(min=0, help=ADVERSARIAL_AFTER, show_default=False)] = _NEVER,
    resident: Annotated[int, typer.Option(min=1, help="With shards: number that each process keeps in memory.")] = 8,
    shard_steps: Annotated[
        int, typer.Option(min=1, help="With shards: number of steps after which the oldest one in memory is replaced.")
    ] = 100,
) -> None:
    """Train the generator of the vq engine; the codec is not changed."""
    import torch

    from d2m import codec as codecs
    from d2m import generator as generators
    from d2m.errors import D2MError
    from d2m.files.url import is_url
    from d2m.generator.sketch import PATCHED_COUNT, PROGRAM_COUNT
    from d2m.generator.temporal import TemporalConfig, with_patches
    from d2m.training.generator import GeneratorTask, GeneratorTraining
    from d2m.training.loop import train

    if Path(data).is_file():
        raise D2MError(f"{data} is a file; --data takes a folder, or the URL of shards")
    torch.manual_seed(options.seed)
    training = GeneratorTraining(
        data if is_url(data) else Path(data),
        steps,
        batch=batch,
        learning_rate=rate,
        perceptual_after=perceptual_after,
        adversarial_after=adversarial_after,
        resident=resident,
        shard_steps=shard_steps,
        shard_seed=options.seed,
    )
    given = generators.load(start)[0] if start else None
    sound = codecs.load(codec or codecs.DEFAULT)
    # With a stereo codec, a generator also knows the patches of the sound library.
    stereo = sound.channels > 1
    if given is not None and stereo and given.config.programs < PATCHED_COUNT:
        given = with_patches(given, PATCHED_COUNT)
    programs = PATCHED_COUNT if stereo else PROGRAM_COUNT
    config = given.config if given else TemporalConfig(sound.feature_size, programs=programs)
    task = GeneratorTask(training, sound, config)
    if given is not None:
        task.generator.load_state_dict(given.state_dict())
    train(task, options.loop(steps))
