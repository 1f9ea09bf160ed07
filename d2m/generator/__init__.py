"""Generators: from motion, rhythm, visual features, genre and a score to the features of a codec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2m.generator.d2m_gan import D2MGAN
    from d2m.generator.temporal import TemporalGenerator


def load(name_or_path: str | Path = "studio-generator") -> tuple[TemporalGenerator, str]:
    """Load a temporal generator.

    Args:
        name_or_path: name of weights, or a file.

    Returns:
        The generator, and the name of the codec that it was trained on.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    from d2m import weights
    from d2m.generator.temporal import TemporalConfig, TemporalGenerator
    from d2m.weights.rebuild import rebuild

    path, _ = weights.find(name_or_path, "generator")
    tensors, config = weights.load_state(path, "generator")
    codec = str(config.pop("codec", ""))
    return rebuild(lambda sizes: TemporalGenerator(TemporalConfig(**sizes)), config, tensors, path), codec


def load_d2m_gan(motion_encoder_path: str | Path | None, generator_path: str | Path) -> D2MGAN:
    """Return a D2M-GAN of the authors' ``mencoder.pt`` and ``netG.pt``, or of our files.

    Data set, level and length follow from the parameters. It is called with (motion (B, T, D), visual (B, 2048), genre
    index (B,) or None) and gives VQ features (B, 64, F).

    Args:
        motion_encoder_path: None for a generator of vision alone.
        generator_path: see above.

    Raises:
        D2MError: if a file cannot be used, wants to run code, or the two do not belong together.
    """
    from d2m.generator.d2m_gan_checkpoint import load_d2m_gan

    return load_d2m_gan(motion_encoder_path, generator_path)
