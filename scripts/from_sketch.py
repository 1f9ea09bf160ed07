"""Generate sound from the true score of known music, for comparison with that music."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2m.codec.base import Codec
    from d2m.datasets.pairs import Pair
    from d2m.generator.temporal import TemporalGenerator

#: Parts of a sketch that are played; the most that any example has.
PARTS = 10


def open_generator(name: str, codec: str | None = None) -> tuple[TemporalGenerator, Codec]:
    """Return a generator and the codec whose features it predicts: its own, or another one of the same codes.

    Raises:
        D2MError: if weights are missing, or the generator's do not say which codec they need.
    """
    from d2m import codec as codecs
    from d2m import generator as generators
    from d2m.errors import D2MError

    generator, own = generators.load(name)
    if not (codec or own):
        raise D2MError(f"'{name}' does not say which codec it was trained on; name it")
    return generator, codecs.load(codec or own)


def play(pair: Pair, generator: TemporalGenerator, codec: Codec, start: int = 0, frames: int | None = None):
    """Return the example's sketch, dance, rhythm and genre as the generator plays them.

    Args:
        pair: an example.
        generator, codec: generator and codec from :func:`open_generator`.
        start, frames: which frames of it; all by default. The generator sees no others.

    Returns:
        float32 arrays (channels, frames * hop): what is generated, and the real rendering.
    """
    import torch

    from d2m.training.generator import pair_conditions

    frames = min(frames or pair.frames, pair.frames - start)
    with torch.no_grad():
        conditions = pair_conditions(pair, start, frames, PARTS, generator, torch.device("cpu"))
        codes, _ = codec.quantise(generator(conditions))
        generated = codec.decode(codes).reshape(codec.channels, -1).numpy()
    return generated, pair.sound(start * codec.hop, frames * codec.hop)
