"""Weights of MuseGAN's generators: safetensors with the configuration in the header."""

from __future__ import annotations

from pathlib import Path

from d2m import weights
from d2m.symbolic.musegan.config import MuseGanConfig
from d2m.symbolic.musegan.generator import Generator
from d2m.symbolic.musegan.sampler import MuseGan
from d2m.weights.rebuild import rebuild

#: The kind written into weights files.
KIND = "musegan"


def load(name_or_path: str | Path = "studio-musegan") -> MuseGan:
    """Load a trained generator.

    Args:
        name_or_path: name of weights, or a file.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    path, card = weights.find(name_or_path, KIND)
    tensors, values = weights.load_state(path, KIND)
    config = MuseGanConfig.from_dict(values)
    return MuseGan(rebuild(lambda _: Generator(config), {}, tensors, path), card.name if card else path.stem)


def save(generator: Generator, path: str | Path) -> None:
    """Write a generator as safetensors in float16.

    Args:
        generator: the network.
        path: the output file.

    Raises:
        D2MError: if the file cannot be written, or a value is not finite.
    """
    weights.save_state(path, generator.state_dict(), KIND, generator.config.to_dict())
