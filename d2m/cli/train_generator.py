"""Training runs of ``d2m train generator``, one function for each model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from d2m.cli.train_options import RunOptions
from d2m.errors import D2MError


def run_temporal(
    options: RunOptions, data: Path, steps: int, *, start: str | None, codec: str | None, **settings: Any
) -> None:
    """Train the generator of any length.

    Args:
        options: options of every run.
        data: folder of pairs with ``train/`` and ``held_out/``.
        steps: number of training steps.
        start: weights to start from (name or file), or None.
        codec: weights of the codec (name or file), or None for the shipped one.
        settings: of :class:`d2m.training.generator.GeneratorTraining`; None for the default.
    """
    import torch

    from d2m import codec as codecs
    from d2m import generator as generators
    from d2m.generator.sketch import PATCHED_COUNT
    from d2m.generator.temporal import TemporalConfig, with_patches
    from d2m.training.generator import GeneratorTask, GeneratorTraining
    from d2m.training.loop import train

    torch.manual_seed(options.seed)
    training = GeneratorTraining(data / "train", data / "held_out", steps, **_given(settings))
    given = generators.load(start)[0] if start else None
    sound = codecs.load(codec or codecs.DEFAULT)
    if given is not None and sound.channels > 1 and given.config.programs < PATCHED_COUNT:
        given = with_patches(given, PATCHED_COUNT)
    config = given.config if given else TemporalConfig(sound.feature_size, programs=_programs(sound.channels))
    task = GeneratorTask(training, sound, config)
    if given is not None:
        task.generator.load_state_dict(given.state_dict())
    train(task, options.loop(steps))


def _programs(channels: int) -> int:
    """Return how many instruments a generator knows: with a stereo codec the patches of the library, too."""
    from d2m.generator.sketch import PATCHED_COUNT, PROGRAM_COUNT

    return PATCHED_COUNT if channels > 1 else PROGRAM_COUNT


def run_d2m_gan(
    options: RunOptions,
    data: Path,
    steps: int,
    *,
    vqvae: str | None,
    without: list[str] | None,
    no_scaling: bool,
    no_reshape: bool,
    **settings: Any,
) -> None:
    """Train D2M-GAN.

    Args:
        options: options of every run.
        data: folder of a prepared data set.
        steps: number of training steps.
        vqvae: weights of the JukeBox VQ-VAE (name or file), or None for the shipped ones.
        without: losses to leave out.
        no_scaling: sigma 1.
        no_reshape: give the discriminators 64 channels.
        settings: of :class:`d2m.training.d2m_gan.D2MGANTraining`; None for the values of the paper.

    Raises:
        D2MError: if an option is out of range, or data, VQ-VAE and options do not fit each other.
    """
    import torch

    from d2m import jukebox, weights
    from d2m.download import sha256_of
    from d2m.training.d2m_gan import TERMS, D2MGANTask, D2MGANTraining
    from d2m.training.loop import train

    if no_scaling and settings["sigma"] is not None:
        raise D2MError("--no-scaling means --sigma 1; give only one of them")
    wrong = sorted(set(without or ()) - set(TERMS))
    if wrong:
        raise D2MError(f"no loss '{wrong[0]}' for --without; choose from {', '.join(TERMS)}")
    if settings["scales"] is not None and not 1 <= settings["scales"] <= 3:
        raise D2MError(f"discriminators have 1 to 3 scales, not {settings['scales']}")
    path, card = weights.find(vqvae or "studio-vqvae", "jukebox-vqvae")
    torch.manual_seed(options.seed)
    training = D2MGANTraining(
        data,
        steps,
        seed=options.seed,
        reshaping=not no_reshape,
        vqvae=card.name if card else path.name,
        vqvae_sha256=sha256_of(path),
        **_given(settings | ({"sigma": 1.0} if no_scaling else {})),
    )
    off = dict.fromkeys(without or (), 0.0)
    training = replace(training, weights=replace(training.weights, **off))
    if not any(getattr(training.weights, term) for term in TERMS):
        raise D2MError("all losses are left out; give --without less often")
    train(D2MGANTask(training, jukebox.load(path)), options.loop(steps, "32-true"))


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
