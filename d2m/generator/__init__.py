"""Generators: from motion, rhythm, vision, genre and a sketch to the features of a codec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2m.generator.temporal import TemporalGenerator


def load(name_or_path: str | Path = "studio-generator") -> tuple[TemporalGenerator, str]:
    """A temporal generator with the weights of that name or file, and the name of the codec that it was trained on.

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
