"""Generators: from motion, rhythm, vision, genre and a sketch to the features of a codec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.generator.temporal import TemporalGenerator


def load(name_or_path: str | Path = "studio-generator") -> tuple[TemporalGenerator, str]:
    """A temporal generator with the weights of that name or file, and the name of the codec that it was trained on.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    from d2m import weights
    from d2m.generator.temporal import TemporalConfig, TemporalGenerator

    path, _ = weights.find(name_or_path, "generator")
    tensors, config = weights.load_state(path, "generator")
    codec = str(config.pop("codec", ""))
    try:
        generator = TemporalGenerator(TemporalConfig(**config))
        generator.load_state_dict(tensors)
    except (TypeError, ValueError, RuntimeError) as error:
        raise D2MError(f"{path} does not fit the generator of this version; get matching weights") from error
    return generator.eval().requires_grad_(False), codec
